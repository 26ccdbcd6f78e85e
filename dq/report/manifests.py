"""What each variant really holds: one row a part, means over seeds, and how far the worst seed is off its target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

AMBER = 0.05  # parts are exact to one document: a small budget of long documents is off by some per cent


@dataclass(frozen=True)
class PartRow:
    """A part of a variant."""

    variant: str
    part: str
    tokens: float
    unique_tokens: float
    epochs: float
    documents: float
    off_target: float
    """Of the worst seed, tokens or unique tokens: a share with its sign."""
    first: bool

    @property
    def is_amber(self) -> bool:
        """Whether the worst seed is further off than a budget of this size excuses."""
        return abs(self.off_target) > AMBER


def measured(variant: str, manifest: dict[str, Any]) -> list[PartRow]:
    """The rows of one variant."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for measure in manifest["parts"]:
        parts.setdefault(measure["part"], []).append(measure)
    return [_row(variant, part, rows, first=number == 0) for number, (part, rows) in enumerate(parts.items())]


def _row(variant: str, part: str, rows: list[dict[str, Any]], *, first: bool) -> PartRow:
    off = [
        (row[name] - row[f"target_{name}"]) / row[f"target_{name}"]
        for row in rows
        for name in ("tokens", "unique_tokens")
        if row[f"target_{name}"]
    ]
    mean = {
        name: sum(row[name] for row in rows) / len(rows) for name in ("tokens", "unique_tokens", "epochs", "documents")
    }
    return PartRow(variant, part, **mean, off_target=max(off, key=abs, default=0.0), first=first)
