"""Signals of documents, files to one file: a Parquet table, one row a document. It decides nothing.

The table's own metadata says what it was made from, so the same command finds it and any other one does not replace it.
Until it is whole, its parts lie in a hidden folder beside it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dq.arguments import many, path
from dq.corpus.apart import refuse_overlap
from dq.corpus.inputs import Entry, find_inputs, input_identity
from dq.corpus.pieces import Piece
from dq.corpus.quarantine import QUARANTINE, RowCounts
from dq.errors import ConfigError, WorkspaceError
from dq.executors import QUIET, Executor, LocalExecutor, Progress, require_live_polars
from dq.files.named import LINES, export_table
from dq.files.pieces import PieceTask, Scoring, counted, cut, join_quarantine, run_pieces, undone_without_text
from dq.files.tables import join_tables, table_writer, with_columns
from dq.quality import DEFAULT_SIGNALS
from dq.quality.rule_kinds import script_signal
from dq.results import Result
from dq.store import FolderLock, Stage, local
from dq.store.claimed import claimed

VERSION = 3
ENDINGS = (".parquet", *LINES, ".csv")
MADE_FROM, RESULT, SCRIPTS = "dq.fingerprint", "dq.result", "scripts"
BY_SCRIPT: dict[str, Any] = {"script": pl.String, "documents": pl.Int64, "signals": pl.List(pl.String)}


@dataclass(frozen=True)
class ScoreResult(Result):
    """What `score_files` did.

    Attributes:
        signals: the table's columns beside id and source.
        rows: what happened to the rows of the files; the table has one for each that is readable.
        by_script: one row a script without spaces between words that documents are mostly in: documents, and signals,
            those that are not made for it.
    """

    signals: tuple[str, ...]
    rows: RowCounts
    by_script: pl.DataFrame

    @property
    def documents(self) -> int:
        """Rows of the table."""
        return self.rows.documents

    def record(self) -> dict[str, Any]:
        """The fields, and those of the rows."""
        counts = {"documents": self.documents, "signals": self.signals, **self.rows.to_dict()}
        return {**counts, "scripts": self.by_script}


def score_files(
    inputs: Sequence[Entry],
    output: Path,
    *,
    signals: Sequence[str] | None = None,
    overwrite: bool = False,
    scoring: Scoring | None = None,
    executor: Executor | None = None,
    progress: Progress = QUIET,
) -> ScoreResult:
    """Signals of every document of some files: one Parquet table, one row a document: id, source, signals.

    The same call goes on after any interruption, and finds what is finished. Unreadable rows go to a file beside it,
    ``<name>.quarantined.jsonl``.

    Args:
        inputs: files, patterns, folders and samples.
        output: a file that is not there: Parquet, or by its ending JSON lines (.jsonl, also .gz and .zst) or CSV.
        signals: names; default those of the four rule sets and the models.
        overwrite: replace a table that this function made of other inputs, signals or settings.
        scoring: how rows become documents, and these signals.
        executor: who works on pieces of the input; default this process.
        progress: told of what is done, in files and bytes.

    Raises:
        DqError: the output is of something else, a signal is unknown, or the input cannot be read.
    """
    require_live_polars()
    scoring, executor, output = scoring or Scoring(), executor or LocalExecutor(), path(output, name="output")
    learned = [name for model in scoring.models for name in model.names]
    names = (*DEFAULT_SIGNALS, *learned) if signals is None else tuple(many(signals, name="signals", of="names"))
    scoring.check(names)
    names = tuple(dict.fromkeys(names))
    if not output.name.lower().endswith(ENDINGS):
        raise ConfigError(f"{output}: name a file that ends with {', '.join(ENDINGS)}", field="output")
    if not local(output).parent.is_dir():
        raise WorkspaceError(f"{output.parent}: no such folder; make it, or name another")
    found = find_inputs(inputs)
    parts = output.with_name(f".{output.name}.parts")
    with progress.step("compare with what is there", unit="files", total=len(found.files)) as step:
        identity = input_identity(found.files, step=step)
    config = {"inputs": identity, "signals": names, **scoring.identity}
    stage = Stage("score", VERSION, parts, config=config)
    listed_in = output.with_name(f"{output.stem}.{QUARANTINE}")
    refuse_overlap(found, [output, listed_in])
    # A table says itself what it was made from; what other kinds of files were made from, a hidden table beside them.
    table = output if output.name.lower().endswith(".parquet") else output.with_name(f".{output.name}.parquet")
    if table != output and output.exists() and not table.exists():
        raise WorkspaceError(f"{output}: already there, and not made by this command; name another file")
    fresh = not table.exists() or (overwrite and _made_from(table) not in (None, stage.fingerprint))
    if fresh:
        with claimed([stage], overwrite=overwrite), undone_without_text([parts], listed_in=listed_in):
            tasks = score_tasks(cut(found.files), names, scoring=scoring, scratch=parts)
            tally = run_pieces(score_piece, tasks, executor=executor, progress=progress, name="score")
            tally.rows.left_out = found.left_out
            join_quarantine(parts, listed_in)
            tally.rows.check(scoring.limits, listed_in=listed_in, text_field=found.files[0].spec.text_field)
            scripts = [[name, count, tally.unjudged[name]] for name, count in sorted(tally.scripts.items())]
            result = json.dumps({**tally.rows.to_dict(), SCRIPTS: scripts})
            metadata = {MADE_FROM: stage.fingerprint, RESULT: result}
            whole = parts / "whole.parquet"
            join_tables([task.output for task in tasks], whole, metadata=metadata)
            whole.replace(table)
    rows, by_script = _read(table, stage.fingerprint, name=output)
    if table != output and (fresh or not output.exists()):
        output.unlink(missing_ok=True)
        export_table(table, output)
    if parts.exists():
        with FolderLock(parts):
            shutil.rmtree(parts, ignore_errors=True)
    rows.check(scoring.limits, listed_in=listed_in, text_field=found.files[0].spec.text_field)
    return ScoreResult(names, rows, by_script)


def _read(table: Path, fingerprint: str, *, name: Path) -> tuple[RowCounts, pl.DataFrame]:
    """The counts of a finished table, which must have been made from the same: of rows, and by script."""
    if _made_from(table) != fingerprint:
        raise WorkspaceError(
            f"{name}: already there, and not of these inputs, signals and settings; name another file, or, if "
            "`dq score` made it, replace it: `overwrite`",
            field="overwrite",
        )
    try:
        found = json.loads(_metadata(table)[RESULT.encode()])
        return RowCounts.from_dict(found), pl.DataFrame(found[SCRIPTS], schema=BY_SCRIPT, orient="row")
    except (ValueError, KeyError, TypeError, AttributeError, pl.exceptions.PolarsError):
        raise WorkspaceError(f"{table}: not as it was left; delete it and run again") from None


def _made_from(output: Path) -> str | None:
    """The fingerprint in a table's metadata; None where `dq score` has not made it."""
    made_from = _metadata(output).get(MADE_FROM.encode())
    return None if made_from is None else made_from.decode("utf-8", "replace")


