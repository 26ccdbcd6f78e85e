"""Vector operations of deduplication: folding text 64 bytes at a time, and MinHash on 16 values at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped, unused-ignore]
from numba import types
from numba.core import cgutils

from dq.arrays import U32
from dq.text.kernels.blocks import BLOCK, VECTOR
from dq.text.kernels.jit import inlined
from dq.text.kernels.vectors import ARRAY, I8, I32, I64, Lanes, Memory, primitive

LANES = 16  # uint32 values of one 64-byte vector
SHINGLES_A_LOAD = 8  # shingles folded into a signature vector between its load and its store
SHINGLES_A_BLOCK = 16  # two chains side by side for AVX2, whose 64-bit products take long
WORDS, QUADS = ir.VectorType(I32, LANES), ir.VectorType(I64, SHINGLES_A_BLOCK)
# For each byte the places of its bits, lowest first, as eight bytes.
PLACES = [[place for place in range(8) if byte >> place & 1] for byte in range(256)]
PLACE_TABLE = np.array([(*places, *[0] * (8 - len(places))) for places in PLACES], np.uint8).ravel()

NGRAM_FACTOR = 0x9E3779B97F4A7C15  # of the polynomial that makes one hash of n word hashes
FIRST_KEY, SECOND_KEY = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53
_cgutils: Any = cgutils


@primitive(types.uint64, ARRAY, types.int64)
def non_ascii_mask(_builder: Any, data: Memory, index: Any) -> Any:
    """One bit for each of the 64 bytes at ``data[index:]`` that is 0x80 or above."""
    return data.lanes(index, VECTOR).below_signed(0).mask()


@primitive(types.uint64, ARRAY, types.int64)
def word_mask(builder: Any, data: Memory, index: Any) -> Any:
    """One bit for each of the 64 bytes at ``data[index:]`` that is not a space."""
    return builder.not_(data.lanes(index, VECTOR).equals(0x20).mask())


@primitive(types.uint64, ARRAY, types.int64)
def code_mask(_builder: Any, data: Memory, index: Any) -> Any:
    r"""One bit for each of the 64 bytes at ``data[index:]`` that is one of ``{}[]()<>=;_*&|^~$#@+/\``."""
    block = data.lanes(index, VECTOR)
    found = block.equals(ord("&")) | block.equals(ord("/")) | block.equals(ord("@"))
    for first, last in ("#$", "(+", ";>", "[_", "{~"):
        found |= block.within(ord(first), ord(last))
    return found.mask()


@primitive(types.uint64, ARRAY, types.int64)
def visible_mask(builder: Any, data: Memory, index: Any) -> Any:
    """One bit for each of the 64 bytes at ``data[index:]`` that begins a code point other than a space."""
    block = data.lanes(index, VECTOR)
    return builder.not_((block.equals(0x20) | block.below_signed(-64)).mask())


@primitive(types.void, ARRAY, types.int64, ARRAY, types.int64)
def copy_block(_builder: Any, source: Memory, index: Any, target: Memory, position: Any) -> None:
    """Copy 64 bytes."""
    target.store(position, source.lanes(index, VECTOR))


@primitive(types.void, ARRAY, types.int64, ARRAY, types.int64)
def lower_block(_builder: Any, source: Memory, index: Any, target: Memory, position: Any) -> None:
    """Copy 64 bytes, capitals of ASCII in lower case."""
    block = source.lanes(index, VECTOR)
    target.store(position, block.within(ord("A"), ord("Z")).choose(block | 0x20, block))


@primitive(types.void, ARRAY, types.int64, ARRAY, types.int64)
def fold_block(_builder: Any, source: Memory, index: Any, target: Memory, position: Any) -> None:
    """Write 64 bytes of ASCII, lower-cased, with a space for all that is no letter or digit."""
    block = source.lanes(index, VECTOR)
    lowered = block | 0x20  # right for digits as well: they have that bit
    kept = lowered.within(ord("a"), ord("z")) | block.within(ord("0"), ord("9"))
    target.store(position, kept.choose(lowered, 0x20))


