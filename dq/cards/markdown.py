"""Markdown of what comes from documents: names and numbers that cannot become links, headings, HTML or more cells."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dq.cards.facts import Cell

_AS_CODE = re.compile(r"[^`|]*[^`| ][^`|]*")  # what nothing in a code span or a table's cell ends
_SIGN = re.compile(r"[^\w ]|_")


def printable(text: str) -> str:
    r"""A text on one line, without what moves or reorders others: such characters as ``\u202e``."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)


def named(text: str) -> str:
    """A name: as code, in which only these two signs mean anything; else with signs as entities, of which none does."""
    text = printable(text)
    return f"`{text}`" if _AS_CODE.fullmatch(text) else _SIGN.sub(lambda found: f"&#{ord(found[0])};", text)


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table, its numbers to the right."""
    numbers = [any(isinstance(row[at], (int, float)) for row in rows) for at in range(len(head))]
    lines = [head, ["---:" if number else "---" for number in numbers], *([_cell(one) for one in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return named(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
