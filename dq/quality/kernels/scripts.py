"""Which script without spaces a document is mostly written in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dq.arrays import I64, U8
from dq.text.kernels.bits import TOP, load_u64
from dq.text.kernels.flags import LETTER, MARK
from dq.text.kernels.jit import helper, inlined
from dq.text.kernels.utf8 import char_width, decode

# Their numbers in the table of scripts. Japanese has kana and Han: Han with less kana than this is Chinese.
CHINESE, JAPANESE = 1, 2
MIN_KANA_TO_HAN = 0.1
THREE_BYTES = 0xE0  # no such script has characters of two bytes


class ScriptTables(NamedTuple):
    """Tables by code point, and scratch."""

    scripts: U8
    """0, or the number of the script."""
    classes: U8
    """Unicode properties."""
    counts: I64
    """Scratch: a number a script, from 0 on."""


@helper
def spaceless_script(data: U8, start: int, end: int, ascii_letters: int, tables: ScriptTables) -> int:
    """The number of the script that has more than half of a text's letters and marks; 0 where none has.

    They are counted together: a text of Han and kana is Japanese. Text without wide characters costs an instruction
    for each eight bytes.
    """
    scripts, classes, counts = tables
    for script in range(counts.shape[0]):
        counts[script] = 0
    at, found = start, 0
    while at < end:
        if at + 8 <= end and not _wide(load_u64(data, at)):
            at += 8
            continue
        until = min(end, at + 8)
        while at < until:
            script = scripts[decode(data, at)] if data[at] >= THREE_BYTES else 0
            counts[script] += 1
            found += script != 0
            at += 1
    if found <= ascii_letters:
        return 0
    others, at = ascii_letters, start
    while at < end:
        if data[at] >= 0x80:
            code = decode(data, at)
            others += (classes[code] & (LETTER | MARK)) != 0 and scripts[code] == 0
        at += char_width(data[at])
    if found <= others:
        return 0
    most = CHINESE
    for script in range(CHINESE, counts.shape[0]):
        if counts[script] > counts[most]:
            most = script
    if most == CHINESE and counts[JAPANESE] >= MIN_KANA_TO_HAN * counts[CHINESE]:
        return JAPANESE
    return most


@inlined
def _wide(eight: np.uint64) -> bool:
    """Whether one of eight bytes begins a character of three bytes or four: its upper three bits are set."""
    return (eight & (eight << np.uint64(1)) & (eight << np.uint64(2)) & TOP) != 0
