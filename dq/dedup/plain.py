"""What kernels make of texts, in plain Python: the proof of an audit, and the oracle of the tests.

It shares no code with the kernels but the tables of characters (`dq.dedup.normalization`), and is slow.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from dq.dedup.config import ShingleConfig
from dq.dedup.kernels.canonical import JOINS
from dq.dedup.kernels.words import ALONE, ATTACHED
from dq.dedup.normalization import EDGES, JOINERS, ZERO_WIDTH, alone, canonical_tables, fold, words_fold
from dq.text import code_points

Shingle = tuple[str, ...]

CODE = re.compile(r"[{}\[\]()<>=;_*&|^~$#@+/\\]")
CODE_SHARE = Fraction(1, 16)
BEFORE = re.compile(rf"^(?:(?![.,][0-9])[{re.escape(EDGES)}])+")
MANY_MARKS = re.compile(r"[^\x00-\u02ff]{16,}")  # Python's own NFC takes the square of the marks on one letter


def canonical(text: str) -> str:
    """The canonical text; two texts are exact copies where it is the same."""
    composed = unicodedata.normalize("NFC", MANY_MARKS.sub(_in_order, text))
    return " ".join(_without_marks(composed).split()) or " ".join(composed.split())


def units(text: str, config: ShingleConfig) -> list[str]:
    """The units of a text; of a text without any its canonical text, told from a unit by a space before it."""
    whole = canonical(text)
    return (_units(whole, config) or [" " + whole]) if whole else []


def shingles(text: str, config: ShingleConfig) -> set[Shingle]:
    """The set of n-grams of units; fewer units are one."""
    found = units(text, config)
    last = max(1, len(found) - config.ngram + 1)
    return {tuple(found[at : at + config.ngram]) for at in range(last)} if found else set()


def similarity(left: str, right: str, config: ShingleConfig) -> float:
    """Jaccard similarity of two texts; 0 where either is empty."""
    a, b = shingles(left, config), shingles(right, config)
    return len(a & b) / len(a | b) if a and b else 0.0


def looks_like_code(text: str) -> bool:
    """Whether at least one in 16 visible characters of a canonical text is a character of code."""
    return len(CODE.findall(text)) >= CODE_SHARE * (len(text) - text.count(" "))


def _units(text: str, config: ShingleConfig) -> list[str]:
    kind: str = config.normalization
    if kind == "meaning":
        kind = "written" if looks_like_code(text) else "folded"
    if kind != "written":
        text = text.translate(_table(kind))
    if config.unit == "words" and kind != "words":
        text = _lone_letters().sub(r" \g<0> ", text)
    runs = text.split(" ")
    if kind == "folded":
        runs = [BEFORE.sub("", run).rstrip(EDGES) for run in runs]
    runs = [run for run in runs if run]
    return runs if config.unit == "words" else list(" ".join(runs))


def _in_order(found: re.Match[str]) -> str:
    """Characters decomposed, and the marks of each letter sorted: as NFC has them, in the time of sorting."""
    parts, marks = [], []
    for char in "".join(unicodedata.normalize("NFD", char) for char in found[0]):
        if unicodedata.combining(char):
            marks.append(char)
            continue
        parts += [*sorted(marks, key=unicodedata.combining), char]
        marks = []
    return "".join([*parts, *sorted(marks, key=unicodedata.combining)])


def _without_marks(text: str) -> str:
    """Text without zero-width marks, and without joiners that nobody sees."""
    zero_width, joiners = (set(map(chr, code_points(ranges))) for ranges in (ZERO_WIDTH, JOINERS))
    if not (zero_width | joiners) & set(text):
        return text
    kept: list[str] = []
    for char in text:
        if char in joiners and not (kept and canonical_tables().kinds[ord(kept[-1])] & JOINS):
            continue
        if char not in zero_width:
            kept.append(char)
    return "".join(kept)


@functools.cache
def _table(kind: str) -> dict[int, int]:
    table = fold() if kind == "folded" else words_fold()
    changed = np.flatnonzero(table != np.arange(len(table)))
    return dict(zip(changed.tolist(), table[changed].tolist(), strict=True))


@functools.cache
def _lone_letters() -> re.Pattern[str]:
    table = alone()
    return re.compile(f"[{_ranges(np.flatnonzero(table == ALONE))}][{_ranges(np.flatnonzero(table == ATTACHED))}]*")


def _ranges(codes: Iterable[int]) -> str:
    """Code points as the inside of a character class."""
    rows = np.asarray(codes)
    stretches = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return "".join(f"\\U{stretch[0]:08x}-\\U{stretch[-1]:08x}" for stretch in stretches)
