"""What C4 looks for in a line: counters, bounds, phrases, terminal marks. English phrases.

Sources: tensorflow_datasets `c4_utils.py` (Apache-2.0) and datatrove 0.10.1 `c4_filters.py` (Apache-2.0).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dq.text.kernels.jit import inlined

__all__ = [
    "C4_COUNTS",
    "CITATIONS",
    "JAVASCRIPT_PHRASES",
    "LOREM_PHRASES",
    "MAX_WORD_CHARS",
    "MIN_WORDS",
    "POLICY_PHRASES",
    "ends_terminally",
]

# Places of the counters, in the order of C4_COUNTS.
KEPT, TOO_LONG_WORD, NO_TERMINAL, TOO_FEW_WORDS, JAVASCRIPT, POLICY, LOREM_IPSUM, CURLY_BRACKET = range(8)
C4_COUNTS = (
    "kept_line_count",
    "too_long_word_line_count",
    "no_terminal_punctuation_line_count",
    "too_few_words_line_count",
    "javascript_line_count",
    "policy_line_count",
    "lorem_ipsum_line_count",
    "curly_bracket_line_count",
)
MAX_WORD_CHARS = 1000  # c4_utils.py _MAX_WORD_LENGTH
MIN_WORDS = 3  # c4_utils.py _MIN_WORDS_PER_LINE


def _phrases(*texts: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Phrases as rows: length, then bytes."""
    rows = np.zeros((len(texts), 32), np.uint8)
    for row, text in zip(rows, texts, strict=True):
        row[0] = len(text)
        row[1 : 1 + len(text)] = np.frombuffer(text.encode(), np.uint8)
    return rows


LOREM_PHRASES = _phrases("lorem ipsum")
JAVASCRIPT_PHRASES = _phrases("javascript")
# datatrove c4_filters.py POLICY_SUBSTRINGS, from c4_utils.py _POLICY_SUBSTRINGS
POLICY_PHRASES = _phrases(
    "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"
)
CITATIONS = _phrases("[edit]", "[citation needed]")


@inlined
def ends_terminally(data: Any, start: Any, end: Any) -> Any:
    """Whether the line ends in . ? ! " ' and not in three dots."""
    if end == start:
        return False
    last = data[end - 1]
    if last == 0x2E:
        return not (end - start >= 3 and data[end - 2] == 0x2E and data[end - 3] == 0x2E)
    return last in (0x3F, 0x21, 0x22, 0x27)
