"""Mistyped, misread and miswritten letters."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, final

import numpy as np

from dq.arrays import I64
from dq.text import Cleaned, Cleaner, TextBatch, Texts, draws, edited, of_pieces, places_of_dose
from dq.variants.noise.base import TextRewriting

Form: TypeAlias = Literal["keyboard", "ocr", "case", "diacritics"]
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")  # of an English keyboard
# What optical recognition takes for each other in print: the usual confusions of English text.
MISREAD = (
    ("l1", "1l", "Il", "lI", "O0", "0O", "oc", "co", "ec", "ce", "hb", "bh", "S5", "5S", "B8", "8B"),
    ("Z2", "2Z", "gq", "qg", "ft", "tf", "ij", "ji", "un", "nu", "vy", "yv", "a@", "ao", "td"),
)
MISREAD_LONG = {"m": "rn", "w": "vv", "d": "cl", "n": "ri", "k": "lc", "H": "I-I"}
LAST = 0x250  # letters up to here have forms: Latin
WHICH = 0x7768696368  # names the draw of one of several replacements


@final
class Characters(TextRewriting):
    """Documents with a share of their letters mistyped, misread, in the other case or without marks."""

    kind: Literal["characters"] = "characters"
    form: Form = "keyboard"
    """`keyboard`: a neighbouring key; `ocr`: what looks alike; `case`: the other case; `diacritics`: without marks,
    or with one where there is none. The dose is of the letters that have such a form."""

    @property
    def cleaner(self) -> Cleaner:
        """Letters by the form's table."""
        return _Letters(self.form, self.dose, self.seed)

    @property
    def unit(self) -> str:
        """Letters that have the form."""
        return "letters"


@dataclass(frozen=True)
class _Letters:
    form: Form
    dose: float
    seed: int
    name: ClassVar[str] = "characters"
    version: ClassVar[int] = 1

    def config(self) -> Mapping[str, Any]:
        """All that decides the result."""
        return {"form": self.form, "dose": self.dose, "seed": self.seed}

    def clean(self, texts: Texts) -> Cleaned:
        """Rewrite a batch."""
        return edited(texts, self._edit)

    def _edit(self, batch: TextBatch) -> tuple[TextBatch, int, int]:
        data, table = batch.data, _table(self.form)
        begins = np.flatnonzero((data & 0xC0) != 0x80)  # of characters
        lengths = np.diff(np.append(begins, len(data)))
        owners = np.searchsorted(batch.offsets, begins, side="right") - 1
        wide = lengths == 2
        second = data[np.minimum(begins + 1, len(data) - 1)] if len(data) else data
        points = np.where(wide, (data[begins].astype(np.int64) & 0x1F) << 6 | (second & 0x3F), data[begins])
        points = np.where(lengths > 2, 0, np.minimum(points, LAST))
        options = table.counts[points]
        some = np.flatnonzero(options)
        counts = np.bincount(owners[some], minlength=len(batch))
        taken = some[places_of_dose(counts, batch, dose=self.dose, seed=self.seed)]
        which = draws(batch, owners[taken], begins[taken] - batch.offsets[owners[taken]], seed=self.seed, use=WHICH)
        entry = table.firsts[points[taken]] + (which * options[taken]).astype(np.int64)
        begins, lengths = begins.copy(), lengths.copy()
        begins[taken], lengths[taken] = len(data) + table.begins[entry], table.lengths[entry]
        pieces = np.concatenate([data, table.bytes]), begins, lengths
        return of_pieces(len(batch), owners, pieces), len(taken), len(some)


@dataclass(frozen=True)
class _Table:
    """Replacements by code point: so many, from the first on, each a stretch of bytes."""

    counts: I64
    firsts: I64
    bytes: np.ndarray[Any, np.dtype[np.uint8]]
    begins: I64
    lengths: I64


@functools.cache
def _table(form: Form) -> _Table:
    rows = [_FORMS[form](chr(point)) if chr(point).isprintable() else [] for point in range(LAST)] + [[]]
    flat = [one.encode() for row in rows for one in row]
    lengths = np.array([len(one) for one in flat], np.int64)
    counts = np.array([len(row) for row in rows], np.int64)
    return _Table(
        counts,
        np.cumsum(counts) - counts,
        np.frombuffer(b"".join(flat), np.uint8),
        np.cumsum(lengths) - lengths,
        lengths,
    )


def _neighbours(letter: str) -> list[str]:
    found = []
    for number, row in enumerate(ROWS):
        if (at := row.find(letter.lower())) >= 0 and letter.isascii():
            around = [(number, at - 1), (number, at + 1), (number - 1, at), (number - 1, at + 1)]
            around += [(number + 1, at - 1), (number + 1, at)]
            found = [ROWS[r][c] for r, c in around if 0 <= r < len(ROWS) and 0 <= c < len(ROWS[r])]
    return [one.upper() if letter.isupper() else one for one in found]


def _alike(letter: str) -> list[str]:
    long = [MISREAD_LONG[letter]] if letter in MISREAD_LONG else []
    return [pair[1] for row in MISREAD for pair in row if pair[0] == letter] + long


def _other_case(letter: str) -> list[str]:
    other = letter.swapcase()
    return [other] if other != letter and len(other) == 1 and other.swapcase() == letter else []


def _marks(letter: str) -> list[str]:
    if not letter.isalpha():
        return []
    bare = unicodedata.normalize("NFD", letter)[0]
    if bare != letter:
        return [bare]
    marked = (unicodedata.normalize("NFC", letter + mark) for mark in "\u0301\u0300\u0308\u0302\u0327\u030c")
    return [one for one in marked if len(one) == 1 and ord(one) < LAST][:3]


_FORMS = {"keyboard": _neighbours, "ocr": _alike, "case": _other_case, "diacritics": _marks}
