"""Finding duplicates: signatures on disk, classes of equal documents, candidate pairs, verification."""

from dq.dedup.find.search import find_duplicates

__all__ = ["find_duplicates"]
