"""Figures of the report, drawn by plotly from tables. Colour-blind-safe colours, one a variant, in every figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from dq.compare import curves
from dq.errors import require

# Okabe and Ito's palette: told apart with every kind of colour vision.
PALETTE = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
FATES = {"kept": "#009E73", "dropped": "#D55E00", "removed": "#E69F00", "excluded": "#CC79A7", "held_out": "#999999"}
LAYOUT: dict[str, Any] = {
    "template": "plotly_white",
    "margin": {"l": 70, "r": 20, "t": 50, "b": 60},
    "font": {"family": "system-ui, sans-serif", "size": 14},
    "legend": {"orientation": "h", "y": -0.22},
}


def curve_figure(points: pl.DataFrame, held_out_set: str, variants: Sequence[str]) -> str:
    """Bits per byte over tokens, a line and a band a variant; the cooled final point stands apart. As JSON."""
    go = require("plotly.graph_objects", extra="report")
    chosen = points.filter(
        (pl.col("set") == held_out_set)
        & (pl.col("subset") == "tenth")
        & pl.col("phase").is_in(["trunk", "cooled"])
        & pl.col("variant").is_in(variants)
    )
    table = curves(chosen)
    figure = go.Figure()
    for variant, color in zip(variants, _colors(variants), strict=True):
        mine = table.filter(pl.col("variant") == variant).sort("tokens_seen")
        trunk, cooled = mine.filter(pl.col("phase") == "trunk"), mine.filter(pl.col("phase") == "cooled")
        _add_band(figure, trunk, color)
        x, y = trunk["tokens_seen"].to_list(), trunk["bits_per_byte"].to_list()
        figure.add_trace(
            go.Scatter(x=x, y=y, name=variant, legendgroup=variant, mode="lines+markers", line={"color": color})
        )
        errors = (cooled["high"] - cooled["bits_per_byte"]).to_list()
        figure.add_trace(
            go.Scatter(
                x=cooled["tokens_seen"].to_list(),
                y=cooled["bits_per_byte"].to_list(),
                error_y={"type": "data", "array": errors, "color": color},
                name=f"{variant}, cooled",
                legendgroup=variant,
                showlegend=False,
                mode="markers",
                marker={"color": color, "symbol": "diamond", "size": 11},
            )
        )
    figure.update_layout(
        **LAYOUT,
        height=460,
        title=f"Held-out set {held_out_set}",
        xaxis={"title": "tokens seen", "type": "log", "dtick": "D2"},
        yaxis={"title": "bits per byte (lower is better)"},
    )
    return str(figure.to_json())


def _add_band(figure: Any, trunk: pl.DataFrame, color: str) -> None:
    if trunk["low"].null_count() == len(trunk):
        return
    go = require("plotly.graph_objects", extra="report")
    x = trunk["tokens_seen"].to_list()
    figure.add_trace(
        go.Scatter(
            x=x + x[::-1],
            y=trunk["high"].to_list() + trunk["low"].to_list()[::-1],
            fill="toself",
            fillcolor=color,
            opacity=0.12,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
    )


def difference_figure(comparison: dict[str, Any]) -> str:
    """Paired differences from the baseline with their intervals, a row a variant and set. As JSON."""
    go = require("plotly.graph_objects", extra="report")
    figure = go.Figure()
    names = [found["variant"] for found in comparison["variants"]]
    for found, color in zip(comparison["variants"], _colors([comparison["baseline"], *names])[1:], strict=True):
        rows = [row for row in found["by_set"] if row["interval"]]
        figure.add_trace(
            go.Scatter(
                x=[row["difference"] for row in rows],
                y=[f"{found['variant']} on {row['sets'][0]}" for row in rows],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [row["interval"]["high"] - row["difference"] for row in rows],
                    "arrayminus": [row["difference"] - row["interval"]["low"] for row in rows],
                    "color": color,
                    "thickness": 2,
                },
                mode="markers",
                marker={"size": 10, "color": color},
                name=found["variant"],
            )
        )
    margin = comparison["margin"]
    figure.add_vrect(x0=-margin, x1=margin, fillcolor="#999999", opacity=0.18, line_width=0)
    figure.add_vline(x=0, line_width=1, line_color="#444444")
    n_rows = sum(len(found["by_set"]) for found in comparison["variants"])
    figure.update_layout(
        **{**LAYOUT, "margin": {"l": 170, "r": 20, "t": 50, "b": 60}},
        height=140 + 34 * n_rows,
        title=f"Difference from {comparison['baseline']} (left is better; grey: the margin)",
        xaxis={"title": "bits per byte"},
        yaxis={"autorange": "reversed"},
        showlegend=False,
    )
    return str(figure.to_json())


def fate_figure(fates: pl.DataFrame) -> str:
    """What became of each source's bytes, stacked to 100 %. As JSON."""
    go = require("plotly.graph_objects", extra="report")
    figure = go.Figure()
    shares = fates.with_columns(share=pl.col("n_bytes") / pl.col("n_bytes").sum().over("source"))
    for fate, color in FATES.items():
        mine = shares.filter(pl.col("fate") == fate)
        figure.add_trace(
            go.Bar(
                y=mine["source"].to_list(),
                x=mine["share"].to_list(),
                name=fate.replace("_", " "),
                orientation="h",
                marker={"color": color},
            )
        )
    figure.update_layout(
        **LAYOUT,
        barmode="stack",
        height=160 + 50 * fates["source"].n_unique(),
        title="What became of each source's bytes",
        xaxis={"tickformat": ".0%", "range": [0, 1]},
    )
    return str(figure.to_json())


def _colors(variants: Sequence[str]) -> list[str]:
    return [PALETTE[number % len(PALETTE)] for number in range(len(variants))]
