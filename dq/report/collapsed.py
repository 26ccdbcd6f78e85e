"""The page of `dq fit --collapse`: each run's curve over its final loss, the odd ones in colour."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dq.report.colors import PALETTE
from dq.report.page import Figure, write_page, write_panels
from dq.report.svg import LEFT, RIGHT, TOP, WIDTH, Scale, below, linear_ticks, panel, path, x_axis, y_axis
from dq.scaling import Collapse

HEIGHT, BOTTOM = 260, 216
OTHERS = "#8a8a8e"


def build_collapse(found: Collapse, folder: Path, *, name: str) -> Path:
    """Write the page and its panels into a folder, and return the page's path.

    Raises:
        MissingExtraError: the `report` extra is not installed.
    """
    odd = found.runs.filter("odd")["run"].to_list()
    colors = dict(zip(odd, PALETTE, strict=False))
    panels = [_panel(found, group, colors) for group in found.runs["group"].unique().sort()]
    caption = "Loss of each run over its final one, by the share of its tokens. In colour: runs that leave the others."
    legend = [*colors.items(), ("the others", OTHERS)]
    figure = Figure("collapse", "Curves over their final loss", caption, panels, legend)
    values = {"sentences": found.in_words, "notes": found.notes, "figures": [figure]}
    page = write_page(folder, "collapsed.html", name=Path(name).name, values=values)
    write_panels(folder, [("runs", figure)])
    return page


def _panel(found: Collapse, group: int, colors: dict[str, str]) -> str:
    points = found.curves.filter(pl.col("group") == group)
    ratio = found.runs.filter(pl.col("group") == group)["ratio"].median()
    x = Scale(0.0, 1.0, LEFT + 8, WIDTH - RIGHT - 8)
    y = Scale(1.0, max(points["normalised"].to_list()), BOTTOM, TOP)
    marks = y_axis(y, linear_ticks(y.low, y.high), right=WIDTH - RIGHT) + x_axis(x, linear_ticks(0.0, 1.0), y=BOTTOM)
    for run in sorted(points["run"].unique(maintain_order=True), key=lambda one: one in colors):
        rows = points.filter(pl.col("run") == run)
        places = [(x(share), y(loss)) for share, loss in zip(rows["share"], rows["normalised"], strict=True)]
        marks += path(places, colors.get(run, OTHERS))
    marks += below("share of the run's tokens", height=HEIGHT)
    title = "all runs" if ratio is None else f"{float(ratio):.3g} tokens a parameter"  # type: ignore[arg-type]
    return panel(title, marks, height=HEIGHT)
