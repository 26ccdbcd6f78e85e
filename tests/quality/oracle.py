"""The signals in plain Python, as datatrove's filters and the definitions in the table of signals say.

Independent of the kernels: str methods, regular expressions, Counter. Sentences follow spaCy's sentencizer.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter

from dq.quality.english import ENGLISH_FUNCTION_WORDS, GOPHER_STOP_WORDS
from dq.text import spaceless_scripts, split_words
from dq.text.characters import SENTENCE_END_RANGES, SYMBOL_ONLY_RANGES, TERMINAL_EXTRA_RANGES, code_points

SENTENCE_END = {chr(code) for code in code_points(SENTENCE_END_RANGES)}
TERMINAL = SENTENCE_END | {chr(code) for code in code_points(TERMINAL_EXTRA_RANGES)}
SYMBOLS = TERMINAL | {chr(code) for code in code_points(SYMBOL_ONLY_RANGES)}
STOP_WORDS = set(GOPHER_STOP_WORDS)
CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")

Values = dict[str, float | None]


INVISIBLE = {chr(code) for code in code_points("00AD 200B 200E-200F 202A-202E 2060 2066-2069 FEFF")}


def composed(text: str) -> str:
    """NFC, but for two kinds of white space."""
    return re.sub("[^\u2000\u2001]+", lambda part: unicodedata.normalize("NFC", part[0]), text)


def tidy(text: str) -> str:
    """The text as signals see it."""
    visible = "".join(char for char in composed(text) if char not in INVISIBLE)
    lines = ["".join(" " if char.isspace() else char for char in line).rstrip() for line in visible.splitlines()]
    return "\n".join(lines).strip()


def script(text: str) -> int:
    """The number of the script without spaces that has over half of the letters and marks; 0 for none."""
    letters = [char for char in text if unicodedata.category(char)[0] in "LM" or char == "〇"]
    counts = Counter(int(spaceless_scripts()[ord(char)]) for char in letters)
    spaced = counts.pop(0, 0)
    if counts.total() <= spaced:
        return 0
    most = max(sorted(counts), key=lambda number: counts[number])
    return 2 if most == 1 and counts[2] >= 0.1 * counts[1] else most


def signals(text: str) -> Values:
    """Every compiled signal of a text; without those of lines that C4 leaves blank or with white space at their ends.

    Such lines come of citation marks cut out, and their words and sentences are not those of the text.
    """
    words = split_words([text])[0]
    found = words_signals(text, words) | line_signals(text) | ngram_signals(text, words)
    for prefix, terminal in (("c4_", True), ("c4_relaxed_", False)):
        counts, kept = c4_lines(text, terminal=terminal)
        found |= {prefix + name: counts[name] for name in C4_COUNTS}
        if all(line.strip() for line in kept):
            found[f"{prefix}kept_sentence_count"] = sum(map(sentence_count, kept, split_words(kept)))
    if all(line == line.strip() != "" for line in kept):
        found |= after_c4(kept)
    return found


def words_signals(text: str, words: list[str]) -> Values:
    real = [word for word in words if any(char not in SYMBOLS for char in word)]
    n, chars = len(words), len(text)
    lower = [fold(word) for word in words]
    return {
        "char_count": chars,
        "word_and_mark_count": n,
        "word_count": len(real),
        "mean_word_length_chars": sum(map(len, real)) / len(real) if real else None,
        "alphabetic_word_fraction": sum(any(c.isalpha() for c in w) for w in words) / n if n else None,
        "all_caps_word_fraction": sum(is_caps(w) for w in real) / len(real) if real else None,
        "distinct_stop_word_count": len(STOP_WORDS & set(lower)) if n else None,
        "distinct_stop_word_count_case_sensitive": len(STOP_WORDS & set(words)) if n else None,
        "function_word_fraction": sum(w in ENGLISH_FUNCTION_WORDS for w in lower) / n if n else None,
        "hash_sign_to_word_ratio": text.count("#") / n if n else None,
        "ellipsis_to_word_ratio": (text.count("...") + text.count("…")) / n if n else None,
        "newline_to_word_ratio": text.count("\n") / n if n else None,
        "uppercase_char_fraction": share(text, ("Lu", "Lt")),
        "digit_char_fraction": share(text, ("N",)),
        "curly_bracket_char_fraction": (text.count("{") + text.count("}")) / chars if chars else None,
        "spaceless_script": script(text),
        "unsegmented_script": script(text),
        "sentence_count": sentence_count(text, words) if n else 0,
    }


def fold(word: str) -> str:
    """Lower case character by character: no final sigma, and one letter for U+0130."""
    return "".join(char.lower()[0] for char in word)


def is_caps(word: str) -> bool:
    kinds = {unicodedata.category(char) for char in word}
    return bool(kinds & {"Lu", "Lt"}) and "Ll" not in kinds


def share(text: str, categories: tuple[str, ...]) -> float | None:
    if not text:
        return None
    return sum(unicodedata.category(char).startswith(categories) for char in text) / len(text)


def sentence_count(text: str, words: list[str]) -> int:
    """Sentences of the tokens, white space other than one space being a token too."""
    count, seen, at = 0, False, 0
    for k, word in enumerate(words):
        place = text.index(word, at)
        gap = k > 0 and text[at:place] not in ("", " ")
        punctuation = all(unicodedata.category(char).startswith("P") for char in word)
        if k == 0 or (seen and (gap or not (punctuation or word in SENTENCE_END))):
            count, seen = count + 1, False
        seen = seen or word in SENTENCE_END
        at = place + len(word)
    return count


def find_duplicates(items: list[str]) -> tuple[int, int]:
    seen: set[str] = set()
    count, chars = 0, 0
    for item in items:
        if item in seen:
            count, chars = count + 1, chars + len(item)
        seen.add(item)
    return count, chars


def line_signals(text: str) -> Values:
    lines = text.splitlines()
    nonblank = [line for line in text.split("\n") if line.strip()]
    found: Values = {"line_count": len(nonblank)}
    n = len(lines)
    found["bullet_line_fraction"] = sum(s.lstrip().startswith(("•", "-")) for s in lines) / n if n else None
    found["ellipsis_line_fraction"] = sum(s.rstrip().endswith(("...", "…")) for s in lines) / n if n else None
    for kind, items in (("line", re.split("\n+", text)), ("paragraph", re.split("\n{2,}", text.strip()))):
        count, chars = find_duplicates(items)
        found[f"duplicate_{kind}_fraction"] = count / len(items) if text else None
        found[f"duplicate_{kind}_char_fraction"] = chars / len(text) if text else None
    m = len(nonblank)
    found["terminal_punctuation_line_fraction"] = sum(s[-1] in TERMINAL for s in nonblank) / m if m else None
    found["short_line_fraction"] = sum(len(s) <= 30 for s in nonblank) / m if m else None
    repeated = find_duplicates(nonblank)[1]
    found["duplicate_nonblank_line_char_fraction"] = repeated / len(text.replace("\n", "")) if m else None
    return found


def ngram_signals(text: str, words: list[str]) -> Values:
    """Duplicate n-grams are compared word by word, not joined as in datatrove."""
    real = [fold(word) for word in words if any(char not in SYMBOLS for char in word)]
    counts, total = Counter(real), len(real)
    found: Values = {
        "unique_word_fraction": len(counts) / total if total else None,
        "unigram_entropy_nats": -sum(c / total * math.log(c / total) for c in counts.values()) if total else None,
    }
    for n in (2, 3, 4):
        grams = [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]
        gram, count = Counter(grams).most_common(1)[0] if grams else ("", 0)
        found[f"top_{n}_gram_char_fraction"] = len(gram) * count / len(text) if grams else None
    for n in range(5, 11):
        seen: set[tuple[str, ...]] = set()
        at, chars = 0, 0
        while at < len(words) - n + 1:
            gram_words = tuple(words[at : at + n])
            repeated = gram_words in seen
            chars += len("".join(gram_words)) if repeated else 0
            seen.add(gram_words)
            at += n if repeated else 1
        found[f"duplicate_{n}_gram_char_fraction"] = chars / len(text) if words else None
    return found


def after_c4(kept: list[str]) -> Values:
    """FineWeb's signals of the lines that C4 keeps."""
    left = line_signals("\n".join(kept))
    n = sum(map(len, split_words(kept)))
    names = ("terminal_punctuation_line_fraction", "short_line_fraction", "duplicate_nonblank_line_char_fraction")
    return {
        "after_c4_line_count": len(kept),
        **{f"after_c4_{name}": left[name] for name in names},
        "after_c4_newline_to_word_ratio": (len(kept) - 1) / n if n else None,
    }


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


def c4_lines(text: str, *, terminal: bool) -> tuple[Counter[str], list[str]]:
    """C4's counts, and the lines it keeps; every phrase is counted where datatrove stops at the first."""
    counts: Counter[str] = Counter()
    kept = []
    for raw in text.splitlines():
        line = raw.strip()
        words = line.split()
        if any(len(word) > 1000 for word in words):
            counts["too_long_word_line_count"] += 1
            continue
        line = CITATION.sub("", line)
        if terminal and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
            counts["no_terminal_punctuation_line_count"] += bool(words)
            continue
        if len(words) < 3:
            counts["too_few_words_line_count"] += bool(words)
            continue
        lower = line.lower()
        counts["lorem_ipsum_line_count"] += "lorem ipsum" in lower
        if "javascript" in lower:
            counts["javascript_line_count"] += 1
            continue
        counts["curly_bracket_line_count"] += "{" in line
        if any(phrase in lower for phrase in POLICY):
            counts["policy_line_count"] += 1
            continue
        counts["kept_line_count"] += 1
        kept.append(line)
    return counts, kept
