"""The token pool of a text version: every document as BOS + its tokens, one after another in one file.

``tokens.bin`` holds uint16, or uint32 for vocabularies beyond 65,536; ``lengths.parquet`` a row a document in the
corpus's order.
Everything that trains is a view of it; nothing copies it.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from dq.arrays import I64, offsets_of
from dq.corpus import Corpus
from dq.executors import QUIET, Executor, Step
from dq.stages.base import Need, Output, View
from dq.stages.encoder import Encoder
from dq.stages.read import Documents
from dq.stages.tokenizer import Tokenizer
from dq.store import read_array, write_bytes_atomic, write_table
from dq.store.files import replacing

TOKENS, LENGTHS = "tokens.bin", "lengths.parquet"
BATCH_DOCUMENTS = 256
MAX_U16 = 65_536  # entries of a vocabulary
MAX_PARTS = 8  # of a shard, or one more
PART_BYTES = 16_000_000  # of text: most shards; of larger ones, each of whose parts reads all, workers share the work


class TokenPool(Output):
    """A finished pool, mapped from disk."""

    made_by: ClassVar = {"tokens": 2}
    needs: ClassVar = {"corpus": Need(Documents, "trained"), "tokenizer": Need(Tokenizer)}

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``tokens/<version>``."""
        return view.workspace.tokens(view.texts.trained)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        width = self.record.summary.get("dtype", "<u2")
        self._tokens: np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]] = np.memmap(folder / TOKENS, width, mode="r")

    @cached_property
    def lengths(self) -> I64:
        """Tokens of each document with BOS: int64 (n,)."""
        return read_array(self.folder / LENGTHS, "length")

    @cached_property
    def offsets(self) -> I64:
        """Where each document begins in the pool, and where the last ends: int64 (n + 1,)."""
        return offsets_of(self.lengths)

    @property
    def bos_id(self) -> int:
        """What every document begins with."""
        return int(self._tokens[0])

    def tokens(self, document: int) -> np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]:
        """BOS and the tokens of one document: uint16 or uint32."""
        return self._tokens[self.offsets[document] : self.offsets[document + 1]]

    def at(self, places: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]:
        """The tokens at some places of the pool: uint16 or uint32, same shape."""
        return np.take(self._tokens, places)


class RewrittenTokens(TokenPool):
    """The pool of a text version that noise made, by the tokenizer of the text without it.

    Attributes:
        ledger: of each rewriting, from the first, what it counted.
    """

    made_by: ClassVar = {"tokens_of_noise": 1}

    @classmethod
    def place(cls, view: View, of: str, /) -> Path:
        """``tokens/<version>``."""
        return view.workspace.tokens(of)

    @classmethod
    def need(cls, name: str, config: Any) -> Need:
        """The version's text, and the tokenizer."""
        return Need(Documents, config["version"]) if name == "corpus" else cls.needs[name]

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ledger: tuple[Mapping[str, float], ...] = tuple(self.record.summary["ledger"])


@dataclass(frozen=True)
class _PartTask:
    """Rows [first, end) of a shard."""

    corpus: Path
    shard: int
    first: int
    end: int
    tokenizer: Path
    bos_id: int
    dtype: str
    tokens: Path

    @property
    def output(self) -> Path:
        """The lengths of the documents, written last."""
        return self.tokens.with_suffix(".lengths")


def tokenize_documents(view: View, *, executor: Executor, step: Step = QUIET) -> TokenPool:
    """Tokenise every document, or find that it has been done. The step counts parts of shards."""
    stage = view.stage(TokenPool)
    if stage.done() is None:
        stage.start()
        corpus, tokenizer = view.open(Documents, "trained"), view.open(Tokenizer)
        stage.commit(_tokenize(corpus, tokenizer, stage.folder, executor=executor, step=step))
    return view.open(TokenPool)


