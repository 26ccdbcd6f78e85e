"""Class masks of 64 bytes at once: the vector instructions behind every other text kernel.

Each mask is a uint64 whose bit k speaks of byte k. A compare of a 64-byte vector and a bit cast are two instructions
with AVX-512, four to eight with AVX2 or NEON; LLVM picks. An intrinsic, because numba does not vectorise byte loops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

# Rows of the mask matrix, in the order in which block_masks returns them.
# LETTER are those of ASCII; PLAIN are letters besides, ASCII's and others that no rule of splitting names.
SPACE, LETTER, PLAIN, NEWLINE, BREAK, HIGH, CONTINUATION, UPPER, DIGIT, CURLY, HASH_SIGN, DOT, TRIGGER = range(13)
ASCII_MASKS = 13
BLOCK = 64
BYTE = ir.IntType(8)
VECTOR = ir.VectorType(BYTE, BLOCK)
# Two letters of each phrase of C4 that are rare together, in either case: JAvascript, lorem iPSum, terMS of use,
# priVAcy policy, coOKie. What they flag is then compared in full.
ANCHORS = (("j", "a"), ("p", "s"), ("m", "s"), ("v", "a"), ("o", "k"))


def _splat(byte: int) -> Any:
    return ir.Constant(VECTOR, [byte & 0xFF] * BLOCK)


class _Block:
    """Comparisons of one vector of bytes."""

    def __init__(self, builder: Any, vector: Any) -> None:
        self.builder = builder
        self.vector = vector
        self.folded = builder.or_(vector, _splat(0x20))

    def equals(self, char: str) -> Any:
        return self.builder.icmp_unsigned("==", self.vector, _splat(ord(char)))

    def is_letter(self, letter: str) -> Any:
        """Equals an ASCII letter in either case."""
        return self.builder.icmp_unsigned("==", self.folded, _splat(ord(letter)))

    def within(self, first: int, last: int, *, folded: bool = False) -> Any:
        shifted = self.builder.sub(self.folded if folded else self.vector, _splat(first))
        return self.builder.icmp_unsigned("<", shifted, _splat(last - first + 1))

    def below(self, bound: int) -> Any:
        """Less than a signed bound: -64 for continuation bytes, 0 for all bytes outside ASCII."""
        return self.builder.icmp_signed("<", self.vector, _splat(bound))


def _block_masks(_context: Any, data: Any, _index: Any) -> Any:
    """The ASCII_MASKS masks of ``data[index:index + 64]``; reads one byte more: needs index + 65 <= len(data)."""
    result: Any = types.UniTuple(types.uint64, ASCII_MASKS)  # type: ignore[no-untyped-call]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])

        def load(offset: int) -> Any:
            index = builder.add(args[1], ir.Constant(ir.IntType(64), offset))
            address = builder.bitcast(builder.gep(array.data, [index]), VECTOR.as_pointer())
            return builder.load(address, align=1)

        here, after = _Block(builder, load(0)), _Block(builder, load(1))
        rows = _rows(here, after, builder.or_, builder.and_)
        return context.make_tuple(builder, result, [builder.bitcast(row, ir.IntType(64)) for row in rows])

    return result(data, types.int64), codegen


def _rows(here: _Block, after: _Block, either: Callable[..., Any], both: Callable[..., Any]) -> list[Any]:
    trigger = either(here.equals("{"), here.equals("["))
    for first, second in ANCHORS:
        trigger = either(trigger, both(here.is_letter(first), after.is_letter(second)))
    letter = here.within(0x61, 0x7A, folded=True)
    return [
        either(here.within(0x09, 0x0D), here.within(0x1C, 0x20)),
        letter,
        letter,
        here.equals("\n"),
        either(here.within(0x0B, 0x0D), here.within(0x1C, 0x1E)),
        here.below(0),
        here.below(-64),
        here.within(0x41, 0x5A),
        here.within(0x30, 0x39),
        either(here.equals("{"), here.equals("}")),
        here.equals("#"),
        here.equals("."),
        trigger,
    ]


block_masks: Any = intrinsic(_block_masks)
