"""The stage that scores: signals of every document, a shard at a time. It never decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dq.corpus import Corpus
from dq.executors import QUIET, Executor, Step
from dq.quality import score
from dq.quality.scorers.files import ModelFile, load_models
from dq.stages.base import Need, View
from dq.stages.by_shard import ByShard
from dq.stages.learned import LearnedModel
from dq.stages.read import Documents
from dq.store import Stage, file_sha256, read_parquet, write_parquet


class Signals(ByShard):
    """Signals of every document, with its id."""

    made_by: ClassVar = {"score": 4}
    needs: ClassVar = {"corpus": Need(Documents, "judged"), "learned": Need(LearnedModel)}

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``signals/<version>``."""
        return view.workspace.signals(view.texts.judged)


@dataclass(frozen=True)
class _ShardTask:
    corpus: Path
    shard: int
    signals: tuple[str, ...]
    models: tuple[ModelFile, ...]
    output: Path


def signals_stage(view: View, signals: Sequence[str], *, learned: bool, models: Sequence[ModelFile]) -> Stage:
    """The stage that computes some signals; the models have been loaded once, so their files are there."""
    names: list[str] = sorted(signals)
    files = {one.name: [file_sha256(one.path), one.label] for one in models}
    uses = ("corpus", "learned") if learned else ("corpus",)
    return view.stage(Signals, config={"signals": names, "models": files} if files else names, uses=uses)


def score_documents(
    view: View,
    signals: Sequence[str],
    *,
    executor: Executor,
    learned: LearnedModel | None = None,
    models: Sequence[ModelFile] = (),
    step: Step = QUIET,
) -> Signals:
    """Compute signals of every document; columns of ``learned`` and ``models`` may be among them.

    The step counts shards.
    """
    stage = signals_stage(view, signals, learned=learned is not None, models=models)
    if stage.done() is None:
        stage.start()
        corpus, models = view.open(Documents, "judged"), (*models, *(() if learned is None else (learned.file,)))
        tasks = [
            _ShardTask(corpus.folder, number, tuple(sorted(signals)), models, stage.folder / path.name)
            for number, path in enumerate(corpus.shards)
        ]
        executor.run(_score_shard, tasks, output=lambda task: task.output, step=step)
        stage.commit({"signals": sorted(signals)})
    return view.open(Signals)


def _score_shard(task: _ShardTask) -> None:
    corpus = Corpus(task.corpus)
    ids = read_parquet(corpus.shards[task.shard], columns=["id"])
    scores = score(corpus.texts(task.shard), task.signals, scorers=load_models(task.models, task.signals))
    write_parquet(task.output, ids.hstack(scores))