def tokenize_rewritten(
    view: View, versions: Sequence[str], *, executor: Executor, step: Step = QUIET
) -> RewrittenTokens:
    """Tokenise the last of some versions, each made from the one before, or find that it has been done."""
    version, tokenizer = versions[-1], view.open(Tokenizer)
    corpora = [view.open(Documents, one) for one in versions]
    others = {"corpus": corpora[-1].record.fingerprint}
    stage = view.stage(RewrittenTokens, of=version, config={"version": version}, uses=["tokenizer"], others=others)
    if stage.done() is None:
        stage.start()
        made = _tokenize(corpora[-1], tokenizer, stage.folder, executor=executor, step=step)
        stage.commit({**made, "ledger": [corpus.record.summary["counts"] for corpus in corpora]})
    return view.open(RewrittenTokens, version)


def count_parts(view: View, of: str = "trained") -> int:
    """Parts of shards that are tokenised, one after another or at a time."""
    return sum(1 for _ in _parts(view.open(Documents, of)))


def _tokenize(corpus: Corpus, tokenizer: Tokenizer, folder: Path, *, executor: Executor, step: Step) -> dict[str, Any]:
    """Tokenise a version of the text into a folder; what the record says of it."""
    dtype = "<u2" if tokenizer.vocabulary_size <= MAX_U16 else "<u4"
    by = (tokenizer.file, tokenizer.bos.id, dtype)
    tasks = [
        _PartTask(corpus.folder, shard, first, end, *by, folder / f"{number:05d}.part")
        for number, (shard, first, end) in enumerate(_parts(corpus))
    ]
    executor.run(_tokenize_part, tasks, output=lambda task: task.output, step=step)
    _join(tasks, folder)
    lengths = read_array(folder / LENGTHS, "length")
    return {"documents": len(lengths), "tokens": int(lengths.sum()), "dtype": dtype}


def _parts(corpus: Corpus) -> Iterator[tuple[int, int, int]]:
    """Shards cut into rows of about PART_BYTES: shard, first row, end; by sizes alone, whatever the workers.

    Each part reads its shard, so a shard has few parts, however large it is.
    """
    for shard in range(len(corpus.shards)):
        sizes = corpus.of_shard(shard, ["n_bytes"])["n_bytes"].to_numpy()
        part = (np.cumsum(sizes) - sizes) // max(PART_BYTES, int(sizes.sum()) // MAX_PARTS)
        cuts = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(sizes)]
        yield from ((shard, first, end) for first, end in itertools.pairwise(cuts))


def _tokenize_part(task: _PartTask) -> None:
    encoder = _loaded(task.tokenizer, task.tokenizer.stat().st_mtime_ns)
    texts = Corpus(task.corpus).texts(task.shard).slice(task.first, task.end - task.first)
    parts, lengths = [], []
    for first in range(0, len(texts), BATCH_DOCUMENTS):
        encoded = encoder.encode(texts.slice(first, BATCH_DOCUMENTS))
        parts.append(np.insert(encoded.ids, encoded.offsets[:-1], task.bos_id).astype(task.dtype))
        lengths.append(np.diff(encoded.offsets) + 1)
    write_bytes_atomic(task.tokens, np.concatenate(parts).tobytes())
    write_bytes_atomic(task.output, np.concatenate(lengths).astype("<i8").tobytes())


@lru_cache(maxsize=1)
def _loaded(path: Path, _written: int) -> Encoder:
    """The encoder, kept from part to part: it remembers words, and begins slower than it goes on."""
    return Encoder(path)


def _join(tasks: Sequence[_PartTask], folder: Path) -> None:
    lengths = np.concatenate([np.fromfile(task.output, "<i8") for task in tasks])
    with replacing(folder / TOKENS) as temporary, temporary.open("wb") as joined:
        for task in tasks:
            with task.tokens.open("rb") as part:
                shutil.copyfileobj(part, joined)
    write_table(folder / LENGTHS, pa.table({"length": lengths}))
    for task in tasks:
        task.output.unlink()  # first: without its lengths a part is made again
        task.tokens.unlink()
