"""fedrec algorithms"""

from __future__ import annotations

from typing import Any

from fedrec.cli.common import Format, Verbose, show


def algorithms(*, items: int = 10_000, users: int = 1_000, format: Format = "table", verbose: Verbose = False) -> int:
    """Print every algorithm and its egress ledger: what is uploaded, shared and kept private, with bytes.

    Parameters
    ----------
    items
        Catalogue size for which shapes and bytes are printed.
    users
        Expected number of people.
    """
    from fedrec.algorithms.registry import get, names
    from fedrec.contract import Catalog
    from fedrec.experiment.ledger import ledger_rows

    rows: list[dict[str, Any]] = []
    for name in names():
        rows += ledger_rows(get(name)(), Catalog(items, users))
    show(f"what leaves a client, at {items:,} items", rows, format)
    return 0
