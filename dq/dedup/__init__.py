"""Deduplication with proof: shingles, signatures, candidates, verified pairs, selection.

Each removed document names the kept one and their exact similarity. Importing this package compiles nothing.
"""

from dq.dedup.audit import Audit, audit_duplicates
from dq.dedup.bands import Bands, choose_bands
from dq.dedup.choosing import choose, select
from dq.dedup.config import DedupConfig, Resources, ShingleConfig
from dq.dedup.deduplicate import deduplicate
from dq.dedup.duplicates import Counts, Duplicates, LargeBuckets
from dq.dedup.estimate import Estimate, estimate_cosines, estimate_cost
from dq.dedup.find import find_duplicates
from dq.dedup.guard import guard_removal, removal_by_source
from dq.dedup.index import DuplicateIndex
from dq.dedup.inverted import InvertedIndex
from dq.dedup.means import mean_vectors
from dq.dedup.passages import Boilerplate, Passages, RepeatedPassages, RepeatedUnits, find_passages, unproven_pieces
from dq.dedup.policy import Policy
from dq.dedup.selection import Chosen, Selection
from dq.dedup.semantic import MAX_DIMENSIONS, checked_vectors, deduplicate_vectors, select_by_cosine
from dq.dedup.shingles import Shingles, shingle
from dq.dedup.signatures import MinHash
from dq.dedup.visible import visible_characters

__all__ = [
    "MAX_DIMENSIONS",
    "Audit",
    "Bands",
    "Boilerplate",
    "Chosen",
    "Counts",
    "DedupConfig",
    "DuplicateIndex",
    "Duplicates",
    "Estimate",
    "InvertedIndex",
    "LargeBuckets",
    "MinHash",
    "Passages",
    "Policy",
    "RepeatedPassages",
    "RepeatedUnits",
    "Resources",
    "Selection",
    "ShingleConfig",
    "Shingles",
    "audit_duplicates",
    "checked_vectors",
    "choose",
    "choose_bands",
    "deduplicate",
    "deduplicate_vectors",
    "estimate_cosines",
    "estimate_cost",
    "find_duplicates",
    "find_passages",
    "guard_removal",
    "mean_vectors",
    "removal_by_source",
    "select",
    "select_by_cosine",
    "shingle",
    "unproven_pieces",
    "visible_characters",
]
