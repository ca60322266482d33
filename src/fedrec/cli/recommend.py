"""fedrec recommend"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from fedrec.cli.common import Flag, Format, Verbose, ids_from, ids_of_file, mapping, say, show


def recommend(
    directory: Path,
    *,
    user: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    data: str | None = None,
    items: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    k: Annotated[int | None, Parameter(name=["-k", "--k"])] = None,
    allow_seen: Annotated[bool, Flag] = False,
    only: Path | None = None,
    exclude: Path | None = None,
    columns: str | None = None,
    order: str | None = None,
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
        How many to recommend: 10, or all where the model has fewer items.
    allow_seen
        Also recommend what the person already has.
    only
        File of item ids that may be recommended (stock), one a line.
    exclude
        File of item ids that must not be recommended, one a line.
    columns
        With --data: our names for the file's, user_id=customer,item_id=sku,...
    order
        With --data: name of an integer order column, where there are no times.
    """
    from fedrec.contract import InputError
    from fedrec.serve import load
    from fedrec.serve.evaluate import history_from

    if (user is None) == (items is None):
        raise InputError("give either --user ID or --items ID,ID,...")
    if data is not None and user is None:
        raise InputError("--data holds a user's history: give --user ID with it, or leave it out with --items")
    bundle = load(directory)
    history = None
    if data is not None and user is not None:
        history = history_from(bundle, data, user, mapping(columns), order)
    found = bundle.recommend(
        user,
        ids_from(items),
        k,
        exclude_seen=not allow_seen,
        only=ids_of_file(only),
        exclude=ids_of_file(exclude),
        history=history,
    )
    wanted = bundle.places(k)
    if len(found) < wanted:
        say(f"{len(found)} of {wanted}: nothing else is left to recommend")
    rows = [{"rank": r.rank, "item_id": r.item_id, "title": r.title, "score": r.score} for r in found]
    show(f"recommended for {user if user is not None else 'a new person'}", rows, format)
    return 0
