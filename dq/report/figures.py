"""Figures of the report: rows of small panels with one legend, drawn from tables. Nothing here computes a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dq.compare import curves, paired_curves, range_of
from dq.report.colors import FATES, INK
from dq.report.svg import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Place,
    Scale,
    dot,
    interval,
    line,
    linear_ticks,
    log_ticks,
    panel,
    path,
    short_number,
    tag,
    text,
    x_axis,
    y_axis,
)

MAX_PANELS = 12
MAX_SOURCES = 20
ROW = 36  # height of a variant or source
HEIGHT, BOTTOM, GUTTER = 250, 208, 64  # of a curve; the cooled points stand beside each other in the gutter


@dataclass(frozen=True)
class Study:
    """What every figure needs to know: names, their colours, and the sets in the order in which they are shown."""

    comparison: dict[str, Any]
    points: pl.DataFrame
    colors: dict[str, str]

    @property
    def variants(self) -> list[str]:
        """The variants beside the baseline, in the order of the tables."""
        return [found["variant"] for found in self.comparison["variants"]]

    @property
    def sets(self) -> list[str]:
        """Held-out sets, the neutral ones first; at most so many that the page stays one."""
        neutral = self.comparison["neutral_sets"]
        return [*neutral, *sorted({level["held_out_set"] for level in self.comparison["levels"]} - set(neutral))][
            :MAX_PANELS
        ]

    def title(self, held_out_set: str) -> str:
        """A panel's title: neutral sets are marked."""
        decides = " (neutral: decides)" if held_out_set in self.comparison["neutral_sets"] else ""
        return f"{held_out_set}{decides}"

    def on(self, held_out_set: str) -> list[dict[str, Any]]:
        """The comparison of each variant on a set."""
        found = [row for one in self.comparison["variants"] for row in one["by_set"]]
        return [row for row in found if row["sets"] == [held_out_set]]


def difference_panels(study: Study) -> list[str]:
    """Final differences from the baseline with their intervals, a panel a set, each on its own scale."""
    return [_difference_panel(study, name) for name in study.sets]


def _difference_panel(study: Study, held_out_set: str) -> str:
    rows = study.on(held_out_set)
    scale, bottom = _difference_scale(rows, study.comparison["margin"], edge=12), TOP + ROW * len(rows) + 4
    marks = ""
    for number, row in enumerate(rows):
        strip = TOP + ROW * number + 18, TOP + ROW * number + 34  # below the words, which the band would cross
        marks += _margin(study.comparison, scale, strip) + line((scale(0), strip[0]), (scale(0), strip[1]))
        marks += _difference_row(row, study.colors[row["variant"]], scale, y=TOP + ROW * number)
    marks += x_axis(scale, linear_ticks(scale.low, scale.high), y=bottom)
    marks += text(12, bottom + 32, "← better", soft=True)
    marks += text(WIDTH - 12, bottom + 32, "worse →", anchor="end", soft=True)
    return panel(study.title(held_out_set), marks, height=bottom + 40)


def _difference_scale(rows: Sequence[dict[str, Any]], margin: float, *, edge: float) -> Scale:
    """Room for every interval and the margin."""
    ends = [
        end
        for row in rows
        if row["family_interval"]
        for end in (row["family_interval"]["low"], row["family_interval"]["high"])
    ]
    ends += [row["difference"] for row in rows] + [-1.5 * margin, 1.5 * margin]
    return Scale(min(ends), max(ends), edge, WIDTH - edge)


def _difference_row(row: dict[str, Any], color: str, scale: Scale, *, y: float) -> str:
    words = f"{row['difference']:+.3f}"
    if found := row["family_interval"]:
        words += f"  [{found['low']:+.3f}, {found['high']:+.3f}]"
    name = row["variant"] if len(row["variant"]) <= 24 else f"{row['variant'][:23]}…"
    marks = text(12, y + 13, name, size=12) + text(WIDTH - 12, y + 13, words, anchor="end", soft=True)
    if found:
        marks += interval(scale, (found["low"], found["high"]), color, at=y + 26, across=True)
    return marks + dot(scale(row["difference"]), y + 26, color, tip=_tip(row))


def _tip(row: dict[str, Any]) -> str:
    found = row["family_interval"]
    where = f"; {range_of(found['low'], found['high'])}" if found else ""
    return f"{row['variant']} on {row['sets'][0]}: {row['difference']:+.4f} bits per byte{where}"


