"""fedrec recommend"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from fedrec.cli.common import Format, Verbose, ids_from, ids_of_file, show


def recommend(
    directory: Path,
    *,
    user: str | None = None,
    data: str | None = None,
    items: str | None = None,
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 10,
    allow_seen: Annotated[bool, Parameter(negative="")] = False,
    only: Path | None = None,
    exclude: Path | None = None,
    format: Format = "table",
    verbose: Verbose = False,
) -> int:
    """Recommend items: for a person of the run, or for a new person from a few items (nothing is retrained).

    Parameters
    ----------
    directory
        A folder written by fedrec train.
    user
        A user id; the history comes from the run's private part, or from --data.
    data
        Data that holds the user's history.
    items
        ID,ID,...: what a new person has, oldest first.
    k
        How many to recommend.
    allow_seen
        Also recommend what the person already has.
    only
        File of item ids that may be recommended (stock), one a line.
    exclude
        File of item ids that must not be recommended, one a line.
    """
    from fedrec.contract import InputError
    from fedrec.serve import load
    from fedrec.serve.evaluate import history_from

    if (user is None) == (items is None):
        raise InputError("give either --user ID or --items ID,ID,...")
    bundle = load(directory)
    history = history_from(bundle, data, user) if data is not None and user is not None else None
    found = bundle.recommend(
        user,
        ids_from(items),
        k,
        exclude_seen=not allow_seen,
        only=ids_of_file(only),
        exclude=ids_of_file(exclude),
        history=history,
    )
    rows = [{"rank": r.rank, "item_id": r.item_id, "title": r.title, "score": r.score} for r in found]
    if len(found) < k:
        print(f"fedrec: only {len(found)} of {k}: nothing else is left to recommend", file=sys.stderr)
    show(f"recommended for {user if user is not None else 'a new person'}", rows, format)
    return 0
