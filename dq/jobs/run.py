"""Run a job: read, find duplicates, hold out, score, judge, tokenise, select. Finished stages are not repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from dq.corpus import Corpus
from dq.dedup import Duplicates, Resources
from dq.jobs.job import JobConfig
from dq.stages.heldout import HeldoutSet, hold_out
from dq.stages.learned import Learned, LearnedModel, learn
from dq.stages.planted import check_planted
from dq.stages.read import ingest
from dq.stages.selection import find_stage, select_stage
from dq.stages.signals import judge_documents, score_corpus
from dq.stages.tokenizer import train_tokenizer
from dq.stages.tokens import TokenPool, tokenize_corpus
from dq.store import Workspace, read_record, write_parquet
from dq.variants import VERSION

__all__ = ["JobResult", "run_job"]

MAX_EXCLUDED_SHARE = 0.05  # of a source's tokens; past it, holding out has changed what the study is about
MIN_EVALUATED = 100  # documents of a held-out set

Progress = Callable[[str], None]
"""Called with the name of the stage that begins, or with what it is reading."""


@dataclass(frozen=True)
class JobResult:
    """What a job made.

    Attributes:
        fates: one row a source and fate: documents, bytes, tokens. Fates are disjoint: held_out, excluded, dropped (by
            a rule), removed (a duplicate of a kept document), kept.
        quarantined: unreadable rows.
        learned: how well a trained classifier tells its two sides apart; None without one.
    """

    workspace: Workspace
    fates: pl.DataFrame
    quarantined: int
    warnings: tuple[str, ...]
    learned: Learned | None = None


def run_job(config: JobConfig, workspace: Workspace, *, workers: int, on_progress: Progress | None = None) -> JobResult:
    """Make or complete a workspace. The same command goes on after any interruption.

    Raises:
        DqError: what is wrong with the input, the configuration or the workspace, on one line.
    """
    say = on_progress or (lambda _message: None)
    workspace.create()
    with workspace.lock():
        say("read")
        corpus = ingest(
            workspace.corpus(VERSION),
            config.input,
            config.read,
            on_progress=lambda name, rows: say(f"read: {name}, {rows:,} rows"),
        )
        say("find duplicates")
        duplicates = find_stage(
            workspace.duplicates(VERSION), corpus, config.dedup.method, resources=Resources(workers=workers)
        )
        say("hold out")
        heldout = hold_out(
            workspace.heldout(),
            corpus,
            config.heldout,
            read=config.read,
            neutral_folder=workspace.neutral(),
            workers=workers,
            inputs={"corpus": corpus.record.fingerprint},
        )
        learned = _learn(config, workspace, corpus, heldout=heldout, say=say)
        say("score and judge")
        verdicts = _judge(config, workspace, corpus, learned=learned, workers=workers)
        say("tokenise")
        pool = _tokenize(config, workspace, corpus, heldout=heldout, workers=workers)
        say("select")
        fates = _select(config, workspace, corpus, duplicates=duplicates, heldout=heldout, verdicts=verdicts, pool=pool)
        say("check planted copies")
        check_planted(workspace.planted(), corpus, heldout, dedup=config.dedup.method, heldout_config=config.heldout)
    warnings = _warnings(corpus, heldout, fates)
    return JobResult(workspace, fates, _quarantined(corpus), warnings, None if learned is None else learned.learned)


def _learn(
    config: JobConfig, workspace: Workspace, corpus: Corpus, *, heldout: HeldoutSet, say: Progress
) -> LearnedModel | None:
    if config.quality.learned is None:
        return None
    say("learn")
    inputs = {"corpus": corpus.record.fingerprint, "heldout": heldout.record.fingerprint}
    folder, available = workspace.learned(), ~heldout.withheld
    return learn(folder, corpus, available, config=config.quality.learned, read=config.read, inputs=inputs)


def _judge(
    config: JobConfig,
    workspace: Workspace,
    corpus: Corpus,
    *,
    learned: LearnedModel | None,
    workers: int,
) -> pl.DataFrame:
    rules, signals = config.quality.rule_set, workspace.signals(VERSION)
    names = dict.fromkeys((*rules.signals(), *config.dedup.signals))
    models = () if learned is None else (learned.file,)
    known = {} if learned is None else {"learned": learned.fingerprint}
    record = score_corpus(signals, corpus, [*names], workers=workers, models=models, inputs=known)
    inputs = {"signals": record.fingerprint}
    return judge_documents(workspace.verdicts(VERSION), signals, rules, corpus=corpus, inputs=inputs)


def _tokenize(
    config: JobConfig, workspace: Workspace, corpus: Corpus, *, heldout: HeldoutSet, workers: int
) -> TokenPool:
    inputs = {"corpus": corpus.record.fingerprint, "heldout": heldout.record.fingerprint}
    path = train_tokenizer(workspace.tokenizer(), corpus, ~heldout.withheld, config=config.tokenizer, inputs=inputs)
    known = {"corpus": corpus.record.fingerprint, "tokenizer": read_record(workspace.tokenizer()).fingerprint}
    return tokenize_corpus(workspace.tokens(VERSION), corpus, path, workers=workers, inputs=known)


def _select(
    config: JobConfig,
    workspace: Workspace,
    corpus: Corpus,
    *,
    duplicates: Duplicates,
    heldout: HeldoutSet,
    verdicts: pl.DataFrame,
    pool: TokenPool,
) -> pl.DataFrame:
    """What deduplication keeps among the available documents that the rules keep, and what became of every document."""
    folder = workspace.selection(VERSION)
    inputs = {
        "duplicates": read_record(workspace.duplicates(VERSION)).fingerprint,
        "heldout": heldout.record.fingerprint,
        "tokens": pool.record.fingerprint,
        "verdicts": read_record(workspace.verdicts(VERSION)).fingerprint,
    }
    keep = verdicts["keep"].to_numpy()

    def write_fates(kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        write_parquet(folder / "fates.parquet", _fates(corpus, heldout, keep=keep, kept=kept, pool=pool))

    select_stage(
        folder,
        corpus,
        duplicates,
        config=config.dedup,
        eligible=np.asarray(~heldout.withheld & keep),
        inputs=inputs,
        signals=workspace.signals(VERSION),
        flag="`dedup.allow_removal:`",
        also=write_fates,
    )
    return pl.read_parquet(folder / "fates.parquet")


def _fates(
    corpus: Corpus,
    heldout: HeldoutSet,
    *,
    keep: np.ndarray[tuple[int], np.dtype[np.bool_]],
    kept: np.ndarray[tuple[int], np.dtype[np.bool_]],
    pool: TokenPool,
) -> pl.DataFrame:
    fate = np.select(
        [heldout.held_out, heldout.excluded, ~keep, ~kept],
        ["held_out", "excluded", "dropped", "removed"],
        default="kept",
    )
    frame = corpus.documents.select("source", "n_bytes").with_columns(
        pl.Series("fate", fate), pl.Series("tokens", pool.lengths)
    )
    counted = frame.group_by("source", "fate").agg(
        pl.len().cast(pl.Int64).alias("documents"), pl.col("n_bytes").sum(), pl.col("tokens").sum()
    )
    return counted.sort("source", "fate")


def _quarantined(corpus: Corpus) -> int:
    return sum(corpus.record.summary["quarantined"].values())


def _warnings(corpus: Corpus, heldout: HeldoutSet, fates: pl.DataFrame) -> tuple[str, ...]:
    summary = corpus.record.summary
    found = [f"{name}: empty file" for name in summary["empty_files"]]
    if summary["replaced_surrogates"]:
        found.append(f"{summary['replaced_surrogates']:,} rows held lone surrogates; they became U+FFFD")
    shares = fates.with_columns(share=pl.col("tokens") / pl.col("tokens").sum().over("source"))
    for row in shares.filter((pl.col("fate") == "excluded") & (pl.col("share") > MAX_EXCLUDED_SHARE)).to_dicts():
        found.append(
            f"source {row['source']}: {row['share']:.1%} of its tokens are excluded as near to held-out documents; "
            "a study about deduplication should use neutral sets only"
        )
    for name in heldout.sets:
        size = len(heldout.documents(name))
        if size < MIN_EVALUATED:
            found.append(f"held-out set {name} has {size} documents; below {MIN_EVALUATED} its intervals are rough")
    return tuple(found)
