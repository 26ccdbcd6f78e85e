"""Learned quality: a hashed n-gram linear classifier of "text I want" against "text I have", scored at kernel speed.

The idea is DCLM's (Li et al. 2024): a fastText classifier trained on wanted text ranks web text better than rules do.
This one is linear in hashed words and word pairs (Weinberger et al. 2009), trained by AdaGrad (Duchi et al. 2011),
which needs no scaling of the rate by feature frequency. What it measures is likeness to the wanted text, style and
topic included; whether that is quality, an ablation decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from dq.arrays import F32, F64, I32, I64
from dq.config import StrictModel
from dq.errors import InputError
from dq.quality.kernels.learned import hash_features, score_documents, train_epoch
from dq.quality.scorers.tensors_file import open_model, read_about, write_model
from dq.text import Splitter, TextBatch, Texts, hash_of, text_batch, tidied

FORMAT_VERSION = 1


class LearnedOptions(StrictModel):
    """How a classifier is trained."""

    bits: int = Field(default=20, ge=8, le=28)
    """The table has 2**bits weights (float32)."""
    pairs: bool = True
    """Whether pairs of neighbouring words are features besides single words."""
    epochs: int = Field(default=3, ge=1, le=100)
    """Passes over the training documents."""
    rate: float = Field(default=0.1, gt=0)
    """AdaGrad's step size."""
    max_words: int = Field(default=2_000, ge=1)
    """Training reads only the first so many words of a document; scoring reads all."""
    heldout_fraction: float = Field(default=0.2, gt=0, lt=1)
    """Share of the documents, by hash of the text, that measures the AUC and is not trained on."""
    seed: int = 1
    """Order of the documents in each pass."""


@dataclass(frozen=True)
class QualityModel:
    """A trained classifier; as a scorer it gives one column."""

    options: LearnedOptions
    weights: F32
    """2**bits of them."""
    bias: float
    name: str = "learned_quality"
    """The column that the probability becomes."""

    @property
    def names(self) -> tuple[str, ...]:
        """``name`` alone."""
        return (self.name,)

    def scores(self, texts: Texts) -> dict[str, F64]:
        """The probabilities by the column's name."""
        return {self.name: self.probabilities(texts)}

    def probabilities(self, texts: Texts) -> F64:
        """Of each text, that it is wanted rather than had; NaN for texts without words."""
        batch = tidied(text_batch(texts))
        out, splitter = np.full(len(batch), np.nan), Splitter()
        for row in range(0, len(batch), 256):
            rows = (row, min(len(batch), row + 256))
            splitter.split(batch, rows)
            words, bits, part = splitter.words, self.options.bits, out[rows[0] : rows[1]]
            score_documents(words.bounds, words.folded, self.options.pairs, bits, self.weights, self.bias, part)
        return out

    def save(self, path: str | Path) -> None:
        """Write safetensors with the configuration in their header.

        Raises:
            MissingExtraError: safetensors is not installed.
        """
        about = {"version": FORMAT_VERSION, "options": self.options.model_dump()}
        write_model(path, {"weights": self.weights, "bias": np.array([self.bias])}, about)

    @classmethod
    def load(cls, path: str | Path, *, name: str = "learned_quality") -> QualityModel:
        """Read what :meth:`save` wrote; ``name`` is the column that the probability becomes.

        Raises:
            InputError: the file is missing or is none of ours.
            MissingExtraError: safetensors is not installed.
        """
        with open_model(path, what="a quality model") as file:
            header = read_about(file, _Header)
            weights = _tensor(file, "weights", dtypes={"F32"}, size=1 << header.options.bits)
            bias = _tensor(file, "bias", dtypes={"F32", "F64"}, size=1)
        return cls(header.options, weights, float(bias[0]), name)


class _Header(StrictModel):
    """What a model's file says of itself."""

    version: Literal[1]
    options: LearnedOptions


def _tensor(file: Any, name: str, *, dtypes: set[str], size: int) -> Any:
    """A tensor of the only shape it can have, looked at before it is read.

    Raises:
        ValueError: it is missing, of another type or length, or not finite.
    """
    if name not in file.keys():  # noqa: SIM118 - a file of safetensors is no dictionary
        raise ValueError(f"it has no `{name}`")
    found = file.get_slice(name)
    if found.get_dtype() not in dtypes or found.get_shape() != [size]:
        shape = " x ".join(map(str, found.get_shape())) or "no"
        wanted = f"{size:,} numbers of {' or '.join(sorted(dtypes))}"
        raise ValueError(f"`{name}` holds {shape} numbers of {found.get_dtype()}, not {wanted}")
    values = file.get_tensor(name)
    if not np.isfinite(values).all():
        raise ValueError(f"`{name}` holds numbers that are not finite")
    return values


