"""A data set: interactions with original ids, titles and user columns, in the order of the file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedrec.contract import Interactions, UnknownIdError, did_you_mean

if TYPE_CHECKING:
    import polars as pl


@dataclass
class Dataset:
    """Interactions sorted by user, then time, then file order.

    ``interactions``: every user's full history (row u = user u); ``user_ids`` / ``item_ids``: polars Series of the
    original ids in their original type, row = code; ``titles``: item titles or None; ``items`` / ``users``: the side
    tables (one row a code) or None; ``parts`` (nnz,) int8 or None: 0 train, 1 validation, 2 test of a ``split``
    column or a given test file; ``notes``: what the reader did and counted (rows dropped, duplicates), in words.
    ``ordered``: False where there is no time and no order column, so time splits are refused.
    """

    name: str
    interactions: Interactions
    user_ids: pl.Series
    item_ids: pl.Series
    titles: list[str] | None = None
    items: pl.DataFrame | None = None
    users: pl.DataFrame | None = None
    parts: NDArray[np.int8] | None = None
    ordered: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def n_users(self) -> int:
        """Return the number of users."""
        return self.interactions.n_users

    @property
    def n_items(self) -> int:
        """Return the number of items of the catalogue."""
        return self.interactions.n_items

    @property
    def n_interactions(self) -> int:
        """Return the number of interactions."""
        return self.interactions.n_interactions

    def fingerprint(self) -> str:
        """Return a SHA-256 (hex, 16 digits) over ids, order, times, ratings and parts."""
        digest = hashlib.sha256()
        for ids in (self.user_ids, self.item_ids):
            digest.update("\x1f".join(str(x) for x in ids.to_list()).encode())
        rows = self.interactions
        for array in (rows.offsets, rows.items, rows.times, rows.values, self.parts):
            digest.update(b"|" if array is None else np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]

    def user_code(self, user: object) -> int:
        """Return the row of a user id (given as text or in its own type)."""
        return self._code(user, self.user_ids, "user")

    def item_code(self, item: object) -> int:
        """Return the row of an item id (given as text or in its own type)."""
        return self._code(item, self.item_ids, "item")

    def _code(self, wanted: object, ids: pl.Series, kind: str) -> int:
        table = self.__dict__.setdefault(f"_{kind}_table", None)
        if table is None:
            table = {str(x): code for code, x in enumerate(ids.to_list())}
            self.__dict__[f"_{kind}_table"] = table
        code = table.get(str(wanted))
        if code is None:
            raise UnknownIdError(
                f"{kind} {str(wanted)!r} is not in {self.name} ({len(ids):,} {kind}s, for example "
                f"{str(ids[0])!r}).{did_you_mean(str(wanted), islice(table, 20_000))}"
            )
        return int(code)

    def title(self, item: int) -> str:
        """Return the title of an item's row, or its id."""
        return self.titles[item] if self.titles is not None else str(self.item_ids[item])
