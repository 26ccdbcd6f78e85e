"""Deduplicate files by meaning: read, give every document a vector, select, write what is kept and why the rest is not.

The output folder is a workspace with two results: ``kept/NNNNN.parquet`` (id, source, text, meta, cluster_size) and
``removed.parquet`` (id, source, occurrence, kept_id, kept_occurrence, exact, cosine; ``exact``: the texts are equal as
they were read). The vectors that were compared lie in ``vectors/original/vectors.npy``, a row a document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl

from dq.arguments import instance, path
from dq.arrays import Array
from dq.cards import CardConfig, Section, deduplication_section
from dq.corpus import ReadConfig
from dq.corpus.apart import refuse_overlap
from dq.corpus.followed import input_bytes
from dq.corpus.inputs import Entry, find_inputs
from dq.executors import QUIET, LocalExecutor, Progress, Step, require_live_polars
from dq.files.card import check_card
from dq.files.kept import CARD_HEAD, kept_by_source, removed_with_kept, write_kept
from dq.files.made import Made, made_in
from dq.results import Result
from dq.stages.base import View, unreplaced
from dq.stages.read import Documents, ingest
from dq.stages.selection import Selected
from dq.stages.semantic import SemanticConfig, select_by_meaning
from dq.stages.signals import score_documents
from dq.stages.static_model import model_files
from dq.stages.vectors import FoundVectors, vectors_of
from dq.store import Workspace

REMOVED = ("id", "source", "occurrence", "kept_id", "kept_occurrence", "exact", "cosine")
"""The columns of ``removed.parquet``; an occurrence tells documents of one source and id apart, in reading order."""
ROUNDING = 1e-12  # between two ways of adding up in double precision
BLOCK = 4096


@dataclass(frozen=True)
class SemanticResult(Made):
    """What a semantic deduplication made; ``sources`` is that of :class:`dq.files.dedup.DedupResult`.

    Attributes:
        options: what was compared, and how near is too near.
        dimensions: of the vectors.
        zero_vectors: documents without a direction, which match nothing.
    """

    options: SemanticConfig
    dimensions: int
    zero_vectors: int


def semdedup_files(
    inputs: Sequence[Entry],
    out: Path,
    config: SemanticConfig,
    *,
    read: ReadConfig | None = None,
    card: CardConfig | None = None,
    overwrite: bool = False,
    threads: int = 1,
    progress: Progress = QUIET,
) -> SemanticResult:
    """Deduplicate ``inputs`` by meaning into ``out``. The same call goes on after any interruption.

    Args:
        inputs: files, patterns, folders and samples; a text is a path whose fields have their usual names.
        out: a new folder, or one that this function made.
        config: where vectors come from, threshold, policy, guard.
        read: how rows become documents.
        card: licences and languages for the dataset's card of ``kept``; for a finished one it is written anew.
        overwrite: replace what other inputs or settings have made in ``out``; another threshold, policy or guard uses
            the vectors that are there.
        threads: for vectors and writing; products of matrices take those of NumPy's BLAS.
        progress: hears of every step.

    Raises:
        DqError: what is wrong with the input, the options, the disk or the folders, on one line.
    """
    require_live_polars()
    instance(config, SemanticConfig, name="config", remedy="dq.stages.semantic has it")
    check_card(card)
    out, found = path(out, name="out"), find_inputs(inputs)
    refuse_overlap(found, [out])
    if config.static_model is not None:
        model_files(config.static_model)  # before anything is read
    view = View(Workspace(out).create("semdedup"), replaces=overwrite)
    with view.workspace.lock():
        with progress.step("read", unit="bytes", total=input_bytes(found)) as step:
            may_replace = None if overwrite else unreplaced
            ingest(Documents.place(view, ""), found, read or ReadConfig(), may_replace=may_replace, step=step)
        corpus = view.open(Documents)
        with progress.step("vectors", unit="documents", total=corpus.count) as step:
            vectors_of(view, field=config.vectors, model=config.static_model, threads=threads, step=step)
        if config.keep.signal:
            score_documents(view, [config.keep.signal], executor=LocalExecutor(threads))
        with progress.step("select", unit="documents", total=corpus.count) as step:
            select_by_meaning(view, config, step=step)
        with progress.step("write", unit="shards", total=len(corpus.shards)) as step:
            _write(view, config, card, threads=threads, step=step)
    return _result(view, config, card)


def _write(view: View, config: SemanticConfig, card: CardConfig | None, *, threads: int, step: Step) -> None:
    def removed() -> pl.DataFrame:
        table = removed_with_kept(view.open(Documents), view.open(Selected))
        return table.rename({"similarity": "cosine"}).select(REMOVED)

    def section() -> Section:
        near = f"texts whose vectors have a {config.near}"
        return deduplication_section(near, str(config.keep), head=CARD_HEAD, rows=kept_by_source(view).rows())

    write_kept(view, removed, section, card=card, threads=threads, step=step)


def _result(view: View, config: SemanticConfig, card: CardConfig | None) -> SemanticResult:
    vectors, about = view.open(FoundVectors).array, made_in(view, kept_by_source(view), card)
    zero = sum(int((~vectors[rows].any(axis=1)).sum()) for rows in _blocks(len(vectors)))
    if zero:
        unknown = f"{zero:,} documents have a vector of zeros, or no token that the model knows: they stay"
        about["warnings"] = (*about["warnings"], unknown)
    return SemanticResult(**about, options=config, dimensions=vectors.shape[1], zero_vectors=zero)


@dataclass(frozen=True)
class SemanticAudit(Result):
    """Whether a semantic deduplication is what it says, by plain NumPy that shares nothing with what made it.

    Attributes:
        threshold: smallest cosine of duplicates.
        removals_checked: all of them.
        unproven: DataFrame id, kept_id, cosine, true_cosine of removals that do not hold: empty.
        kept_checked: kept documents of a sample that were compared with all kept ones.
        missed: DataFrame id, other_id, true_cosine of kept documents that are too near to each other: empty.
    """

    FRAME: ClassVar = "unproven"

    threshold: float
    removals_checked: int
    unproven: pl.DataFrame
    kept_checked: int
    missed: pl.DataFrame


def audit_semantic(workspace: Workspace, *, sample: int = 1000, seed: int = 0) -> SemanticAudit:
    """Take the cosine of every removal again, and those of a sample of kept documents with all kept ones.

    Raises:
        WorkspaceError: the deduplication has not finished.
    """
    view = View(workspace.existing())
    ids, selected = view.open(Documents).documents["id"], view.open(Selected)
    vectors, threshold = view.open(FoundVectors).array, float(selected.record.config["threshold"])
    table, kept = selected.selection.table(), np.flatnonzero(selected.kept)
    left, right = table["document"].to_numpy(), table["kept_index"].to_numpy()
    true = np.concatenate([np.empty(0), *(_pairwise(vectors, left[rows], right[rows]) for rows in _blocks(len(left)))])
    wrong = (np.abs(true - table["similarity"].to_numpy()) > ROUNDING) | (true < threshold - ROUNDING)
    wrong |= ~selected.kept[right]
    checked = np.sort(np.random.default_rng(seed).choice(kept, min(sample, len(kept)), replace=False))
    near = [_near(vectors, checked, kept[rows], threshold=threshold) for rows in _blocks(len(kept))]
    one, other, cosines = (np.concatenate([np.empty(0), *parts]) for parts in zip(*near, strict=True))
    return SemanticAudit(
        threshold=threshold,
        removals_checked=len(left),
        unproven=pl.DataFrame(
            {
                "id": ids.gather(left[wrong]),
                "kept_id": ids.gather(right[wrong]),
                "cosine": table["similarity"].filter(pl.Series(wrong, dtype=pl.Boolean)),
                "true_cosine": true[wrong],
            }
        ),
        kept_checked=len(checked),
        missed=pl.DataFrame(
            {
                "id": ids.gather(one.astype(np.int64)),
                "other_id": ids.gather(other.astype(np.int64)),
                "true_cosine": cosines,
            }
        ),
    )


def _blocks(count: int) -> list[slice]:
    return [slice(first, first + BLOCK) for first in range(0, count, BLOCK)]


def _directions(vectors: Array) -> Array:
    """Rows at length 1, in double precision; zero ones stay."""
    wide = np.asarray(vectors, np.float64)
    lengths = np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.asarray(wide / lengths)


def _pairwise(vectors: Array, left: Array, right: Array) -> Array:
    return np.asarray(np.einsum("ij,ij->i", _directions(vectors[left]), _directions(vectors[right])))


def _near(vectors: Array, some: Array, kept: Array, *, threshold: float) -> tuple[Array, Array, Array]:
    """The pairs of some kept documents and others that are above the threshold."""
    cosines = _directions(vectors[some]) @ _directions(vectors[kept]).T
    one, other = np.nonzero(cosines >= threshold + ROUNDING)
    apart = some[one] != kept[other]
    one, other = one[apart], other[apart]
    return some[one], kept[other], cosines[one, other]
