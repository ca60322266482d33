"""fedrec doctor"""

from __future__ import annotations

from importlib.util import find_spec

from fedrec.cli.common import Format, Verbose, show

EXTRAS = {
    "torch": ("neural", "neural algorithms"),
    "flwr": ("flower", "organisations over Flower"),
    "cryptography": ("privacy", "every message of a secure sum (--secure-sum full)"),
    "dp_accounting": ("privacy", "a second accountant, for checks of ours; noise needs no extra"),
    "fastapi": ("serve", "the HTTP coordinator"),
}


def doctor(*, format: Format = "table", verbose: Verbose = False) -> int:
    """Check what works on this machine, what is missing and how to fix it; exit code 1 where something is broken."""
    from fedrec.experiment.machine import available_memory, environment

    rows = [_row(name, value) for name, value in environment().items()]
    free = available_memory()
    rows.append(_row("free memory", "unknown" if free is None else f"{free / 1e9:.1f} GB"))
    problem = _kernel_problem()
    rows.append(
        _row("compiled kernels", problem or "ok", "reinstall numba and llvmlite for this Python" * bool(problem))
    )
    for module, (extra, use) in EXTRAS.items():
        found = find_spec(module) is not None
        fix = "" if found else f"pip install 'fedrec[{extra}]'; not needed for anything of this version"
        rows.append(_row(f"{module} ({use})", "ok" if found else "not installed", fix))
    show("fedrec doctor", rows, format)
    return 1 if problem else 0


def _row(check: str, result: str, fix: str = "") -> dict[str, str]:
    return {"check": check, "result": result, "how to fix": fix}


def _kernel_problem() -> str:
    """Return what is wrong with the compiled kernels, or an empty string."""
    import numpy as np

    try:
        from fedrec.contract import Interactions
        from fedrec.kernels.pairs import cooccurrence

        out = np.zeros((2, 2), np.int32)
        cooccurrence(Interactions.from_lists(2, [[0, 1], [1]]), out)
        return "" if out.tolist() == [[1, 1], [1, 2]] else f"wrong result {out.tolist()}"
    except (ImportError, RuntimeError, OSError) as error:
        return str(error)