def _margin(comparison: dict[str, Any], scale: Scale, across: Place, *, upright: bool = True) -> str:
    """The band of differences that do not matter, with edges that show on a narrow screen."""
    margin, (top, bottom) = comparison["margin"], across
    low, high = sorted((scale(-margin), scale(margin)))
    shape = {"fill": INK, "fill_opacity": 0.1, "stroke": INK, "stroke_opacity": 0.35, "stroke_dasharray": "3 2"}
    if upright:
        return tag("rect", x=low, y=top, width=high - low, height=bottom - top, **shape)
    return tag("rect", x=top, y=low, width=bottom - top, height=high - low, **shape)


def card_strip(found: dict[str, Any], comparison: dict[str, Any], color: str) -> str:
    """One variant's interval and the margin, for its card; all cards of a study have one scale."""
    rows, neutral, judged = (
        [one["neutral"] for one in comparison["variants"]],
        found["neutral"],
        found["verdict"]["interval"],
    )
    scale = _difference_scale([*rows, {**neutral, "family_interval": judged}], comparison["margin"], edge=6)
    marks = _margin(comparison, scale, (2, 26)) + line((scale(0), 2), (scale(0), 26))
    if judged:
        marks += interval(scale, (judged["low"], judged["high"]), color, at=14, across=True, width=2.2)
    marks += dot(scale(neutral["difference"]), 14, color, tip=_tip(neutral), size=5.0)
    label = f"{found['variant']}: interval and margin"
    return tag("svg", viewBox=f"0 0 {WIDTH} 28", role="img", aria_label=label).replace("></svg>", f">{marks}</svg>")


# --- along the tokens -----------------------------------------------------------------------------------------------


def gap_panels(study: Study) -> list[str]:
    """Paired differences along the tokens with their intervals over seeds; the final ones at the right edge."""
    table = paired_curves(_curve_points(study.points), baseline=study.comparison["baseline"])
    return [_gap_panel(study, name, table.filter(pl.col("set") == name)) for name in study.sets]


def _gap_panel(study: Study, held_out_set: str, table: pl.DataFrame) -> str:
    trunk = table.filter((pl.col("phase") == "trunk") & pl.col("variant").is_in(study.variants))
    final, margin = study.on(held_out_set), study.comparison["margin"]
    values = [*trunk["difference"].to_list(), *(row["difference"] for row in final), -1.5 * margin, 1.5 * margin]
    ends = [
        end
        for row in final
        if row["family_interval"]
        for end in (row["family_interval"]["low"], row["family_interval"]["high"])
    ]
    y, x, edge = _y_scale(values, ends), _x_scale(trunk), _edge()
    marks = y_axis(y, linear_ticks(y.low, y.high), right=WIDTH - RIGHT)
    marks += _margin(study.comparison, y, (LEFT, WIDTH - RIGHT), upright=False)
    marks += line((LEFT, y(0)), (WIDTH - RIGHT, y(0)))
    marks += x_axis(x, log_ticks(x.low, x.high, most=5), y=BOTTOM) + edge
    for number, row in enumerate(final):
        name = row["variant"]
        color, shift = study.colors[name], _dodge(number, len(final), 4.0)
        mine = trunk.filter(pl.col("variant") == name)
        marks += path([(x(p["tokens_seen"]) + shift, y(p["difference"])) for p in mine.iter_rows(named=True)], color)
        for p in mine.iter_rows(named=True):
            at = x(p["tokens_seen"]) + shift
            if p["low"] is not None:
                marks += interval(y, (p["low"], p["high"]), color, at=at, width=1.0)
            tip = f"{name} after {p['tokens_seen']:,} tokens: {p['difference']:+.4f} bits per byte"
            marks += dot(at, y(p["difference"]), color, tip=tip, size=2.8)
        marks += _final(row, color, y, at=_in_gutter(number, len(final)))
    return panel(study.title(held_out_set), marks, height=HEIGHT)


def _final(row: dict[str, Any], color: str, y: Scale, *, at: float) -> str:
    found = row["family_interval"]
    bars = interval(y, (found["low"], found["high"]), color, at=at) if found else ""
    return bars + dot(at, y(row["difference"]), color, tip=f"final: {_tip(row)}", diamond=True, size=5.0)


def level_panels(study: Study) -> list[str]:
    """Bits per byte along the tokens; the cooled final points at the right edge, beside each other."""
    names = [study.comparison["baseline"], *study.variants]
    table = curves(_curve_points(study.points)).filter(pl.col("variant").is_in(names))
    return [_level_panel(study, name, table.filter(pl.col("set") == name)) for name in study.sets]


