"""Passages, parts of documents, that repeat across a corpus."""

from dq.dedup.passages.units import RepeatedConfig, RepeatedUnits, find_repeated

__all__ = ["RepeatedConfig", "RepeatedUnits", "find_repeated"]
