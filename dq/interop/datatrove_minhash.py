"""datatrove's MinHash signatures, for indexes and stages that were made with datatrove.

Its stage 1 with its defaults (64-bit xxHash, 14 buckets of 8) is reproduced bit for bit, given the same words:
normalisation and word splitting stay datatrove's (dq's `normalization` has no part in it). Documents of fewer than n
words have no signature there; here their row holds 2^64 - 1 throughout, which no real value reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from dq.arguments import many, whole_number
from dq.arrays import U64, read_only
from dq.errors import InputError
from dq.interop.kernels.datatrove import sign_word_lists
from dq.text import text_batch

_MERSENNE = 2**61 - 1


def signatures(words: Sequence[Sequence[str]] | Any, *, num_perm: int = 112, ngram: int = 5, seed: int = 1) -> U64:
    """Signatures as in ``datatrove.pipeline.dedup.MinhashDedupSignature``: uint64 (n, num_perm), buckets in order.

    Args:
        words: the normalised words of each document: lists of str, or an Arrow list array of strings.
        num_perm: ``num_buckets * hashes_per_bucket``.
        ngram: ``n_grams``.
        seed: ``MinhashConfig.seed``.

    Raises:
        ConfigError: an argument is out of its range.
        InputError: these are not the words of documents.
    """
    whole_number(num_perm, name="num_perm", least=1)
    whole_number(ngram, name="ngram", least=1)
    whole_number(seed, name="seed", least=0)
    lists = words if isinstance(words, (pa.ListArray, pa.LargeListArray)) else _lists(words)
    if lists.null_count:
        raise InputError("words of a document are missing (null); give an empty list for a document without words")
    flat = text_batch(lists.flatten())
    bounds = lists.offsets.to_numpy().astype(np.int64)
    generator = np.random.RandomState(seed)
    parameters = np.stack(
        [
            generator.randint(1, _MERSENNE, num_perm, dtype=np.uint64),
            generator.randint(0, _MERSENNE, num_perm, dtype=np.uint64),
        ]
    )
    made = np.empty((len(lists), num_perm), np.uint64)
    arguments = (read_only(flat.data), read_only(flat.offsets), read_only(bounds - bounds[0]), ngram)
    sign_word_lists(*arguments, read_only(parameters), made)
    return made


def _lists(words: Any) -> pa.LargeListArray:
    try:
        if any(isinstance(one, str) for one in many(words, name="words", of="lists of words, one a document")):
            raise InputError("`words` takes a list of words for each document, not its text")
        return pa.array(words, pa.large_list(pa.large_string()))
    except (pa.ArrowException, TypeError) as error:
        fault = str(error).partition("\n")[0]
        raise InputError(f"`words` takes a list of words for each document: {fault}") from None
