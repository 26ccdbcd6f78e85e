"""What the line kernels count in one document: places in an int64 array, of which columns are made."""

from __future__ import annotations

# Lines between newlines.
NONEMPTY, NONBLANK, DUPLICATES, DUPLICATE_CHARS, BLANK_DUPLICATE_CHARS, TERMINAL_LINES, SHORT = range(7)
# Paragraphs.
PARAGRAPHS, PARAGRAPH_DUPLICATES, PARAGRAPH_DUPLICATE_CHARS, PARAGRAPH_CHARS = range(7, 11)
# Lines as str.splitlines() gives them.
LINES, BULLETS, ELLIPSES = range(11, 14)
# The text that C4 without terminal marks would leave.
AFTER_LINES, AFTER_CHARS, AFTER_WORDS, AFTER_TERMINAL, AFTER_SHORT, AFTER_DUPLICATE_CHARS = range(14, 20)
# C4's counters, with terminal marks and without: from here on each has those below, in the order of the table of
# signals.
C4, C4_RELAXED = 20, 29
KEPT, TOO_LONG_WORD, NO_TERMINAL, TOO_FEW_WORDS, JAVASCRIPT, POLICY, LOREM_IPSUM, CURLY_BRACKET, KEPT_SENTENCES = range(
    9
)
SIZE = 38
