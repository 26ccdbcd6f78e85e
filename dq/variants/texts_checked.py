"""Documents looked at again: their text, its tokens, what noise made of it, and how far it is from what is held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from dq.arrays import I64, Bools
from dq.dedup.overlap import Entries
from dq.errors import WorkspaceError
from dq.executors import Step
from dq.stages.base import ORIGINAL, View
from dq.stages.cleaned import TEXT_KEY
from dq.stages.encoder import Encoder
from dq.stages.heldout import Heldout
from dq.stages.read import Documents
from dq.stages.tokenizer import Tokenizer
from dq.stages.tokens import BATCH_DOCUMENTS, TokenPool
from dq.store import read_parquet
from dq.text import content_keys
from dq.variants.derived import version_of
from dq.variants.documents import Universe
from dq.variants.ingredient import Layer


@dataclass(frozen=True)
class _Shard:
    """Some documents of a shard: their global numbers and texts."""

    number: int
    documents: I64
    texts: pl.Series


class CheckedTexts:
    """Checks documents of a workspace, each once in each version of its text."""

    def __init__(self, view: View, universe: Universe) -> None:
        self._view, self._universe = view, universe
        self._tokenizer = view.open(Tokenizer)
        self._encoder = Encoder(self._tokenizer.file)
        self._done: dict[str, Bools] = {}

    def check(self, documents: Bools, texts: tuple[Layer, ...], *, step: Step) -> None:
        """Check marked documents in the text that these layers make.

        Raises:
            WorkspaceError: what differs, in which document.
        """
        corpus = self._view.open(Documents, version_of(self._view, texts) if texts else "trained")
        left = self._left(documents, corpus.version)
        for shard in _shards(corpus, left):
            self._check_tokens(shard, self._universe.pool(texts) if texts else self._view.open(TokenPool))
            if texts:
                self._check_noise(shard, texts, corpus)
            step.advance(len(shard.documents))
        for role in {"trained": self._view.texts.trained, "": ORIGINAL}:
            self._check_apart(self._view.open(Documents, role), documents)

    def _left(self, documents: Bools, what: str) -> Bools:
        """Those that have not been checked for this yet; they count as checked then."""
        done = self._done.setdefault(what, np.zeros(len(documents), np.bool_))
        left: Bools = documents & ~done
        done |= documents
        return left

    def _check_tokens(self, shard: _Shard, pool: TokenPool) -> None:
        for first in range(0, len(shard.documents), BATCH_DOCUMENTS):
            some = slice(first, first + BATCH_DOCUMENTS)
            rows = self._encoder.encode(shard.texts[some]).rows()
            for document, ids in zip(shard.documents[some], rows, strict=True):
                if not np.array_equal(pool.tokens(int(document)), [self._tokenizer.bos.id, *ids]):
                    raise WorkspaceError(
                        f"{pool.folder / 'tokens.bin'}: the tokens of {self._named(document)} are not its text's; "
                        f"delete {pool.folder} and run the job again"
                    )

    def _check_noise(self, shard: _Shard, texts: tuple[Layer, ...], corpus: Documents) -> None:
        base = self._view.open(Documents, "trained")
        first = int(base.first_documents[shard.number])
        made: pa.Array = base.texts(shard.number).take(pa.array(shard.documents - first))
        for layer in texts:
            assert layer.cleaner is not None, "a layer that rewrites text"
            made = layer.cleaner.clean(made).texts
        if wrong := np.flatnonzero(pl.Series(made).to_numpy() != shard.texts.to_numpy()).tolist():
            raise WorkspaceError(
                f"{corpus.shards[shard.number]}: {self._named(shard.documents[wrong[0]])} is not what "
                f"{texts[-1].label} makes of its text; delete {corpus.folder} and run the command that made it again"
            )

    def _check_apart(self, corpus: Documents, documents: Bools) -> None:
        heldout = self._view.open(Heldout)
        limits = {name: float(heldout.record.config[name]) for name in ("min_jaccard", "min_containment")}
        entries = heldout.entries()
        ready = Entries(entries["text"])
        for shard in _shards(corpus, self._left(documents, f"{corpus.version} apart")):
            if len(near := ready.look_in(shard.texts, **limits).near):
                found = near.row(0, named=True)
                raise WorkspaceError(
                    f"{heldout.folder}: {self._named(shard.documents[found['document']])} is near to the held-out "
                    f"document {entries['heldout_id'][found['entry']]} ({found['measure']} {found['score']:.2f}); "
                    f"delete {heldout.folder} and run the job again"
                )

    def _named(self, document: int) -> str:
        corpus = self._view.open(Documents, "trained")
        return f"document {corpus.documents['id'][int(document)]} ({self._universe.sources[document]})"


def _shards(corpus: Documents, documents: Bools) -> Iterator[_Shard]:
    """Marked documents shard by shard, once their texts have the keys that they were written with.

    Raises:
        WorkspaceError: a text has not.
    """
    bounds = corpus.first_documents
    for number, path in enumerate(corpus.shards):
        chosen = np.flatnonzero(documents[bounds[number] : bounds[number + 1]])
        if not len(chosen):
            continue
        frame = read_parquet(path)[chosen]
        keys = frame[TEXT_KEY if TEXT_KEY in frame.columns else "content_key"].to_numpy()
        if (wrong := np.flatnonzero(content_keys(frame["text"]) != keys)).size:
            raise WorkspaceError(
                f"{path}: the text of document {frame['id'][int(wrong[0])]} ({frame['source'][int(wrong[0])]}) is not "
                f"the one that was read; delete {corpus.folder} and run the job again"
            )
        yield _Shard(number, chosen + bounds[number], frame["text"])
