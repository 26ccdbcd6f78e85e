"""Losses along budgets: the baseline's curve, and every variant beside it where it was trained.

A variant's tokens are worth what the curve needs for the same loss: read across from its mark to the curve, then down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dq.report.colors import INK
from dq.report.svg import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    below,
    dot,
    linear_ticks,
    log_ticks,
    panel,
    path,
    x_axis,
    y_axis,
)

HEIGHT, BOTTOM = 230, 184


def equivalence_panel(title: str, found: Mapping[str, Any], colors: Mapping[str, str]) -> str:
    """The panel of one group of runs.

    Args:
        title: of the panel.
        found: the record of a `dq.compare.TokenEquivalence`.
        colors: of the variants, by name.
    """
    base = list(zip(found["tokens"], found["losses"], strict=True))
    marks = [(one["tokens"], one["loss"]) for one in found["variants"]]
    tokens, losses = zip(*base, *marks, strict=True)
    room = 0.08 * (max(losses) - min(losses) or 1.0)
    x = Scale(0.9 * min(tokens), 1.1 * max(tokens), LEFT, WIDTH - RIGHT, is_log=True)
    y = Scale(min(losses) - room, max(losses) + room, BOTTOM, TOP)
    drawn = y_axis(y, linear_ticks(y.low, y.high), right=WIDTH - RIGHT)
    drawn += x_axis(x, log_ticks(x.low, x.high), y=BOTTOM)
    drawn += path([(x(at), y(loss)) for at, loss in base], INK)
    for at, loss in base:
        drawn += dot(x(at), y(loss), INK, tip=f"{found['baseline']}: {loss:.4f} at {at:,.0f} tokens", size=3.0)
    for one in found["variants"]:
        tip = f"{one['variant']}: {one['loss']:.4f} at {one['tokens']:,.0f} tokens, {one['in_words']}"
        drawn += dot(x(one["tokens"]), y(one["loss"]), colors[one["variant"]], tip=tip, diamond=True, size=5.0)
    drawn += below("budget, tokens", height=HEIGHT)
    return panel(title, drawn, height=HEIGHT)


def equivalence_panels(groups: Sequence[Mapping[str, Any]], colors: Mapping[str, str]) -> list[str]:
    """A panel for each group of a study's cells, as `grid.json` holds them."""
    return [
        equivalence_panel(
            ", ".join(f"{n} {v}" for n, v in one["listed"].items()) or "all budgets", one["found"], colors
        )
        for one in groups
        if one["found"]["variants"]
    ]
