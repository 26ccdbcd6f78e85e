"""The stage that trains a classifier of wanted text against the corpus; its scores are a signal like any other.

Held-out documents, and those too near to them, never teach it: what measures the models has no part in choosing their
data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from dq.config import StrictModel
from dq.corpus import Corpus, InputSpec, ReadConfig
from dq.quality import LearnedOptions, train_quality
from dq.quality.models import ModelFile
from dq.stages.read import ingest
from dq.store import Stage, read_json, write_json_atomic
from dq.text.hashing import mix64

__all__ = ["Learned", "LearnedConfig", "LearnedModel", "learn"]

LEARN_VERSION = 2
DRAW = 0x6C6561726E  # names this use of the documents' keys, so that draws of different stages are independent


class LearnedConfig(StrictModel):
    """A classifier of the text one wants against the corpus at hand, trained by the job; its score is a signal."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """The signal's name."""
    wanted: tuple[InputSpec, ...] = Field(min_length=1)
    """Examples of the text one wants; they teach the classifier and are in no variant."""
    max_documents: int = Field(default=20_000, ge=100)
    """Documents of either side to train on."""
    options: LearnedOptions = LearnedOptions()
    """How it is trained."""


@dataclass(frozen=True)
class Learned:
    """A trained classifier, and how well it tells held-out documents of either side apart (AUC, 95 % interval)."""

    name: str
    auc: float
    auc_low: float
    auc_high: float
    heldout_documents: int


@dataclass(frozen=True)
class LearnedModel:
    """The finished stage: how well the classifier does, its file, and the fingerprint of both."""

    learned: Learned
    file: ModelFile
    fingerprint: str


def learn(
    folder: Path,
    corpus: Corpus,
    available: np.ndarray[Any, np.dtype[np.bool_]],
    *,
    config: LearnedConfig,
    read: ReadConfig,
    inputs: Mapping[str, str],
) -> LearnedModel:
    """Train the classifier, or find that it has been done.

    Args:
        folder: the stage's; holds ``wanted/``, the model and its record.
        corpus: the text at hand.
        available: documents of it that may be trained on.
        config: the wanted text and the options.
        read: how rows become documents.
        inputs: fingerprints of what ``available`` depends on.

    Raises:
        InputError: a side has too few documents.
    """
    wanted = ingest(folder / "wanted", config.wanted, read)
    known = {**inputs, "wanted": wanted.record.fingerprint}
    stage = Stage("learn", LEARN_VERSION, folder / "model", config=config, inputs=known)
    path = folder / "model" / "model.safetensors"
    record = stage.done()
    if record is None:
        stage.start()
        trained = train_quality(
            _sample(wanted, np.ones(len(wanted.documents), np.bool_), config.max_documents),
            _sample(corpus, available, config.max_documents),
            config.options,
        )
        trained.model.save(path)
        found = Learned(config.name, trained.auc, trained.auc_low, trained.auc_high, trained.heldout_documents)
        write_json_atomic(folder / "model" / "learned.json", asdict(found))
        record = stage.commit({"auc": trained.auc})
    learned = Learned(**read_json(folder / "model" / "learned.json"))
    return LearnedModel(learned, ModelFile(config.name, path), record.fingerprint)


def _sample(corpus: Corpus, chosen: np.ndarray[Any, np.dtype[np.bool_]], most: int) -> list[str]:
    """The texts of the chosen documents with the lowest draws: the same whatever their order."""
    documents = corpus.documents
    draw = mix64(documents["content_key"].to_numpy(), documents["occurrence"].to_numpy(), DRAW)
    rows = np.flatnonzero(chosen)
    return corpus.texts_of(rows[np.argsort(draw[rows], kind="stable")[:most]].tolist())
