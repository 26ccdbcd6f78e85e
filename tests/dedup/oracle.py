"""Slow, obvious versions of what the kernels do."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from dq.dedup import ShingleConfig, plain

CONFIG = ShingleConfig()


def shingles(text: str, ngram: int = 5) -> set[tuple[str, ...]]:
    """The set of n-grams as the defaults have them, by plain Python."""
    return plain.shingles(text, CONFIG.model_copy(update={"ngram": ngram}))


def jaccard(left: set[tuple[str, ...]], right: set[tuple[str, ...]]) -> float:
    return len(left & right) / len(left | right) if left and right else 0.0


def greedy(texts: Sequence[str], eligible: Sequence[bool], order: Sequence[int], threshold: float) -> list[int]:
    """kept_index of every text by brute force: best first, most similar kept one."""
    sets = [shingles(text) for text in texts]
    ranked = sorted((d for d in range(len(texts)) if eligible[d]), key=lambda d: order[d])
    kept: list[int] = []
    for d in ranked:
        if all(jaccard(sets[d], sets[k]) < threshold for k in kept):
            kept.append(d)
    result = [-1] * len(texts)
    for d in ranked:
        near = [(-jaccard(sets[d], sets[k]), order[k], k) for k in kept if jaccard(sets[d], sets[k]) >= threshold]
        result[d] = d if d in kept else min(near)[2]
    return result


def corpus(seed: int, families: int = 12, copies: int = 6, length: int = 120) -> list[str]:
    """Families of near-duplicates of graded similarity, with exact copies, short and empty texts among them."""
    generator = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(3000)]
    texts = []
    for _ in range(families):
        base = generator.choices(vocabulary, k=generator.randint(3, length))
        for _ in range(copies):
            edited = list(base)
            for _ in range(generator.randint(0, max(1, len(base) // 25))):
                edited[generator.randrange(len(edited))] = generator.choice(vocabulary)
            texts.append((", " if generator.random() < 0.3 else " ").join(edited))
    texts += ["", " ", "", "!?", "..."]
    generator.shuffle(texts)
    return texts


def random_order(count: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.random.default_rng(seed).permutation(count).astype(np.int64)