def _metadata(output: Path) -> dict[bytes, bytes]:
    try:
        return dict(pq.read_schema(output).metadata or {})
    except (OSError, pa.ArrowException):
        return {}


@dataclass(frozen=True)
class ScoreTask(PieceTask):
    """A piece, whose signals go where its tally goes."""

    names: tuple[str, ...]

    @property
    def output(self) -> Path:
        """The table."""
        return self.scratch / f"{self.number:05d}.parquet"


def score_tasks(pieces: Sequence[Piece], names: Sequence[str], *, scoring: Scoring, scratch: Path) -> list[ScoreTask]:
    """A task a piece."""
    return [ScoreTask(piece, number, scratch, scoring, tuple(names)) for number, piece in enumerate(pieces)]


def score_piece(task: ScoreTask) -> None:
    """Write the signals of a piece: id, source, signals."""
    told_by = {name: teller for name in task.names if (teller := script_signal(name)) is not None}
    names = [*dict.fromkeys((*task.names, *told_by.values()))]
    with counted(task) as (tally, batches), table_writer(task.output) as table:
        for _, batch in batches:
            scores = task.scoring.scores(batch.documents, names)
            tally.count_unfit(scores, told_by)
            table.add(with_columns(batch.documents.select(["id", "source"]), scores.select(task.names)))
