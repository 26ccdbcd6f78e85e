"""Looking at what was done to documents, whichever command did it."""

from dq.inspect.audit import audit_workspace
from dq.inspect.document import DocumentHistory, document_history
from dq.inspect.dropped import DroppedDocument, dropped_documents
from dq.inspect.pairs import Passage, RemovedPair, compare_words, removed_pairs

__all__ = [
    "DocumentHistory",
    "DroppedDocument",
    "Passage",
    "RemovedPair",
    "audit_workspace",
    "compare_words",
    "document_history",
    "dropped_documents",
    "removed_pairs",
]
