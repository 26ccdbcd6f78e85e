"""Our signatures as datasketch objects, for its indexes and storage back ends.

They are bit-identical to its own of the same shingle hashes. Which shingles those are is up to whoever made the
signatures: ``MinHash(normalization="words")`` makes them of lower-case letters and digits alone, as is usual there.
"""

from __future__ import annotations

from typing import Any

from dq.arrays import U32
from dq.dedup import MinHash
from dq.errors import require


def lean_minhashes(signatures: U32, *, maker: MinHash | None = None) -> list[Any]:
    """``datasketch.LeanMinHash`` objects of signatures, ready for ``MinHashLSH``, Redis or Cassandra.

    Args:
        signatures: uint32 (n, num_perm), of :meth:`MinHash.signatures`.
        maker: what made them; only its seed counts.

    Raises:
        MissingExtraError: datasketch is not installed.
    """
    datasketch = require("datasketch")
    seed = (maker or MinHash()).seed
    return [datasketch.LeanMinHash(seed=seed, hashvalues=row, scheme="affine32") for row in signatures]
