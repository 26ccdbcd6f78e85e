"""Passages, parts of documents, that repeat across a corpus: found, and cut out by a cleaner."""

from dq.dedup.passages.units import CLEANERS, Boilerplate, Cut, RepeatedUnits

__all__ = ["CLEANERS", "Boilerplate", "Cut", "RepeatedUnits"]