def _level_panel(study: Study, held_out_set: str, table: pl.DataFrame) -> str:
    trunk, cooled = (table.filter(pl.col("phase") == phase) for phase in ("trunk", "cooled"))
    y = _y_scale(table.filter(pl.col("phase") != "cooling")["bits_per_byte"].to_list(), [])
    x, names = _x_scale(trunk), [study.comparison["baseline"], *study.variants]
    marks = y_axis(y, linear_ticks(y.low, y.high), right=WIDTH - RIGHT)
    marks += x_axis(x, log_ticks(x.low, x.high, most=5), y=BOTTOM) + _edge()
    for number, name in enumerate(names):
        color, mine = study.colors[name], trunk.filter(pl.col("variant") == name)
        places = [(x(p["tokens_seen"]), y(p["bits_per_byte"])) for p in mine.iter_rows(named=True)]
        marks += path(places, color)
        for (at, height), p in zip(places, mine.iter_rows(named=True), strict=True):
            marks += dot(at, height, color, tip=_level_tip(p), size=2.8)
        for p in cooled.filter(pl.col("variant") == name).iter_rows(named=True):
            at = _in_gutter(number, len(names))
            if p["low"] is not None:
                marks += interval(y, (p["low"], p["high"]), color, at=at, width=1.2)
            marks += dot(at, y(p["bits_per_byte"]), color, tip=f"cooled: {_level_tip(p)}", diamond=True, size=5.0)
    return panel(study.title(held_out_set), marks, height=HEIGHT)


def _level_tip(point: dict[str, Any]) -> str:
    spread = "" if point["low"] is None else f" ({point['low']:.3f} to {point['high']:.3f} over seeds)"
    return f"{point['variant']} after {point['tokens_seen']:,} tokens: {point['bits_per_byte']:.4f}{spread}"


def _curve_points(points: pl.DataFrame) -> pl.DataFrame:
    """Points on the fixed tenth of the documents, the same from the first to the last."""
    return points.filter(pl.col("subset") == "tenth") if "subset" in points.columns else points


def _x_scale(trunk: pl.DataFrame) -> Scale:
    low, high = (float(one) if one else 1.0 for one in (trunk["tokens_seen"].min(), trunk["tokens_seen"].max()))  # type: ignore[arg-type]
    return Scale(low, max(high, low * 1.01), LEFT + 12, WIDTH - RIGHT - GUTTER - 12, is_log=True)


def _y_scale(values: Sequence[float], ends: Sequence[float]) -> Scale:
    """From the lowest to the highest value; ends of final intervals too, as far as they leave room for the values."""
    low, high = min(values), max(values)
    room = (high - low) or 0.01
    low, high = max(min([low, *ends]), low - room), min(max([high, *ends]), high + room)
    return Scale(low - 0.06 * (high - low), high + 0.06 * (high - low), BOTTOM, TOP)


def _edge() -> str:
    """What parts the final points from the curve, and the words below both."""
    at, middle = WIDTH - RIGHT - GUTTER, (LEFT + WIDTH - RIGHT - GUTTER) / 2
    parted = line((at, TOP), (at, BOTTOM), stroke_opacity=0.5, stroke_dasharray="3 3")
    words = text(middle, HEIGHT - 8, "tokens seen (log scale)", anchor="middle", soft=True)
    return parted + words + text(at + GUTTER / 2, BOTTOM + 16, "final", anchor="middle", soft=True)


def _dodge(number: int, count: int, step: float) -> float:
    return (number - (count - 1) / 2) * step


def _in_gutter(number: int, count: int) -> float:
    return WIDTH - RIGHT - GUTTER + GUTTER * (number + 1) / (count + 1)


# --- the corpus -----------------------------------------------------------------------------------------------------


def fate_panel(sources: Sequence[dict[str, Any]]) -> str:
    """What became of each source's bytes, in the order of the table."""
    shown = sources[:MAX_SOURCES]
    bottom = TOP + ROW * len(shown) + 4
    scale = Scale(0, 1, 12, WIDTH - 20)
    marks = ""
    for number, row in enumerate(shown):
        y, total, done = TOP + ROW * number, sum(fate["n_bytes"] for fate in row["fates"].values()), 0.0
        name = row["source"] if len(row["source"]) <= 40 else f"{row['source'][:39]}…"
        marks += text(12, y + 14, name, size=12)
        for fate, color in FATES.items():
            share = row["fates"].get(fate, {"n_bytes": 0})["n_bytes"] / max(total, 1)
            tip = f"{row['source']}, {fate.replace('_', ' ')}: {share:.1%} of {short_number(total)} bytes"
            width = scale(done + share) - scale(done)
            if share > 0:
                marks += tag(
                    "rect", x=scale(done), y=y + 19, width=width, height=13, fill=color, data_tip=tip
                )  # fmt: skip
            done += share
    marks += x_axis(scale, [(n / 4, f"{25 * n} %") for n in range(5)], y=bottom)
    return panel("share of each source's bytes", marks, height=bottom + 26)
