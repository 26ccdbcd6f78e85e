"""datatrove's signatures, against its formula on big integers and against itself."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.errors import InputError
from dq.interop.datatrove_minhash import signatures

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
    ours = signatures(clean, num_perm=20, ngram=ngram, seed=seed)
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
    assert signatures(pa.array([words]))[0].tolist() == expected


def test_a_missing_word_list_is_refused() -> None:
    with pytest.raises(InputError, match="null"):
        signatures(pa.array([["a"], None]))
