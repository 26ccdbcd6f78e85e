"""Passages, parts of documents, that repeat across a corpus: found, and cut out by a cleaner."""

from dq.dedup.passages.estimate import PassagesEstimate, estimate_passages
from dq.dedup.passages.find import find_passages
from dq.dedup.passages.found import Passages
from dq.dedup.passages.options import RepeatedPassages
from dq.dedup.passages.proof import unproven_pieces
from dq.dedup.passages.units import CLEANERS, Boilerplate, Cut, RepeatedUnits

__all__ = [
    "CLEANERS",
    "Boilerplate",
    "Cut",
    "Passages",
    "PassagesEstimate",
    "RepeatedPassages",
    "RepeatedUnits",
    "estimate_passages",
    "find_passages",
    "unproven_pieces",
]
