"""The stages that read shards, joined: signals and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dq.corpus import Corpus
from dq.executors import run_tasks
from dq.quality import RuleSet
from dq.quality.models import ModelFile, score_with_models
from dq.store import Stage, StageRecord, write_parquet

__all__ = ["judge_documents", "score_corpus"]

SIGNALS_VERSION = 2
VERDICTS_VERSION = 1


@dataclass(frozen=True)
class _ScoreTask:
    corpus: Path
    shard: int
    signals: tuple[str, ...]
    models: tuple[ModelFile, ...]
    output: Path


def score_corpus(
    folder: Path,
    corpus: Corpus,
    signals: Sequence[str],
    *,
    workers: int,
    models: Sequence[ModelFile] = (),
    inputs: Mapping[str, str] | None = None,
) -> StageRecord:
    """Compute signals of every document: one Parquet shard a corpus shard, one row a document, with its id.

    Signals may be names of ``models``, whose fingerprints are in ``inputs``.
    """
    known = {"corpus": corpus.record.fingerprint, **(inputs or {})}
    stage = Stage("score", SIGNALS_VERSION, folder, config=sorted(signals), inputs=known)
    if (record := stage.done()) is not None:
        return record
    stage.start()
    tasks = [
        _ScoreTask(corpus.folder, number, tuple(sorted(signals)), tuple(models), folder / path.name)
        for number, path in enumerate(corpus.shards)
    ]
    run_tasks(_score_shard, tasks, workers=workers, preload=["dq.stages.signals"])
    return stage.commit({"signals": sorted(signals)})


def _score_shard(task: _ScoreTask) -> None:
    if task.output.exists():
        return
    corpus = Corpus(task.corpus)
    ids = pl.read_parquet(corpus.shards[task.shard], columns=["id"])
    scores = score_with_models(corpus.texts(task.shard), task.signals, task.models)
    write_parquet(task.output, ids.hstack(scores))


def judge_documents(
    folder: Path, signals: Path, rules: RuleSet, *, corpus: Corpus, inputs: dict[str, str]
) -> pl.DataFrame:
    """Verdicts of every document in global order: keep (bool), reasons (list of str, the full set)."""
    stage = Stage("judge", VERDICTS_VERSION, folder, config=rules, inputs=inputs)
    if stage.done() is None:
        stage.start()
        scores = pl.concat([pl.read_parquet(signals / path.name) for path in corpus.shards])
        verdicts = rules.judge(scores.with_columns(corpus.documents["source"]))
        write_parquet(folder / "verdicts.parquet", verdicts)
        stage.commit({"kept": int(verdicts["keep"].sum()), "dropped": int((~verdicts["keep"]).sum())})
    return pl.read_parquet(folder / "verdicts.parquet")
