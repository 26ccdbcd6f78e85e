"""The input in pieces, worked on in parallel, each with files of its own: what `score` and `filter` share.

A piece writes its outputs, its quarantine and, last, its tally. Where the tally is, the piece is done: a command that
was killed goes on with the other pieces. Files are numbered, and cut, by the input alone, so the outputs are the same
bytes for any number of workers and of interruptions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa

from dq.corpus.batches import Batch, gathered
from dq.corpus.config import InputSpec, RowLimits
from dq.corpus.documents import Carried
from dq.corpus.followed import followed
from dq.corpus.inputs import InputFile
from dq.corpus.pieces import Piece, cut_files
from dq.corpus.quarantine import QUARANTINE, join_quarantines, quarantine
from dq.errors import ConfigError, InputError
from dq.executors import Executor, Progress, report
from dq.files.repeated import id_hashes, repeated_ids
from dq.files.tally import Tally
from dq.quality import check_signals, score
from dq.quality.scorers.fasttext import LanguageLabels
from dq.quality.scorers.files import ModelFile, load_models
from dq.store import file_sha256
from dq.store.contents import remove_own
from dq.store.files import replacing
from dq.text import WordDefinition

MAX_DETAIL = 200  # characters of a name in a report, which must be short to arrive whole
PIECE_BYTES = 64 << 20  # uncompressed: enough to pay for a task


@dataclass(frozen=True)
class Scoring:
    """How rows become documents and texts become signals."""

    limits: RowLimits = field(default_factory=RowLimits)
    words: WordDefinition = "unicode"
    models: tuple[ModelFile, ...] = ()
    """Classifiers, whose names are signals beside the registered ones."""

    @property
    def identity(self) -> dict[str, Any]:
        """What a record holds of it; ``max_bad_fraction`` decides whether there is a result and not what is in it."""
        models = [[model.name, file_sha256(model.path), model.label] for model in self.models]
        return {"max_document_bytes": self.limits.max_document_bytes, "words": self.words, "models": models}

    def check(self, names: Sequence[str]) -> None:
        """Refuse names that are no signals, and models that cannot be loaded.

        Raises:
            DqError: which, and what there is.
        """
        learned = [model.name for model in self.models]
        if len(set(learned)) < len(learned):
            raise ConfigError(f"two models have one name; there are: {', '.join(learned)}")
        check_signals(names, others=learned)
        load_models(self.models, names)

    def check_languages(self, labels: Sequence[str]) -> None:
        """Refuse labels that the model of languages does not know.

        Raises:
            DqError: which, and the nearest that it knows.
        """
        models = load_models(self.models, ("language",)) or [LanguageLabels()]
        for model in models:
            if isinstance(model, LanguageLabels):
                model.check(labels)

    def scores(self, documents: pa.Table, names: Sequence[str]) -> pl.DataFrame:
        """One column a name, one row a document."""
        return score(documents.column("text"), names, scorers=load_models(self.models, names), words=self.words)


@dataclass(frozen=True)
class PieceTask:
    """A piece of the input and where its tally and its quarantine go."""

    piece: Piece
    number: int
    scratch: Path
    scoring: Scoring

    @property
    def tally(self) -> Path:
        """The file that says that the piece is done."""
        return self.scratch / f"{self.number:05d}.json"

    @property
    def ids(self) -> Path:
        """The hashes of its documents' ids."""
        return self.scratch / f"{self.number:05d}.ids.npy"


Task = TypeVar("Task", bound=PieceTask)


def cut(files: Sequence[InputFile]) -> list[Piece]:
    """The pieces of some files, in order.

    Raises:
        InputError: a file cannot be read.
    """
    return cut_files(files, max_bytes=PIECE_BYTES)


@contextmanager
def counted(task: PieceTask, *, carries: Carried = "meta") -> Iterator[tuple[Tally, Iterator[tuple[InputSpec, Batch]]]]:
    """The documents of a piece, and what their fields are called, counted as they are read.

    The tally is written when the block has ended well.
    """
    tally, ids = Tally(), [np.empty(0, np.uint64)]
    with quarantine(task.scratch / f"{task.number:05d}.{QUARANTINE}", tally.rows) as take:

        def counting() -> Iterator[tuple[InputSpec, Batch]]:
            limit, step = task.scoring.limits.max_document_bytes, _Reporting(task.number)
            read = followed(task.piece.parts, step, max_document_bytes=limit, carries=carries)
            for spec, batch in gathered(read):
                take(batch)
                tally.count_documents(batch.documents)
                ids.append(id_hashes(batch.documents))
                yield spec, batch

        yield tally, counting()
    with replacing(task.ids) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate(ids))
    tally.write(task.tally)


class _Reporting:
    """A step of a piece in a worker: how much of the piece has been read is reported."""

    def __init__(self, number: int) -> None:
        self._number, self._read = number, 0.0

    def advance(self, amount: float = 1, *, detail: str = "") -> None:
        """So many more bytes of a file."""
        self._read += amount
        report((self._number, self._read, detail[-MAX_DETAIL:]))


def run_pieces(
    function: Callable[[Task], None], tasks: Sequence[Task], *, executor: Executor, progress: Progress, name: str
) -> Tally:
    """Work on the pieces that are not done, and add up the tallies of all. The step counts bytes on disk."""
    tasks[0].scratch.mkdir(parents=True, exist_ok=True)
    read: dict[int, float] = {}

    def on_report(value: tuple[int, float, str]) -> None:
        number, now, detail = value  # of a piece that is begun again: less than before
        step.advance(now - read.get(number, 0), detail=detail)
        read[number] = now

    def unread(task: Task) -> float:
        before, read[task.number] = read.get(task.number, 0), task.piece.stored
        return task.piece.stored - before

    with progress.step(name, unit="bytes", total=sum(task.piece.stored for task in tasks)) as step:
        executor.run(function, tasks, output=lambda task: task.tally, step=step, amount=unread, on_report=on_report)
    tally = Tally.sum(task.tally for task in tasks)
    repeated = repeated_ids([task.ids for task in tasks])
    if repeated.documents:
        source, shared = _named(tasks[repeated.file], repeated.row)
        tally.rows.repeated_ids, tally.rows.repeated_such = repeated.documents, (source, shared)
    return tally


def _named(task: PieceTask, row: int) -> tuple[str, str]:
    """Source and id of a document of a piece, which is read again for it."""
    for _, batch in task.piece.batches(max_document_bytes=task.scoring.limits.max_document_bytes):
        if row < len(batch.documents):
            found = batch.documents.slice(row, 1)
            return found["source"][0].as_py(), found["id"][0].as_py()
        row -= len(batch.documents)
    raise InputError("the input has changed while it was read; run again")


@contextmanager
def undone_without_text(
    folders: Sequence[Path], *, listed_in: Path, fields: Collection[str] = ("text_field",)
) -> Iterator[None]:
    """Where no row has the text's field, leave nothing of ours: the corrected command finds its output as it was.

    ``fields`` are those of errors that are corrected by another setting, this one among them.
    """
    try:
        yield
    except InputError as error:
        if error.field in fields:
            for folder in folders:
                remove_own(folder)
            listed_in.unlink(missing_ok=True)
        raise


def join_quarantine(scratch: Path, target: Path) -> None:
    """The pieces' quarantines as one file, in order, its first rows; none where there is nothing in them."""
    parts = [path for path in sorted(scratch.glob(f"[0-9]*.{QUARANTINE}")) if path.stat().st_size]
    if parts:
        joined = scratch / "joined"  # a kill leaves nothing beside the target
        join_quarantines(parts, joined)
        joined.replace(target)
