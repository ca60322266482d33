"""Options that every command shares, and how results are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from fedrec.contract import ConfigError, DataError

Format = Annotated[Literal["table", "json", "md"], Parameter(name="--format", help="how results are printed")]
Verbose = Annotated[bool, Parameter(name=["-v", "--verbose"], negative="", help="say more; show tracebacks")]


def show(title: str, rows: list[dict[str, Any]], format: str, document: Any = None) -> None:
    """Print rows as a table or Markdown, or the whole ``document`` as JSON."""
    from fedrec.report import table

    if format == "json":
        print(json.dumps(document if document is not None else rows, indent=1, ensure_ascii=False))
    elif format == "md":
        print(table.markdown(rows))
    else:
        table.terminal(title, rows)


def ids_from(text: str | None) -> list[str] | None:
    """Split ``ID,ID,...``; quotes keep an id with commas together, as in CSV."""
    if text is None:
        return None
    import csv

    return [x for row in csv.reader([text], skipinitialspace=True) for x in row if x != ""]


def ids_of_file(path: Path | None) -> list[str] | None:
    """Read item ids, one a line (a header ``item_id`` is skipped)."""
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DataError(f"no file {path}: expected item ids, one a line") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}; expected UTF-8 text, one item id a line") from error
    found = [line.strip() for line in lines if line.strip()]
    return found[1:] if found[:1] == ["item_id"] else found


def mapping(text: str | None) -> dict[str, str]:
    """Parse ``--columns user_id=customer,item_id=sku``."""
    pairs = {}
    for part in ids_from(text) or []:
        ours, equals, theirs = part.partition("=")
        if not equals or not ours or not theirs:
            raise ConfigError(f"--columns {part!r}: expected our_name=name_in_file, for example user_id=customer")
        pairs[ours.strip()] = theirs.strip()
    return pairs
