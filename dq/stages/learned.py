"""The stage that trains a classifier of wanted text against the corpus; its scores are a signal like any other.

Held-out documents, and those too near to them, never teach it: what measures the models has no part in choosing their
data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from dq.config import StrictModel
from dq.corpus import Corpus, InputSpec, ReadConfig
from dq.quality import LearnedOptions, train_quality
from dq.quality.scorers.files import ModelFile
from dq.stages.base import Need, Output, View
from dq.stages.heldout import Heldout
from dq.stages.read import Documents, WantedDocuments, ingest
from dq.store import read_json, write_json_atomic
from dq.text import mix64

RESULT, MODEL = "learned.json", "model.safetensors"
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

    @property
    def own_modules(self) -> tuple[str, ...]:
        """The format of its file."""
        return ("safetensors",)


@dataclass(frozen=True)
class Learned:
    """A trained classifier, and how well it tells held-out documents of either side apart (AUC, 95 % interval)."""

    name: str
    auc: float
    auc_low: float
    auc_high: float
    heldout_documents: int


class LearnedModel(Output):
    """The trained classifier, and how well it does."""

    made_by: ClassVar = {"learn": 3}
    needs: ClassVar = {
        "corpus": Need(Documents, "judged"),
        "heldout": Need(Heldout),
        "wanted": Need(WantedDocuments),
    }

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``learned/model``."""
        return view.workspace.learned() / "model"

    @property
    def learned(self) -> Learned:
        """How well it does."""
        return Learned(**read_json(self.folder / RESULT))

    @property
    def file(self) -> ModelFile:
        """The classifier, under the signal's name."""
        return ModelFile(self.learned.name, self.folder / MODEL)


def learn(view: View, config: LearnedConfig, read: ReadConfig) -> LearnedModel:
    """Train the classifier, or find that it has been done.

    Raises:
        InputError: a side has too few documents.
    """
    ingest(WantedDocuments.place(view, ""), config.wanted, read)
    stage = view.stage(LearnedModel, config=config)
    if stage.done() is None:
        stage.start()
        wanted, corpus = view.open(WantedDocuments), view.open(Documents, "judged")
        trained = train_quality(
            _sample(wanted, np.ones(wanted.count, np.bool_), config.max_documents),
            _sample(corpus, ~view.open(Heldout).withheld, config.max_documents),
            config.options,
        )
        trained.model.save(stage.folder / MODEL)
        found = Learned(config.name, trained.auc, trained.auc_low, trained.auc_high, trained.heldout_documents)
        write_json_atomic(stage.folder / RESULT, asdict(found))
        stage.commit({"auc": trained.auc})
    return view.open(LearnedModel)


def _sample(corpus: Corpus, chosen: np.ndarray[Any, np.dtype[np.bool_]], most: int) -> list[str]:
    """The texts of the chosen documents with the lowest draws: the same whatever their order."""
    draw = mix64(corpus.column("content_key"), corpus.occurrences, DRAW)
    rows = np.flatnonzero(chosen)
    return corpus.texts_of(rows[np.argsort(draw[rows], kind="stable")[:most]].tolist())
