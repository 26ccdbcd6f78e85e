"""What tells one stream from another: a digest of what stands where, which takes no reading of tokens.

With the recipe beside it, a text that is what it was, and a pool that is this text's tokens, the same digest means the
same tokens; `dq.variants.verified` looks at all of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from dq.text import mix64
from dq.variants.documents import Universe
from dq.variants.order import StreamOrder
from dq.variants.parts import Part


def members_digest(universe: Universe, parts: Sequence[Part]) -> str:
    """SHA-256 (hex) of the documents that each part may draw from, by their identities."""
    found = hashlib.sha256()
    for part in parts:
        keys = mix64(
            universe.content_keys[part.documents],
            universe.source_keys[part.documents],
            universe.occurrences[part.documents],
        )
        found.update(part.name.encode())
        found.update(np.sort(keys).astype("<u8").data)
    return found.hexdigest()


def order_digest(universe: Universe, order: StreamOrder, *, budget_tokens: int) -> str:
    """SHA-256 (hex) of each occurrence: its document's identity, its place and tokens there, its copy, its part.

    Ids and the order of the corpus decide nothing here either.
    """
    documents = order.documents
    columns = (
        universe.content_keys[documents],
        universe.source_keys[documents],
        universe.occurrences[documents],
        order.pieces.begins,
        np.diff(np.minimum(order.starts, budget_tokens)),
        order.copies,
        order.parts,
    )
    found = hashlib.sha256()
    for column in columns:
        found.update(np.ascontiguousarray(column.astype("<u8")).data)
    return found.hexdigest()
