"""Machine operations numba does not offer: unaligned 8-byte loads and bit scans.

Compiled to one or two instructions each. Nothing here reads outside the array it is given, provided the caller keeps
to the stated bounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from dq.text.kernels.jit import inlined


def _load_u64(_context: Any, data: Any, _index: Any) -> Any:
    """The 8 bytes of ``data`` (uint8) from ``index`` as one little-endian uint64; needs index + 8 <= len(data)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        address = builder.bitcast(builder.gep(array.data, [args[1]]), ir.IntType(64).as_pointer())
        return builder.load(address, align=1)

    return types.uint64(data, types.int64), codegen


def _trailing_zeros(_context: Any, _value: Any) -> Any:
    """The index of the lowest set bit of a uint64; 64 for zero."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


def _count_ones(_context: Any, _value: Any) -> Any:
    """The number of set bits of a uint64."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


def _leading_zeros(_context: Any, _value: Any) -> Any:
    """The zero bits above the highest set bit of a uint64; 64 for zero."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


def _multiply_fold(_context: Any, _left: Any, _right: Any) -> Any:
    """The upper and the lower half of the 128-bit product of two uint64, xor-ed: one multiplication mixes all bits."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        upper = builder.lshr(product, ir.Constant(wide, 64))
        return builder.trunc(builder.xor(product, upper), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), codegen


def _nonnegative(_context: Any, _value: Any) -> Any:
    """The same int64, with a promise that it is not negative.

    Numba lets every index count from the end and tests its sign at each access; on hot paths that is a third of all
    instructions. With the promise LLVM leaves the tests out.
    """

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        builder.assume(builder.icmp_signed(">=", args[0], ir.Constant(args[0].type, 0)))
        return args[0]

    return types.int64(types.int64), codegen


def _unlikely(_context: Any, _value: Any) -> Any:
    """The same boolean, with a hint that it is rarely true: what it guards is kept out of the way of the rest."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        bit = ir.IntType(1)
        expect = builder.module.declare_intrinsic("llvm.expect", [bit], ir.FunctionType(bit, [bit, bit]))
        return builder.call(expect, [args[0], ir.Constant(bit, 0)])

    return types.boolean(types.boolean), codegen


# Typed as Any: what numba makes of these has another signature than the Python functions that define them.
load_u64: Any = intrinsic(_load_u64)
trailing_zeros: Any = intrinsic(_trailing_zeros)
multiply_fold: Any = intrinsic(_multiply_fold)
nonnegative: Any = intrinsic(_nonnegative)
leading_zeros: Any = intrinsic(_leading_zeros)
count_ones: Any = intrinsic(_count_ones)
unlikely: Any = intrinsic(_unlikely)

BYTES = np.uint64(0x0101010101010101)  # times a byte: eight of it
TOP = BYTES * np.uint64(0x80)


@inlined
def within(block: Any, first: Any, last: Any) -> Any:
    """The top bit of each of eight bytes that is in a range of ASCII characters."""
    low = block & ~TOP  # so that no sum carries into the next byte
    from_first, past_last = low + BYTES * np.uint64(0x80 - first), low + BYTES * np.uint64(0x7F - last)
    return from_first & ~past_last & ~block & TOP
