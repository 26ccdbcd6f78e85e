"""What deduplication is asked to do. Everything here decides the result; threads and memory do not and live apart."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from dq.config import StrictModel


def exact_threshold(threshold: float) -> Fraction:
    """A threshold as the decimal fraction that was written: comparisons with it use integers only."""
    return Fraction(str(threshold)).limit_denominator(10**6)


class ShingleConfig(StrictModel):
    """What the shingles of a document are, and the signature made of them."""

    normalization: Literal["meaning", "folded", "written", "words"] = "meaning"
    """What of a text counts, as `dq.dedup.normalization` says exactly. ``meaning``: case and the punctuation around
    words do not, but in text that looks like code, where everything does. ``folded``: as in prose, whatever the text.
    ``written``: every visible character. ``words``: letters, marks and digits in lower case alone."""
    unit: Literal["words", "characters"] = "words"
    """``words``: runs between white space, and each letter of a script without spaces. ``characters``: the characters
    of those runs one by one, with one space between them."""
    ngram: Annotated[int, Field(ge=1, le=64)] = 5
    """Units in a shingle. A document with fewer is one shingle; one of white space alone never matches."""
    num_perm: Annotated[int, Field(ge=2, le=4096)] = 112
    """Values in a signature."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 1
    """Seed of the permutations, as in datasketch."""


class DedupConfig(ShingleConfig):
    """Which documents are near-duplicates, and how thoroughly candidates are looked for."""

    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Smallest Jaccard similarity of two documents' shingle sets that makes them duplicates."""
    min_recall: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Probability, at the threshold, that a pair becomes a candidate; decides the bands."""
    max_bucket: Annotated[int, Field(ge=2, le=4096)] = 64
    """Largest band bucket that is verified pair by pair; larger ones are verified at selection."""

    @property
    def exact_threshold(self) -> Fraction:
        """The threshold as :func:`exact_threshold` gives it."""
        return exact_threshold(self.threshold)

    @property
    def near(self) -> str:
        """What makes two documents near-duplicates, in words: for every result that rests on it."""
        return (
            f"similarity of {self.threshold:g} or more by {self.ngram}-grams of {self.unit}, normalization "
            f"{self.normalization}"
        )

    @property
    def shingles(self) -> ShingleConfig:
        """The part that signatures depend on: another threshold needs no new ones."""
        return ShingleConfig(**self.model_dump(include=set(ShingleConfig.model_fields)))


class Resources(StrictModel):
    """How much of the machine to use. Changes no byte of any result."""

    threads: Annotated[int, Field(ge=1)] = 1
    """The kernels run without the interpreter lock."""
    memory_bytes: Annotated[int, Field(ge=16_000_000)] = 4_000_000_000
    """Memory for band tables, candidate pairs and shingles at a time; what does not fit goes through the disk."""
