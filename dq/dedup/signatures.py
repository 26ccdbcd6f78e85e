"""MinHash signatures, bit-identical to ``datasketch.MinHash(scheme="affine32")`` fed the same 32-bit shingle hashes.

``signature[k] = min over shingles of (a[k] * mix(x) + b[k]) mod 2^32``, with x the low 32 bits of the shingle hash, mix
murmur3's finaliser and (a, b) drawn from NumPy's MT19937: all odd a first, then all b, so a signature of 112
permutations is no prefix of one of 128. A document without shingles has 2^32 - 1 everywhere. Definition: datasketch
2.0, affine32.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from dq.arguments import whole_number
from dq.arrays import I64, U32, U64, read_only
from dq.config import checked
from dq.dedup.config import ShingleConfig
from dq.dedup.kernels.signatures import sign_documents, sign_hashes
from dq.dedup.normalization import rules
from dq.errors import ConfigError
from dq.executors import run_in_threads
from dq.text import TextBatch, Texts, text_batch

EMPTY_VALUE = 2**32 - 1
_LANES = 16
_SMALLEST_PART = 64 * 1024  # bytes: a tenth of a millisecond


@dataclass(frozen=True)
class Signed:
    """What one pass over n texts yields."""

    signatures: U32
    """uint32 (n, num_perm)."""
    keys: U64
    """uint64 (n, 2), equal exactly where the shingles are equal (Jaccard 1), up to 128-bit collisions."""
    texts: U64
    """uint64 (n,), equal exactly where the canonical texts are equal, up to 64-bit collisions."""
    counts: I64
    """int64 (n,), shingles with repeats: an upper bound of the set's size; 0 for a document of white space alone."""


@functools.lru_cache(16)
def permutations(num_perm: int, seed: int) -> U32:
    """The parameters a and b of the permutations: uint32 (2, num_perm rounded up to 16); the padding is zero."""
    generator = np.random.RandomState(seed)
    parameters = np.zeros((2, -(-num_perm // _LANES) * _LANES), np.uint32)
    odd = generator.randint(0, 2**31, num_perm, dtype=np.uint32)
    parameters[0, :num_perm] = odd * np.uint32(2) + np.uint32(1)
    parameters[1, :num_perm] = generator.randint(0, 2**32, num_perm, dtype=np.uint32)
    parameters.setflags(write=False)
    return parameters


def sign(texts: Texts, config: ShingleConfig | None = None, *, threads: int = 1) -> Signed:
    """Signatures, duplicate keys and shingle counts of texts, in one pass over their bytes."""
    config = config or ShingleConfig()
    batch = text_batch(texts)
    count = len(batch)
    result = Signed(
        np.empty((count, config.num_perm), np.uint32),
        np.empty((count, 2), np.uint64),
        np.empty(count, np.uint64),
        np.empty(count, np.int64),
    )
    parts = [slice(0, count)] if threads == 1 else _parts(batch, threads)
    run_in_threads(lambda part: _sign_part(batch, config, result, part=part), parts, threads=threads)
    return result


def _sign_part(batch: TextBatch, config: ShingleConfig, result: Signed, *, part: slice) -> None:
    sign_documents(
        read_only(batch.data),
        read_only(batch.offsets[part.start : part.stop + 1]),
        rules(config),
        permutations(config.num_perm, config.seed),
        result.signatures[part],
        result.keys[part],
        result.texts[part],
        result.counts[part],
    )


def _parts(batch: TextBatch, threads: int) -> list[slice]:
    """Cut a batch into runs of documents: each half of what a thread would get of the rest, so that all end together.

    This is guided self-scheduling (Polychronopoulos and Kuck 1987): few parts, small ones at the end.
    """
    edges, last, end = [0], len(batch), int(batch.offsets[-1])
    while edges[-1] < last:
        begin = int(batch.offsets[edges[-1]])
        size = max(_SMALLEST_PART, (end - begin) // (2 * threads))
        until = int(np.searchsorted(batch.offsets, begin + size)) if size < end - begin else last
        edges.append(max(edges[-1] + 1, until))
    return [slice(begin, end) for begin, end in itertools.pairwise(edges)]


@dataclass(frozen=True)
class MinHash:
    """A signature maker: n-grams of words or characters, ``num_perm`` permutations.

    ``normalization`` is as of :class:`ShingleConfig`; ``words`` is what other MinHash tools make of plain text.

    >>> MinHash(num_perm=112).signatures(["one two three four five six"]).shape
    (1, 112)
    """

    num_perm: int = 112
    ngram: int = 5
    seed: int = 1
    unit: str = "words"
    normalization: str = "meaning"

    @property
    def config(self) -> ShingleConfig:
        """The same as a validated configuration."""
        return checked(ShingleConfig, vars(self))

    def signatures(self, texts: Texts, *, threads: int = 1) -> U32:
        """Signatures of texts: uint32 (n, num_perm)."""
        config, threads = self.config, whole_number(threads, name="threads", least=1)
        return sign(texts, config, threads=threads).signatures

    def signatures_of_hashes(self, hashes: Any, offsets: Any) -> U32:
        """Signatures of documents given as shingle hashes (their low 32 bits count) and int64 offsets (n + 1)."""
        low, bounds = _checked_hashes(hashes, offsets)
        result = np.empty((len(bounds) - 1, self.config.num_perm), np.uint32)
        sign_hashes(read_only(low), read_only(bounds), permutations(self.num_perm, self.seed), result)
        return result


def _checked_hashes(hashes: Any, offsets: Any) -> tuple[U32, I64]:
    """The low 32 bits of hashes, and where each document's begin: a kernel believes both."""
    values, bounds = np.asarray(hashes), np.asarray(offsets)
    whole = all(array.ndim == 1 and (array.dtype.kind in "iu" or not array.size) for array in (values, bounds))
    if not whole or not len(bounds):
        raise ConfigError("`hashes` and `offsets` are arrays of whole numbers, of one dimension", field="offsets")
    bounds = np.ascontiguousarray(bounds, np.int64)
    if bounds[0] < 0 or bounds[-1] > len(values) or (np.diff(bounds) < 0).any():
        raise ConfigError(f"`offsets` must rise from 0 or more to at most {len(values):,}, the hashes", field="offsets")
    return (values.astype(np.uint64, copy=False) & np.uint64(EMPTY_VALUE)).astype(np.uint32), bounds
