"""Find every passage of n bytes or more that stands in a corpus twice: exact, in linear time and bounded memory.

Exactly: of every window of n bytes the first occurrence counts, documents in the order of the policy. A window is
repeated if that is another one, in an earlier document or earlier in its own without overlap. Every repeated window is
in a *piece*, which names an equal stretch of bytes in the document where the window stands first. So pieces say neither
more nor less than a suffix array would (tested by trying all windows), and anybody can check each by slicing the texts.

Texts go through the disk: their bytes, and 29 bytes for each block of windows (`dq.dedup.kernels.passages`), of which
there are about 4 / n a byte. Tables of hashes and parts of texts at work take the memory that is given, whatever the
corpus, beside 48 bytes a document, 56 a piece, and 64 for each byte of the largest document.

Windows are looked up by 64-bit hashes and every one that is used is compared byte for byte. Where two that differ have
one hash (a chance of 1e-3 for a billion of them) all is done again with other hashes, so nothing is missed either.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from dq.arrays import I64, offsets_of
from dq.dedup.config import Resources
from dq.dedup.kernels.passages import Sampling
from dq.dedup.passages.found import Passages, pieces_table
from dq.dedup.passages.options import RepeatedPassages
from dq.dedup.passages.search import Search
from dq.dedup.passages.stored import StoredTexts
from dq.dedup.policy import LONGEST
from dq.dedup.shards import Shard
from dq.errors import ConfigError
from dq.executors import QUIET, Step, require_live_polars

ALL_BITS = np.uint64(2**64 - 1)
SEEDS = 8  # of hashes, one after the other, as long as two windows that differ have the same


def find_passages(
    shards: Sequence[Shard],
    options: RepeatedPassages | None = None,
    *,
    documents: pl.DataFrame | None = None,
    folder: Path | None = None,
    resources: Resources | None = None,
    step: Step = QUIET,
) -> Passages:
    """Find the repeated passages of all shards, and what is cut. Shards, threads and memory change nothing.

    Args:
        shards: texts of each shard (list, Series, Arrow array), or functions that read them; each is read once.
        options: how long, where cut, which document keeps.
        documents: one row a document with what the policy ranks by: its own column, ``content_key``, ``source``,
            ``id``, ``occurrence``; without it documents are ranked by their texts, equal ones as they come.
        folder: where working files go, in a folder ``work`` that is removed at the end; default: a temporary one.
        resources: threads and memory.
        step: told of documents as they are read.

    Raises:
        ConfigError: the policy needs a column that is not given.
    """
    require_live_polars()
    options, resources = options or RepeatedPassages(), resources or Resources()
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="dq-passages-") as temporary:
            return find_passages(
                shards, options, documents=documents, folder=Path(temporary), resources=resources, step=step
            )
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    texts = StoredTexts.write(shards, work / "texts", visible=options.keep == LONGEST, step=step)
    addresses = _addresses(texts, options.keep.ranks(_ranked(texts, documents)))
    pieces = None
    for seed in range(SEEDS):
        search = Search(texts, addresses, _sampling(options, seed), work, resources)
        if (pieces := search.pieces(options.boundaries)) is not None:
            break
    shutil.rmtree(work)
    if pieces is None:
        raise ConfigError(
            "windows that differ have equal hashes again and again; choose another length", field="min_bytes"
        )
    return Passages(options, np.diff(texts.offsets), pieces_table(pieces))


def _sampling(options: RepeatedPassages, seed: int) -> Sampling:
    return Sampling(options.min_bytes, (options.min_bytes + 1) // 2, seed, ALL_BITS)


def _ranked(texts: StoredTexts, documents: pl.DataFrame | None) -> pl.DataFrame:
    """What policies rank by, as far as it is known."""
    if documents is not None and len(documents) != len(texts):
        raise ConfigError(f"{len(texts)} texts, but `documents` has {len(documents)} rows", field="documents")
    own = {"content_key": texts.content_keys, "n_bytes": np.diff(texts.offsets), "visible_characters": texts.visible}
    if documents is None:
        return pl.DataFrame(own)
    return documents.hstack([pl.Series(name, values) for name, values in own.items() if name not in documents.columns])


def _addresses(texts: StoredTexts, ranks: I64) -> I64:
    """Where the first byte of each document would be, were they sorted by rank."""
    order = np.argsort(ranks)
    addresses = np.empty(len(texts), np.int64)
    addresses[order] = offsets_of(np.diff(texts.offsets)[order])[:-1]
    return addresses
