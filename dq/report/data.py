"""What the report shows, gathered from a workspace's files. Nothing here computes a result."""

from __future__ import annotations

import importlib.metadata
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dq.corpus import Corpus
from dq.stages.base import View
from dq.stages.fates import count_fates
from dq.stages.heldout import Heldout
from dq.stages.planted import Planted
from dq.stages.read import Documents
from dq.stages.selection import Selected
from dq.stages.verdicts import Verdicts
from dq.store import Workspace, read_json, read_parquet, read_record

EXCERPT_CHARACTERS = 600
EXAMPLES_PER_REASON = 3
MAX_REASONS = 12
PAIR_EXAMPLES = 6
PACKAGES = ("dq-scaling", "numba", "numpy", "polars", "pyarrow", "scipy", "tokenizers", "torch")


@dataclass(frozen=True)
class Example:
    """One document to look at: what happened to it, why, and its beginning (untrusted text)."""

    id: str
    source: str
    why: str
    excerpt: str


@dataclass(frozen=True)
class ReportData:
    """Everything the template and the figures need."""

    study: dict[str, Any]
    points: pl.DataFrame
    fates: pl.DataFrame
    reasons: pl.DataFrame
    dropped: dict[str, list[Example]]
    pairs: list[tuple[Example, Example]]
    excluded: list[Example]
    read: dict[str, Any]
    stages: list[tuple[str, str]]
    versions: dict[str, str]
    planted: list[dict[str, Any]]


def gather(workspace: Workspace, study: Path) -> ReportData:
    """Read a finished study and the stages behind it.

    Raises:
        WorkspaceError: something has not finished.
    """
    view = View.of(workspace)
    corpus, heldout, verdicts = view.open(Documents, "judged"), view.open(Heldout), view.open(Verdicts).table
    available = pl.Series(~heldout.withheld)
    reasons = verdicts.filter(available)["reasons"]
    return ReportData(
        study=read_json(study / "comparison.json"),
        points=read_parquet(study / "points.parquet"),
        fates=count_fates(view),
        reasons=_count_reasons(reasons),
        dropped=_dropped_examples(corpus, verdicts, available),
        pairs=_pair_examples(view),
        excluded=_excluded_examples(corpus, heldout),
        read=dict(view.record(Documents).summary),
        stages=[
            (path.parent.relative_to(workspace.root).as_posix(), read_record(path.parent).fingerprint)
            for path in sorted(workspace.root.glob("*/**/stage.json"))
        ],
        versions={name: _version(name) for name in PACKAGES},
        planted=view.open(Planted).controls,
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _count_reasons(reasons: pl.Series) -> pl.DataFrame:
    """How many documents each reason drops, and how many it drops alone."""
    frame = pl.DataFrame({"reasons": reasons}).filter(pl.col("reasons").list.len() > 0)
    frame = frame.with_columns(alone=pl.col("reasons").list.len() == 1).explode("reasons")
    counted = frame.group_by(reason="reasons").agg(pl.len().alias("documents"), pl.col("alone").sum())
    return counted.sort("documents", "reason", descending=[True, False])


def _example(corpus: Corpus, document: int, why: str) -> Example:
    row = corpus.documents.row(document, named=True)
    text = corpus.text_of(document)
    excerpt = text[:EXCERPT_CHARACTERS] + (" …" if len(text) > EXCERPT_CHARACTERS else "")
    return Example(row["id"], row["source"], why, excerpt)


def _dropped_examples(corpus: Corpus, verdicts: pl.DataFrame, available: pl.Series) -> dict[str, list[Example]]:
    rows = verdicts.with_row_index("document").filter(available & ~verdicts["keep"])
    found: dict[str, list[Example]] = {}
    for reason in _count_reasons(rows["reasons"])["reason"].head(MAX_REASONS):
        having = rows.filter(pl.col("reasons").list.contains(reason)).head(EXAMPLES_PER_REASON)
        found[reason] = [_example(corpus, row["document"], ", ".join(row["reasons"])) for row in having.to_dicts()]
    return found


def _pair_examples(view: View) -> list[tuple[Example, Example]]:
    corpus = view.open(Documents, "deduplicated")
    removed = (
        view.open(Selected)
        .table.with_row_index("document")
        .filter(pl.col("kept_document").is_not_null() & ~pl.col("kept"))
    )
    # The least similar first: those are the ones to doubt.
    chosen = removed.sort("similarity", "document").head(PAIR_EXAMPLES).to_dicts()
    return [
        (
            _example(corpus, row["document"], f"removed: similarity {row['similarity']:.3f}"),
            _example(corpus, row["kept_document"], "kept"),
        )
        for row in chosen
    ]


def _excluded_examples(corpus: Corpus, heldout: Heldout) -> list[Example]:
    rows = itertools.islice(heldout.exclusions.sort("score", "document").to_dicts(), PAIR_EXAMPLES)
    return [
        _example(
            corpus, row["document"], f"{row['measure']} {row['score']:.3f} to {row['heldout_id']} of set {row['set']}"
        )
        for row in rows
    ]
