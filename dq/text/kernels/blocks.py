"""Class masks of 64 bytes at once: the vector instructions behind every other text kernel.

Each mask is a uint64 whose bit k speaks of byte k. A compare of a 64-byte vector and a bit cast are two instructions
with AVX-512, four to eight with AVX2 or NEON; LLVM picks. A primitive, because numba does not vectorise byte loops.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped, unused-ignore]
from numba import types

from dq.text.kernels.vectors import ARRAY, I8, I64, Lanes, Memory, primitive

# Rows of the mask matrix, in the order in which block_masks returns them.
# LETTER are those of ASCII; PLAIN are letters besides, ASCII's and others that no rule of splitting names.
SPACE, LETTER, PLAIN, NEWLINE, BREAK, HIGH, CONTINUATION, UPPER, DIGIT, CURLY, HASH_SIGN, DOT, TRIGGER = range(13)
ASCII_MASKS = 13
BLOCK = 64  # bytes of a block, bits of its mask
VECTOR = ir.VectorType(I8, BLOCK)
# Two letters of each phrase of C4 that are rare together, in either case: JAvascript, lorem iPSum, terMS of use,
# priVAcy policy, coOKie. What they flag is then compared in full.
ANCHORS = (("j", "a"), ("p", "s"), ("m", "s"), ("v", "a"), ("o", "k"))


@primitive(types.UniTuple(types.uint64, ASCII_MASKS), ARRAY, types.int64)  # type: ignore[no-untyped-call]
def block_masks(builder: Any, data: Memory, index: Any) -> list[Any]:
    """The ASCII_MASKS masks of ``data[index:index + 64]``; reads one byte more: needs index + 65 <= len(data)."""
    here, after = data.lanes(index, VECTOR), data.lanes(builder.add(index, I64(1)), VECTOR)
    return [row.mask() for row in _rows(here, after)]


def _rows(here: Lanes, after: Lanes) -> list[Lanes]:
    folded, folded_after = here | 0x20, after | 0x20  # letters in lower case, and other things besides
    trigger = here.equals(ord("{")) | here.equals(ord("["))
    for first, second in ANCHORS:
        trigger |= folded.equals(ord(first)) & folded_after.equals(ord(second))
    letter = folded.within(ord("a"), ord("z"))
    return [
        here.within(0x09, 0x0D) | here.within(0x1C, 0x20),
        letter,
        letter,
        here.equals(0x0A),
        here.within(0x0B, 0x0D) | here.within(0x1C, 0x1E),
        here.below_signed(0),
        here.below_signed(-64),
        here.within(ord("A"), ord("Z")),
        here.within(ord("0"), ord("9")),
        here.equals(ord("{")) | here.equals(ord("}")),
        here.equals(ord("#")),
        here.equals(ord(".")),
        trigger,
    ]
