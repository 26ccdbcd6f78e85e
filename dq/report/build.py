"""A study's ``report/index.html``: the answer, the curves, the corpus, the rules, the controls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dq.report.answers import cards, headline
from dq.report.colors import FATES, INK, colors_of
from dq.report.data import ReportData, gather
from dq.report.figures import MAX_SOURCES, Study, card_strip, difference_panels, fate_panel, gap_panels, level_panels
from dq.report.manifests import measured
from dq.report.page import Figure, write_page
from dq.store import Workspace, write_parquet


def build_report(workspace: Workspace, study: Path) -> Path:
    """Write the report of a finished study into its folder, and return its path.

    Raises:
        WorkspaceError: the study or a stage before it has not finished.
        MissingExtraError: the `report` extra is not installed.
    """
    data = gather(workspace, study)
    found, comparison = data.study, data.study["comparison"]
    names = [one["variant"] for one in comparison["variants"]]
    drawn = Study(comparison, data.points, colors_of(names, baseline=comparison["baseline"]))
    sources = _sources(data)
    values = {
        "data": data,
        "study": found,
        "comparison": comparison,
        "neutral": comparison["neutral_sets"],
        "sets": drawn.sets,
        "more_sets": len({level["held_out_set"] for level in comparison["levels"]}) - len(drawn.sets),
        "headline": headline(comparison),
        "cards": cards(found, seconds_a_run=data.facts.seconds_a_run),
        "strips": {
            one["variant"]: card_strip(one, comparison, drawn.colors[one["variant"]]) for one in comparison["variants"]
        },
        "figures": {figure.id: figure for figure in _figures(drawn, sources)},
        "manifests": [row for name in _in_order(found) for row in measured(name, found["manifests"][name])],
        "sources": sources[:MAX_SOURCES],
        "more_sources": sources[MAX_SOURCES:],
        "fates": list(FATES),
    }
    page = write_page(study / "report", "template.html", name=found["study"], values=values)
    write_parquet(page.with_name("points.parquet"), data.points)
    return page


def _in_order(study: dict[str, Any]) -> list[str]:
    """Variants as every table has them: the baseline, the others, the controls."""
    comparison = study["comparison"]
    first = [comparison["baseline"], *(found["variant"] for found in comparison["variants"])]
    return [*first, *(name for name in study["manifests"] if name not in first)]


def _figures(study: Study, sources: Sequence[dict[str, Any]]) -> list[Figure]:
    comparison = study.comparison
    baseline = comparison["baseline"]
    variants = [(name, study.colors[name]) for name in study.variants]
    everyone = [(f"{baseline} (baseline)", INK), *variants]
    fates = [(name.replace("_", " "), color) for name, color in FATES.items()]
    return [
        Figure(
            "difference",
            f"Difference from {baseline}, bits per byte",
            "Left is better. Bars: intervals over seeds and documents, as they decide, for all variants together. Each "
            f"panel has its own scale; the band is the margin of {comparison['margin']:g} in all.",
            difference_panels(study),
            variants,
        ),
        Figure(
            "along",
            f"Difference from {baseline} along the tokens, bits per byte",
            "Below 0 is better. On the way: a fixed tenth of the documents, at constant learning rate, 95 % "
            "intervals over seeds alone. Diamonds: the cooled final models on all documents, with the intervals that "
            "decide. A bar without a cap goes on beyond the panel.",
            gap_panels(study),
            variants,
        ),
        Figure(
            "levels",
            "Bits per byte along the tokens",
            "Lower is better. Lines: constant learning rate, on a fixed tenth of the documents. Diamonds: the cooled "
            "final models on the same documents, with their spread over seeds; pairing removes most of it from a "
            "difference, so bars that overlap do not mean that variants are alike.",
            level_panels(study),
            everyone,
        ),
        Figure("fates", "What became of each source", "By bytes.", [fate_panel(sources)], fates),
    ]


def _sources(data: ReportData) -> list[dict[str, Any]]:
    """A row a source, the largest first: documents and tokens by what became of them."""
    rows = []
    for (source,), frame in data.fates.group_by("source", maintain_order=True):
        by_fate = {row["fate"]: row for row in frame.to_dicts()}
        totals = {name: int(frame[name].sum()) for name in ("documents", "tokens")}
        rows.append({"source": source, "fates": by_fate, **totals})
    return sorted(rows, key=lambda row: (-row["tokens"], row["source"]))
