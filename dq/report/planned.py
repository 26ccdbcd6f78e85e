"""The page of `dq plan`, and its figures as files: best splits along compute, doublings, predictions, epochs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dq.report.colors import INK, PALETTE
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
    interval,
    line,
    linear_ticks,
    log_ticks,
    panel,
    path,
    power_ticks,
    tag,
    text,
    x_axis,
    y_axis,
)
from dq.scaling.plans import ComputePlan, Plans, Prediction, RepeatOrNoise, cautions_on, frontier
from dq.scaling.plans.quantity import short
from dq.scaling.plans.saturation import SATURATED, UNDER_SCALED
from dq.scaling.points import compute_of

HEIGHT, BOTTOM = 260, 216
ALONG = 13
ROW = 36
HIGHEST_SHARE = 0.25


def build_plans(found: Plans, folder: Path, *, name: str) -> Path:
    """Write the page and its panels into a folder, and return the page's path.

    Raises:
        MissingExtraError: the `report` extra is not installed.
    """
    figures = list(_figures(found))
    questions = [
        (question, [one.in_words for one in answers], cautions_on(answers))
        for question, answers in found.by_question.items()
    ]
    bases = [one.in_words for one in found.bases]
    values = {"questions": questions, "bases": bases, "notes": found.notes, "figures": figures}
    page = write_page(folder, "planned.html", name=Path(name).name, values=values)
    write_panels(folder, (("plan", figure) for figure in figures))
    return page


def _figures(found: Plans) -> Iterator[Figure]:
    splits = [one for one in found.answers if isinstance(one, ComputePlan)]
    if splits and (along := _along(found, splits)):
        legend = _legend(list(along))
        caption = (
            "Bands are 95 % intervals; dashed, 20 tokens a parameter; dots, the runs; the upright line, what was asked."
        )
        runs = next(iter(found.surfaces.values())).fit.table.frame
        yield Figure("split", "Best size by compute", caption, [_sizes(along, runs, at=splits[0].flops)], legend)
        caption = (
            f"Share of the loss that twice the compute removes. Dashed: over {100 * UNDER_SCALED:g} % a doubling is "
            f"under-scaled and below {100 * SATURATED:g} % saturated, by rules of thumb."
        )
        yield Figure("doubling", "What a doubling buys", caption, [_doublings(along, at=splits[0].flops)], legend)
    if predicted := [one for one in found.answers if isinstance(one, Prediction)]:
        laws = list(dict.fromkeys(one.law for one in predicted))
        caption = "Thick, where the law itself lies; thin, where one run ends; both at 95 %, and only if the law holds."
        yield Figure("loss", "Losses to come", caption, [_predictions(predicted, laws)], _legend(laws))
    if epochs := [one for one in found.answers if isinstance(one, RepeatOrNoise)]:
        laws = list(dict.fromkeys(one.law for one in epochs))
        caption = "Worth of repeated tokens in as many new ones, with 95 % bands" + (
            "; and the noise up to which new text is better." if epochs[0].noise else "."
        )
        yield Figure("epochs", "What epochs are worth", caption, list(_epochs(epochs, laws)), _legend(laws))


def _along(found: Plans, splits: Sequence[ComputePlan]) -> dict[str, pl.DataFrame]:
    """The best splits by law, from the least compute of the runs to twice what is asked."""
    surfaces = {one.law: found.surfaces[one.law] for one in splits}
    compute = compute_of(next(iter(surfaces.values())).fit.table.frame)
    grid = np.geomspace(float(compute.min()), max(float(compute.max()), 2 * splits[0].flops), ALONG)
    drawn = {law: frontier(surface, grid.tolist()).drop_nulls() for law, surface in surfaces.items()}
    return {law: one for law, one in drawn.items() if len(one) > 1}


def _sizes(along: Mapping[str, pl.DataFrame], runs: pl.DataFrame, *, at: float) -> str:
    compute, sizes = compute_of(runs), runs["n_params"].to_numpy()
    rows = pl.concat(along.values())
    x = across(float(rows["flops"].min()), float(rows["flops"].max()))  # type: ignore[arg-type]
    values = [*rows["n_params_low"], *rows["n_params_high"], *rows["rule"], *sizes]
    y = Scale(min(values), max(values), BOTTOM, TOP, is_log=True)
    marks = y_axis(y, log_ticks(y.low, y.high, most=6), right=WIDTH - RIGHT) + _compute_axis(x)
    marks += line((x(at), BOTTOM), (x(at), TOP), stroke_opacity=0.4)
    for n, c in zip(sizes, compute, strict=True):
        marks += tag("circle", cx=x(c), cy=y(n), r=1.5, fill=INK, fill_opacity=0.35)
    for one, color in zip(along.values(), PALETTE, strict=False):
        marks += _band(one, "n_params", (x, y), color=color)
    first = next(iter(along.values()))
    ends = [(x(row["flops"]), y(row["rule"])) for row in (first.row(0, named=True), first.row(-1, named=True))]
    marks += line(ends[0], ends[1], stroke_dasharray="4 3")
    return panel("parameters by training compute", marks, height=HEIGHT)


def _doublings(along: Mapping[str, pl.DataFrame], *, at: float) -> str:
    rows = pl.concat(along.values())
    x = across(float(rows["flops"].min()), float(rows["flops"].max()))  # type: ignore[arg-type]
    highest = min(HIGHEST_SHARE, max(*rows["share_high"], 1.2 * UNDER_SCALED))
    y = Scale(0.0, 100 * highest, BOTTOM, TOP)
    marks = y_axis(y, linear_ticks(y.low, y.high), right=WIDTH - RIGHT) + _compute_axis(x)
    marks += line((x(at), BOTTOM), (x(at), TOP), stroke_opacity=0.4)
    for one, color in zip(along.values(), PALETTE, strict=False):
        percent = one.with_columns(pl.col("share", "share_low", "share_high") * 100)
        marks += _band(percent, "share", (x, y), color=color)
    for rule in (UNDER_SCALED, SATURATED):
        marks += line((LEFT, y(100 * rule)), (WIDTH - RIGHT, y(100 * rule)), stroke_dasharray="4 3")
    return panel("% of the loss that a doubling removes", marks, height=HEIGHT)


def _predictions(found: Sequence[Prediction], laws: Sequence[str]) -> str:
    targets = list(dict.fromkeys((one.at["n_params"], one.at["n_tokens"]) for one in found))
    x = Scale(min(one.run_low for one in found), max(one.run_high for one in found), 12, WIDTH - 12)
    marks, y = "", float(TOP)
    for n_params, n_tokens in targets:
        marks += text(12, y + 13, f"{short(n_params)} parameters, {short(n_tokens)} tokens", size=12)
        y += 24
        for one in (each for each in found if (each.at["n_params"], each.at["n_tokens"]) == (n_params, n_tokens)):
            color = PALETTE[laws.index(one.law) % len(PALETTE)]
            marks += interval(x, (one.run_low, one.run_high), color, at=y, across=True, width=1.2)
            marks += interval(x, (one.low, one.high), color, at=y, across=True, width=4.0)
            marks += dot(x(one.loss), y, color, tip=f"{one.law}: {one.loss:.4f}")
            y += 14
    marks += x_axis(x, linear_ticks(x.low, x.high), y=y)
    marks += text(WIDTH / 2, y + 32, "loss, nats a token", anchor="middle", soft=True)
    return panel("predicted losses", marks, height=round(y) + 42)


def _epochs(found: Sequence[RepeatOrNoise], laws: Sequence[str]) -> Iterator[str]:
    for size in dict.fromkeys(one.n_params for one in found):
        here = sorted((one for one in found if one.n_params == size), key=lambda one: one.epochs)
        what = f"{short(here[0].unique_tokens)} tokens, {short(size)} parameters"
        yield _by_epochs(here, laws, field="worth", title=f"worth in %: {what}")
        if here[0].noise:
            yield _by_epochs(here, laws, field="dose", title=f"noise in %: {what}")


def _by_epochs(found: Sequence[RepeatOrNoise], laws: Sequence[str], *, field: str, title: str) -> str:
    x = across(found[0].epochs, max(found[-1].epochs, 1.01 * found[0].epochs))
    y = Scale(0.0, 100.0, BOTTOM, TOP)
    marks = y_axis(y, linear_ticks(0.0, 100.0), right=WIDTH - RIGHT)
    marks += x_axis(x, [(one, f"{one:g}") for one in dict.fromkeys(each.epochs for each in found)], y=BOTTOM)
    for law, color in zip(laws, PALETTE, strict=False):
        rows: list[dict[str, Any]] = [
            {"flops": one.epochs, "v": 100 * q.value, "v_low": 100 * q.low, "v_high": 100 * q.high}
            for one in found
            if one.law == law and (q := getattr(one, field)).value is not None and q.low is not None
        ]
        if rows:
            marks += _band(pl.DataFrame(rows), "v", (x, y), color=color)
            for row in rows:
                marks += dot(x(row["flops"]), y(row["v"]), color, tip=f"{law}: {row['v']:.3g} %", size=3.0)
    marks += below("epochs (log scale)", height=HEIGHT)
    return panel(title, marks, height=HEIGHT)


def _legend(laws: Sequence[str]) -> list[tuple[str, str]]:
    return [*zip(laws, PALETTE, strict=False)]


def _band(rows: pl.DataFrame, name: str, scales: tuple[Scale, Scale], *, color: str) -> str:
    x, y = scales
    across = [x(one) for one in rows["flops"]]
    upper, lower = ([*zip(across, map(y, rows[f"{name}_{end}"]), strict=True)] for end in ("high", "low"))
    shape = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*upper, *reversed(lower)])
    middle = [*zip(across, map(y, rows[name]), strict=True)]
    return tag("polygon", points=shape, fill=color, fill_opacity=0.18) + path(middle, color)


def _compute_axis(x: Scale) -> str:
    return x_axis(x, power_ticks(x.low, x.high, most=5), y=BOTTOM) + below("training FLOPs (log scale)", height=HEIGHT)
