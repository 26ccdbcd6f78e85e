"""What other libraries compute and accept."""

from __future__ import annotations

import datasketch
import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.dedup import MinHash, shingle
from dq.dedup.compatible import datatrove_signatures, lean_minhashes
from dq.dedup.inverted import InvertedIndex
from dq.errors import InputError
from dq.text.kernels.xxhash import xxhash64
from tests.dedup import oracle

MERSENNE = 2**61 - 1


def reference(words: list[str], *, num_perm: int, ngram: int, seed: int) -> list[int] | None:
    """datatrove's formula on big integers."""
    generator = np.random.RandomState(seed)
    a = [int(value) for value in generator.randint(1, MERSENNE, dtype=np.uint64, size=(1, num_perm))[0]]
    b = [int(value) for value in generator.randint(0, MERSENNE, dtype=np.uint64, size=(1, num_perm))[0]]
    grams = [" ".join(words[i : i + ngram]) for i in range(len(words) - ngram + 1)]
    hashes = [xxhash.xxh64_intdigest(gram.encode()) for gram in grams]
    if not hashes:
        return None
    return [min((h * a[p] + b[p]) % 2**64 % MERSENNE for h in hashes) for p in range(num_perm)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.text(max_size=40), max_size=12), max_size=4), st.integers(1, 6), st.integers(0, 3))
def test_datatrove_signatures_are_reproduced_given_the_same_words(
    documents: list[list[str]], ngram: int, seed: int
) -> None:
    clean = [[word.encode("utf-8", "replace").decode() for word in words] for words in documents]
    ours = datatrove_signatures(clean, num_perm=20, ngram=ngram, seed=seed)
    for words, row in zip(clean, ours, strict=True):
        expected = reference(words, num_perm=20, ngram=ngram, seed=seed)
        assert row.tolist() == (expected if expected is not None else [2**64 - 1] * 20)


def test_datatrove_itself_agrees_where_it_is_installed() -> None:
    minhash = pytest.importorskip("datatrove.pipeline.dedup.minhash")
    stage = minhash.MinhashDedupSignature.__new__(minhash.MinhashDedupSignature)
    stage.config = minhash.MinhashConfig()
    stage.num_hashes, stage._parameters = 112, None
    words = [f"word{i % 37}" for i in range(300)]
    grams = [" ".join(words[i : i + 5]) for i in range(296)]
    hashes = np.array([xxhash.xxh64_intdigest(gram.encode()) for gram in grams], np.uint64).reshape(-1, 1)
    expected = np.concatenate(stage.get_signature(hashes)).tolist()
    assert datatrove_signatures(pa.array([words]))[0].tolist() == expected


def test_a_missing_word_list_is_refused() -> None:
    with pytest.raises(InputError, match="null"):
        datatrove_signatures(pa.array([["a"], None]))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2**63 - 1))
def test_xxhash64_equals_the_reference_implementation(data: bytes, seed: int) -> None:
    padded = np.frombuffer(b"x" + data + b"y", np.uint8)
    assert int(xxhash64(padded, 1, 1 + len(data), seed)) % 2**64 == xxhash.xxh64_intdigest(data, seed)


def test_signatures_load_into_lean_minhash_and_lsh_and_find_their_near_duplicates() -> None:
    texts = [text for text in oracle.corpus(11, families=8, copies=4) if oracle.words(text)]
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


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.3, 0.5, 0.8, 1.0]), st.booleans())
def test_an_inverted_index_finds_exactly_the_brute_force_neighbours(
    seed: int, threshold: float, containment: bool
) -> None:
    texts = oracle.corpus(seed, families=5, copies=4, length=60)
    indexed, others = texts[:12], texts
    found = InvertedIndex(shingle(indexed)).neighbours(shingle(others), threshold, containment=containment)
    left, right = [oracle.shingles(text) for text in others], [oracle.shingles(text) for text in indexed]
    expected = []
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            common = len(one & other)
            whole = len(other) if containment else len(one | other)
            if common and common >= threshold * whole - 1e-9:
                expected.append((i, j, common, len(one | other)))
    assert found.rows() == expected
