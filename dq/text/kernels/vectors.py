"""Machine operations that numba does not offer: one way to make them, and the vectors that most of them work on.

Plain numba loops promote uint8 to int64 and uint32 to uint64, which costs a factor of 4 to 17; here the type of a lane
is stated. LLVM splits vectors for machines with narrower registers, so nothing needs AVX-512. Loads and stores are
unaligned, and never checked: callers keep to the bounds that a primitive states.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped, unused-ignore]
from numba.extending import intrinsic

I1, I8, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
ARRAY = None  # in the arguments of a primitive: an array of any type


def primitive(result: Any, *arguments: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make an operation for kernels of a function that emits its instructions.

    Args:
        result: its numba type; for ``types.void`` the function returns None, for a tuple a list.
        arguments: a numba type for each, or ARRAY. The function gets an LLVM builder, and for each argument its value,
            or `Memory` for an array.
    """

    def decorate(emit: Callable[..., Any]) -> Any:
        @functools.wraps(emit)  # numba passes arguments by the signature it sees, which has as many
        def typed(_context: Any, *given: Any) -> Any:
            kinds = [kind if wanted is ARRAY else wanted for kind, wanted in zip(given, arguments, strict=True)]

            def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
                operands = [
                    Memory(builder, context.make_array(kind)(context, builder, value)) if wanted is ARRAY else value
                    for kind, wanted, value in zip(kinds, arguments, values, strict=True)
                ]
                made = emit(builder, *operands)
                if isinstance(made, list):
                    return context.make_tuple(builder, result, made)
                return context.get_dummy_value() if made is None else made

            return result(*kinds), codegen

        return intrinsic(typed)

    return decorate


class Memory:
    """An array that a primitive is given, to be read and written from any index on."""

    def __init__(self, builder: Any, array: Any) -> None:
        self.builder = builder
        self._array = array

    def length(self, axis: int) -> Any:
        """Elements along an axis."""
        return self.builder.extract_value(self._array.shape, axis)

    def load(self, index: Any, kind: Any) -> Any:
        """What stands from an index on, as one value of an LLVM type."""
        return self.builder.load(self._at(index, kind), align=1)

    def lanes(self, index: Any, kind: Any) -> Lanes:
        """The same, of a vector type."""
        return Lanes(self.builder, self.load(index, kind))

    def store(self, index: Any, lanes: Lanes) -> None:
        """Write a vector from an index on."""
        self.builder.store(lanes.value, self._at(index, lanes.value.type), align=1)

    def _at(self, index: Any, kind: Any) -> Any:
        address = self.builder.gep(self._array.data, [index])
        return self.builder.bitcast(address, kind.as_pointer())


class Lanes:
    """A vector of integers: each operator is an instruction for all of them; a plain number stands in every lane."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = value

    @classmethod
    def spread(cls, builder: Any, scalar: Any, count: int) -> Lanes:
        """``count`` times the same value."""
        vector = ir.VectorType(scalar.type, count)
        single = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, I64(0))
        first = ir.Constant(ir.VectorType(I32, count), [I32(0)] * count)
        return cls(builder, builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), first))

    def __add__(self, other: Lanes | int) -> Lanes:
        return self._made(self.builder.add, other)

    def __sub__(self, other: Lanes | int) -> Lanes:
        return self._made(self.builder.sub, other)

    def __mul__(self, other: Lanes | int) -> Lanes:
        return self._made(self.builder.mul, other)

    def __and__(self, other: Lanes | int) -> Lanes:
        return self._made(self.builder.and_, other)

    def __or__(self, other: Lanes | int) -> Lanes:
        return self._made(self.builder.or_, other)

    def __xor__(self, other: Lanes | int) -> Lanes:
        return self._made(self.builder.xor, other)

    def __rshift__(self, bits: int) -> Lanes:
        return self._made(self.builder.lshr, bits)

    def equals(self, other: Lanes | int) -> Lanes:
        """A bit a lane: equal."""
        return self._compared("==", other)

    def below(self, other: Lanes | int) -> Lanes:
        """A bit a lane: less, as numbers without a sign."""
        return self._compared("<", other)

    def within(self, first: int, last: int) -> Lanes:
        """A bit a lane: from ``first`` to ``last``, both included."""
        return (self - first).below(last - first + 1)

    def below_signed(self, bound: int) -> Lanes:
        """A bit a lane: less than a signed bound; of bytes below 0 those outside ASCII, below -64 continuations."""
        return Lanes(self.builder, self.builder.icmp_signed("<", self.value, self._operand(bound)))

    def choose(self, yes: Lanes, no: Lanes | int) -> Lanes:
        """Where this bit is set ``yes``, else ``no``."""
        return Lanes(self.builder, self.builder.select(self.value, yes.value, yes._operand(no)))

    def mask(self) -> Any:
        """64 bits as one uint64, the first lane lowest."""
        return self.builder.bitcast(self.value, I64)

    def _compared(self, how: str, other: Lanes | int) -> Lanes:
        return Lanes(self.builder, self.builder.icmp_unsigned(how, self.value, self._operand(other)))

    def _made(self, instruction: Callable[..., Any], other: Lanes | int) -> Lanes:
        return Lanes(self.builder, instruction(self.value, self._operand(other)))

    def _operand(self, other: Lanes | int) -> Any:
        if isinstance(other, Lanes):
            return other.value
        kind = self.value.type
        return ir.Constant(kind, [ir.Constant(kind.element, other)] * kind.count)
