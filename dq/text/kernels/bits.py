"""Bits and bytes of 64-bit words: unaligned loads, bit scans, hints for LLVM, and ASCII ranges eight bytes at a time.

Each is one or two instructions. Nothing here reads outside the array it is given, provided the caller keeps to the
stated bounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped, unused-ignore]
from numba import types

from dq.text.kernels.jit import inlined
from dq.text.kernels.vectors import ARRAY, I1, I64, Memory, primitive


@primitive(types.uint64, ARRAY, types.int64)
def load_u64(_builder: Any, data: Memory, index: Any) -> Any:
    """The 8 bytes of ``data`` (uint8) from ``index`` as one little-endian uint64; needs index + 8 <= len(data)."""
    return data.load(index, I64)


@primitive(types.int64, types.uint64)
def trailing_zeros(builder: Any, value: Any) -> Any:
    """The index of the lowest set bit of a uint64; 64 for zero."""
    return builder.cttz(value, I1(0))


@primitive(types.int64, types.uint64)
def leading_zeros(builder: Any, value: Any) -> Any:
    """The zero bits above the highest set bit of a uint64; 64 for zero."""
    return builder.ctlz(value, I1(0))


@primitive(types.int64, types.uint64)
def count_ones(builder: Any, value: Any) -> Any:
    """The number of set bits of a uint64."""
    return builder.ctpop(value)


@primitive(types.uint64, types.uint64, types.uint64)
def multiply_fold(builder: Any, left: Any, right: Any) -> Any:
    """The upper and the lower half of the 128-bit product of two uint64, xor-ed: one multiplication mixes all bits."""
    wide = ir.IntType(128)
    product = builder.mul(builder.zext(left, wide), builder.zext(right, wide))
    return builder.trunc(builder.xor(product, builder.lshr(product, wide(64))), I64)


@primitive(types.int64, types.int64)
def nonnegative(builder: Any, value: Any) -> Any:
    """The same int64, with a promise that it is not negative.

    Numba lets every index count from the end and tests its sign at each access; on hot paths that is a third of all
    instructions. With the promise LLVM leaves the tests out.
    """
    builder.assume(builder.icmp_signed(">=", value, I64(0)))
    return value


@primitive(types.boolean, types.boolean)
def unlikely(builder: Any, value: Any) -> Any:
    """The same boolean, with a hint that it is rarely true: what it guards is kept out of the way of the rest."""
    expect = builder.module.declare_intrinsic("llvm.expect", [I1], ir.FunctionType(I1, [I1, I1]))
    return builder.call(expect, [value, I1(0)])


BYTES = np.uint64(0x0101010101010101)  # times a byte: eight of it
TOP = BYTES * np.uint64(0x80)


@inlined
def within(block: np.uint64, first: int, last: int) -> np.uint64:
    """The top bit of each of eight bytes that is in a range of ASCII characters."""
    low = block & ~TOP  # so that no sum carries into the next byte
    from_first, past_last = low + BYTES * np.uint64(0x80 - first), low + BYTES * np.uint64(0x7F - last)
    return from_first & ~past_last & ~block & TOP
