"""Supervised fastText models (``.bin``, ``.ftz``) read from their bytes, without the library.

Every package that brings the library installs a module ``fasttext`` over that of the others, and the library believes
any file: random bytes make it take gigabytes, or never return. Here each number is checked against the size of the file
before anything is made from it. Memory: 4 bytes a weight; compressed models are unpacked.

Format, from `fasttext.cc`, `args.cc`, `dictionary.cc`, `quantmatrix.cc`, `productquantizer.cc` of fastText 0.9.2: in
little endian magic and version; the arguments; the dictionary; the input and the output matrix, plain or quantised.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dq.arrays import F32, I32, I64, U8
from dq.errors import InputError
from dq.quality.kernels.fasttext import EACH, SOFTMAX, TREE, FastText, fill_kept, hash_entries, read_entries

MAGIC, VERSIONS = 793712314, (11, 12)
SUPERVISED = 3
LOSSES = {1: TREE, 2: EACH, 3: SOFTMAX, 4: EACH}  # hs, ns, softmax, one against all
PREFIX = "__label__"
CENTROIDS = 256  # of a quantiser, one a byte
MAX_WEIGHTS = 2**31  # 8 GB as float32, more than any classifier that is published
MAX_DIM = 1 << 16
MAX_RUN = 1000  # words or characters
MAX_DEPTH = 128  # of the tree of labels: int64 counts make no deeper one


class _BrokenError(Exception):
    """What is wrong with a file."""


@dataclass(frozen=True)
class FastTextFile:
    """A model and its labels, without ``__label__``."""

    model: FastText
    labels: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> FastTextFile:
        """Read a supervised model.

        Raises:
            InputError: the file is missing, or no such model; the message says what of it is wrong.
        """
        try:
            data = np.fromfile(path, np.uint8)
        except FileNotFoundError:
            raise InputError(f"{path}: no such file") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        try:
            return _read(_Bytes(data))
        except _BrokenError as error:
            raise InputError(f"{path}: not a fastText classifier: {error}; replace the file") from None


class _Bytes:
    """The bytes of a file and how far they are read."""

    def __init__(self, data: U8) -> None:
        self.data, self.at = data, 0

    def take(self, count: int, what: str) -> U8:
        """The next bytes."""
        if count < 0 or count > len(self.data) - self.at:
            left = len(self.data) - self.at
            raise _BrokenError(f"{what} needs {count:,} bytes and {left:,} are left")
        self.at += count
        return self.data[self.at - count : self.at]

    def numbers(self, form: str, what: str) -> tuple[int, ...]:
        """The next numbers, as `struct` reads them."""
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}"), what).tobytes())

    def floats(self, count: int, what: str) -> F32:
        """The next float32, all of them finite."""
        found = self.take(4 * count, what).view(np.float32) if count >= 0 else np.empty(0, np.float32)
        if count < 0 or not np.isfinite(found).all():
            raise _BrokenError(f"{what} holds numbers that are not finite")
        return found


def _read(file: _Bytes) -> FastTextFile:
    if file.numbers("ii", "its beginning")[0] != MAGIC:
        raise _BrokenError("it does not begin as one")
    file.at = 4
    (version,) = file.numbers("i", "its version")
    if version not in VERSIONS:
        raise _BrokenError(f"version {version} is unknown")
    dim, _, _, _, _, word_ngram, loss, kind, bucket, min_piece, max_piece, _ = file.numbers("12i", "its arguments")
    file.take(8, "its arguments")
    if kind != SUPERVISED or loss not in LOSSES:
        raise _BrokenError("it holds word vectors, no labels" if kind in (1, 2) else f"its kind {kind} is unknown")
    if not (
        0 < dim <= MAX_DIM and bucket >= 0 and min_piece >= 0 and 0 <= max_piece <= 1000 and 0 < word_ngram <= 1000
    ):
        raise _BrokenError(f"its arguments are out of range (dim {dim}, bucket {bucket}, pieces to {max_piece})")
    spans, counts, n_words, prune = _read_entries(file)
    labels = tuple(_label(file.data, span) for span in spans[n_words:])
    pruned = len(prune) > 0
    quantised = _flag(file, "its input")
    inputs = (_read_quantised if quantised else _read_matrix)(file, "its input", dim)
    rows = n_words + (len(prune) if pruned else bucket)
    needed = rows if bucket or pruned else n_words
    if len(inputs) < needed or (pruned and int(prune[:, 1].max()) + n_words >= len(inputs)):
        raise _BrokenError(f"its input has {len(inputs):,} rows for {needed:,} words and pieces")
    output_quantised = _flag(file, "its output")
    outputs = (_read_quantised if quantised and output_quantised else _read_matrix)(file, "its output", dim)
    if len(outputs) < len(labels) - (LOSSES[loss] == TREE):
        raise _BrokenError(f"its output has {len(outputs):,} rows for {len(labels):,} labels")
    keys = np.empty(len(spans), np.uint64)
    hash_entries(file.data, spans, keys)
    order = np.argsort(keys, kind="stable")
    model = FastText(
        keys=keys[order],
        entries=order,
        n_words=n_words,
        bucket=bucket,
        min_piece=min_piece,
        max_piece=0 if version == VERSIONS[0] else max_piece,  # an old supervised model made no use of them
        word_ngram=word_ngram,
        pruned=pruned,
        kept=_table_of(prune),
        inputs=inputs,
        outputs=outputs,
        loss=LOSSES[loss],
        paths=_paths(counts[n_words:]) if LOSSES[loss] == TREE else np.empty((0, 0), np.int32),
        label_prefix=np.frombuffer(PREFIX.encode(), np.uint8),
        line_end=np.frombuffer(b"</s>", np.uint8),
    )
    return FastTextFile(model, labels)


def _table_of(prune: I32) -> I32:
    """The pieces that pruning left as the kernels look them up."""
    kept = np.full((1 << (2 * len(prune)).bit_length(), 2), -1, np.int32)
    fill_kept(np.ascontiguousarray(prune[:, 0]), np.ascontiguousarray(prune[:, 1]), kept)
    return kept


def _read_entries(file: _Bytes) -> tuple[I64, I64, int, I32]:
    """The dictionary: bounds and counts of its entries, the number of words, and what pruning left."""
    size, n_words, n_labels, _, n_kept = file.numbers("iiiqq", "its dictionary")
    if size < 0 or n_words < 0 or n_labels < 1 or size != n_words + n_labels or size * 10 > len(file.data) - file.at:
        raise _BrokenError(f"its dictionary of {size:,} entries ({n_labels:,} labels) does not fit into it")
    spans, counts, kinds = np.empty((size, 2), np.int64), np.empty(size, np.int64), np.empty(size, np.uint8)
    end = read_entries(file.data, file.at, spans, counts, kinds)
    if end < 0 or not (kinds[:n_words] == 0).all() or not (kinds[n_words:] == 1).all():
        raise _BrokenError("its dictionary is cut off or out of order")
    file.at = end
    if n_kept > len(file.data) // 8:
        raise _BrokenError("what pruning left does not fit into it")
    prune = file.take(8 * max(0, n_kept), "what pruning left").view(np.int32).reshape(-1, 2)
    if len(prune) and (prune.min() < 0):
        raise _BrokenError("what pruning left has negative numbers")
    return spans, counts, n_words, prune


def _label(data: U8, span: I64) -> str:
    return data[span[0] : span[1]].tobytes().decode("utf-8", "replace").removeprefix(PREFIX)


def _flag(file: _Bytes, what: str) -> bool:
    return bool(file.take(1, what)[0])


def _read_matrix(file: _Bytes, what: str, dim: int) -> F32:
    rows, columns = file.numbers("qq", what)
    _check_shape((rows, columns), what, dim)
    return np.ascontiguousarray(file.floats(rows * columns, what).reshape(rows, columns))


def _check_shape(shape: tuple[int, int], what: str, dim: int) -> None:
    rows, columns = shape
    if columns != dim or rows < 0 or rows * columns > MAX_WEIGHTS:
        raise _BrokenError(f"{what} of {rows:,} x {columns:,} weights is not possible with {dim:,} columns")


def _read_quantised(file: _Bytes, what: str, dim: int) -> F32:
    """A product-quantised matrix, unpacked: each part of a row names one of 256 centroids, and its norm another."""
    has_norms = _flag(file, what)
    rows, columns, size = file.numbers("qqi", what)
    _check_shape((rows, columns), what, dim)
    codes = file.take(size, what)
    centroids, widths = _read_quantiser(file, what, dim)
    if size != rows * len(widths):
        raise _BrokenError(f"{what} has {size:,} codes for {rows:,} rows of {len(widths)} parts")
    parts = codes.reshape(rows, len(widths))
    found = np.empty((rows, dim), np.float32)
    start = 0
    for number, width in enumerate(widths):
        table = centroids[CENTROIDS * start : CENTROIDS * (start + width)].reshape(CENTROIDS, width)
        found[:, start : start + width] = table[parts[:, number]]
        start += width
    if has_norms:
        norms = file.take(rows, what)
        table, _ = _read_quantiser(file, what, 1)
        found *= table[norms][:, None]
    return found


def _read_quantiser(file: _Bytes, what: str, dim: int) -> tuple[F32, list[int]]:
    """Centroids, and how many columns each part has."""
    columns, n_parts, width, last_width = file.numbers("4i", what)
    if columns != dim or n_parts < 1 or width < 1 or (n_parts - 1) * width + last_width != dim or last_width < 1:
        raise _BrokenError(f"{what} is compressed in {n_parts} parts of {width}, which do not make {dim} columns")
    return file.floats(CENTROIDS * dim, what), [width] * (n_parts - 1) + [last_width]


def _paths(counts: I64) -> I32:
    """The Huffman tree over the labels, as the nodes on the way to each; see `FastText.paths`."""
    n = len(counts)
    weight = np.full(2 * n - 1, 10**15, np.int64)
    weight[:n] = counts
    parent, is_right = np.full(2 * n - 1, -1), np.zeros(2 * n - 1, bool)
    leaf, node = n - 1, n
    for made in range(n, 2 * n - 1):
        total = 0
        for side in (False, True):
            if leaf >= 0 and weight[leaf] < weight[node]:
                child, leaf = leaf, leaf - 1
            else:
                child, node = node, node + 1
            parent[child], is_right[child] = made, side
            total += int(weight[child])
        weight[made] = total
    ways: list[list[int]] = []
    for label in range(n):
        way: list[int] = []
        at = label
        while parent[at] >= 0 and len(way) <= MAX_DEPTH:
            way.append(2 * (int(parent[at]) - n) + int(is_right[at]))
            at = int(parent[at])
        ways.append(way[::-1])
    depth = max(map(len, ways), default=0)
    if depth > MAX_DEPTH:
        raise _BrokenError(f"its tree of labels is {depth:,} deep")
    found = np.full((n, depth), -1, np.int32)
    for label, way in enumerate(ways):
        found[label, : len(way)] = way
    return found
