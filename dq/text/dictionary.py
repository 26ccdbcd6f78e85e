"""Words of scripts without spaces, found by the dictionaries of ICU (Chinese, Japanese, Thai, Lao, Khmer, Burmese).

Tibetan needs none: its syllables are parted by a mark. The library is `icu4py`, an extra.
"""

from __future__ import annotations

from collections.abc import Sequence

from dq.errors import require

LOCALE = "en"  # of ICU's rules, which find the same words of these scripts in every locale


def dictionary_words(texts: Sequence[str]) -> list[list[str]]:
    """Words and marks of each text.

    Raises:
        MissingExtraError: the library is not installed.
    """
    breakers = require("icu4py.breakers")
    return [[word for word in breakers.WordBreaker(text, LOCALE) if not word.isspace()] for text in texts]
