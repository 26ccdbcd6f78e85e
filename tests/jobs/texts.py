"""Pseudo-English with a seeded vocabulary: varied enough for rules, deduplication and a tokenizer to have work."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

FUNCTION_WORDS = ("the", "of", "and", "to", "in", "that", "have", "with", "be", "it", "for", "on", "as", "was")
ONSETS, VOWELS, CODAS = ("b", "d", "fl", "gr", "k", "m", "p", "s", "st", "tr", "v"), "aeiou", ("", "n", "r", "st", "l")


def vocabulary(seed: int, size: int = 1500) -> list[str]:
    rng = random.Random(seed)

    def syllable() -> str:
        return rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS)

    return sorted({"".join(syllable() for _ in range(rng.randint(1, 3))) for _ in range(size)})


def prose(rng: random.Random, words: Sequence[str], count: int) -> str:
    """Sentences of 6 to 15 words, every third word a function word, in paragraphs."""
    chosen = [
        rng.choice(FUNCTION_WORDS) if rng.random() < 0.35 else words[int(len(words) * rng.random() ** 2)]
        for _ in range(count)
    ]
    sentences, at = [], 0
    while at < count:
        length = rng.randint(6, 15)
        sentence = " ".join(chosen[at : at + length])
        sentences.append(sentence[:1].upper() + sentence[1:] + ".")
        at += length
    return "".join(sentence + ("\n" if rng.random() < 0.2 else " ") for sentence in sentences).strip()


def edited(rng: random.Random, text: str, edits: int) -> str:
    """The text with so many of its words replaced by words that are in no vocabulary."""
    words = text.split(" ")
    for position in rng.sample(range(len(words)), edits):
        words[position] = f"qx{rng.randrange(10**6)}"
    return " ".join(words)


def rows(seed: int = 0, documents: int = 160) -> list[dict[str, Any]]:
    """Rows of two sources: news, mostly long prose; web, mostly short or full of digits. With copies of both kinds."""
    rng, words = random.Random(seed), vocabulary(seed)
    made: list[dict[str, Any]] = []
    for number in range(documents):
        source = "news" if rng.random() < 0.5 else "web"
        good = rng.random() < (0.8 if source == "news" else 0.4)
        text = prose(rng, words, rng.randint(260, 420) if good else rng.randint(20, 180))
        if not good and rng.random() < 0.3:
            text += " " + " ".join(str(rng.randrange(10**8)) for _ in range(40))
        if made and rng.random() < 0.15:
            other = rng.choice(made)["text"]
            text = other if rng.random() < 0.4 else edited(rng, other, len(other.split(" ")) // 100)
        made.append({"id": f"{source}-{number:04d}", "text": text, "source": source})
    return made


def write_jsonl(path: Path, lines: Iterable[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    return path