@primitive(types.int64, ARRAY, types.uint64, ARRAY, types.int64, types.int64)
def _write_places(builder: Any, table: Memory, mask: Any, out: Memory, at: Any, first: Any) -> Any:
    """Write ``first`` + the place of every bit of a mask to ``out[at:]`` (uint32), up to 7 more; returns the new end.

    Eight bits at a time from a table, with no chain but the count: a quarter of the time of one bit after the other.
    """
    end = at
    for shift in range(0, BLOCK, 8):
        byte = builder.and_(builder.lshr(mask, I64(shift)), I64(0xFF))
        row = table.load(builder.shl(byte, I64(3)), ir.VectorType(I8, 8))
        places = Lanes(builder, builder.zext(row, ir.VectorType(I32, 8)))
        out.store(end, places + Lanes.spread(builder, builder.trunc(builder.add(first, I64(shift)), I32), 8))
        end = builder.add(end, builder.ctpop(byte))
    return end


@inlined
def write_places(mask: np.uint64, out: U32, at: int, first: int) -> Any:
    """The same with its table."""
    return _write_places(PLACE_TABLE, mask, out, at, first)


def _mix32(value: Lanes) -> Lanes:
    """murmur3's fmix32."""
    value = (value ^ value >> 16) * 0x85EBCA6B
    value = (value ^ value >> 13) * 0xC2B2AE35
    return value ^ value >> 16


@primitive(types.void, ARRAY, types.int64)
def mix32_block(_builder: Any, hashes: Memory, index: Any) -> None:
    """Apply murmur3's fmix32 in place to the 16 uint32 values at ``hashes[index:]``."""
    hashes.store(index, _mix32(hashes.lanes(index, WORDS)))


@primitive(types.void, ARRAY, types.int64, types.int64, ARRAY, ARRAY)
def shingle_block(builder: Any, words: Memory, index: Any, ngram: Any, hashes: Memory, sums: Memory) -> None:
    """A block of n-grams from ``words[index:]``: mixed low halves to ``hashes[index:]``, their keys added to ``sums``.

    ``words`` and ``sums`` (the lanes of the first key, then of the second) are uint64, ``hashes`` is uint32. The
    same numbers as ``combine``, ``key_sums`` and ``mix32_block`` give one after the other, in registers throughout.
    """
    gram = _cgutils.alloca_once_value(builder, words.load(index, QUADS))
    with _cgutils.for_range(builder, builder.sub(ngram, I64(1))) as loop:
        following = builder.add(builder.add(index, loop.index), I64(1))
        longer = Lanes(builder, builder.load(gram)) * NGRAM_FACTOR + words.lanes(following, QUADS)
        builder.store(longer.value, gram)
    value = Lanes(builder, builder.load(gram))
    hashes.store(index, _mix32(Lanes(builder, builder.trunc(value.value, WORDS))))
    first = (value ^ value >> 32) * FIRST_KEY
    first ^= first >> 32
    second = first * SECOND_KEY
    for place, key in ((0, first), (SHINGLES_A_BLOCK, second ^ second >> 32)):
        sums.store(I64(place), sums.lanes(I64(place), QUADS) + key)


@primitive(types.void, ARRAY, ARRAY, ARRAY, types.int64, types.int64)
def affine_min_block(
    builder: Any, parameters: Memory, signature: Memory, hashes: Memory, lane: Any, first: Any
) -> None:
    """Fold 8 shingles into 16 signature values: ``signature = min(signature, a * hash + b)`` modulo 2^32.

    ``parameters`` is uint32 (2, width): a, then b. The signature vector is loaded and stored once for 8 shingles.
    """
    a, b = parameters.lanes(lane, WORDS), parameters.lanes(builder.add(lane, parameters.length(1)), WORDS)
    best = signature.lanes(lane, WORDS)
    for j in range(SHINGLES_A_LOAD):
        value = a * Lanes.spread(builder, hashes.load(builder.add(first, I64(j)), I32), LANES) + b
        best = value.below(best).choose(value, best)
    signature.store(lane, best)
