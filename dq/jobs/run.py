"""Run a job: its stages, top to bottom. A finished stage is not repeated, a killed job goes on."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import polars as pl

from dq.arguments import instance
from dq.cards import write_card_config
from dq.corpus import InputSpec
from dq.corpus.apart import refuse_overlap
from dq.corpus.followed import input_bytes
from dq.corpus.inputs import find_inputs
from dq.dedup import Resources
from dq.errors import listed, require_all
from dq.executors import QUIET, Executor, LocalExecutor, Progress, Step, require_live_polars, usable_cores
from dq.jobs.job import JobConfig
from dq.quality.scorers.files import load_models
from dq.results import Result
from dq.stages.base import ORIGINAL, View
from dq.stages.cleaned import clean_documents
from dq.stages.contamination import Contamination, find_contamination
from dq.stages.duplicates import find_pairs
from dq.stages.fates import count_fates, settle_fates
from dq.stages.heldout import Heldout, hold_out
from dq.stages.learned import Learned, LearnedModel, learn
from dq.stages.planted import check_planted
from dq.stages.read import Documents, ingest, keep_input, reading_warnings
from dq.stages.selection import JOB_NEEDS, select_documents
from dq.stages.signals import score_documents
from dq.stages.tokenizer import Tokenizer, make_tokenizer
from dq.stages.tokens import count_parts, tokenize_documents
from dq.stages.verdicts import Verdicts, judge, script_warnings
from dq.store import Workspace, as_workspace

MAX_EXCLUDED_SHARE = 0.05  # of a source's tokens; past it, holding out has changed what the study is about
WARM = "dq.stages.warm"  # what workers import before they begin
MIN_EVALUATED = 100  # documents of a held-out set


@dataclass(frozen=True)
class JobResult(Result):
    """What a job made.

    Attributes:
        fates: one row a source and fate: documents, bytes, tokens. Fates are disjoint: held_out, excluded, dropped (by
            a rule), removed (a duplicate of a kept document), kept.
        quarantined: unreadable rows.
        near: what made documents duplicates of others.
        learned: how well a trained classifier tells its two sides apart; None without one.
        benchmarks: what of benchmarks stands in documents (`dq.stages.benchmarks.BY_BENCHMARK`); None without any.
    """

    FRAME: ClassVar = "fates"

    workspace: Workspace
    fates: pl.DataFrame
    quarantined: int
    near: str
    warnings: tuple[str, ...]
    learned: Learned | None = None
    benchmarks: pl.DataFrame | None = None

    def record(self) -> dict[str, Any]:
        """The fields; ``sources`` are the fates."""
        names = ("quarantined", "near", "warnings", "learned", "benchmarks")
        return {
            "workspace": self.workspace.root,
            "sources": self.fates,
            **{name: getattr(self, name) for name in names},
        }


def run_job(
    config: JobConfig,
    workspace: Workspace,
    *,
    overwrite: bool = False,
    executor: Executor | None = None,
    progress: Progress = QUIET,
) -> JobResult:
    """Make or complete a workspace. The same command goes on after any interruption.

    Args:
        config: of the job.
        workspace: a new folder, or one that a job made.
        overwrite: read other input than what the workspace was made of, and replace what is there.
        executor: runs what can be done at a time; default: this process.
        progress: hears of every stage.

    Raises:
        DqError: what is wrong with the input, the configuration or the workspace, on one line.
    """
    require_live_polars()
    instance(config, JobConfig, name="config", remedy="dq.config.load_yaml(path, JobConfig) reads one")
    workspace = as_workspace(workspace)
    _check(config, workspace)
    workspace.create("run")
    with workspace.lock():
        steps = _Steps(View(workspace, config.texts), config, executor or LocalExecutor(), progress)
        steps.read(overwrite=overwrite)
        steps.clean()
        steps.find_duplicates()
        contamination = steps.decontaminate()
        heldout = steps.hold_out()
        learned = steps.learn()
        steps.score(learned)
        verdicts = steps.judge()
        steps.tokenise()
        steps.select(heldout, verdicts)
        steps.check_planted()
        fates = steps.settle_fates()
        write_card_config(workspace, config.card)
    read = steps.view.record(Documents).summary
    return JobResult(
        workspace=workspace,
        fates=fates,
        quarantined=sum(read["quarantined"].values()),
        near=config.dedup.method.near,
        warnings=(
            *reading_warnings(read),
            *script_warnings(verdicts),
            *_warnings(heldout, steps.view.open(Tokenizer), fates),
            *config.card.warnings({*fates["source"], *heldout.sets}, field="card.licences"),
        ),
        learned=None if learned is None else learned.learned,
        benchmarks=None if contamination is None else contamination.by_benchmark,
    )


def _check(config: JobConfig, workspace: Workspace) -> None:
    """What would stop the job late stops it before it begins."""
    require_all(config.modules())
    refuse_overlap(find_inputs(_all_inputs(config)), [workspace.root])
    load_models(config.quality.model_files, config.signals)


@dataclass(frozen=True)
class _Steps:
    """The steps of a job, in the order in which they are taken; each is heard of."""

    view: View
    config: JobConfig
    executor: Executor
    progress: Progress

    @property
    def threads(self) -> int:
        """Workers may be elsewhere, threads are here."""
        return min(self.executor.workers, usable_cores())

    def read(self, *, overwrite: bool) -> None:
        place, found = Documents.place(self.view, ""), find_inputs(self.config.input)
        if not place.exists():
            self.executor.prepare(WARM)  # while this process reads
        may_replace = None if overwrite else keep_input
        with self.progress.step("read", unit="bytes", total=input_bytes(found)) as step:
            ingest(place, found, self.config.read, may_replace=may_replace, executor=self.executor, step=step)

    def clean(self) -> None:
        for one in self.config.clean:
            with self._by_shards(f"clean: {one.version}") as step:
                clean_documents(self.view, one, executor=self.executor, step=step)

    def find_duplicates(self) -> None:
        method, resources = self.config.dedup.method, Resources(threads=self.threads)
        with self._by_documents("find duplicates") as step:
            find_pairs(self.view, method, resources=resources, executor=self.executor, step=step)

    def decontaminate(self) -> Contamination | None:
        if self.config.decontaminate is None:
            return None
        with self._by_shards("decontaminate", versions=self._versions) as step:
            return find_contamination(self.view, self.config.decontaminate, executor=self.executor, step=step)

    def hold_out(self) -> Heldout:
        config, benchmarks = self.config, self.config.excludes_benchmarks
        with self._by_shards("hold out", versions=self._versions) as step:
            return hold_out(
                self.view, config.heldout, config.read, benchmarks=benchmarks, executor=self.executor, step=step
            )

    def learn(self) -> LearnedModel | None:
        if self.config.quality.learned is None:
            return None
        with self._by_documents("learn"):
            return learn(self.view, self.config.quality.learned, self.config.read)

    def score(self, learned: LearnedModel | None) -> None:
        models, signals = self.config.quality.model_files, self.config.signals
        with self._by_shards("score") as step:
            score_documents(self.view, signals, executor=self.executor, learned=learned, models=models, step=step)

    def judge(self) -> Verdicts:
        with self._by_shards("judge") as step:
            return judge(self.view, self.config.quality.rule_set, executor=self.executor, step=step)

    def tokenise(self) -> None:
        with self.progress.step("tokenise", unit="parts", total=count_parts(self.view)) as step:
            make_tokenizer(self.view, self.config.tokenizer)
            tokenize_documents(self.view, executor=self.executor, step=step)

    def select(self, heldout: Heldout, verdicts: Verdicts) -> None:
        eligible = ~heldout.withheld & verdicts.keep
        how, resources = self.config.dedup, Resources(threads=self.threads)
        with self._by_documents("select") as step:
            select_documents(
                self.view,
                how,
                eligible=eligible,
                uses=JOB_NEEDS,
                resources=resources,
                executor=self.executor,
                step=step,
            )

    def check_planted(self) -> None:
        config = self.config
        with self._by_documents("check planted copies"):
            check_planted(self.view, dedup=config.dedup.method, heldout_config=config.heldout, threads=self.threads)

    def settle_fates(self) -> pl.DataFrame:
        with self._by_shards("settle fates") as step:
            settle_fates(self.view, executor=self.executor, step=step)
        return count_fates(self.view)

    @property
    def _versions(self) -> int:
        """Of the text, where documents are looked for in what is trained and in what was read."""
        return 1 if self.view.texts.trained == ORIGINAL else 2

    def _by_documents(self, name: str) -> AbstractContextManager[Step]:
        return self.progress.step(name, unit="documents", total=self.view.open(Documents).count)

    def _by_shards(self, name: str, *, versions: int = 1) -> AbstractContextManager[Step]:
        return self.progress.step(name, unit="shards", total=versions * len(self.view.open(Documents).shards))


def _all_inputs(config: JobConfig) -> list[InputSpec]:
    learned = config.quality.learned
    neutral = [one for item in config.heldout.neutral for one in item.input]
    benchmarks = config.decontaminate.benchmarks if config.decontaminate else ()
    items = [spec for one in benchmarks for spec in one.inputs]
    return [*config.input, *neutral, *items, *(learned.wanted if learned else ())]


def _warnings(heldout: Heldout, tokenizer: Tokenizer, fates: pl.DataFrame) -> list[str]:
    """One line a kind of fault, however many sources have it."""
    found = []
    if left_out := tokenizer.left_out:
        found.append(
            f"nothing is left of {listed([*left_out])} after holding out and excluding: no study has them; lower "
            "`heldout.fraction`, or add documents"
        )
    inexact, of = tokenizer.inexact
    if inexact:
        found.append(
            f"the tokenizer does not give texts back as they were ({inexact} of {of} that were tried): bits per byte "
            "are those of what it makes of them"
        )
    shares = fates.with_columns(share=pl.col("tokens") / pl.col("tokens").sum().over("source"))
    excluded = shares.filter((pl.col("fate") == "excluded") & (pl.col("share") > MAX_EXCLUDED_SHARE))
    if len(excluded):
        rows = excluded.sort("share", "source", descending=[True, False]).to_dicts()
        found.append(
            f"tokens excluded as near to held-out documents: {listed([_share(row) for row in rows])}; a study about "
            "deduplication should use neutral sets only"
        )
    found += heldout.unscored_in_words(heldout.sets)
    sizes = {name: len(heldout.documents(name)) for name in heldout.sets}
    if small := [f"{name} ({size})" for name, size in sizes.items() if size < MIN_EVALUATED]:
        found.append(f"held-out sets of few documents: {listed(small)}; below {MIN_EVALUATED} intervals are rough")
    return found


def _share(row: dict[str, Any]) -> str:
    return f"source {row['source']} ({row['share']:.1%})"
