"""The page of `dq fit`, and its figures as files: curves with bands, residuals, and the profile of each parameter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dq.report.colors import INK, PALETTE
from dq.report.isoflops import isoflop_figures
from dq.report.page import Figure, write_page, write_panels
from dq.report.svg import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    across,
    below,
    dot,
    line,
    linear_ticks,
    log_ticks,
    panel,
    path,
    short_number,
    tag,
    x_axis,
    y_axis,
)
from dq.scaling import Fit, Profile
from dq.scaling.plans import Approaches

HEIGHT, BOTTOM = 250, 208
MOST_SIZES = 6
"""Of curves in one panel: the smallest, the largest and some between."""
CURVE_POINTS = 40
HIGHEST_RISE = 4.0
"""Of a profile, as a multiple of what its interval allows."""


@dataclass(frozen=True)
class Fitted:
    """A fit with what was asked of it, as the page shows it."""

    fit: Fit
    profiles: Sequence[Profile]
    sentences: Sequence[str]


def build_fits(found: Sequence[Fitted], folder: Path, *, name: str, ways: Approaches | None = None) -> Path:
    """Write the page and its panels into a folder, and return the page's path.

    Args:
        found: the fits.
        folder: made where it is missing.
        name: of the table.
        ways: the best size by compute without a law, if it was asked for.

    Raises:
        MissingExtraError: the `report` extra is not installed.
    """
    parts = [(one, list(_figures(one))) for one in found]
    values = {"parts": [(one.fit.to_dict(), _rows(one), one.sentences, figures) for one, figures in parts]}
    beside = isoflop_figures(ways) if ways is not None else []
    words = ways.in_words if ways is not None else ()
    page = write_page(folder, "fitted.html", name=Path(name).name, values={**values, "beside": beside, "words": words})
    write_panels(folder, ((one.fit.law, figure) for one, figures in parts for figure in figures))
    write_panels(folder, (("runs", figure) for figure in beside))
    return page


def _rows(one: Fitted) -> list[Mapping[str, Any]]:
    return [profile.interval.to_dict() for profile in one.profiles]


def _figures(one: Fitted) -> Iterator[Figure]:
    fit = one.fit
    if set(fit.solution.problem.law.columns) == {"n_params", "n_tokens"}:
        drawn, legend = _curves(fit)
        caption = "Lines are the law, bands its 95 % intervals, dots the runs of the sizes that are drawn."
        yield Figure("curves", "Loss along tokens", caption, [drawn], legend)
    caption = "Log loss of a run above the law, in %. A pattern says that the law has the wrong form."
    panels = [_residuals(fit, column) for column in ("n_params", "n_tokens")]
    yield Figure("residuals", "Residuals", caption, panels, [])
    caption = (
        "How far the objective rises when a parameter is moved and all others are fitted again. The interval lies "
        "below the dashed line; a curve that never crosses it says that the runs do not determine the parameter."
    )
    panels = [_profile(profile, is_log=_is_log(fit, profile.interval.name)) for profile in one.profiles]
    yield Figure("profiles", "Profiles", caption, panels, [])


def _is_log(fit: Fit, name: str) -> bool:
    return next(one.is_log for one in fit.solution.problem.space.free if one.name == name)


def _curves(fit: Fit) -> tuple[str, list[tuple[str, str]]]:
    runs = fit.table.frame
    sizes = np.unique(runs["n_params"].to_numpy())
    chosen = sizes[np.unique(np.linspace(0, len(sizes) - 1, MOST_SIZES).round().astype(int))]
    low, high = _ends(runs["n_tokens"])
    tokens = np.geomspace(low, high, CURVE_POINTS)
    lines = [fit.predict({"n_params": [size] * CURVE_POINTS, "n_tokens": tokens.tolist()}) for size in chosen]
    losses = [value for one in lines for value in (*one["loss"], *runs["loss"])]
    x, y = across(low, high), Scale(min(losses), max(losses), BOTTOM, TOP)
    marks = y_axis(y, linear_ticks(y.low, y.high), right=WIDTH - RIGHT)
    marks += x_axis(x, log_ticks(low, high, most=5), y=BOTTOM) + below("tokens (log scale)", height=HEIGHT)
    legend = []
    for size, one, color in zip(chosen, lines, PALETTE, strict=False):
        upper = [(x(t), y(v)) for t, v in zip(tokens, one["high"], strict=True)]
        lower = [(x(t), y(v)) for t, v in zip(tokens, one["low"], strict=True)]
        shape = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*upper, *reversed(lower)])
        marks += tag("polygon", points=shape, fill=color, fill_opacity=0.18)
        marks += path([(x(t), y(v)) for t, v in zip(tokens, one["loss"], strict=True)], color)
        for run in runs.filter(pl.col("n_params") == size).iter_rows(named=True):
            tip = f"{short_number(size)} parameters, {short_number(run['n_tokens'])} tokens: {run['loss']:.4f}"
            marks += dot(x(run["n_tokens"]), y(run["loss"]), color, tip=tip, size=3.0)
        legend.append((f"{short_number(size)} parameters", color))
    return panel(f"{fit.law}: loss by tokens", marks, height=HEIGHT), legend


def _residuals(fit: Fit, column: str) -> str:
    runs = fit.residuals
    low, high = _ends(runs[column])
    x, widest = across(low, high), max(100 * float(np.abs(runs["residual"].to_numpy()).max()), 1e-6)
    y = Scale(-widest, widest, BOTTOM, TOP)
    marks = y_axis(y, linear_ticks(y.low, y.high), right=WIDTH - RIGHT)
    marks += x_axis(x, log_ticks(low, high, most=5), y=BOTTOM) + line((LEFT, y(0)), (WIDTH - RIGHT, y(0)))
    for run in runs.iter_rows(named=True):
        tip = f"{short_number(run[column])}: {100 * run['residual']:+.2f} % (loss {run['loss']:.4f})"
        marks += dot(x(run[column]), y(100 * run["residual"]), PALETTE[0], tip=tip, size=2.6)
    what = {"n_params": "parameters", "n_tokens": "tokens"}[column]
    return panel(
        f"{fit.law}: residuals in % by {what}", marks + below(f"{what} (log scale)", height=HEIGHT), height=HEIGHT
    )


def _profile(profile: Profile, *, is_log: bool) -> str:
    """The rise as a multiple of what the interval allows, as far as it is worth drawing."""
    interval = profile.interval
    table = profile.frame.with_columns(rise=pl.col("rise") / profile.allowed_rise).filter(pl.col("value").is_finite())
    near = table.filter(pl.col("rise") <= HIGHEST_RISE)
    values = near["value"].to_numpy()
    low, high = float(values.min()), float(values.max())
    if is_log:
        high = max(high, 1.01 * low)
        x, ticks = Scale(low, high, LEFT + 8, WIDTH - RIGHT - 8, is_log=True), log_ticks(low, high, most=4)
    else:
        x, ticks = Scale(low, high, LEFT + 8, WIDTH - RIGHT - 8), linear_ticks(low, high, most=5)
    y = Scale(0.0, HIGHEST_RISE, BOTTOM, TOP)
    marks = y_axis(y, linear_ticks(0.0, HIGHEST_RISE, most=4), right=WIDTH - RIGHT) + x_axis(x, ticks, y=BOTTOM)
    marks += line((LEFT, y(1.0)), (WIDTH - RIGHT, y(1.0)), stroke_dasharray="4 3")
    marks += path([(x(v), y(max(rise, 0.0))) for v, rise in near.select("value", "rise").iter_rows()], PALETTE[0])
    marks += dot(x(interval.estimate), y(0.0), INK, tip=f"{interval.name} = {interval.estimate:.4g}", diamond=True)
    ends = [f"{one:.3g}" if one is not None else "open" for one in (interval.low, interval.high)]
    title = f"{interval.name}: {interval.estimate:.4g} ({ends[0]} to {ends[1]})"
    return panel(title, marks + below(interval.name, height=HEIGHT), height=HEIGHT)


def _ends(column: pl.Series) -> tuple[float, float]:
    values = column.to_numpy()
    return float(values.min()), max(float(values.max()), 1.01 * float(values.min()))
