"""Scripts without spaces, against the names that Unicode gives its characters."""

from __future__ import annotations

import sys
import unicodedata

import numpy as np

from dq.text import SPACELESS_SCRIPTS, character_classes, spaceless_scripts
from dq.text.kernels.flags import LETTER

BY_NAME = {
    "CJK UNIFIED": "Chinese",
    "HIRAGANA LETTER": "Japanese",
    "KATAKANA LETTER": "Japanese",
    "THAI CHARACTER": "Thai",
    "LAO LETTER": "Lao",
    "KHMER LETTER": "Khmer",
    "MYANMAR LETTER": "Burmese",
    "TIBETAN LETTER": "Tibetan",
}


def test_letters_belong_to_the_script_in_their_names() -> None:
    table, letters = spaceless_scripts(), (character_classes() & LETTER) != 0
    for code in np.flatnonzero(letters[: sys.maxunicode]):
        name = " ".join(unicodedata.name(chr(code), "").split(" ")[:2])
        if name in BY_NAME:
            assert SPACELESS_SCRIPTS[table[code] - 1] == BY_NAME[name], hex(code)


def test_scripts_with_spaces_digits_and_marks_of_sentences_are_none_of_them() -> None:
    table = spaceless_scripts()
    for char in "aé1 д한ا។。、፡ሀ๑๚־":
        assert table[ord(char)] == 0, char
