"""What ``fedrec --help`` prints; a test holds it to the commands that exist."""

HELP = """\
fedrec: recommendations without collecting what people did

  fedrec bench quick [--report FILE.html]     the main job: compare everything on the bundled gift-shop purchases
  fedrec bench FILE.toml                      data sets x algorithms x seeds x protocols
  fedrec train ALGORITHM --data DATA          train a federated recommender and write a run folder
  fedrec evaluate DIR --data DATA             test a trained run
  fedrec recommend DIR --user ID              recommend for a person of the run
  fedrec recommend DIR --items ID,ID,...      recommend for a new person, without retraining
  fedrec report DIR [DIR ...] --out FILE.html one HTML file from one or more runs
  fedrec audit DIR --out FILE.html            attacks on your own set-up; PASS, FAIL or KNOWN LIMIT a line
  fedrec algorithms                           every algorithm and what it shares, keeps private and uploads
  fedrec data describe DATA                   what is in a data set
  fedrec doctor                               what works on this machine, what is missing, how to fix it

  fedrec COMMAND --help explains a command. Every command takes --format table|json|md and -v.
  Exit codes: 0 done, 2 the input is wrong, 1 anything else."""

COMMANDS = ("bench", "train", "evaluate", "recommend", "report", "audit", "algorithms", "data", "doctor")
