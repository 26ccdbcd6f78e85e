"""C4's line rules on the untouched text: which lines would be kept, which dropped, and why.

Nearly every line is judged from bit masks: a trigger bit marks each place where a phrase may begin, the rest is the
last character and three words. Lines that C4 would rewrite (citation marks) or that need every character (very long
words, a Kelvin sign that lower-cases to k) are odd: ``kernels.c4_rewrite`` judges them on a copy.
"""

from __future__ import annotations

import numpy as np

from dq.arrays import I64, U8, U64
from dq.quality.kernels import tally as at_
from dq.quality.kernels.c4_phrases import (
    JAVASCRIPT_PHRASES,
    LOREM_PHRASES,
    MAX_WORD_CHARS,
    MIN_WORDS,
    POLICY_PHRASES,
    ends_terminally,
)
from dq.quality.kernels.tally import (
    CURLY_BRACKET,
    JAVASCRIPT,
    KEPT,
    KEPT_SENTENCES,
    LOREM_IPSUM,
    NO_TERMINAL,
    POLICY,
    TOO_FEW_WORDS,
)
from dq.text.kernels.blocks import SPACE, TRIGGER
from dq.text.kernels.jit import helper, inlined, part
from dq.text.kernels.scan import low_bits, next_bit

ONE = np.uint64(1)
HAS_JAVASCRIPT, HAS_POLICY, HAS_LOREM, HAS_CURLY, IS_ODD = 1, 2, 4, 8, 16
DROPPED, KEPT_RELAXED, ODD = 0, 1, 2  # what judge_line answers


@part
def judge_line(data: U8, base: int, first: int, last: int, sentences: int, masks: U64, tally: I64) -> int:
    """Judge a stripped line by C4's rules with and without terminal marks; KEPT_RELAXED where the latter keep it."""
    found = _triggers(data, base, first, last, masks[TRIGGER])
    if last - first > MAX_WORD_CHARS and _has_long_word(masks[SPACE], first, last):
        found |= IS_ODD
    if found & IS_ODD:
        return ODD
    terminal = ends_terminally(data, base + first, base + last)
    if not terminal:
        tally[at_.C4 + NO_TERMINAL] += 1
    if not _has_words(masks[SPACE], first, last, MIN_WORDS):
        tally[at_.C4 + TOO_FEW_WORDS] += terminal
        tally[at_.C4_RELAXED + TOO_FEW_WORDS] += 1
        return DROPPED
    if not found:
        tally[at_.C4 + KEPT] += terminal
        tally[at_.C4_RELAXED + KEPT] += 1
        tally[at_.C4 + KEPT_SENTENCES] += sentences if terminal else 0
        tally[at_.C4_RELAXED + KEPT_SENTENCES] += sentences
        return KEPT_RELAXED
    if terminal:
        _phrases(found, sentences, tally, at_.C4)
    return _phrases(found, sentences, tally, at_.C4_RELAXED)


@inlined
def _phrases(found: int, sentences: int, tally: I64, counters: int) -> int:
    """The rules after the count of words, in the order of the source."""
    tally[counters + LOREM_IPSUM] += (found & HAS_LOREM) != 0
    if found & HAS_JAVASCRIPT:
        tally[counters + JAVASCRIPT] += 1
        return DROPPED
    tally[counters + CURLY_BRACKET] += (found & HAS_CURLY) != 0
    if found & HAS_POLICY:
        tally[counters + POLICY] += 1
        return DROPPED
    tally[counters + KEPT] += 1
    tally[counters + KEPT_SENTENCES] += sentences
    return KEPT_RELAXED


@part
def _triggers(data: U8, base: int, first: int, last: int, trigger: U64) -> int:
    """Which phrases are in the line."""
    found = 0
    at = next_bit(trigger, first, last)
    while at < last:
        found |= _examine(data, base + at, base + first, base + last)
        at = next_bit(trigger, at + 1, last)
    return found


@helper
def _examine(data: U8, at: int, first: int, last: int) -> int:
    """What a trigger at ``at`` turns out to be, in the line ``data[first:last]``."""
    byte = data[at]
    if byte == 0x7B:
        return HAS_CURLY
    if byte == 0x5B:
        return IS_ODD if _is_citation(data, at + 1, last) else 0
    if byte >= 0x80:
        return IS_ODD
    low = byte | 0x20
    if low == 0x6A:
        return HAS_JAVASCRIPT if _is_at(data, at, first, last, JAVASCRIPT_PHRASES, 0) else 0
    if low == 0x70:  # the p of ipsum
        return HAS_LOREM if _is_at(data, at - 7, first, last, LOREM_PHRASES, 0) else 0
    if low == 0x6D:  # the m of terms
        return HAS_POLICY if _is_at(data, at - 3, first, last, POLICY_PHRASES, 0) else 0
    if low == 0x76:  # the v of privacy
        return HAS_POLICY if _is_at(data, at - 3, first, last, POLICY_PHRASES, 1) else 0
    # the second o of cookie
    if _is_at(data, at - 2, first, last, POLICY_PHRASES, 2) or _is_at(data, at - 7, first, last, POLICY_PHRASES, 3):
        return HAS_POLICY
    if _is_at(data, at - 9, first, last, POLICY_PHRASES, 4) or _is_at(data, at - 6, first, last, POLICY_PHRASES, 5):
        return HAS_POLICY
    return 0


@part
def _is_citation(data: U8, at: int, last: int) -> bool:
    """Whether what follows a bracket makes it [12], [], [edit] or [citation needed]; digits outside ASCII count."""
    while at < last and (0x30 <= data[at] <= 0x39 or data[at] >= 0x80):
        at += 1
    if at < last and data[at] == 0x5D:
        return True
    return at < last and data[at] in (0x65, 0x63) and data[at - 1] == 0x5B


@inlined
def _is_at(data: U8, at: int, first: int, last: int, phrases: U8, which: int) -> bool:
    """Whether a phrase stands at ``at``, in any case of ASCII letters."""
    length = np.int64(phrases[which, 0])
    if at < first or at + length > last:
        return False
    k = 0
    while k < length:
        byte = data[at + k]
        if 0x41 <= byte <= 0x5A:
            byte |= 0x20
        if byte != phrases[which, 1 + k]:
            return False
        k += 1
    return True


@part
def _has_words(space: U64, first: int, last: int, least: int) -> bool:
    """Whether the line has so many white-space separated words."""
    count, carry = 0, ONE
    for block in range(first >> 6, ((last - 1) >> 6) + 1):
        bits = space[block]
        if block == first >> 6:
            bits |= low_bits(first & 63)
        if block == (last - 1) >> 6:
            bits |= ~low_bits(((last - 1) & 63) + 1)
        starts = ~bits & ((bits << ONE) | carry)
        carry = bits >> np.uint64(63)
        while starts:
            starts &= starts - ONE
            count += 1
            if count >= least:
                return True
    return False


@helper
def _has_long_word(space: U64, first: int, last: int) -> bool:
    """Whether there may be a word of more than 1,000 characters: so many bytes' blocks without white space."""
    run = 0
    for block in range(first >> 6, ((last - 1) >> 6) + 1):
        run = run + 1 if space[block] == 0 else 0
        if run >= MAX_WORD_CHARS // 64 - 1:
            return True
    return False
