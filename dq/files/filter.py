"""One stage, files to files: signals of documents, and documents divided by rules into kept and dropped.

Pieces of the input are read, scored and written in parallel; each piece has its own output file, cut by the input's
files alone, so the outputs are the same bytes for any number of workers. What is finished has its record,
``filter.json``, written last.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dq.corpus.config import RowLimits
from dq.corpus.documents import Batch
from dq.corpus.inputs import Piece
from dq.corpus.quarantine import QUARANTINE, RowCounts, quarantine
from dq.errors import ConfigError, WorkspaceError
from dq.executors import run_tasks
from dq.files.pieces import Fields, split_inputs
from dq.files.tables import RECORD, SCORES, STARTED, claim_folder, join_quarantine, join_tables, table_writer
from dq.quality import DEFAULT_SIGNALS, QuantileRule, RuleSet, signal
from dq.quality.models import ModelFile, score_with_models
from dq.store.files import write_json_atomic
from dq.text.words import WordDefinition

__all__ = ["FilterResult", "Reading", "ScoreResult", "filter_files", "score_files"]

Progress = Callable[[int, int], None]
"""Called with the pieces done and all pieces."""


@dataclass(frozen=True)
class Reading:
    """How documents are read and their words split, and the share of unreadable rows past which that is an error."""

    fields: Fields = field(default_factory=Fields)
    words: WordDefinition = "unicode"
    max_bad_fraction: float = 0.01
    models: tuple[ModelFile, ...] = ()
    """Classifiers, whose names are signals beside the registered ones."""
    workers: int = 1


@dataclass
class _Tally:
    """What happened in a piece, or in all of them."""

    documents: Counter[str] = field(default_factory=Counter)
    """By source."""
    bytes: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    kept_bytes: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    """By reason: documents that a rule drops."""
    alone: Counter[str] = field(default_factory=Counter)
    """By reason: documents that only this rule drops."""
    rows: RowCounts = field(default_factory=RowCounts)

    def add(self, other: _Tally) -> None:
        for name in ("documents", "bytes", "kept", "kept_bytes", "dropped", "alone"):
            getattr(self, name).update(getattr(other, name))
        self.rows.merge(other.rows)


@dataclass(frozen=True)
class ScoreResult:
    """What `score_files` did.

    Attributes:
        documents: rows of the table.
        signals: its columns beside id and source.
        quarantined: unreadable rows by reason.
    """

    documents: int
    signals: tuple[str, ...]
    quarantined: dict[str, int]
    replaced_surrogates: int


@dataclass(frozen=True)
class FilterResult:
    """What `filter_files` did.

    Attributes:
        by_rule: one row a rule, in rule order: reason, signal, minimum, maximum, dropped (documents that fail it),
            alone (documents that fail nothing else).
        by_source: one row a source, by name: documents, bytes (UTF-8 of text), kept, kept_bytes.
        quarantined: unreadable rows by reason.
    """

    rules: RuleSet
    strict: bool
    by_rule: pl.DataFrame
    by_source: pl.DataFrame
    quarantined: dict[str, int]
    replaced_surrogates: int

    @property
    def documents(self) -> int:
        """Documents that were judged."""
        return int(self.by_source["documents"].sum())

    @property
    def kept(self) -> int:
        """Documents that every rule accepts."""
        return int(self.by_source["kept"].sum())

    def to_dict(self) -> dict[str, Any]:
        """The record that both output folders hold, without anything that differs between two equal runs."""
        return {
            "documents": self.documents,
            "kept": self.kept,
            "dropped": self.documents - self.kept,
            "quarantined": self.quarantined,
            "replaced_surrogates": self.replaced_surrogates,
            "strict": self.strict,
            "rules": self.by_rule.to_dicts(),
            "sources": self.by_source.to_dicts(),
            "rule_set": self.rules.model_dump(mode="json"),
        }


def score_files(
    inputs: Sequence[str],
    output: Path,
    *,
    signals: Sequence[str] | None = None,
    reading: Reading = Reading(),
    on_progress: Progress | None = None,
) -> ScoreResult:
    """Signals of every document of some files: one Parquet table, one row a document: id, source, signals.

    Unreadable rows go to a file beside it, ``<name>.quarantined.jsonl``.

    Raises:
        DqError: the output is there already, a signal is unknown, or the input cannot be read.
    """
    learned = [model.name for model in reading.models]
    names = (*DEFAULT_SIGNALS, *learned) if signals is None else tuple(dict.fromkeys(signals))
    _check_signals(names, reading)
    if output.exists():
        raise WorkspaceError(f"{output}: already there; delete it, or name another file")
    if not output.parent.is_dir():
        raise WorkspaceError(f"{output.parent}: no such folder; make it, or name another")
    pieces = split_inputs(inputs, reading.fields)
    parts = output.with_name(f".{output.name}.parts")
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    try:
        tasks = [_Task(piece, number, reading, parts, signals=names) for number, piece in enumerate(pieces)]
        tally = _run(_score_piece, tasks, workers=reading.workers, on_progress=on_progress)
        listed_in = output.with_name(f"{output.stem}.{QUARANTINE}")
        join_quarantine(parts, listed_in if tally.rows.quarantined else None)
        tally.rows.check(RowLimits(max_bad_fraction=reading.max_bad_fraction), listed_in=listed_in)
        join_tables(sorted(parts.glob("[0-9]*.parquet")), output)
    finally:
        shutil.rmtree(parts, ignore_errors=True)
    rows = tally.rows
    return ScoreResult(tally.documents.total(), names, dict(sorted(rows.quarantined.items())), rows.replaced_surrogates)


def filter_files(
    inputs: Sequence[str],
    rules: RuleSet,
    *,
    kept: Path,
    dropped: Path | None = None,
    strict: bool = False,
    reading: Reading = Reading(),
    on_progress: Progress | None = None,
) -> FilterResult:
    """Divide the documents of some files by rules.

    Args:
        inputs: files, patterns and folders.
        rules: who judges.
        kept: a new or empty folder for Parquet files of id, source, text, meta.
        dropped: one for the others, with their full list of reasons and the values of the rules' signals.
        strict: judge as the rules' sources do, defects included.

    Raises:
        DqError: a folder holds something already, or the input cannot be read.
    """
    _check_signals(rules.signals(strict=strict), reading)
    if other := set(rules.groups) - {"source"}:
        raise ConfigError(
            f"rule set `{rules.name}` ranks by `{min(other)}`; files can be ranked by `source`, or in all"
        )
    folders = [kept] if dropped is None else [kept, dropped]
    if dropped is not None and kept.resolve() == dropped.resolve():
        raise ConfigError(f"{kept}: kept and dropped documents need two folders")
    pieces = split_inputs(inputs, reading.fields)
    for folder in folders:
        claim_folder(folder)
    if not rules.is_fixed:
        rules = _fixed(rules, pieces, reading, folder=kept / SCORES, on_progress=on_progress)
    tasks = [
        _Task(piece, number, reading, kept, dropped=dropped, rules=rules, strict=strict)
        for number, piece in enumerate(pieces)
    ]
    tally = _run(_filter_piece, tasks, workers=reading.workers, on_progress=on_progress)
    join_quarantine(kept, kept / QUARANTINE if tally.rows.quarantined else None)
    tally.rows.check(RowLimits(max_bad_fraction=reading.max_bad_fraction), listed_in=kept / QUARANTINE)
    result = _result(rules, tally, strict=strict)
    for folder in folders:
        write_json_atomic(folder / RECORD, result.to_dict())
        (folder / STARTED).unlink()
    return result


def _check_signals(names: Sequence[str], reading: Reading) -> None:
    learned = {model.name: model for model in reading.models}
    if len(learned) < len(reading.models):
        raise ConfigError(f"two models have one name; there are: {', '.join(model.name for model in reading.models)}")
    for name in names:
        learned[name].load() if name in learned else signal(name)


def _fixed(
    rules: RuleSet, pieces: Sequence[Piece], reading: Reading, *, folder: Path, on_progress: Progress | None
) -> RuleSet:
    """The rules with the thresholds of the whole input, which is scored once for them."""
    names = tuple(dict.fromkeys(rule.signal for rule in rules.rules if isinstance(rule, QuantileRule)))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        tasks = [_Task(piece, number, reading, folder, signals=names) for number, piece in enumerate(pieces)]
        _run(_score_piece, tasks, workers=reading.workers, on_progress=on_progress)
        return rules.fixed(pl.read_parquet(folder / "[0-9]*.parquet", columns=["source", *names]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Task:
    piece: Piece
    number: int
    reading: Reading
    folder: Path
    signals: tuple[str, ...] = ()
    dropped: Path | None = None
    rules: RuleSet | None = None
    strict: bool = False


def _run(
    function: Callable[[_Task], _Tally], tasks: list[_Task], *, workers: int, on_progress: Progress | None
) -> _Tally:
    tally, done = _Tally(), Counter[str]()

    def report(_index: int, _result: _Tally) -> None:
        done["pieces"] += 1
        if on_progress is not None:
            on_progress(done["pieces"], len(tasks))

    for found in run_tasks(function, tasks, workers=workers, preload=["dq.files.filter"], on_done=report):
        tally.add(found)
    return tally


def _score_piece(task: _Task) -> _Tally:
    tally = _Tally()
    with ExitStack() as stack:
        writer = stack.enter_context(table_writer(task.folder, task.number))
        for batch in _batches(task, tally):
            scores = _scores(batch.documents, task.signals, task)
            writer.add(_with_columns(batch.documents.select(["id", "source"]), scores))
    return tally


def _filter_piece(task: _Task) -> _Tally:
    assert task.rules is not None
    names = task.rules.signals(strict=task.strict)
    tally = _Tally()
    with ExitStack() as stack:
        kept = stack.enter_context(table_writer(task.folder, task.number))
        dropped = None if task.dropped is None else stack.enter_context(table_writer(task.dropped, task.number))
        for batch in _batches(task, tally):
            scores = _scores(batch.documents, names, task)
            source = pl.Series("source", batch.documents.column("source"))
            verdicts = task.rules.judge(scores.with_columns(source), strict=task.strict)
            keep = _arrow(verdicts["keep"])
            chosen = batch.documents.filter(keep)
            _count(tally.kept, tally.kept_bytes, chosen)
            failed = verdicts.filter(~pl.col("keep")).select("reasons")
            _count_reasons(tally, failed["reasons"])
            kept.add(chosen)
            if dropped is not None:
                values = pl.concat([failed, scores.filter(~verdicts["keep"])], how="horizontal")
                dropped.add(_with_columns(batch.documents.filter(pc.invert(keep)), values))
    return tally


def _batches(task: _Task, tally: _Tally) -> Iterator[Batch]:
    """The batches of a task's piece, counted; its unreadable rows are in a file of the task's own."""
    with quarantine(task.folder / f"{QUARANTINE}.{task.number:05d}", tally.rows) as take:
        for batch in task.piece.batches(max_document_bytes=task.reading.fields.max_document_bytes):
            take(task.piece.input.name, batch)
            _count(tally.documents, tally.bytes, batch.documents)
            yield batch


def _scores(documents: pa.Table, names: Sequence[str], task: _Task) -> pl.DataFrame:
    return score_with_models(documents.column("text"), names, task.reading.models, words=task.reading.words)


def _count(documents: Counter[str], sizes: Counter[str], table: pa.Table) -> None:
    columns = {"source": pl.Series(table.column("source")), "bytes": pl.Series(table.column("text")).str.len_bytes()}
    by_source = pl.DataFrame(columns).group_by("source").agg(pl.len(), pl.col("bytes").sum())
    for source, count, size in by_source.iter_rows():
        documents[source] += count
        sizes[source] += size


def _count_reasons(tally: _Tally, reasons: pl.Series) -> None:
    for counter, rows in ((tally.dropped, reasons), (tally.alone, reasons.filter(reasons.list.len() == 1))):
        if len(rows):
            counter.update(dict(rows.explode().value_counts().iter_rows()))


def _arrow(column: pl.Series) -> pa.Array:
    return column.to_arrow(compat_level=pl.CompatLevel.oldest())


def _with_columns(table: pa.Table, columns: pl.DataFrame) -> pa.Table:
    for column in columns:
        table = table.append_column(column.name, _arrow(column))
    return table


def _result(rules: RuleSet, tally: _Tally, *, strict: bool) -> FilterResult:
    by_rule = pl.DataFrame(
        [
            {
                "reason": rule.reason,
                "signal": rule.signals(strict=strict)[0],
                "minimum": getattr(rule, "minimum", None),
                "maximum": getattr(rule, "maximum", None),
                "dropped": tally.dropped[rule.reason],
                "alone": tally.alone[rule.reason],
            }
            for rule in rules.rules
        ],
        schema={
            "reason": pl.String,
            "signal": pl.String,
            "minimum": pl.Float64,
            "maximum": pl.Float64,
            "dropped": pl.Int64,
            "alone": pl.Int64,
        },
    )
    sources = sorted(tally.documents)
    counters = {"documents": tally.documents, "bytes": tally.bytes, "kept": tally.kept, "kept_bytes": tally.kept_bytes}
    by_source = pl.DataFrame(
        {"source": sources, **{name: [counter[source] for source in sources] for name, counter in counters.items()}},
        schema={"source": pl.String, **dict.fromkeys(counters, pl.Int64)},
    )
    quarantined = dict(sorted(tally.rows.quarantined.items()))
    return FilterResult(rules, strict, by_rule, by_source, quarantined, tally.rows.replaced_surrogates)
