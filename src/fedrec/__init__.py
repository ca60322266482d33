"""fedrec: a federated recommender system. Interactions stay where they are; only bounded, summable updates leave.

import fedrec
model = fedrec.load("run")
model.recommend(items=["22423", "85123A"], k=10)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedrec.serve.api import fit
    from fedrec.serve.bundle import Bundle, load
    from fedrec.serve.recommender import Recommender

__version__ = "0.1.0"
__all__ = ["Bundle", "Recommender", "__version__", "fit", "load"]

_HOMES = {
    "fit": "fedrec.serve.api",
    "Recommender": "fedrec.serve.recommender",
    "load": "fedrec.serve.bundle",
    "Bundle": "fedrec.serve.bundle",
}


def __getattr__(name: str) -> Any:  # lazy: `import fedrec` must cost nothing at start-up
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'fedrec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
