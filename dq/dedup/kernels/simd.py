# ruff: noqa: ARG001 - an intrinsic is called with a typing context, and its builder with all it could need.
"""Vector primitives for the kernels, written as LLVM IR through numba intrinsics.

Plain numba loops promote uint8 to int64 and uint32 to uint64, which costs a factor of 4 to 17; an intrinsic states the
lane type. LLVM splits the vectors for machines with narrower registers, so nothing here needs AVX-512. Every load and
store is unaligned; callers guarantee that the whole block lies inside the array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped, unused-ignore]
from numba import types
from numba.core import cgutils, imputils
from numba.extending import intrinsic
from numba.np import arrayobj as numba_arrays

from dq.text.kernels.jit import inlined

__all__ = [
    "BLOCK",
    "FIRST_KEY",
    "NGRAM_FACTOR",
    "SECOND_KEY",
    "affine_min_block",
    "fold_block",
    "mix32_block",
    "non_ascii_mask",
    "shingle_block",
    "word_mask",
    "write_places",
]

BLOCK = 64  # bytes of one block, bits of its mask
LANES = 16  # uint32 values of one 64-byte vector
SHINGLES_A_LOAD = 8  # shingles folded into a signature vector between its load and its store

I8, I32, I64 = (ir.IntType(bits) for bits in (8, 32, 64))
arrayobj: Any = numba_arrays  # numba ships types for some of its functions only
_imputils: Any = imputils
_cgutils: Any = cgutils
BYTES = ir.VectorType(I8, BLOCK)
WORDS = ir.VectorType(I32, LANES)
SHINGLES_A_BLOCK = 16  # two chains side by side for AVX2, whose 64-bit products take long
QUADS = ir.VectorType(I64, SHINGLES_A_BLOCK)
# For each byte the places of its bits, lowest first, as eight bytes.
PLACES = [[place for place in range(8) if byte >> place & 1] for byte in range(256)]
PLACE_TABLE = np.array([(*places, *[0] * (8 - len(places))) for places in PLACES], np.uint8).ravel()

NGRAM_FACTOR = 0x9E3779B97F4A7C15  # of the polynomial that makes one hash of n word hashes
FIRST_KEY, SECOND_KEY = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53


def _primitive(function: Callable[..., Any]) -> Callable[..., Any]:
    """A numba intrinsic whose callers, for mypy, pass no typing context."""
    return cast("Callable[..., Any]", intrinsic(function))


def _splat(vector: ir.VectorType, value: int) -> ir.Constant:
    return ir.Constant(vector, [ir.Constant(vector.element, value)] * vector.count)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, *, index: Any, pointee: Any) -> Any:
    data = arrayobj.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), pointee.as_pointer())


def _mix32(builder: Any, value: Any) -> Any:
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, None)):
        value = builder.xor(value, builder.lshr(value, _splat(value.type, shift)))
        if factor is not None:
            value = builder.mul(value, _splat(value.type, factor))
    return value


def _spread(builder: Any, scalar: Any, count: int) -> Any:
    """A vector of ``count`` times the same value."""
    vector = ir.VectorType(scalar.type, count)
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(I64, 0))
    return builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), _splat(ir.VectorType(I32, count), 0))


def _mask(builder: Any, flags: Any) -> Any:
    return builder.bitcast(flags, I64)


def _typed(result: Any, arguments: tuple[Any, ...], build: Callable[..., Any]) -> tuple[Any, Callable[..., Any]]:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = build(context, builder, signature, args)
        if result == types.void:
            return context.get_dummy_value()
        return _imputils.impl_ret_untracked(context, builder, result, value)

    return result(*arguments), codegen


@_primitive
def non_ascii_mask(typingctx: Any, array: Any, index: Any) -> Any:
    """One bit for each of the 64 bytes at ``array[index:]`` that is 0x80 or above."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], index=args[1], pointee=BYTES)
        block = builder.load(pointer, align=1)
        return _mask(builder, builder.icmp_signed("<", block, _splat(BYTES, 0)))

    return _typed(types.uint64, (array, types.int64), build)


