"""The stage that trains a classifier of wanted text against the corpus; its scores are a signal like any other.

What it separates is one kind of text from another, so it is told apart from the corpus it is used on: held-out
documents and what is too near to them are never trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dq.corpus import Corpus, ReadConfig, ingest
from dq.jobs.config import LearnedConfig
from dq.jobs.models import ModelFile
from dq.quality import train_quality
from dq.store import Stage, read_json, write_json_atomic
from dq.text.hashing import mix64

__all__ = ["Learned", "learn"]

LEARN_VERSION = 1
DRAW = 0x6C6561726E  # names this use of the documents' keys, so that draws of different stages are independent


@dataclass(frozen=True)
class Learned:
    """A trained classifier, and how well it tells held-out documents of either side apart (AUC, 95 % interval)."""

    name: str
    auc: float
    auc_low: float
    auc_high: float
    heldout_documents: int


def learn(
    folder: Path,
    corpus: Corpus,
    available: np.ndarray[Any, np.dtype[np.bool_]],
    *,
    config: LearnedConfig,
    read: ReadConfig,
    inputs: Mapping[str, str],
) -> tuple[Learned, ModelFile, str]:
    """Train the classifier, or find that it has been done.

    Args:
        folder: the stage's; holds ``wanted/``, the model and its record.
        corpus: the text at hand.
        available: documents of it that may be trained on.
        config: the wanted text and the options.
        read: how rows become documents.
        inputs: fingerprints of what ``available`` depends on.

    Returns:
        How well it does, its file, and the stage's fingerprint.

    Raises:
        InputError: a side has too few documents.
    """
    wanted = ingest(folder / "wanted", config.wanted, read)
    known = {**inputs, "wanted": wanted.record.fingerprint}
    stage = Stage("learn", LEARN_VERSION, folder / "model", config=config, inputs=known)
    path = folder / "model" / "model.safetensors"
    if stage.done() is None:
        stage.start()
        trained = train_quality(
            _sample(wanted, np.ones(len(wanted.documents), np.bool_), config.max_documents),
            _sample(corpus, available, config.max_documents),
            config.options,
        )
        trained.model.save(path)
        found = Learned(config.name, trained.auc, trained.auc_low, trained.auc_high, trained.heldout_documents)
        write_json_atomic(folder / "model" / "learned.json", asdict(found))
        stage.commit({"auc": trained.auc})
    record = stage.done()
    assert record is not None
    learned = Learned(**read_json(folder / "model" / "learned.json"))
    return learned, ModelFile(config.name, path), record.fingerprint


def _sample(corpus: Corpus, chosen: np.ndarray[Any, np.dtype[np.bool_]], most: int) -> list[str]:
    """The texts of the chosen documents with the lowest draws: the same whatever their order."""
    documents = corpus.documents
    draw = mix64(documents["content_key"].to_numpy(), documents["occurrence"].to_numpy(), DRAW)
    rows = np.flatnonzero(chosen)
    return corpus.texts_of(rows[np.argsort(draw[rows], kind="stable")[:most]].tolist())
