"""Published rule sets as data. Every threshold names its source; those by language stand in ``dq.quality.languages``.

Sources: Gopher: Rae et al. 2021 (arXiv 2112.11446), appendix A.1.1 and table A1. C4: Raffel et al. 2020 and its code,
tensorflow_datasets `c4_utils.py`. FineWeb: Penedo et al. 2024 (arXiv 2406.17557), section 3.6. Where a paper leaves a
detail open, datatrove 0.10.1's filter decides, because FineWeb was made with it; ``strict`` also restores what is a
defect there, and judges texts as they are written, where signals otherwise see tidy ones (see ``docs/parity.md``). Stop
words, C4's phrases and terminal marks are English. What a rule is made for is its signal's to say (`dq signals`); rules
of words or spaces do not judge Chinese, Japanese, Thai, Lao, Khmer, Burmese or Tibetan, unless asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dq.errors import ConfigError, nearest
from dq.quality.languages import by_language
from dq.quality.rule_kinds import AnyRule, Rule, RuleByLabel
from dq.quality.rules import RuleSet
from dq.quality.signals import AS_WRITTEN, WRITTEN_SIGNALS

MIN_LINES = 3  # ours: shares of one or two lines say nothing; `strict` judges them all the same


def _published(name: str, rules: Sequence[AnyRule]) -> RuleSet:
    """The set, whose rules judge texts as they are written under ``strict``."""

    def as_source(rule: AnyRule) -> AnyRule:
        written = rule.signal + AS_WRITTEN
        if isinstance(rule, (Rule, RuleByLabel)):
            written = (rule.strict_signal or rule.signal) + AS_WRITTEN
        return rule.model_copy(update={"strict_signal": written}) if written in WRITTEN_SIGNALS else rule

    return RuleSet(name=name, rules=tuple(map(as_source, rules)))


def gopher_quality() -> RuleSet:
    """Gopher's quality rules (appendix A.1.1; datatrove ``GopherQualityFilter``)."""
    rules = (
        Rule(signal="word_count", minimum=50, reason="too_few_words"),
        Rule(signal="word_count", maximum=100_000, reason="too_many_words"),
        Rule(signal="mean_word_length_chars", minimum=3, reason="words_too_short"),
        Rule(signal="mean_word_length_chars", maximum=10, reason="words_too_long"),
        Rule(signal="hash_sign_to_word_ratio", maximum=0.1, reason="too_many_hash_signs"),
        Rule(signal="ellipsis_to_word_ratio", maximum=0.1, reason="too_many_ellipses"),
        Rule(signal="bullet_line_fraction", maximum=0.9, reason="too_many_bullet_lines", min_lines=MIN_LINES),
        Rule(signal="ellipsis_line_fraction", maximum=0.3, reason="too_many_ellipsis_lines", min_lines=MIN_LINES),
        Rule(signal="alphabetic_word_fraction", minimum=0.8, reason="too_few_alphabetic_words"),
        Rule(
            signal="distinct_stop_word_count",
            minimum=2,
            reason="too_few_stop_words",
            # datatrove compares case-sensitively, so a text in capitals fails; English only.
            strict_signal="distinct_stop_word_count_case_sensitive",
        ),
    )
    return _published("gopher_quality", rules)


def gopher_repetition() -> RuleSet:
    """Gopher's repetition rules (table A1; datatrove ``GopherRepetitionFilter``)."""
    line_rules = (
        ("duplicate_paragraph_fraction", 0.3, "too_many_duplicate_paragraphs"),
        ("duplicate_paragraph_char_fraction", 0.2, "too_many_duplicate_paragraph_chars"),
        ("duplicate_line_fraction", 0.3, "too_many_duplicate_lines"),
        ("duplicate_line_char_fraction", 0.2, "too_many_duplicate_line_chars"),
    )
    top = ((2, 0.20), (3, 0.18), (4, 0.16))
    duplicate = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
    rules = (
        Rule(signal="char_count", minimum=1, reason="empty_text"),  # datatrove drops an empty text as `empty`
        *(Rule(signal=s, maximum=bound, reason=reason, min_lines=MIN_LINES) for s, bound, reason in line_rules),
        *(Rule(signal=f"top_{n}_gram_char_fraction", maximum=m, reason=f"top_{n}_gram_too_frequent") for n, m in top),
        *(
            Rule(signal=f"duplicate_{n}_gram_char_fraction", maximum=m, reason=f"too_many_duplicate_{n}_grams")
            for n, m in duplicate
        ),
    )
    return _published("gopher_repetition", rules)