@_primitive
def word_mask(typingctx: Any, array: Any, index: Any) -> Any:
    """One bit for each of the 64 bytes at ``array[index:]`` that is not a space."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], index=args[1], pointee=BYTES)
        block = builder.load(pointer, align=1)
        return _mask(builder, builder.icmp_unsigned("!=", block, _splat(BYTES, 0x20)))

    return _typed(types.uint64, (array, types.int64), build)


@_primitive
def _write_places(typingctx: Any, table: Any, mask: Any, out: Any, at: Any, first: Any) -> Any:
    """Write ``first`` + the place of every bit of a mask to ``out[at:]`` (uint32), up to 7 more; returns the new end.

    Eight bits at a time from a table, with no chain but the count: a quarter of the time of one bit after the other.
    """

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def pointer(place: int, index: Any, pointee: Any) -> Any:
            return _pointer(context, builder, signature.args[place], args[place], index=index, pointee=pointee)

        end = args[3]
        for shift in range(0, BLOCK, 8):
            byte = builder.and_(builder.lshr(args[1], ir.Constant(I64, shift)), ir.Constant(I64, 0xFF))
            row = builder.load(pointer(0, builder.shl(byte, ir.Constant(I64, 3)), ir.VectorType(I8, 8)), align=1)
            places = builder.zext(row, ir.VectorType(I32, 8))
            base = builder.trunc(builder.add(args[4], ir.Constant(I64, shift)), I32)
            builder.store(builder.add(places, _spread(builder, base, 8)), pointer(2, end, places.type), align=1)
            end = builder.add(end, builder.ctpop(byte))
        return end

    return _typed(types.int64, (table, types.uint64, out, types.int64, types.int64), build)


@inlined
def write_places(mask: Any, out: Any, at: Any, first: Any) -> Any:
    """The same with its table."""
    return _write_places(PLACE_TABLE, mask, out, at, first)


@_primitive
def fold_block(typingctx: Any, source: Any, index: Any, target: Any, position: Any) -> Any:
    """Write 64 bytes of ASCII, lower-cased, with a space for all that is no letter or digit."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        read = _pointer(context, builder, signature.args[0], args[0], index=args[1], pointee=BYTES)
        write = _pointer(context, builder, signature.args[2], args[2], index=args[3], pointee=BYTES)
        block = builder.load(read, align=1)
        lowered = builder.or_(block, _splat(BYTES, 0x20))
        letter = builder.icmp_unsigned("<", builder.sub(lowered, _splat(BYTES, ord("a"))), _splat(BYTES, 26))
        digit = builder.icmp_unsigned("<", builder.sub(block, _splat(BYTES, ord("0"))), _splat(BYTES, 10))
        # Digits have bit 0x20 set, so `lowered` is right for both.
        folded = builder.select(builder.or_(letter, digit), lowered, _splat(BYTES, 0x20))
        builder.store(folded, write, align=1)

    return _typed(types.void, (source, types.int64, target, types.int64), build)


@_primitive
def mix32_block(typingctx: Any, array: Any, index: Any) -> Any:
    """Apply murmur3's fmix32 in place to the 16 uint32 values at ``array[index:]``."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], index=args[1], pointee=WORDS)
        builder.store(_mix32(builder, builder.load(pointer, align=1)), pointer, align=1)

    return _typed(types.void, (array, types.int64), build)


@_primitive
def shingle_block(typingctx: Any, words: Any, index: Any, ngram: Any, hashes: Any, sums: Any) -> Any:
    """A block of n-grams from ``words[index:]``: mixed low halves to ``hashes[index:]``, their keys added to ``sums``.

    ``words`` and ``sums`` (the lanes of the first key, then of the second) are uint64, ``hashes`` is uint32. The
    same numbers as ``combine``, ``key_sums`` and ``mix32_block`` give one after the other, in registers throughout.
    """

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def at(place: int, index: Any, pointee: Any) -> Any:
            return _pointer(context, builder, signature.args[place], args[place], index=index, pointee=pointee)

        gram = _cgutils.alloca_once_value(builder, builder.load(at(0, args[1], QUADS), align=1))
        with _cgutils.for_range(builder, builder.sub(args[2], ir.Constant(I64, 1))) as loop:
            following = builder.add(builder.add(args[1], loop.index), ir.Constant(I64, 1))
            scaled = builder.mul(builder.load(gram), _splat(QUADS, NGRAM_FACTOR))
            builder.store(builder.add(scaled, builder.load(at(0, following, QUADS), align=1)), gram)
        value = builder.load(gram)
        low = _mix32(builder, builder.trunc(value, WORDS))
        builder.store(low, at(3, args[1], low.type), align=1)
        half = _splat(QUADS, 32)
        for place, factor in ((0, FIRST_KEY), (SHINGLES_A_BLOCK, SECOND_KEY)):
            value = builder.mul(
                builder.xor(value, builder.lshr(value, half)) if place == 0 else value, _splat(QUADS, factor)
            )
            mixed = builder.xor(value, builder.lshr(value, half))
            pointer = at(4, ir.Constant(I64, place), QUADS)
            builder.store(builder.add(builder.load(pointer, align=1), mixed), pointer, align=1)
            value = mixed
        return context.get_dummy_value()

    return _typed(types.void, (words, types.int64, types.int64, hashes, sums), build)


@_primitive
def affine_min_block(typingctx: Any, parameters: Any, signature: Any, hashes: Any, lane: Any, first: Any) -> Any:
    """Fold 8 shingles into 16 signature values: ``signature = min(signature, a * hash + b)`` modulo 2^32.

    ``parameters`` is uint32 (2, width): a, then b. The signature vector is loaded and stored once for 8 shingles.
    """

    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        width = builder.extract_value(arrayobj.make_array(sig.args[0])(context, builder, args[0]).shape, 1)
        a = builder.load(_pointer(context, builder, sig.args[0], args[0], index=args[3], pointee=WORDS), align=1)
        at_b = builder.add(args[3], width)
        b = builder.load(_pointer(context, builder, sig.args[0], args[0], index=at_b, pointee=WORDS), align=1)
        out = _pointer(context, builder, sig.args[1], args[1], index=args[3], pointee=WORDS)
        best = builder.load(out, align=1)
        for j in range(SHINGLES_A_LOAD):
            index = builder.add(args[4], ir.Constant(I64, j))
            scalar = builder.load(_pointer(context, builder, sig.args[2], args[2], index=index, pointee=I32), align=1)
            value = builder.add(builder.mul(a, _spread(builder, scalar, LANES)), b)
            best = builder.select(builder.icmp_unsigned("<", value, best), value, best)
        builder.store(best, out, align=1)

    return _typed(types.void, (parameters, signature, hashes, types.int64, types.int64), build)
