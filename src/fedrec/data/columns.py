"""Which column of a file is which: the names fedrec knows, ``--columns``, ``order=``, and the nearest name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from fedrec.contract import ConfigError, DataError, did_you_mean

KNOWN = ("user_id", "item_id", "rating", "timestamp", "order", "split")
ORDER_IN_USER = "order_in_user"  # the supplied ratings.parquet of MovieLens-1M: an order instead of times
_RECBOLE_TYPES = ("token", "token_seq", "float", "float_seq")
_OTHER_NAMES = {
    "user_id": (
        "user",
        "userid",
        "uid",
        "customer",
        "customer_id",
        "customerid",
        "client",
        "account",
        "member",
        "visitorid",
    ),
    "item_id": (
        "item",
        "itemid",
        "iid",
        "movie",
        "movieid",
        "movie_id",
        "product",
        "product_id",
        "sku",
        "asin",
        "artist_id",
    ),
}


def plain_name(name: str) -> str:
    """Return a header's name without spaces around it and without RecBole's type (``user_id:token`` -> ``user_id``)."""
    name = name.strip()
    head, _, kind = name.rpartition(":")
    return head if head and kind in _RECBOLE_TYPES else name


def choose(
    found: Sequence[str], where: str, columns: Mapping[str, str] | None = None, order: str | None = None
) -> dict[str, str]:
    """Return {fedrec's name: the file's name} of the columns to read.

    ``columns`` maps fedrec's names to the file's; ``order`` names an integer order column, which then takes the place
    of times. Raises ConfigError for a name fedrec does not know and DataError for a column the file does not have.
    """
    wanted = dict(columns or {})
    if order is not None:
        wanted["order"] = order
    for name, source in wanted.items():
        if name not in KNOWN:
            raise ConfigError(
                f"--columns: {name!r} is not a column fedrec knows; known: {', '.join(KNOWN)}. Write fedrec's name "
                f"first, for example --columns user_id=customer.{did_you_mean(name, KNOWN)}"
            )
        if source not in found:
            raise DataError(
                f"{where}: no column {source!r} (wanted as {name}); columns found: {_listed(found)}."
                f"{did_you_mean(source, found)}"
            )
    out = {name: wanted.get(name, name) for name in KNOWN if name in wanted or (name in found and name != "order")}
    if "order" not in out and "timestamp" not in out and ORDER_IN_USER in found:
        out["order"] = ORDER_IN_USER
    if "order" in out:
        out.pop("timestamp", None)
    for name in ("user_id", "item_id"):
        if name not in out:
            raise DataError(_missing(name, found, where))
    for source in out.values():
        if list(found).count(source) > 1:
            raise DataError(f"{where}: the column {source!r} occurs twice; rename one of the two")
    return out


def order_note(chosen: Mapping[str, str]) -> list[str]:
    """Return what to tell about an order column, if one is used."""
    return [f"order within a user: column {chosen['order']!r}; times are not read"] if "order" in chosen else []


def _listed(found: Sequence[str]) -> str:
    shown = ", ".join(repr(x) for x in list(found)[:20])
    return f"{shown} and {len(found) - 20} more" if len(found) > 20 else shown or "none"


def _missing(name: str, found: Sequence[str], where: str) -> str:
    lowered = {x.lower().strip(): x for x in reversed(found)}
    near = [lowered[x] for x in (name, *_OTHER_NAMES[name]) if x in lowered]
    near = near or [lowered[x] for x in get_close_matches(name, list(lowered), n=1, cutoff=0.5)]
    advice = (
        f"Did you mean {near[0]!r}? Then add --columns {name}={near[0]}"
        if near
        else f"Give the file a header line, or say which column it is with --columns {name}=NAME"
    )
    return f"{where}: no {name} column; columns found: {_listed(found)}. {advice}."
