"""Trained classifiers by file, for commands and jobs: named, and loaded once a process."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from dq.errors import ConfigError
from dq.quality.scorers.base import Scorer
from dq.quality.scorers.fasttext import FastTextModel
from dq.quality.scorers.learned import QualityModel

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
            raise ConfigError(f"{text}: write NAME=FILE.safetensors, or NAME=FILE.bin:LABEL of fastText", field="model")
        if name in RESERVED:
            raise ConfigError(f"{text}: `{name}` is a column of dq's tables; choose another name", field="model")
        return cls(name, Path(path), label)

    def load(self) -> Scorer:
        """The classifier.

        Raises:
            DqError: the file is missing or no such model, or its library is not installed.
        """
        return _load(self)


@functools.lru_cache(maxsize=16)
def _load(model: ModelFile) -> Scorer:
    if model.label:
        return FastTextModel(model.path, model.label, name=model.name)
    return QualityModel.load(model.path, name=model.name)


def load_models(models: Sequence[ModelFile], names: Collection[str]) -> list[Scorer]:
    """The classifiers among ``models`` whose columns are asked for.

    Raises:
        DqError: a file is missing or no such model, or its library is not installed.
    """
    return [model.load() for model in models if model.name in names]
