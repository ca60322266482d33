"""fedrec.serve."""
