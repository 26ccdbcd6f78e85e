"""Deduplication with proof: shingles, signatures, candidates, verified pairs, selection.

Each removed document names the kept one and their exact similarity. Importing this package compiles nothing.
"""

from dq.dedup.bands import Bands, choose_bands
from dq.dedup.config import DedupConfig, Resources, ShingleConfig
from dq.dedup.duplicates import Counts, Duplicates, LargeBuckets
from dq.dedup.find import find_duplicates
from dq.dedup.index import DuplicateIndex
from dq.dedup.order import keep_order
from dq.dedup.selection import Selection, select
from dq.dedup.shingles import Shingles, shingle
from dq.dedup.signatures import MinHash
from dq.dedup.simple import deduplicate

__all__ = [
    "Bands",
    "Counts",
    "DedupConfig",
    "DuplicateIndex",
    "Duplicates",
    "LargeBuckets",
    "MinHash",
    "Resources",
    "Selection",
    "ShingleConfig",
    "Shingles",
    "choose_bands",
    "deduplicate",
    "find_duplicates",
    "keep_order",
    "select",
    "shingle",
]
