"""The token pool of a text version: every document as BOS + its tokens, one after another in one file.

``tokens.bin`` holds uint16 (vocabularies up to 65,536), ``lengths.parquet`` a row a document in the corpus's order.
Everything that trains is a view of it; nothing copies it.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dq.corpus import Corpus
from dq.executors import run_tasks
from dq.stages.tokenizer import BOS_ID, load_tokenizer
from dq.store import Stage, read_record, write_bytes_atomic, write_parquet
from dq.store.files import replacing

__all__ = ["TokenPool", "tokenize_corpus"]

STAGE_VERSION = 2
BATCH_DOCUMENTS = 256
MAX_PARTS = 8  # of a shard, or one more
PART_BYTES = 4_000_000  # of text: seconds of work, so that a corpus of one shard keeps every worker busy


@dataclass(frozen=True)
class _PartTask:
    """Rows [first, end) of a shard."""

    corpus: Path
    shard: int
    first: int
    end: int
    tokenizer: Path
    output: Path


def tokenize_corpus(
    folder: Path, corpus: Corpus, tokenizer: Path, *, workers: int, inputs: Mapping[str, str]
) -> TokenPool:
    """Tokenise every document of a corpus, or find that it has been done."""
    stage = Stage("tokens", STAGE_VERSION, folder, inputs=inputs)
    if stage.done() is None:
        stage.start()
        tasks = [
            _PartTask(corpus.folder, shard, first, end, tokenizer, folder / f"{number:05d}.part")
            for number, (shard, first, end) in enumerate(_parts(corpus))
        ]
        run_tasks(_tokenize_part, tasks, workers=workers, preload=["dq.stages.tokens", "tokenizers"])
        _join([task.output for task in tasks], folder)
        lengths = pl.read_parquet(folder / "lengths.parquet")["length"]
        stage.commit({"documents": len(lengths), "tokens": int(lengths.sum())})
    return TokenPool(folder)


def _parts(corpus: Corpus) -> Iterator[tuple[int, int, int]]:
    """Shards cut into rows of about PART_BYTES: shard, first row, end; by sizes alone, whatever the workers.

    Each part reads its shard, so a shard has few parts, however large it is.
    """
    ends = np.cumsum(np.bincount(corpus.documents["shard"].to_numpy(), minlength=len(corpus.shards)))
    for shard, sizes in enumerate(np.split(corpus.documents["n_bytes"].to_numpy(), ends[:-1])):
        part = (np.cumsum(sizes) - sizes) // max(PART_BYTES, int(sizes.sum()) // MAX_PARTS)
        cuts = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(sizes)]
        yield from ((shard, first, end) for first, end in itertools.pairwise(cuts))


def _tokenize_part(task: _PartTask) -> None:
    lengths_path = task.output.with_suffix(".lengths")
    if lengths_path.exists():
        return
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = load_tokenizer(task.tokenizer)
    texts = Corpus(task.corpus).texts(task.shard).slice(task.first, task.end - task.first)
    parts, lengths = [], []
    for first in range(0, len(texts), BATCH_DOCUMENTS):
        batch = texts.slice(first, BATCH_DOCUMENTS).to_pylist()
        for encoding in tokenizer.encode_batch_fast(batch):
            ids = np.array([BOS_ID, *encoding.ids], np.uint16)
            parts.append(ids)
            lengths.append(len(ids))
    write_bytes_atomic(task.output, np.concatenate(parts).astype("<u2").tobytes())
    write_bytes_atomic(lengths_path, np.array(lengths, "<i8").tobytes())  # last: marks the part as done


def _join(parts: list[Path], folder: Path) -> None:
    lengths = np.concatenate([np.fromfile(part.with_suffix(".lengths"), "<i8") for part in parts])
    with replacing(folder / "tokens.bin") as temporary, temporary.open("wb") as joined:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, joined)
    write_parquet(folder / "lengths.parquet", pl.DataFrame({"length": pl.Series(lengths, dtype=pl.Int64)}))
    for part in parts:
        part.with_suffix(".lengths").unlink()  # first: without its lengths a part is made again
        part.unlink()


class TokenPool:
    """A finished pool, mapped from disk.

    Attributes:
        lengths: int64 (n,), tokens per document with BOS.
        offsets: int64 (n + 1,), where each document begins in the pool.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = read_record(folder)
        self.lengths: np.ndarray[Any, np.dtype[np.int64]] = pl.read_parquet(folder / "lengths.parquet")[
            "length"
        ].to_numpy()
        self.offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lengths)])
        self._tokens: np.ndarray[Any, np.dtype[np.uint16]] = np.memmap(folder / "tokens.bin", "<u2", mode="r")

    def tokens(self, document: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
        """BOS and the tokens of one document: uint16."""
        return self._tokens[self.offsets[document] : self.offsets[document + 1]]
