"""Our signatures in datasketch's own objects."""

from __future__ import annotations

import datasketch

from dq.dedup import MinHash
from dq.interop.datasketch import lean_minhashes
from tests.dedup import oracle


def test_signatures_load_into_lean_minhash_and_lsh_and_find_their_near_duplicates() -> None:
    texts = [text for text in oracle.corpus(11, families=8, copies=4) if text.strip()]
    made = lean_minhashes(MinHash().signatures(texts))
    buffer = bytearray(made[0].bytesize())
    made[0].serialize(buffer)
    assert datasketch.LeanMinHash.deserialize(buffer) == made[0]
    lsh = datasketch.MinHashLSH(threshold=0.8, num_perm=112, params=(18, 6))
    for row, sketch in enumerate(made):
        lsh.insert(row, sketch)
    sets = [oracle.shingles(text) for text in texts]
    for row, sketch in enumerate(made):
        near = {other for other in range(len(texts)) if oracle.jaccard(sets[row], sets[other]) >= 0.95}
        assert near <= set(lsh.query(sketch))
