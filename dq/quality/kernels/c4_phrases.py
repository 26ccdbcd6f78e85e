"""What C4 looks for in a line: bounds, phrases, terminal marks. English phrases.

Sources: tensorflow_datasets `c4_utils.py` (Apache-2.0) and datatrove 0.10.1 `c4_filters.py` (Apache-2.0).
"""

from __future__ import annotations

import numpy as np

from dq.arrays import U8
from dq.text.kernels.jit import inlined

MAX_WORD_CHARS = 1000  # c4_utils.py _MAX_WORD_LENGTH
MIN_WORDS = 3  # c4_utils.py _MIN_WORDS_PER_LINE


def _phrases(*texts: str) -> U8:
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
def ends_terminally(data: U8, start: int, end: int) -> bool:
    """Whether the line ends in . ? ! " ' and not in three dots."""
    if end == start:
        return False
    last = data[end - 1]
    if last == 0x2E:
        return not (end - start >= 3 and data[end - 2] == 0x2E and data[end - 3] == 0x2E)
    return last in (0x3F, 0x21, 0x22, 0x27)
