"""Run a job: its stages, top to bottom. A finished stage is not repeated, a killed job goes on."""

from __future__ import annotations

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
from dq.executors import QUIET, Executor, LocalExecutor, Progress, require_live_polars, usable_cores
from dq.jobs.job import JobConfig
from dq.quality.scorers.files import load_models
from dq.results import Result
from dq.stages.base import ORIGINAL, View
from dq.stages.cleaned import clean_documents
from dq.stages.contamination import find_contamination
from dq.stages.duplicates import find_pairs
from dq.stages.fates import count_fates, settle_fates
from dq.stages.heldout import Heldout, hold_out
from dq.stages.learned import Learned, learn
from dq.stages.planted import check_planted
from dq.stages.read import Documents, ingest, keep_input, reading_warnings
from dq.stages.selection import JOB_NEEDS, select_documents
from dq.stages.signals import score_documents
from dq.stages.tokenizer import Tokenizer, make_tokenizer
from dq.stages.tokens import count_parts, tokenize_documents
from dq.stages.verdicts import judge, script_warnings
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
    require_all(config.modules())
    executor = executor or LocalExecutor()
    threads = min(executor.workers, usable_cores())  # workers may be elsewhere, threads are here
    refuse_overlap(find_inputs(_all_inputs(config)), [workspace.root])
    load_models(config.quality.model_files, config.signals)  # a file that is none stops the job before it begins
    workspace.create("run")
    view = View(workspace, config.texts)
    with workspace.lock():
        shards, documents = _read(view, config, overwrite=overwrite, executor=executor, progress=progress)
        for one in config.clean:
            with progress.step(f"clean: {one.version}", unit="shards", total=shards) as step:
                clean_documents(view, one, executor=executor, step=step)
        with progress.step("find duplicates", unit="documents", total=documents) as step:
            find_pairs(view, config.dedup.method, resources=Resources(threads=threads), executor=executor, step=step)
        versions = 1 if view.texts.trained == ORIGINAL else 2
        contamination = None
        if config.decontaminate is not None:
            with progress.step("decontaminate", unit="shards", total=versions * shards) as step:
                contamination = find_contamination(view, config.decontaminate, executor=executor, step=step)
        with progress.step("hold out", unit="shards", total=versions * shards) as step:
            heldout = hold_out(
                view,
                config.heldout,
                config.read,
                benchmarks=config.excludes_benchmarks,
                executor=executor,
                step=step,
            )
        learned = None
        if config.quality.learned is not None:
            with progress.step("learn", unit="documents", total=documents):
                learned = learn(view, config.quality.learned, config.read)
        rules = config.quality.rule_set
        with progress.step("score", unit="shards", total=shards) as step:
            models = config.quality.model_files
            score_documents(view, config.signals, executor=executor, learned=learned, models=models, step=step)
        with progress.step("judge", unit="documents", total=documents):
            verdicts = judge(view, rules)
        with progress.step("tokenise", unit="parts", total=count_parts(view)) as step:
            make_tokenizer(view, config.tokenizer)
            tokenize_documents(view, executor=executor, step=step)
        with progress.step("select", unit="documents", total=documents):
            eligible = ~heldout.withheld & verdicts.keep
            select_documents(view, config.dedup, eligible=eligible, uses=JOB_NEEDS)
        with progress.step("check planted copies", unit="documents", total=documents):
            check_planted(view, dedup=config.dedup.method, heldout_config=config.heldout, threads=threads)
        with progress.step("settle fates", unit="documents", total=documents):
            settle_fates(view)
        write_card_config(workspace, config.card)
    fates, read = count_fates(view), view.record(Documents).summary
    return JobResult(
        workspace=workspace,
        fates=fates,
        quarantined=sum(read["quarantined"].values()),
        near=config.dedup.method.near,
        warnings=(
            *reading_warnings(read),
            *script_warnings(verdicts),
            *_warnings(heldout, view.open(Tokenizer), fates),
            *config.card.warnings({*fates["source"], *heldout.sets}, field="card.licences"),
        ),
        learned=None if learned is None else learned.learned,
        benchmarks=None if contamination is None else contamination.by_benchmark,
    )


def _read(view: View, config: JobConfig, *, overwrite: bool, executor: Executor, progress: Progress) -> tuple[int, int]:
    """Read the input; how many shards and documents there are."""
    place, found = Documents.place(view, ""), find_inputs(config.input)
    if not place.exists():
        executor.prepare(WARM)  # while this process reads
    with progress.step("read", unit="bytes", total=input_bytes(found)) as step:
        may_replace = None if overwrite else keep_input
        ingest(place, found, config.read, may_replace=may_replace, executor=executor, step=step)
    corpus = view.open(Documents)
    return len(corpus.shards), len(corpus.documents)


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