def _c4(name: str, prefix: str) -> RuleSet:
    rules = (
        Rule(signal=f"{prefix}lorem_ipsum_line_count", maximum=0, reason="lorem_ipsum"),
        Rule(signal=f"{prefix}curly_bracket_line_count", maximum=0, reason="curly_bracket"),
        # c4_utils.py _MIN_NUM_SENTENCES, counted over the lines that are kept
        Rule(signal=f"{prefix}kept_sentence_count", minimum=5, reason="too_few_sentences"),
    )
    return _published(name, rules)


def c4() -> RuleSet:
    """C4's document rules after its line rules (datatrove ``C4QualityFilter``). English phrases."""
    return _c4("c4", "c4_")


def c4_no_terminal_punct() -> RuleSet:
    """C4 without the rule that a line must end in a terminal mark, as FineWeb uses it."""
    return _c4("c4_no_terminal_punct", "c4_relaxed_")


def _fineweb_quality(name: str, prefix: str, suffix: str) -> RuleSet:
    lines = f"{prefix}line_count"
    line_rules = (
        Rule(
            signal=f"{prefix}terminal_punctuation_line_fraction",
            minimum=0.12,
            reason=f"too_few_lines_end_in_punctuation{suffix}",
            min_lines=MIN_LINES,
            line_signal=lines,
        ),
        Rule(
            signal=f"{prefix}short_line_fraction",
            maximum=0.67,
            reason=f"too_many_short_lines{suffix}",
            min_lines=MIN_LINES,
            line_signal=lines,
        ),
        Rule(
            # The paper says 0.1; datatrove's filter, with which FineWeb was made, has 0.01.
            signal=f"{prefix}duplicate_nonblank_line_char_fraction",
            maximum=0.01,
            reason=f"too_many_repeated_line_chars{suffix}",
            min_lines=MIN_LINES,
            line_signal=lines,
        ),
        Rule(
            signal=f"{prefix}newline_to_word_ratio",
            maximum=0.3,
            reason=f"too_many_newlines{suffix}",
            min_lines=MIN_LINES,
            line_signal=lines,
        ),
    )
    no_text = Rule(signal=lines, minimum=1, reason=f"no_text{suffix}")  # datatrove drops a blank text as `empty`
    return _published(name, (no_text, *line_rules))


def fineweb_quality() -> RuleSet:
    """FineWeb's own rules (section 3.6; datatrove ``FineWebQualityFilter``)."""
    return _fineweb_quality("fineweb_quality", "", "")


def fineweb() -> RuleSet:
    """The composite that made FineWeb: Gopher repetition and quality, C4 without terminal marks, FineWeb's rules.

    FineWeb's rules judge what C4 would leave of the text; train on the C4 cleaner's version to match.
    """
    rules = (
        *gopher_repetition().rules,
        *gopher_quality().rules,
        *c4_no_terminal_punct().rules,
        *_fineweb_quality("", "after_c4_", "_after_c4").rules,
    )
    return _published("fineweb", rules)


