"""The stage that gives every document a vector: of a field of its row, or by a static embedding model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import orjson

from dq.arrays import F32
from dq.config import fingerprint
from dq.corpus.fields import text_names, value_of
from dq.dedup import MAX_DIMENSIONS
from dq.errors import InputError, WorkspaceError
from dq.executors import QUIET, Step, run_in_threads
from dq.stages.base import ORIGINAL, Need, Output, View
from dq.stages.duplicates import disk_errors
from dq.stages.read import Documents
from dq.stages.static_model import StaticModel, model_identity
from dq.store.arrays import save_parts

FILE = "vectors.npy"
SHOWN_CHARS = 100  # of a name, its last: there the number of a row stands
REMEDY = "leave the row out, or give it zeros, which match nothing"


class FoundVectors(Output):
    """A vector for every document as it was read."""

    made_by: ClassVar = {"vectors": 1}
    needs: ClassVar = {"corpus": Need(Documents)}
    outside: ClassVar = ("model",)

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``vectors/original``."""
        return view.workspace.folder("vectors", ORIGINAL)

    @cached_property
    def array(self) -> F32:
        """float32 (documents, dimensions), mapped: zero where a document has no direction."""
        try:
            return cast("F32", np.load(self.folder / FILE, mmap_mode="r"))
        except (OSError, ValueError):
            raise WorkspaceError(f"{self.folder / FILE}: not as it was written; delete {self.folder}") from None


def vectors_of(
    view: View, *, field: str | None = None, model: str | None = None, threads: int = 1, step: Step = QUIET
) -> FoundVectors:
    """Give every document its vector, or find that it has been done. The step counts documents.

    Args:
        view: of the workspace.
        field: of the rows, that holds a list of numbers; nested ones with dots.
        model: in place of a field: the folder of a static embedding model.
        threads: shards at a time.
        step: told of documents.

    Raises:
        InputError: a document has no vector, or a wrong one; the model is none.
    """
    corpus = view.open(Documents)
    if model is None:
        stage = view.stage(FoundVectors, config={"field": field})
    else:
        stage = view.stage(FoundVectors, config={}, others={"model": fingerprint(model_identity(model))})
    if stage.done() is None:
        stage.start()
        make = _Field(corpus, str(field)).read if model is None else _by_model(corpus, model)
        with disk_errors(stage.folder):
            parts = _in_order(make, len(corpus.shards), threads=threads, step=step)
            save_parts(stage.folder / FILE, parts, corpus.count)
        stage.commit({})
    return view.open(FoundVectors)


def _in_order(make: Callable[[int], F32], shards: int, *, threads: int, step: Step) -> Iterator[F32]:
    """The vectors of all shards, of which only so many are at hand as there are threads."""
    for first in range(0, shards, threads):
        for part in run_in_threads(make, range(first, min(first + threads, shards)), threads=threads):
            step.advance(len(part))
            yield part


def _by_model(corpus: Documents, folder: str) -> Callable[[int], F32]:
    model = StaticModel.read(folder)
    return lambda shard: model.vectors(corpus.texts(shard))


@dataclass(frozen=True)
class _Field:
    """A field of the rows that holds vectors, all as long as that of the first document."""

    corpus: Documents
    field: str

    def read(self, shard: int) -> F32:
        """The vectors of a shard."""
        width = len(self._value(self.corpus.meta_of(0), 0))
        rows, first = self.corpus.metas(shard).to_pylist(), self._first(shard)
        found = np.empty((len(rows), width), np.float32)
        for row, meta in enumerate(rows):
            value = self._value(meta, first + row)
            if len(value) != width:
                raise self._wrong(
                    first + row,
                    f"has {len(value):,} numbers, and that of the first document {width:,}; give all documents "
                    "vectors of one model",
                )
            with np.errstate(over="ignore"):
                found[row] = value
        if not (finite := np.isfinite(found).all(axis=1)).all():
            raise self._wrong(first + int(np.argmin(finite)), f"has a number too large for float32; {REMEDY}")
        return found

    def _first(self, shard: int) -> int:
        """The number of a shard's first document."""
        return int(self.corpus.first_documents[shard])

    def _value(self, meta: str, number: int) -> list[float]:
        """The numbers of a document."""
        fields = orjson.loads(meta)
        value = value_of(fields, self.field)
        if value is None:
            there = ", ".join(text_names(fields)) or "none"
            raise self._wrong(
                number, f"is missing; there are: {there}; name that of the vectors, or leave out rows without one"
            )
        if type(value) is not list or not 0 < len(value) <= MAX_DIMENSIONS:
            raise self._wrong(number, f"is no list of 1 to {MAX_DIMENSIONS:,} numbers; name that of the vectors")
        if not (kinds := set(map(type, value))) <= {float, int}:
            what = "null or NaN" if type(None) in kinds else "what is no number"
            raise self._wrong(number, f"holds {what}; {REMEDY}")
        return value

    def _wrong(self, number: int, what: str) -> InputError:
        """About a document, for whoever is to find its row: one without an id is called by file and row."""
        row = self.corpus.documents.select("id", "source").row(number)
        identity, source = (name if len(name) <= SHOWN_CHARS else f"...{name[-SHOWN_CHARS:]}" for name in row)
        named = f"document {identity} of source {source}"
        return InputError(f"{named}: field `{self.field}` {what}", field="vectors")
