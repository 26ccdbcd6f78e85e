"""MinHash signatures in one pass over a batch of texts.

Bound by the permutations: 112 multiply-add-minimum steps a shingle. What pays is to load a signature vector once for 8
shingles and to keep the shingle hashes of a document in the first-level cache (CHUNK).

Measured on mixed text (6 bytes a shingle, AVX2, Zen 3 at 3.1 GHz), nanoseconds a shingle: n-grams and keys 1.6,
permutations 4.2, where three vector instructions for 8 values make 3.4 at best. With canonical text, folding and the
trimming of runs before it (`dq.dedup.kernels.words`) that is 356 to 379 MB/s in all, 15 times gaoya in the same run.
"""

from __future__ import annotations

import numpy as np

from dq.arrays import I64, U8, U32, U64
from dq.dedup.kernels.canonical import canonical_bytes
from dq.dedup.kernels.minhash_vectors import (
    LANES,
    SHINGLES_A_BLOCK,
    SHINGLES_A_LOAD,
    affine_min_block,
    mix32_block,
    shingle_block,
)
from dq.dedup.kernels.shingles import CHUNK, combine, key_sums, longest_text, read_units
from dq.dedup.kernels.words import WORD_SLACK, Rules, folded_bytes, split_characters, split_words
from dq.text.kernels.jit import inlined, kernel

EMPTY = np.uint32(0xFFFFFFFF)
SLACK = 2 * LANES  # room behind the hashes for the padding of the last block


@inlined
def permute(parameters: U32, signature: U32, hashes: U32, count: int) -> None:
    """Fold ``hashes[:count]`` (mixed) into the signature; overwrites up to 8 values behind them."""
    if count == 0:
        return
    for k in range(count, count + SHINGLES_A_LOAD):
        hashes[k] = hashes[count - 1]
    for lane in range(0, signature.size, LANES):
        for first in range(0, count, SHINGLES_A_LOAD):
            affine_min_block(parameters, signature, hashes, lane, first)


@inlined
def _mixed_shingles(words: U64, filled: int, ngram: int, short: bool, grams: U64, hashes: U32, sums: U64) -> int:
    """Mixed 32-bit hashes of the n-grams of ``words[:filled]``; their keys go to ``sums``. Returns how many."""
    count = max(0, filled - ngram + 1)
    blocks = count - count % SHINGLES_A_BLOCK
    for k in range(0, blocks, SHINGLES_A_BLOCK):
        shingle_block(words, k, ngram, hashes, sums)
    if short and filled > 0:
        count, ngram = 1, filled
    if count > blocks:
        combine(words[blocks:], filled - blocks, ngram, grams)
        first, second = key_sums(grams, count - blocks)
        sums[0] += first
        sums[SHINGLES_A_BLOCK] += second
        for k in range(blocks, count):
            hashes[k] = np.uint32(grams[k - blocks])
        for k in range(blocks, count, LANES):
            mix32_block(hashes, k)
    return count


@kernel
def sign_hashes(hashes: U32, offsets: I64, parameters: U32, signatures: U32) -> None:
    """Signatures of documents given as their shingle hashes, one after another."""
    row = np.empty(parameters.shape[1], np.uint32)
    chunk = np.empty(CHUNK + SLACK, np.uint32)
    for d in range(offsets.size - 1):
        for k in range(row.size):
            row[k] = EMPTY
        for first in range(offsets[d], offsets[d + 1], CHUNK):
            count = min(CHUNK, offsets[d + 1] - first)
            for k in range(count):
                chunk[k] = hashes[first + k]
            for k in range(0, count, LANES):
                mix32_block(chunk, k)
            permute(parameters, row, chunk, count)
        for k in range(signatures.shape[1]):
            signatures[d, k] = row[k]


@kernel
def sign_documents(
    data: U8, offsets: I64, rules: Rules, parameters: U32, signatures: U32, keys: U64, texts: U64, counts: I64
) -> None:
    """Signature, 128-bit shingle key, text hash and shingle count (repeats included) of every document of a batch."""
    ngram = rules.ngram
    everything = np.arange(offsets.size - 1)
    canonical = np.empty(canonical_bytes(longest_text(offsets, everything)), np.uint8)
    scratch = np.empty(folded_bytes(canonical.size), np.uint8)
    words = np.empty(CHUNK + ngram + WORD_SLACK, np.uint64)
    grams = np.empty(CHUNK + ngram + WORD_SLACK, np.uint64)
    edges = np.empty(2 * words.size, np.uint32)
    hashes = np.empty(CHUNK + ngram + WORD_SLACK + SLACK, np.uint32)
    row = np.empty(parameters.shape[1], np.uint32)
    sums = np.empty(2 * SHINGLES_A_BLOCK, np.uint64)
    for d in everything:
        length, texts[d], trim = read_units(data, offsets[d], offsets[d + 1], rules, canonical, scratch)
        position = filled = seen = total = 0
        for k in range(sums.size):
            sums[k] = 0
        for k in range(row.size):
            row[k] = EMPTY
        while True:
            before = filled
            if rules.characters:
                filled, position = split_characters(scratch, length, position, words, filled)
            else:
                filled, position = split_words(scratch, length, position, words, filled, edges, trim)
            seen += filled - before
            ended = position >= length
            if ended and seen == 0 and texts[d] != 0:
                words[0] = texts[d]  # the only "word" of a document without any
                filled = 1
            found = _mixed_shingles(words, filled, ngram, ended and seen < ngram, grams, hashes, sums)
            permute(parameters, row, hashes, found)
            total += found
            if ended:
                break
            keep = min(ngram - 1, filled)
            for k in range(keep):
                words[k] = words[filled - keep + k]
            filled = keep
        for k in range(signatures.shape[1]):
            signatures[d, k] = row[k]
        keys[d, 0] = keys[d, 1] = 0
        for k in range(SHINGLES_A_BLOCK):
            keys[d, 0] += sums[k]
            keys[d, 1] += sums[SHINGLES_A_BLOCK + k]
        counts[d] = total
