"""A byte n-gram model of the text of some files, which becomes one file: a signal for rules, ``--model NAME=FILE``.

Pieces of the input are counted apart and added up, which commutes: the model is the same bytes for any number of
workers and any order of files. What it was made from stands in a hidden file beside it, not in the model.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dq.arguments import path
from dq.corpus.apart import refuse_overlap
from dq.corpus.inputs import Entry, Inputs, find_inputs, input_identity
from dq.corpus.quarantine import QUARANTINE, RowCounts
from dq.errors import ConfigError, InputError, WorkspaceError, require
from dq.executors import QUIET, Executor, LocalExecutor, Progress, require_live_polars
from dq.files.pieces import PieceTask, Scoring, counted, cut, join_quarantine, run_pieces, undone_without_text
from dq.quality.ngrams import NgramCounts
from dq.quality.scorers.ngram import NgramModel, NgramOptions, drawn, fitted
from dq.results import Result
from dq.store import FolderLock, Stage, local, read_json
from dq.store.claimed import claimed
from dq.store.files import replacing, write_json_atomic

VERSION = 1
ENDING = ".safetensors"
MAX_NGRAMS = 100_000_000  # different ones: 1.6 GB, and as much again while pieces are added


@dataclass(frozen=True)
class NgramResult(Result):
    """What `train_ngram_files` did.

    Attributes:
        options: how the model was trained.
        ngrams: of all lengths, in the model.
        model_bytes: of its file.
        rows: what happened to the rows of the files.
    """

    options: NgramOptions
    ngrams: int
    model_bytes: int
    rows: RowCounts

    @property
    def documents(self) -> int:
        """Documents that were read; of a share, fewer taught it."""
        return self.rows.documents

    def record(self) -> dict[str, Any]:
        """The fields, and those of the rows."""
        counts = {"documents": self.documents, "ngrams": self.ngrams, "model_bytes": self.model_bytes}
        return {**counts, "options": self.options, **self.rows.to_dict()}


@dataclass(frozen=True)
class NgramTask(PieceTask):
    """A piece, whose counts go where its tally goes."""

    options: NgramOptions

    @property
    def output(self) -> Path:
        """Its n-grams and their counts."""
        return self.scratch / f"{self.number:05d}.npy"


def train_ngram_files(
    inputs: Sequence[Entry],
    output: Path,
    *,
    options: NgramOptions | None = None,
    overwrite: bool = False,
    scoring: Scoring | None = None,
    executor: Executor | None = None,
    progress: Progress = QUIET,
) -> NgramResult:
    """Train an n-gram model of the documents of some files. The same call goes on after any interruption.

    Args:
        inputs: files, patterns, folders and samples.
        output: a file that is not there, ending in .safetensors.
        options: how the model is trained.
        overwrite: replace a model that this function made of other inputs or settings.
        scoring: how rows become documents.
        executor: who counts pieces of the input; default this process.
        progress: told of what is done, in files and bytes.

    Raises:
        DqError: the output is something else, or the input cannot be read or has too many different n-grams.
    """
    require_live_polars()
    require("safetensors")
    options, scoring, executor = options or NgramOptions(), scoring or Scoring(), executor or LocalExecutor()
    output = path(output, name="output")
    if output.suffix != ENDING:
        raise ConfigError(f"{output}: name a file that ends with {ENDING}", field="output")
    if not local(output).parent.is_dir():
        raise WorkspaceError(f"{output.parent}: no such folder; make it, or name another")
    found = find_inputs(inputs)
    parts, beside = (output.with_name(f".{output.name}.{what}") for what in ("parts", "json"))
    listed_in = output.with_name(f"{output.stem}.{QUARANTINE}")
    refuse_overlap(found, [output, listed_in])
    with progress.step("compare with what is there", unit="files", total=len(found.files)) as step:
        identity = input_identity(found.files, step=step)
    limits = {"max_document_bytes": scoring.limits.max_document_bytes}
    stage = Stage("train-ngram", VERSION, parts, config={"inputs": identity, "options": options, **limits})
    made_from = read_json(beside).get("made_from") if output.exists() and beside.exists() else None
    if output.exists() and made_from != stage.fingerprint and not (overwrite and made_from):
        raise WorkspaceError(
            f"{output}: already there, and not of these inputs and settings; name another file, or, if "
            "`dq train-ngram` made it, replace it: `overwrite`",
            field="overwrite",
        )
    work = _Work(found, options, scoring, parts, listed_in)
    if made_from != stage.fingerprint:
        correctable = ("text_field", "share")
        with (
            claimed([stage], overwrite=overwrite),
            undone_without_text([parts], listed_in=listed_in, fields=correctable),
        ):
            model, rows = work.run(executor=executor, progress=progress)
            output.unlink(missing_ok=True)  # a model must not be taken for what is said beside it
            about = {"made_from": stage.fingerprint, "ngrams": len(model.numbers.keys)}
            write_json_atomic(beside, {**about, **rows.to_dict()})
            model.save(output)
    if parts.exists():
        with FolderLock(parts):
            shutil.rmtree(parts, ignore_errors=True)
    made = read_json(beside)
    result = NgramResult(options, int(made["ngrams"]), output.stat().st_size, RowCounts.from_dict(made))
    work.check(result.rows)
    return result


@dataclass(frozen=True)
class _Work:
    """What is read, and how."""

    found: Inputs
    options: NgramOptions
    scoring: Scoring
    parts: Path
    listed_in: Path

    def run(self, *, executor: Executor, progress: Progress) -> tuple[NgramModel, RowCounts]:
        """Count every piece, and estimate the model of all."""
        pieces = enumerate(cut(self.found.files))
        tasks = [NgramTask(piece, number, self.parts, self.scoring, self.options) for number, piece in pieces]
        tally = run_pieces(_count_piece, tasks, executor=executor, progress=progress, name="count")
        tally.rows.left_out = self.found.left_out
        join_quarantine(self.parts, self.listed_in)
        self.check(tally.rows)
        with progress.step("estimate"):
            return fitted(_sum_of(tasks, self.options), self.options), tally.rows

    def check(self, rows: RowCounts) -> None:
        """Refuse rows that are mostly unreadable."""
        rows.check(self.scoring.limits, listed_in=self.listed_in, text_field=self.found.files[0].spec.text_field)


def _count_piece(task: NgramTask) -> None:
    counts = NgramCounts(task.options.order)
    with counted(task) as (_, batches):
        for _, batch in batches:
            counts.add_texts(drawn(batch.documents.column("text"), task.options.share))
        with replacing(task.output) as temporary, temporary.open("wb") as file:
            np.save(file, np.stack([counts.ngrams, counts.counts.astype(np.uint64)]))


def _sum_of(tasks: Sequence[NgramTask], options: NgramOptions) -> NgramCounts:
    """The counts of all pieces.

    Raises:
        InputError: there are more different n-grams than memory should hold.
    """
    total = NgramCounts(options.order)
    for task in tasks:
        ngrams, counts = np.load(task.output)
        total.add(ngrams, counts.astype(np.int64))
        if len(total.ngrams) > MAX_NGRAMS:
            share = options.share * (task.number + 1) / len(tasks) / 2
            raise InputError(
                f"the text has over {MAX_NGRAMS:,} different n-grams; train on a share of the documents: "
                f"`share` {share:.2g} or less, or a lower order",
                field="share",
            )
    return total
