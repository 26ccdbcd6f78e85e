"""Removed documents beside the ones they duplicate, and where the two differ, word by word."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from dq.errors import ConfigError, nearest
from dq.executors import require_live_polars
from dq.results import Result
from dq.stages.base import View
from dq.stages.duplicates import FoundDuplicates
from dq.stages.read import Documents
from dq.stages.selection import Selected
from dq.store import Workspace

MAX_WORDS = 2000  # of each text that are compared; alignment takes time in the square of that
MIN_SKIPPED = 4  # fewer equal words than that are shown
CONTEXT_WORDS = 6  # equal words shown on each side of a difference


@dataclass(frozen=True)
class RemovedPair(Result):
    """A removed document and the kept one; its text is None where that is a document of an index."""

    id: str
    source: str
    kept_id: str
    kept_source: str
    exact: bool
    """The texts are equal but for white space and zero-width marks."""
    similarity: float
    """Jaccard of shingles, or where ``by_meaning`` the cosine of vectors."""
    intersection: int | None
    union: int | None
    text: str
    kept_text: str | None
    by_meaning: bool = False


@dataclass(frozen=True)
class Passage:
    """A stretch of both texts: equal words, or words that differ. ``skipped`` equal words come before it."""

    equal: bool
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    skipped: int = 0


def removed_pairs(
    workspace: Workspace, *, source: str | None = None, below: float | None = None, limit: int = 10
) -> list[RemovedPair]:
    """The least similar removed documents of a workspace, ties by id.

    Args:
        workspace: with a finished deduplication.
        source: of the removed documents; default all.
        below: show pairs of a smaller similarity only.
        limit: number of pairs.

    Raises:
        ConfigError: there is no such source.
        WorkspaceError: the deduplication has not finished.
    """
    require_live_polars()
    view = View.of(workspace)
    corpus, selected = view.open(Documents, "deduplicated"), view.open(Selected)
    documents, table = corpus.documents, selected.selection.table()
    frozen = documents.head(0) if selected.by_meaning else view.open(FoundDuplicates).duplicates.frozen
    table = table.hstack(documents.select("id", "source")[table["document"]])
    if source is not None:
        if source not in documents["source"]:
            known = documents["source"].unique().sort()
            raise ConfigError(f"{workspace.root}: {nearest(source, known, what='source')}", field="source")
        table = table.filter(source=source)
    if below is not None:
        table = table.filter(pl.col("similarity") < below)
    chosen = table.sort("similarity", "id").head(limit)
    pairs = (_pair(corpus, frozen, row) for row in chosen.iter_rows(named=True))
    return [replace(pair, by_meaning=selected.by_meaning) for pair in pairs]


def _pair(corpus: Documents, frozen: pl.DataFrame, row: dict[str, Any]) -> RemovedPair:
    number = row["kept_index"]
    beyond = number - len(corpus.documents)
    kept = corpus.documents.row(number, named=True) if beyond < 0 else frozen.row(beyond, named=True)
    return RemovedPair(
        id=row["id"],
        source=row["source"],
        kept_id=kept["id"],
        kept_source=kept["source"],
        exact=row["exact"],
        similarity=row["similarity"],
        intersection=row["intersection"],
        union=row["union"],
        text=corpus.text_of(row["document"]),
        kept_text=corpus.text_of(number) if beyond < 0 else None,
    )


def compare_words(removed: str, kept: str) -> list[Passage]:
    """Align two texts by words (runs between white space; the first 2,000) and leave out what is long and equal."""
    left, right = removed.split(None, MAX_WORDS)[:MAX_WORDS], kept.split(None, MAX_WORDS)[:MAX_WORDS]
    found: list[Passage] = []
    skipped = 0
    steps = difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    for number, (kind, begin, end, other, other_end) in enumerate(steps):
        if kind != "equal":
            found.append(Passage(False, tuple(left[begin:end]), tuple(right[other:other_end]), skipped))
            skipped = 0
            continue
        before = 0 if number == 0 else CONTEXT_WORDS  # context of the difference before, and of the one behind
        after = 0 if number == len(steps) - 1 else CONTEXT_WORDS
        words = tuple(left[begin:end])
        if len(words) <= before + after + MIN_SKIPPED:
            found.append(Passage(True, words, words, skipped))
            skipped = 0
            continue
        if before:
            found.append(Passage(True, words[:before], words[:before], skipped))
        skipped = len(words) - before - after
        if after:
            found.append(Passage(True, words[-after:], words[-after:], skipped))
            skipped = 0
    if skipped:
        found.append(Passage(True, (), (), skipped))
    return found
