"""The figures of isoFLOP parabolas: each level with its parabola and vertex, and the vertices along compute."""

from __future__ import annotations

import numpy as np
import polars as pl

from dq.report.colors import INK, PALETTE
from dq.report.page import Figure
from dq.report.svg import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    below,
    dot,
    line,
    linear_ticks,
    log_ticks,
    panel,
    path,
    power_ticks,
    x_axis,
    y_axis,
)
from dq.scaling.plans import Approaches, Envelope, Isoflop
from dq.scaling.plans.quantity import short

HEIGHT, BOTTOM = 260, 216
CURVE = 30


def isoflop_figures(found: Approaches) -> list[Figure]:
    """A figure of the parabolas and their power law; none where the runs have no levels."""
    if found.isoflop is None:
        return []
    levels = _spread(found.isoflop.levels)
    legend = [(f"{short(one)} FLOPs", color) for one, color in zip(levels["flops"], PALETTE, strict=False)]
    caption = (
        "Left, runs of one compute by size, their parabola and its vertex; right, the vertices and their power "
        "law, with the envelope's sizes as dots."
    )
    panels = [_parabolas(found.isoflop, levels), _power(found.isoflop, found)]
    return [Figure("isoflop", "IsoFLOP parabolas", caption, panels, legend)]


def _spread(levels: pl.DataFrame) -> pl.DataFrame:
    """As many levels as there are colours, from the least to the most compute."""
    rows = np.unique(np.linspace(0, len(levels) - 1, len(PALETTE)).round().astype(int))
    found: pl.DataFrame = levels[rows.tolist()]
    return found


def _parabolas(found: Isoflop, levels: pl.DataFrame) -> str:
    runs = found.points.filter(pl.col("level").is_in(levels["level"].implode()))
    sizes, losses = runs["n_params"].to_numpy(), [*runs["loss"], *levels["loss"]]
    x = Scale(0.9 * sizes.min(), 1.1 * sizes.max(), LEFT, WIDTH - RIGHT, is_log=True)
    room = 0.05 * (max(losses) - min(losses))
    y = Scale(min(losses) - room, max(losses) + room, BOTTOM, TOP)
    marks = y_axis(y, linear_ticks(y.low, y.high), right=WIDTH - RIGHT)
    marks += x_axis(x, log_ticks(x.low, x.high, most=5), y=BOTTOM) + below("parameters (log scale)", height=HEIGHT)
    for one, color in zip(levels.to_dicts(), PALETTE, strict=False):
        along = np.geomspace(one["smallest"], one["largest"], CURVE)
        drawn = one["loss"] + one["bend"] * (np.log(along) - np.log(one["n_params"])) ** 2
        marks += path([(x(n), y(loss)) for n, loss in zip(along, drawn, strict=True)], color)
        for run in runs.filter(pl.col("level") == one["level"]).iter_rows(named=True):
            tip = f"{short(run['n_params'])} parameters: {run['loss']:.4f}"
            marks += dot(x(run["n_params"]), y(run["loss"]), color, tip=tip, size=2.2)
        tip = f"least at {short(one['n_params'])} parameters: {one['loss']:.4f}"
        marks += dot(x(one["n_params"]), y(one["loss"]), color, tip=tip, diamond=True)
    return panel("loss by parameters at equal compute", marks, height=HEIGHT)


def _power(found: Isoflop, ways: Approaches) -> str:
    levels, lowest = found.levels, [one.found.optima for one in ways.ways if isinstance(one.found, Envelope)]
    flops = [float(levels["flops"][0]), float(levels["flops"][-1])]
    sizes = [*levels["n_params"], *(n for one in lowest for n in one["n_params"])]
    x = Scale(0.9 * flops[0], 1.1 * flops[1], LEFT, WIDTH - RIGHT, is_log=True)
    y = Scale(0.8 * min(sizes), 1.2 * max(sizes), BOTTOM, TOP, is_log=True)
    marks = y_axis(y, log_ticks(y.low, y.high, most=6), right=WIDTH - RIGHT)
    marks += x_axis(x, power_ticks(x.low, x.high, most=5), y=BOTTOM) + below(
        "training FLOPs (log scale)", height=HEIGHT
    )
    for optima in lowest:
        for c, n in zip(optima["flops"], optima["n_params"], strict=True):
            if x.holds(c):
                marks += dot(x(c), y(n), INK, tip=f"lowest curve: {short(n)} parameters", size=1.2)
    ends = [(x(c), y(float(found.n_params(c)[0]))) for c in flops]
    marks += line(ends[0], ends[1], stroke_dasharray="4 3")
    for one, color in zip(_spread(levels).to_dicts(), PALETTE, strict=False):
        tip = f"{short(one['flops'])} FLOPs: {short(one['n_params'])} parameters"
        marks += dot(x(one["flops"]), y(one["n_params"]), color, tip=tip, diamond=True)
    return panel(f"best N by compute: C^{found.exponent.value or 0:.3f}", marks, height=HEIGHT)
