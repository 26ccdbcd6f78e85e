r"""Write a study's ``report/index.html``: self-contained, offline, every piece of document text escaped.

The template escapes by default; the only values it takes unescaped are plotly's own script and the figures' JSON, in
which every ``<`` is written as ``\u003c`` so that no text can close its script element.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Any

from dq.errors import require
from dq.report.data import ReportData, gather
from dq.report.figures import curve_figure, difference_figure, fate_figure
from dq.store import Workspace, write_bytes_atomic, write_parquet


def build_report(workspace: Workspace, study: Path) -> Path:
    """Write the report of a finished study into its folder, and return its path.

    Raises:
        WorkspaceError: the study or a stage before it has not finished.
        MissingExtraError: the `report` extra is not installed.
    """
    jinja2 = require("jinja2", extra="report")
    offline = require("plotly.offline", extra="report")
    data = gather(workspace, study)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(importlib.resources.files("dq.report").joinpath("template.html").read_text())
    markup = require("markupsafe", extra="report").Markup
    html = template.render(
        data=data,
        study=data.study,
        comparison=data.study["comparison"],
        neutral=set(data.study["comparison"]["neutral_sets"]),
        sources=_sources(data),
        figures={name: markup(figure.replace("<", "\\u003c")) for name, figure in _figures(data).items()},
        plotly_js=markup(offline.get_plotlyjs()),
    )
    folder = study / "report"
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(folder / "index.html", html.encode())
    write_parquet(folder / "points.parquet", data.points)
    return folder / "index.html"


def _figures(data: ReportData) -> dict[str, str]:
    comparison = data.study["comparison"]
    variants = [comparison["baseline"], *(found["variant"] for found in comparison["variants"])]
    neutral = comparison["neutral_sets"]
    sets = neutral + [name for name in data.points["set"].unique().sort() if name not in neutral]
    figures = {"differences": difference_figure(comparison)}
    figures |= {f"curve-{number}": curve_figure(data.points, name, variants) for number, name in enumerate(sets)}
    return figures | {"fates": fate_figure(data.fates)}


def _sources(data: ReportData) -> list[dict[str, Any]]:
    """A row a source: documents and tokens by what became of them."""
    rows = []
    for (source,), frame in data.fates.group_by("source", maintain_order=True):
        by_fate = {row["fate"]: row for row in frame.to_dicts()}
        rows.append(
            {
                "source": source,
                "fates": by_fate,
                "documents": int(frame["documents"].sum()),
                "tokens": int(frame["tokens"].sum()),
            }
        )
    return rows