def fineweb2() -> RuleSet:
    """FineWeb-2's rules, with the thresholds and stop words of each document's language; English by FineWeb's.

    Other languages are judged by the rules for any language alone: Gopher's and FineWeb's that know no words of one.
    Scores of languages by GlotLID, FineWeb-2's model, must reach FineWeb-2's bound; by others, FineWeb's 0.65.
    """
    any_language = {rule.signal: rule for rule in gopher_repetition().rules if isinstance(rule, Rule)}

    def up_to(signal: str, **options: Any) -> RuleByLabel:
        rule = any_language[signal]
        bounds = {**by_language(signal), "*": float(rule.maximum or 0)}
        return RuleByLabel(signal=signal, maximum=bounds, reason=rule.reason, **options)

    def from_on(signal: str, column: str, reason: str, **options: Any) -> RuleByLabel:
        return RuleByLabel(signal=signal, minimum=by_language(column), reason=reason, **options)

    newlines, longest = by_language("newline_to_word_ratio"), by_language("longest_words")
    score = {code: bound for code, bound in by_language("language_score").items() if "_" in code}
    rules = (
        RuleByLabel(signal="language_score", minimum={**score, "*": 0.65}, reason="unsure_of_language"),
        Rule(signal="char_count", minimum=1, reason="empty_text"),
        up_to("duplicate_line_fraction", min_lines=MIN_LINES),
        *(up_to(f"top_{n}_gram_char_fraction") for n in (2, 3, 4)),
        *(up_to(f"duplicate_{n}_gram_char_fraction") for n in range(5, 11)),
        from_on(
            "terminal_punctuation_line_fraction",
            "terminal_punctuation_line_fraction",
            "too_few_lines_end_in_punctuation",
            min_lines=MIN_LINES,
        ),
        Rule(
            signal="duplicate_nonblank_line_char_fraction",
            maximum=0.1,  # FineWeb's is 0.01; its rule about short lines is left out
            reason="too_many_repeated_line_chars",
            min_lines=MIN_LINES,
        ),
        RuleByLabel(signal="newline_to_word_ratio", maximum=newlines, reason="too_many_newlines", min_lines=MIN_LINES),
        *(rule for rule in gopher_quality().rules if rule.reason not in _BY_LANGUAGE),
        from_on("mean_word_length_chars", "shortest_words", "words_too_short"),
        RuleByLabel(signal="mean_word_length_chars", maximum=longest, reason="words_too_long"),
        from_on("alphabetic_word_fraction", "alphabetic_word_fraction", "too_few_alphabetic_words"),
        Rule(signal="language_stop_word_count", minimum=2, reason="too_few_stop_words"),
    )
    return _published("fineweb2", rules)


_BY_LANGUAGE = ("words_too_short", "words_too_long", "too_few_alphabetic_words", "too_few_stop_words")


def quickstart() -> RuleSet:
    """A short set that splits small samples of news and of web pages into both kept and dropped documents.

    Gopher's thresholds where one suits text with menus and captions in it, ours elsewhere, set by looking at such text.
    On 3,824 news articles it keeps 74.5 %, on 954 web pages (57 % English, page furniture included) 29.2 %.
    English only, through its function words.
    """
    rules = (
        Rule(signal="word_count", minimum=250, reason="too_few_words"),  # ours: briefs and captions; Gopher has 50
        Rule(signal="word_count", maximum=100_000, reason="too_many_words"),  # Gopher A.1.1
        Rule(signal="mean_word_length_chars", minimum=3, reason="words_too_short"),  # Gopher A.1.1
        Rule(signal="mean_word_length_chars", maximum=10, reason="words_too_long"),  # Gopher A.1.1
        Rule(signal="alphabetic_word_fraction", minimum=0.6, reason="too_few_alphabetic_words"),  # ours; Gopher 0.8
        Rule(signal="distinct_stop_word_count", minimum=2, reason="too_few_stop_words"),  # Gopher A.1.1
        # ours: English prose has 0.3 to 0.45, menus and other languages under 0.05
        Rule(signal="function_word_fraction", minimum=0.05, reason="too_few_function_words"),
        Rule(signal="top_2_gram_char_fraction", maximum=0.2, reason="top_2_gram_too_frequent"),  # Gopher table A1
        Rule(signal="duplicate_5_gram_char_fraction", maximum=0.15, reason="too_many_duplicate_5_grams"),  # table A1
        # ours: tables and listings rather than prose; news has 0.007 on average
        Rule(signal="digit_char_fraction", maximum=0.1, reason="too_many_digits"),
    )
    return _published("quickstart", rules)


def presets() -> dict[str, RuleSet]:
    """All presets by name."""
    every = (
        gopher_quality(),
        gopher_repetition(),
        c4(),
        c4_no_terminal_punct(),
        fineweb_quality(),
        fineweb(),
        fineweb2(),
        quickstart(),
    )
    return {rule_set.name: rule_set for rule_set in every}


def preset(name: str) -> RuleSet:
    """One preset by name.

    Raises:
        ConfigError: there is none of this name.
    """
    known = presets()
    if name not in known:
        raise ConfigError(nearest(name, known, what="preset"))
    return known[name]
