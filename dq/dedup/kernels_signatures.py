"""MinHash signatures in one pass over a batch of texts.

Bound by the permutations: 112 multiply-add-minimum steps a shingle. What pays is to load a signature vector once for 8
shingles and to keep the shingle hashes of a document in the first-level cache (CHUNK).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.dedup.kernels_shingles import CHUNK, combine, key_sums, longest_text
from dq.dedup.kernels_simd import BLOCK, LANES, SHINGLES_A_LOAD, affine_min_block, mix32_block
from dq.dedup.kernels_words import fold, scratch_bytes, split_characters, split_words
from dq.text.jit import inline_kernel, kernel

__all__ = ["permute", "sign_documents", "sign_hashes"]

Array = np.ndarray[Any, Any]

EMPTY = np.uint32(0xFFFFFFFF)
SLACK = 2 * LANES  # room behind the hashes for the padding of the last block


@inline_kernel
def permute(parameters: Array, signature: Array, hashes: Array, count: int) -> None:
    """Fold ``hashes[:count]`` (uint32, unmixed) into the signature; overwrites the hashes and up to 32 behind them."""
    if count == 0:
        return
    for k in range(SLACK):
        hashes[count + k] = hashes[count - 1]
    for k in range(0, count, LANES):
        mix32_block(hashes, k)
    for lane in range(0, signature.size, LANES):
        for first in range(0, count, SHINGLES_A_LOAD):
            affine_min_block(parameters, signature, hashes, lane, first)


@kernel
def sign_hashes(hashes: Array, offsets: Array, parameters: Array, signatures: Array) -> None:
    """Signatures of documents given as their shingle hashes: uint32 flat values, int64 offsets."""
    row = np.empty(parameters.shape[1], np.uint32)
    chunk = np.empty(CHUNK + SLACK, np.uint32)
    for d in range(offsets.size - 1):
        row[:] = EMPTY
        for first in range(offsets[d], offsets[d + 1], CHUNK):
            count = min(CHUNK, offsets[d + 1] - first)
            chunk[:count] = hashes[first : first + count]
            permute(parameters, row, chunk, count)
        signatures[d] = row[: signatures.shape[1]]


@kernel
def sign_documents(
    data: Array,
    offsets: Array,
    classes: Array,
    lower: Array,
    ngram: int,
    characters: bool,
    parameters: Array,
    signatures: Array,
    keys: Array,
    counts: Array,
) -> None:
    """Signature, 128-bit shingle key and shingle count (repeats included) of every document of a batch."""
    everything = np.arange(offsets.size - 1)
    scratch = np.empty(scratch_bytes(longest_text(offsets, everything)), np.uint8)
    words = np.empty(CHUNK + ngram, np.uint64)
    grams = np.empty(CHUNK + ngram, np.uint64)
    spans = np.empty((2, CHUNK + ngram + BLOCK), np.int64)
    hashes = np.empty(CHUNK + ngram + SLACK, np.uint32)
    row = np.empty(parameters.shape[1], np.uint32)
    for d in everything:
        length = fold(data, offsets[d], offsets[d + 1], scratch, classes, lower)
        position = filled = seen = total = 0
        first_key = second_key = np.uint64(0)
        row[:] = EMPTY
        while True:
            before = filled
            if characters:
                filled, position = split_characters(scratch, length, position, words, filled)
            else:
                filled, position = split_words(scratch, length, position, words, filled, spans)
            seen += filled - before
            ended = position >= length
            found = combine(words, filled, ngram, grams)
            if ended and 0 < seen < ngram:
                found = combine(words, filled, filled, grams)
            first, second = key_sums(grams, found)
            first_key += first
            second_key += second
            for k in range(found):
                hashes[k] = np.uint32(grams[k])
            permute(parameters, row, hashes, found)
            total += found
            if ended:
                break
            keep = min(ngram - 1, filled)
            words[:keep] = words[filled - keep : filled].copy()
            filled = keep
        signatures[d] = row[: signatures.shape[1]]
        keys[d, 0] = first_key
        keys[d, 1] = second_key
        counts[d] = total
