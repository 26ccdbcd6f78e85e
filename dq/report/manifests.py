"""What each variant really holds: one row a part, means over seeds, and how far the worst seed is off its target."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

MAX_PARTS = 20  # of a variant
AMBER = 0.05  # parts are exact to one piece, or to one document: a small budget of long ones is off by some per cent


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
    first: bool = False

    @property
    def is_amber(self) -> bool:
        """Whether the worst seed is further off than a budget of this size excuses."""
        return abs(self.off_target) > AMBER


def measured(variant: str, manifest: dict[str, Any]) -> list[PartRow]:
    """The rows of one variant; of many parts the largest, and the others in one row."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for measure in manifest["parts"]:
        parts.setdefault(measure["part"], []).append(measure)
    rows = [_row(variant, part, measures) for part, measures in parts.items()]
    if len(rows) > MAX_PARTS:
        rows.sort(key=lambda row: -row.tokens)
        rows[MAX_PARTS:] = [_together(variant, rows[MAX_PARTS:])]
    return [dataclasses.replace(row, first=number == 0) for number, row in enumerate(rows)]


def _row(variant: str, part: str, measures: list[dict[str, Any]]) -> PartRow:
    off = [
        (one[name] - one[f"target_{name}"]) / one[f"target_{name}"]
        for one in measures
        for name in ("tokens", "unique_tokens")
        if one[f"target_{name}"]
    ]
    names = ("tokens", "unique_tokens", "epochs", "documents")
    mean = {name: sum(one[name] for one in measures) / len(measures) for name in names}
    return PartRow(variant, part, **mean, off_target=max(off, key=abs, default=0.0))


def _together(variant: str, rows: list[PartRow]) -> PartRow:
    tokens, unique = sum(row.tokens for row in rows), sum(row.unique_tokens for row in rows)
    return PartRow(
        variant=variant,
        part=f"{len(rows):,} smaller parts",
        tokens=tokens,
        unique_tokens=unique,
        epochs=tokens / unique if unique else 0.0,
        documents=sum(row.documents for row in rows),
        off_target=max((row.off_target for row in rows), key=abs),
    )