@dataclass(frozen=True)
class Trained:
    """A classifier and what its held-out documents say of it."""

    model: QualityModel
    auc: float
    """Chance that a held-out wanted text scores above a held-out other one."""
    auc_low: float
    """Lower end of the 95 % interval."""
    auc_high: float
    """Upper end."""
    heldout_documents: int
    """Documents behind the AUC."""
    losses_nats: tuple[float, ...]
    """Mean training loss of each pass."""


def train_quality(wanted: Texts, have: Texts, options: LearnedOptions | None = None) -> Trained:
    """Train a classifier of wanted text against the text at hand.

    Identical texts share a hash, so copies never stand on both sides of the held-out split.

    Raises:
        InputError: too few documents on one side to train and to measure.
    """
    options = options or LearnedOptions()
    sides = [tidied(text_batch(wanted)), tidied(text_batch(have))]
    features, bounds, held, labels, splitter = [], [np.int64(0)], [], [], Splitter()
    for label, batch in zip((1.0, 0.0), sides, strict=True):
        for row in range(len(batch)):
            found = _features(batch, row, options, splitter=splitter)
            features.append(found)
            bounds.append(bounds[-1] + len(found))
            held.append(_is_heldout(batch, row, options))
            labels.append(label)
    is_held, label_array = np.array(held, bool), np.array(labels)
    for label, side in ((1.0, "wanted"), (0.0, "have")):
        mine = label_array == label
        if int((mine & is_held).sum()) < 2 or int((mine & ~is_held).sum()) < 2:
            raise InputError(
                f"{int(mine.sum())} texts of `{side}` are too few to train on and measure; give at least 20 that differ"
            )
    flat = np.concatenate(features) if features else np.zeros(0, np.int32)
    model, losses = _fit(flat, np.array(bounds), label_array, rows=np.flatnonzero(~is_held), options=options)
    scores = np.concatenate([model.probabilities(batch) for batch in sides])
    scored = is_held & ~np.isnan(scores)
    auc, low, high = auc_interval(scores[scored], label_array[scored])
    return Trained(model, auc, low, high, int(scored.sum()), losses)


def _features(batch: TextBatch, row: int, options: LearnedOptions, *, splitter: Splitter) -> I32:
    n = min(splitter.split(batch, (row, row + 1)), options.max_words)
    out = np.empty(2 * n + 1, np.int32)
    return out[: hash_features(splitter.words.folded, 0, n, options.pairs, options.bits, out)]


def _is_heldout(batch: TextBatch, row: int, options: LearnedOptions) -> bool:
    text = batch.data[batch.offsets[row] : batch.offsets[row + 1]]
    return int(hash_of(np.frombuffer(text.tobytes(), np.uint8))) / 2**64 < options.heldout_fraction


def _fit(
    features: I32, bounds: I64, labels: F64, *, rows: I64, options: LearnedOptions
) -> tuple[QualityModel, tuple[float, ...]]:
    weights, squares = np.zeros(1 << options.bits, np.float32), np.zeros(1 << options.bits, np.float32)
    bias, rng = np.zeros(2), np.random.default_rng(options.seed)
    losses = []
    for epoch in range(options.epochs):
        rate = options.rate * (1 - epoch / options.epochs)
        losses.append(float(train_epoch(features, bounds, labels, rng.permutation(rows), rate, weights, squares, bias)))
    return QualityModel(options, weights, float(bias[0])), tuple(losses)


def auc_interval(scores: F64, labels: F64, *, confidence: float = 0.95) -> tuple[float, float, float]:
    """Area under the ROC curve and its interval (DeLong, DeLong and Clarke-Pearson 1988), cut to 0..1."""
    from scipy import stats  # noqa: PLC0415 - takes a second to load, and only training asks for it

    positive, negative = scores[labels == 1], scores[labels == 0]
    m, n = len(positive), len(negative)
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - stats.rankdata(positive)) / n
    below = 1 - (ranks[m:] - stats.rankdata(negative)) / m
    auc = float(above.mean())
    error = float(np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n))
    half = float(stats.norm.ppf((1 + confidence) / 2)) * error
    return auc, max(0.0, auc - half), min(1.0, auc + half)
