"""Parses the command line and turns every error into one plain message and an exit code."""

from __future__ import annotations

import logging
import sys
import traceback

from cyclopts import App, CycloptsError

from fedrec.contract.errors import FedrecError

# Ctrl-C reaches ``run``: cyclopts would turn it into exit code 130 without a word.
app = App(
    name="fedrec",
    help="Recommendations without collecting what people did.",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
app.command("fedrec.cli.bench:bench")
app.command("fedrec.cli.train:train")
app.command("fedrec.cli.evaluate:evaluate")
app.command("fedrec.cli.recommend:recommend")
app.command("fedrec.cli.report:report")
app.command("fedrec.cli.audit:audit")
app.command("fedrec.cli.algorithms:algorithms")
app.command("fedrec.cli.doctor:doctor")
data = App(name="data", help="Look at data sets.", result_action="return_value")
data.command("fedrec.cli.describe:describe")
app.command(data)


def run(arguments: list[str]) -> int:
    """Run one command line and return the exit code; only BrokenPipeError is left to the caller."""
    verbose = "-v" in arguments or "--verbose" in arguments
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, format="%(name)s: %(message)s")
    logging.getLogger("numba").setLevel(logging.WARNING)
    try:
        result = app(_whole(arguments), exit_on_error=False, print_error=False)
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        raise
    except CycloptsError as error:
        return _fail(f"{_plain(error)} See: fedrec {_command(arguments)}--help", 2, verbose)
    except FedrecError as error:
        return _fail(str(error), error.exit_code, verbose)
    except KeyboardInterrupt:
        return _fail("stopped; what was saved before is intact, and train --out goes on with --resume", 1, verbose)
    except MemoryError:
        return _fail("out of memory: use a smaller data set or a cheaper algorithm (fedrec algorithms)", 1, verbose)
    except OSError as error:
        return _fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), 1, verbose)
    except Exception as error:
        said = " ".join(str(error).split())
        return _fail(
            f"a defect of fedrec, please report it: {type(error).__name__}: {said} (-v shows more)", 1, verbose
        )


def _whole(arguments: list[str]) -> list[str]:
    """Give --secure-sum, which may stand alone, its value."""
    out: list[str] = []
    for here, following in zip(arguments, [*arguments[1:], ""], strict=True):
        out.append(here)
        if here == "--secure-sum" and following not in ("off", "on", "full"):
            out.append("on")
    return out


def _plain(error: CycloptsError) -> str:
    text = " ".join(str(error).split())
    return text if text.endswith((".", "?", "!")) else text + "."


def _command(arguments: list[str]) -> str:
    """Return the command that was meant, with a blank, or nothing where there is none of that name."""
    names = [a for a in arguments[:2] if not a.startswith("-")]
    if names[:2] == ["data", "describe"]:
        return "data describe "
    return f"{names[0]} " if names and names[0] in app else ""


def _fail(message: str, code: int, verbose: bool) -> int:
    if verbose and sys.exc_info()[0] is not None:
        traceback.print_exc()
    print(f"fedrec: {message}", file=sys.stderr)
    return code
