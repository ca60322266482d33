"""Options that every command shares, and how results are printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from fedrec.contract.errors import ConfigError, DataError

Format = Annotated[Literal["table", "json", "md"], Parameter(name="--format", help="How results are printed.")]
Verbose = Annotated[bool, Parameter(name=["-v", "--verbose"], negative="", help="Say more; show tracebacks.")]
Flag = Parameter(negative="", show_default=False)


def show(title: str, rows: list[dict[str, Any]], format: str, document: Any = None) -> None:
    """Print rows as a table or Markdown, or the whole ``document`` as JSON."""
    if format == "json":  # ids of any type: what JSON has no word for is printed as text
        print(json.dumps(rows if document is None else document, indent=1, ensure_ascii=False, default=str))
        return
    from fedrec.report import table

    if format == "md":
        print(table.markdown(rows))
    else:
        table.terminal(title, rows)


def say(text: str) -> None:
    """Print a remark beside the result."""
    print(f"fedrec: {text}", file=sys.stderr)


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
        lines = path.read_text(encoding="utf-8-sig").split("\n")
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
        if not equals or not ours.strip() or not theirs.strip():
            raise ConfigError(f"--columns {part!r}: expected our_name=name_in_file, for example user_id=customer")
        pairs[ours.strip()] = theirs.strip()
    return pairs
