"""The page of a study of several cells: what each says, as a table and along the budgets, with links to their reports.

Nothing here is pooled over cells: losses at two sizes, budgets or rates are not of one kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dq.report.build import build_report
from dq.report.colors import INK, colors_of
from dq.report.equivalence import equivalence_panels
from dq.report.page import Figure, write_page
from dq.report.svg import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    below,
    dot,
    interval,
    line,
    linear_ticks,
    panel,
    path,
    text,
    y_axis,
)
from dq.report.svg import short_number as short
from dq.store import Workspace, read_json

HEIGHT, BOTTOM = 230, 184


@dataclass(frozen=True)
class _Cell:
    """One cell: what tells it apart, and its result; None where its runs diverged."""

    about: dict[str, Any]
    study: dict[str, Any] | None

    @property
    def comparison(self) -> dict[str, Any] | None:
        """Of its variants."""
        return None if self.study is None else dict(self.study["comparison"])

    @property
    def controls(self) -> tuple[int, int]:
        """How many passed, of how many."""
        judged = [] if self.study is None else self.study["controls"]
        return sum(one["status"] == "passed" for one in judged), len(judged)

    @property
    def judged(self) -> dict[str, dict[str, Any]]:
        """What is said of each variant."""
        return {} if self.comparison is None else {one["variant"]: one for one in self.comparison["variants"]}


def build_grid_report(workspace: Workspace, study: Path) -> Path:
    """Write the report of every cell of a finished study and the page of them all, and return its path.

    Raises:
        WorkspaceError: the study or a stage before it has not finished.
        MissingExtraError: the `report` extra is not installed.
    """
    grid = read_json(study / "grid.json")
    cells = [_read(study, about) for about in grid["cells"]]
    for cell in cells:
        if cell.comparison is not None:
            build_report(workspace, study / cell.about["cell"])
    config = grid["config"]
    names = [name for name in config["variants"] if name != config["baseline"]]
    colors = colors_of(names, baseline=config["baseline"])
    budgets = Figure(
        "budgets",
        f"Difference from {config['baseline']} by budget, bits per byte",
        "Below 0 is better. Each point is a cell, judged by its own runs; bars are the intervals that decide, the band "
        f"is the margin of {config['margin_bits_per_byte']:g} in all. Lines only lead the eye.",
        _panels(cells, names, colors=colors, margin=config["margin_bits_per_byte"]),
        [(name, colors[name]) for name in names],
    )
    groups = grid.get("equivalences", ())  # older versions looked nothing up
    worth = Figure(
        "equivalence",
        f"What tokens are worth in tokens of {config['baseline']}",
        f"Bits per byte on the neutral sets. The line is {config['baseline']}; read across from a variant's mark to it "
        "and down: that many of its tokens reach the same loss. Beyond the line nothing is said.",
        equivalence_panels(groups, colors),
        [(config["baseline"], INK), *((name, colors[name]) for name in names)],
    )
    values = {
        "grid": grid,
        "config": config,
        "names": names,
        "cells": cells,
        "changes": grid["changes"],
        "figures": [figure for figure in (budgets, worth) if figure.panels],
        "groups": groups,
    }
    return write_page(study / "report", "grid.html", name=grid["study"], values=values)


def _read(study: Path, about: dict[str, Any]) -> _Cell:
    return _Cell(about, None if about["failed"] else read_json(study / about["cell"] / "comparison.json"))


def _panels(cells: Sequence[_Cell], names: Sequence[str], *, colors: dict[str, str], margin: float) -> list[str]:
    """A panel for each size, rate and decay; the budgets stand beside each other in it, all on one scale."""
    listed = [tuple(cell.about["listed"].items()) for cell in cells]
    values = [
        end
        for cell in cells
        for one in cell.judged.values()
        for end in (one["neutral"]["difference"], *_ends(one["neutral"]))
    ]
    low, high = min([*values, -1.5 * margin]), max([*values, 1.5 * margin])
    y = Scale(low - 0.05 * (high - low), high + 0.05 * (high - low), BOTTOM, TOP)
    budgets = sorted({cell.about["budget_tokens"] for cell in cells})
    return [
        _panel(
            ", ".join(f"{name} {value}" for name, value in one) or "all budgets",
            [cell for cell, other in zip(cells, listed, strict=True) if other == one],
            _Axes(names, colors, margin, y, budgets),
        )
        for one in dict.fromkeys(listed)
    ]


@dataclass(frozen=True)
class _Axes:
    """What all panels share."""

    names: Sequence[str]
    colors: dict[str, str]
    margin: float
    y: Scale
    budgets: Sequence[int]

    def x(self, budget_tokens: int) -> float:
        """The middle of a budget's column."""
        return LEFT + (WIDTH - RIGHT - LEFT) * (self.budgets.index(budget_tokens) + 0.5) / len(self.budgets)


def _panel(title: str, cells: Sequence[_Cell], axes: _Axes) -> str:
    y, right = axes.y, WIDTH - RIGHT
    marks = y_axis(y, linear_ticks(y.low, y.high), right=right) + line((LEFT, y(0)), (right, y(0)))
    for edge in (-axes.margin, axes.margin):
        marks += line((LEFT, y(edge)), (right, y(edge)), stroke_opacity=0.35, stroke_dasharray="3 2")
    for budget in axes.budgets:
        marks += text(axes.x(budget), BOTTOM + 16, short(budget), anchor="middle", soft=True)
    for number, name in enumerate(axes.names):
        shift = (number - (len(axes.names) - 1) / 2) * 9.0
        mine = sorted(
            ((axes.x(cell.about["budget_tokens"]) + shift, cell.judged[name]) for cell in cells if name in cell.judged),
            key=lambda one: one[0],
        )
        marks += path([(at, y(one["neutral"]["difference"])) for at, one in mine], axes.colors[name])
        for at, one in mine:
            marks += _mark(at, one, y, color=axes.colors[name])
    marks += below("budget, tokens", height=HEIGHT, right=right)
    return panel(title, marks, height=HEIGHT)


def _mark(at: float, found: dict[str, Any], y: Scale, *, color: str) -> str:
    judged = found["neutral"]
    bar = interval(y, _ends(judged), color, at=at, width=1.4) if judged["family_interval"] else ""
    tip = f"{found['variant']}: {judged['difference']:+.4f} bits per byte, {found['verdict']['outcome']}"
    return bar + dot(at, y(judged["difference"]), color, tip=tip, diamond=True, size=5.0)


def _ends(judged: dict[str, Any]) -> tuple[float, float]:
    found = judged["family_interval"]
    return (found["low"], found["high"]) if found else (judged["difference"], judged["difference"])
