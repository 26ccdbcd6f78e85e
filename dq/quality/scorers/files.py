"""Trained classifiers as signals of one-stage commands: named files, loaded once a process."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dq.errors import ConfigError
from dq.quality import FastTextModel, QualityModel, score
from dq.quality.scorers.base import Scorer
from dq.text.buffers import Texts
from dq.text.words import WordDefinition

__all__ = ["RESERVED", "ModelFile", "score_with_models"]

RESERVED = ("id", "source", "text", "meta", "keep", "reasons")  # columns that stand beside signals

FASTTEXT_ENDINGS = (".bin", ".ftz")


@dataclass(frozen=True)
class ModelFile:
    """A classifier's file and the column that its scores become."""

    name: str
    path: Path
    label: str = ""
    """The class whose probability is the score; fastText models have several."""

    @classmethod
    def parse(cls, text: str) -> ModelFile:
        """``NAME=FILE`` for a model of dq, ``NAME=FILE:LABEL`` for one of fastText.

        Raises:
            ConfigError: it is neither.
        """
        name, _, rest = text.partition("=")
        path, _, label = rest.rpartition(":") if rest.partition(":")[0].endswith(FASTTEXT_ENDINGS) else (rest, "", "")
        if not name.isidentifier() or not path:
            raise ConfigError(f"--model {text}: write NAME=FILE.safetensors, or NAME=FILE.bin:LABEL of fastText")
        if name in RESERVED:
            raise ConfigError(f"--model {text}: `{name}` is a column of dq's tables; choose another name")
        return cls(name, Path(path), label)

    def load(self) -> Scorer:
        """The classifier.

        Raises:
            DqError: the file is missing or no such model, or its library is not installed.
        """
        return _load(self)


@functools.lru_cache(maxsize=16)
def _load(model: ModelFile) -> Scorer:
    return FastTextModel(model.path, model.label) if model.label else QualityModel.load(model.path)


def score_with_models(
    texts: Texts, names: Sequence[str], models: Sequence[ModelFile], *, words: WordDefinition = "unicode"
) -> pl.DataFrame:
    """One column for each of ``names``, which are signals or names of ``models``; one row a text."""
    used = {model.name: model.load() for model in models if model.name in names}
    return score(texts, [name for name in names if name not in used], words=words, models=used).select(names)
