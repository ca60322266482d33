"""fedrec data describe"""

from __future__ import annotations

from typing import Any

from fedrec.cli.common import Format, Verbose, mapping, show


def describe(
    data: str,
    *,
    items: str | None = None,
    users: str | None = None,
    columns: str | None = None,
    order: str | None = None,
    format: Format = "table",
    verbose: Verbose = False,
) -> int:
    """Print what is in a data set.

    Parameters
    ----------
    data
        quickstart, synthetic:..., a file or a folder.
    items
        File of item titles and public features.
    users
        File of user columns.
    columns
        Our names for the file's: user_id=customer,item_id=sku,...
    order
        Name of an integer order column, where there are no times.
    """
    from fedrec import data as data_layer

    found = data_layer.load(data, items=items, users=users, columns=mapping(columns), order=order)
    facts: dict[str, Any] = data_layer.describe(found)
    show(f"{found.name}", [{"what": k, "value": _text(v)} for k, v in facts.items()], format, facts)
    return 0


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "; ".join(_text(v) for v in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
