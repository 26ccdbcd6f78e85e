"""Looking at what was done to documents, whichever command did it."""

from dq.inspect.audit import audit_workspace
from dq.inspect.dropped import DroppedDocument, dropped_documents
from dq.inspect.pairs import Passage, RemovedPair, compare_words, removed_pairs

__all__ = [
    "DroppedDocument",
    "Passage",
    "RemovedPair",
    "audit_workspace",
    "compare_words",
    "dropped_documents",
    "removed_pairs",
]
