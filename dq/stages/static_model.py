"""Static embeddings of texts: the mean of the vectors of a text's tokens, by a model folder such as model2vec's.

A folder holds ``tokenizer.json`` and ``model.safetensors``: ``embeddings``, a row a token, and where the vocabulary was
shrunk ``mapping`` (the row of each token) and ``weights`` (of each token); sentence-transformers calls the first
``embedding.weight`` and may keep both files in ``0_StaticEmbedding``. The vectors are those of model2vec's ``encode``
but for length: all of a text counts here, there its first 512 tokens, and texts that only begin alike would be
duplicates. Nothing is fetched. Vectors have any length, since only their direction is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dq.arrays import F32, I64, offsets_of
from dq.dedup import MAX_DIMENSIONS, mean_vectors
from dq.errors import DqError, InputError, require, require_all
from dq.stages.encoder import Encoder
from dq.stages.own_tokenizer import read_tokenizer_file, unknown_id
from dq.store import file_sha256
from dq.text import TextBatch, Texts, text_batch

MODULES = ("safetensors", "tokenizers")
TENSORS, TOKENIZER = "model.safetensors", "tokenizer.json"
NAMES = ("embeddings", "embedding.weight")
PART_BYTES = 1_000_000  # of text that is tokens at a time: the library's take a hundred times as much memory
MAX_BYTES = 8_000_000_000  # of the table; multilingual ones take 0.5 GB


@dataclass(frozen=True, eq=False)
class StaticModel:
    """Vectors of tokens, and how texts become tokens."""

    encoder: Encoder
    unknown: int | None
    """The token of what has none: left out."""
    table: F32
    rows: I64
    """Of each token, in the table."""
    weights: F32
    """Of each token."""

    @classmethod
    def read(cls, folder: str | Path) -> StaticModel:
        """Read a model.

        Raises:
            InputError: there is none, or it is damaged.
            MissingExtraError: safetensors or tokenizers is not installed.
        """
        tensors, tokenizer = model_files(folder)
        table, mapping, weights = _tensors(tensors)
        try:
            content = read_tokenizer_file(str(tokenizer))
            encoder = Encoder(tokenizer)
            library = require("tokenizers").Tokenizer.from_str(content)
        except DqError:
            raise
        except Exception as error:  # the library raises nothing narrower
            raise _wrong(tokenizer, " ".join(str(error).split())[:200]) from None
        tokens = 1 + max(library.get_vocab(with_added_tokens=True).values(), default=-1)
        rows = np.arange(tokens) if mapping is None else mapping.astype(np.int64)
        weights = np.ones(tokens, np.float32) if weights is None else weights
        if len(rows) < tokens or len(weights) < tokens or not tokens:
            raise _wrong(
                tensors, f"vectors of {min(len(rows), len(weights)):,} tokens, and the tokenizer has {tokens:,}"
            )
        if rows.min() < 0 or rows.max() >= len(table):
            raise _wrong(tensors, f"has {len(table):,} vectors, too few for its tokens ({tokens:,})")
        return cls(encoder, unknown_id(content, library), table, rows, weights)

    def vectors(self, texts: Texts) -> F32:
        """The vector of each text: float32 (texts, dimensions), zero where nothing of it is known."""
        batch = text_batch(texts)
        ends = np.arange(batch.offsets[0] + PART_BYTES, batch.offsets[-1], PART_BYTES)
        cuts = np.unique([0, *np.searchsorted(batch.offsets, ends), len(batch)])
        parts = (TextBatch(batch.data, batch.offsets[first : last + 1]) for first, last in pairwise(cuts))
        return np.concatenate([np.empty((0, self.table.shape[1]), np.float32), *map(self._means, parts)])

    def _means(self, batch: TextBatch) -> F32:
        encoded = self.encoder.encode(batch)
        ids, offsets = encoded.ids, encoded.offsets
        if self.unknown is not None:
            known = ids != self.unknown
            ids, offsets = ids[known], offsets_of(known)[offsets]
        return mean_vectors(self.table, self.rows[ids], self.weights[ids], offsets=offsets)


def model_files(folder: str | Path) -> tuple[Path, Path]:
    """The files of a model: of its vectors, and of its tokenizer.

    Raises:
        InputError: they are not there.
        MissingExtraError: safetensors or tokenizers is not installed.
    """
    require_all(MODULES)
    for place in (Path(folder), Path(folder) / "0_StaticEmbedding"):
        if (place / TENSORS).is_file() and (place / TOKENIZER).is_file():
            return place / TENSORS, place / TOKENIZER
    raise InputError(
        f"{folder}: no folder with {TENSORS} and {TOKENIZER}; name that of a static embedding model, such as "
        "model2vec saves (nothing is fetched)",
        field="static_model",
    )


def model_identity(folder: str | Path) -> list[str]:
    """What tells a model from another one: the contents of its files."""
    return [file_sha256(file) for file in model_files(folder)]


def _tensors(path: Path) -> tuple[F32, Any, Any]:
    safetensors = require("safetensors")
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            there: Sequence[str] = file.keys()
            name = next((name for name in NAMES if name in there), None)
            if name is None:
                raise _wrong(path, f"no tensor `{NAMES[0]}`, but {', '.join(sorted(there)[:5]) or 'none'}")
            size = file.get_slice(name).get_shape()
            if len(size) != 2 or 4 * size[0] * size[1] > MAX_BYTES or not 0 < size[1] <= MAX_DIMENSIONS:
                raise _wrong(path, f"tensor `{name}` of shape {size}")
            table, mapping, weights = (
                file.get_tensor(one) if one in there else None for one in (name, "mapping", "weights")
            )
    except (OSError, ValueError, TypeError, safetensors.SafetensorError) as error:
        raise _wrong(path, " ".join(str(error).split())[:200]) from None
    table = np.ascontiguousarray(table, np.float32)
    weights = None if weights is None else np.asarray(weights, np.float32)
    if not np.isfinite(table).all() or not (weights is None or np.isfinite(weights).all()):
        raise _wrong(path, "holds values that are no finite numbers")
    if any(one is not None and one.ndim != 1 for one in (mapping, weights)):
        raise _wrong(path, "`mapping` and `weights` have a value a token")
    return table, mapping, weights


def _wrong(path: Path, what: str) -> InputError:
    return InputError(f"{path}: not of a static embedding model: {what}; save the model again", field="static_model")
