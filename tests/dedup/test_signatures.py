"""Signatures against datasketch, and the statistics they rest on."""

from __future__ import annotations

import threading
import time
from typing import Any

import datasketch
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.dedup import MinHash, shingle
from dq.dedup.signatures import EMPTY_VALUE, permutations, sign
from tests.dedup import oracle


def reference(hashes: list[int], num_perm: int, seed: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    made = datasketch.MinHash(num_perm=num_perm, seed=seed, scheme="affine32", hashfunc=lambda value: value)
    for value in hashes:
        made.update(value)
    return np.asarray(made.hashvalues)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 2**32 - 1), max_size=60), st.sampled_from([2, 16, 100, 112, 128, 256]), st.integers(0, 9)
)
def test_signatures_equal_those_of_datasketch_fed_the_same_hashes(hashes: list[int], num_perm: int, seed: int) -> None:
    ours = MinHash(num_perm=num_perm, seed=seed).signatures_of_hashes(np.array(hashes, np.uint64), [0, len(hashes)])
    assert ours.dtype == np.uint32
    assert ours[0].tolist() == reference(hashes, num_perm, seed).tolist()


def test_signatures_of_texts_equal_those_of_datasketch_fed_our_shingles() -> None:
    texts = oracle.corpus(3, families=3)
    texts.append(" ".join(f"w{number}" for number in range(5000)))
    found = shingle(texts)
    for text, row in enumerate(MinHash().signatures(texts)):
        hashes = [int(value) & 0xFFFFFFFF for value in found.of(text)]
        assert row.tolist() == reference(hashes, 112, 1).tolist()


def test_the_published_check_values_of_affine32_hold() -> None:
    parameters = permutations(4, 1)
    assert parameters[0, :4].tolist() == [3582191691, 4270784983, 1892572953, 3715639441]
    assert parameters[1, :4].tolist() == [491263, 550290313, 1298508491, 4290846341]
    tokens = [b"the quick", b"brown fox", b"lazy dog", b"x"]
    low = [datasketch.hashfunc.sha1_hash32(token) for token in tokens]
    signature = MinHash(num_perm=128).signatures_of_hashes(low, [0, 4])[0]
    assert signature[:3].tolist() == [276171571, 1608376376, 165315898]


def test_white_space_has_the_empty_signature_and_what_has_no_words_is_one_shingle() -> None:
    signed = sign(["", " ", "?!", "word", "!?"])
    assert (signed.signatures[:2] == EMPTY_VALUE).all()
    assert signed.counts.tolist() == [0, 0, 1, 1, 1]
    assert len({tuple(row) for row in signed.signatures.tolist()}) == 4


def test_keys_are_equal_exactly_where_shingle_sets_with_repeats_are() -> None:
    texts = ["a b c d e f", "A, b c. d e f!", "a b c d e g", "f e d c b a", "a b", "b a", "a b c d e f"]
    keys = [tuple(key) for key in sign(texts).keys.tolist()]
    assert keys[0] == keys[1] == keys[6]
    assert len(set(keys)) == 5


def test_text_keys_are_equal_exactly_where_canonical_texts_are() -> None:
    texts = ["Caf\u00e9 au lait", "Cafe\u0301  au\nlait", "caf\u00e9 au lait", "", " ", "x" * 64, "x" * 65, "x" * 128]
    keys = sign(texts).texts.tolist()
    assert keys[0] == keys[1] and keys[3] == keys[4] == 0
    assert len(set(keys)) == 6


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_no_byte(threads: int) -> None:
    texts = [*oracle.corpus(4, families=30), "long " * 20_000]
    one, many = sign(texts), sign(texts, threads=threads)
    for name in ("signatures", "keys", "texts", "counts"):
        assert getattr(one, name).tobytes() == getattr(many, name).tobytes()


def test_agreement_of_signatures_estimates_the_jaccard_similarity() -> None:
    words = [f"w{number}" for number in range(4000)]
    for shared in (400, 1000, 1600, 1900):
        left, right = words[:2000], words[2000 - shared : 4000 - shared]
        one, other = MinHash(num_perm=1024, ngram=1).signatures([" ".join(left), " ".join(right)])
        truth = shared / (4000 - shared)
        assert abs((one == other).mean() - truth) < 4 * np.sqrt(truth * (1 - truth) / 1024)


def test_kernels_let_other_threads_run() -> None:
    texts = ["some words that repeat and repeat " * 2_000] * 100
    worker = threading.Thread(target=lambda: sign(texts))
    ticks = 0
    worker.start()
    while worker.is_alive():
        ticks += 1
        time.sleep(0)
    assert ticks > 50
