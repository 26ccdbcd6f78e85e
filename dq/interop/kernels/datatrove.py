"""datatrove's 64-bit signatures: xxHash64 of words joined by spaces, permuted modulo the Mersenne prime 2^61 - 1."""

from __future__ import annotations

import numpy as np

from dq.arrays import I64, U8, U64
from dq.text.kernels.jit import kernel
from dq.text.kernels.xxhash import xxhash64

MERSENNE = np.uint64(2**61 - 1)
MERSENNE_BITS = np.uint64(61)
NOTHING = np.uint64(2**64 - 1)
SPACE = 0x20


@kernel
def sign_word_lists(data: U8, offsets: I64, documents: I64, ngram: int, parameters: U64, signatures: U64) -> None:
    """Signatures of documents given as words: ``documents`` (n + 1) counts words, ``offsets`` their bytes."""
    num_perm = signatures.shape[1]
    for d in range(documents.size - 1):
        first, last = documents[d], documents[d + 1]
        size = offsets[last] - offsets[first] + (last - first)
        joined = np.empty(size, np.uint8)
        starts = np.empty(last - first + 1, np.int64)
        at = 0
        for w in range(first, last):
            starts[w - first] = at
            for k in range(offsets[w], offsets[w + 1]):
                joined[at] = data[k]
                at += 1
            joined[at] = SPACE
            at += 1
        starts[last - first] = at
        for p in range(num_perm):
            signatures[d, p] = NOTHING
        for w in range(last - first - ngram + 1):
            value = xxhash64(joined, starts[w], starts[w + ngram] - 1, 0)
            for p in range(num_perm):
                # The product wraps at 2^64 before the modulo, as in datatrove.
                permuted = value * parameters[0, p] + parameters[1, p]
                permuted = (permuted & MERSENNE) + (permuted >> MERSENNE_BITS)
                if permuted >= MERSENNE:
                    permuted -= MERSENNE
                signatures[d, p] = min(signatures[d, p], permuted)
