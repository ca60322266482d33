"""A tiny typed HTML builder: text is escaped unless it was built here, so forgetting cannot inject."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

VOID = frozenset({"br", "col", "hr", "link", "meta", "wbr"})


@dataclass(frozen=True)
class Html:
    """Finished HTML; the only thing that is not escaped again."""

    text: str


Child = Html | str | int | None | Iterable["Child"]
Attribute = str | int | float | bool | None


def flat(child: Child) -> str:
    """Return a child as HTML text: strings and numbers escaped, nothing for None, the parts of an iterable joined."""
    if child is None:
        return ""
    if isinstance(child, Html):
        return child.text
    if isinstance(child, (str, int)):
        return html.escape(str(child), quote=False)
    return "".join(flat(part) for part in child)


def tag(name: str, *children: Child, **attributes: Attribute) -> Html:
    """Return one element.

    ``class_`` becomes ``class``, other underscores become hyphens; True is an attribute without a value, False and
    None leave it out. A void element with children is a ValueError.
    """
    opening = f"<{name}{''.join(_attribute(k, v) for k, v in attributes.items())}>"
    if name in VOID:
        if children:
            raise ValueError(f"<{name}> cannot hold anything, got {children!r}")
        return Html(opening)
    return Html(f"{opening}{flat(children)}</{name}>")


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(_short(value))}"'


def _short(value: Attribute) -> str:
    """Return coordinates with at most two decimals: a page of plots stays small."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def join(*children: Child) -> Html:
    """Return the children one after the other."""
    return Html(flat(children))


def embedded(value: Any) -> Html:
    """Return JSON that is safe inside a script element of type application/json (nothing can close the element)."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(text)
