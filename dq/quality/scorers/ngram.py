"""A byte n-gram model that dq trained, as a scorer: how surprising a text is, in bits per byte.

CCNet (Wenzek et al. 2020) ranks web text by its perplexity under a model of Wikipedia and calls the parts head, middle
and tail. Bits per byte are the logarithm of a perplexity by byte: they need no tokenizer, and fit any script.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from dq.arrays import F32, F64, U64, read_only
from dq.config import StrictModel
from dq.errors import InputError
from dq.quality.kernels.ngram_model import fill_table, text_bits
from dq.quality.ngrams import Estimated, NgramCounts, estimate
from dq.quality.scorers.tensors_file import KEY, open_model, read_about, write_model
from dq.text import TextBatch, Texts, arrow_array, content_keys, mix64, text_batch, tidied, uniform

KIND, FORMAT_VERSION = "ngram", 1
MAX_ORDER = 7  # bytes that a 64-bit number holds beside the length
MAX_ENTRIES = 1 << 28
DRAW = 0x6E6772616D  # names this use of the texts' keys, so that draws for different ends are independent


class NgramOptions(StrictModel):
    """How a model is trained."""

    order: int = Field(default=5, ge=2, le=MAX_ORDER)
    """Bytes of the longest n-gram: one more than those that a byte's probability looks at."""
    min_count: int = Field(default=2, ge=1)
    """The longest n-grams that are rarer are left out, which halves the file."""
    share: float = Field(default=1.0, gt=0, le=1)
    """Share of the documents to train on, drawn by what they hold."""


@dataclass(frozen=True)
class NgramModel:
    """A trained model; as a scorer it gives one column, bits per byte, undefined for blank texts."""

    options: NgramOptions
    numbers: Estimated
    name: str = "perplexity"

    @property
    def names(self) -> tuple[str, ...]:
        """``name`` alone."""
        return (self.name,)

    @cached_property
    def _table(self) -> tuple[U64, F32]:
        """The hash table, under two types."""
        slots = 1 << (int(1.5 * len(self.numbers.keys)) + 1).bit_length()
        keys = np.zeros((slots, 2), np.uint64)
        values = keys.view(np.float32)
        fill_table(self.numbers.keys, self.numbers.shares, self.numbers.weights, keys, values)
        return keys, values

    def scores(self, texts: Texts) -> dict[str, F64]:
        """Bits per byte of each text, as signals see it."""
        batch = tidied(text_batch(texts))
        sizes = np.diff(batch.offsets)
        return {self.name: np.where(sizes > 0, self.bits(batch) / np.maximum(sizes, 1), np.nan)}

    def bits(self, batch: TextBatch) -> F64:
        """Bits that each text takes."""
        out, (keys, values) = np.empty(len(batch)), self._table
        data, offsets = read_only(batch.data), read_only(batch.offsets)
        text_bits(data, offsets, self.options.order, self.numbers.base, read_only(keys), read_only(values), out)
        return out

    def save(self, path: str | Path) -> None:
        """Write safetensors: 16 bytes an n-gram, 12 one of the longest. Equal models are equal bytes.

        Raises:
            MissingExtraError: safetensors is not installed.
        """
        numbers = self.numbers
        tensors = {"keys": numbers.keys, "shares": numbers.shares, "weights": numbers.weights}
        about = {"kind": KIND, "version": FORMAT_VERSION, "options": self.options.model_dump()}
        write_model(path, {**tensors, "base": np.array([numbers.base])}, about)

    @classmethod
    def load(cls, path: str | Path, *, name: str = "perplexity") -> NgramModel:
        """Read what :meth:`save` wrote; ``name`` is the column.

        Raises:
            InputError: the file is missing or is none of ours.
            MissingExtraError: safetensors is not installed.
        """
        with open_model(path, what="an n-gram model") as file:
            header = read_about(file, _Header)
            numbers = _numbers(file, header.options.order)
        return cls(header.options, numbers, name)


class _Header(StrictModel):
    """What a model's file says of itself."""

    kind: Literal["ngram"]
    version: Literal[1]
    options: NgramOptions


def is_ngram_model(path: Path) -> bool:
    """Whether a file says that it is one; false where it cannot be read."""
    try:
        with open_model(path, what="a model") as file:
            found = json.loads((file.metadata() or {}).get(KEY, "{}"))
    except InputError:
        return False
    return isinstance(found, dict) and found.get("kind") == KIND


def _numbers(file: Any, order: int) -> Estimated:
    """The numbers of a file, looked at before they are read.

    Raises:
        ValueError: they are none of a model.
    """
    sizes = {}
    for name, dtype in (("keys", "U64"), ("shares", "F32"), ("weights", "F32"), ("base", "F64")):
        part = file.get_slice(name)
        shape = part.get_shape()
        if part.get_dtype() != dtype or len(shape) != 1 or shape[0] > MAX_ENTRIES:
            raise ValueError(f"`{name}` is no list of {dtype}")
        sizes[name] = shape[0]
    if not 0 < sizes["weights"] <= sizes["keys"] == sizes["shares"] or sizes["base"] != 1:
        raise ValueError(f"its lists have {sizes} numbers, which do not fit one another")
    keys, shares, weights, base = (file.get_tensor(name) for name in ("keys", "shares", "weights", "base"))
    shorter, longest = keys[: len(weights)], keys[len(weights) :]
    ends = (shorter[0] >> np.uint64(8), shorter[-1] >> np.uint64(8 * (order - 1)))
    if not (keys[1:] > keys[:-1]).all() or ends != (1, 1) or not (longest >> np.uint64(8 * order) == 1).all():
        raise ValueError("its n-grams are not in order")
    for name, values in (("shares", shares), ("weights", weights), ("base", base)):
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"`{name}` holds numbers outside of 0 to 1")
    if not (weights > 0).all() or base[0] == 0:
        raise ValueError("a weight is 0, which makes texts impossible")
    return Estimated(keys, shares, weights, float(base[0]))


def train_ngram(texts: Texts, options: NgramOptions | None = None) -> NgramModel:
    """Train a model of texts in memory.

    Raises:
        InputError: there is no text.
    """
    options = options or NgramOptions()
    counts = NgramCounts(options.order)
    counts.add_texts(drawn(texts, options.share))
    return fitted(counts, options)


def drawn(texts: Texts, share: float) -> TextBatch:
    """Texts as signals see them, or a share of them by what they hold: the same ones whatever stands beside them."""
    batch = tidied(text_batch(texts))
    if share == 1:
        return batch
    array = arrow_array(batch)
    chosen = uniform(mix64(content_keys(array), DRAW)) < share
    return text_batch(array.filter(pl.Series(chosen).to_arrow()))


def fitted(counts: NgramCounts, options: NgramOptions) -> NgramModel:
    """The model of what was counted.

    Raises:
        InputError: nothing was.
    """
    if not len(counts.ngrams):
        raise InputError("there is no text to train on; give documents that are not blank")
    return NgramModel(options, estimate(counts, min_count=options.min_count))
