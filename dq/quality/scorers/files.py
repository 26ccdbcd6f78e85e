"""Trained models by file, for commands and jobs: named, and loaded once a process."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dq.errors import ConfigError
from dq.quality.scorers.base import Scorer
from dq.quality.scorers.fasttext import FastTextModel, LanguageLabels
from dq.quality.scorers.learned import QualityModel
from dq.quality.scorers.ngram import NgramModel, is_ngram_model
from dq.quality.scorers.word_list import JSON_ENDING, WordList, published_list
from dq.quality.signals import LANGUAGE_SIGNALS

RESERVED = ("id", "source", "text", "meta", "keep", "reasons")  # columns that stand beside signals

FASTTEXT_ENDINGS = (".bin", ".ftz")
WORDS_ENDINGS = (".txt", JSON_ENDING)
LANGUAGE = LANGUAGE_SIGNALS[0]


@dataclass(frozen=True)
class ModelFile:
    """A classifier's file and the column that its scores become."""

    name: str
    path: Path
    label: str = ""
    """The class whose probability is the score; fastText models have several."""

    @classmethod
    def parse(cls, text: str) -> ModelFile:
        """``NAME=FILE`` for a model of dq or a list of words; of fastText ``NAME=FILE:LABEL``, ``language=FILE``.

        ``NAME=glin_profanity:LANGUAGE`` is a list that this package ships.

        Raises:
            DqError: it is none of them, or the package is not installed.
        """
        name, _, rest = text.partition("=")
        path, _, label = rest.rpartition(":") if ":" in rest and _is_fasttext(rest) else (rest, "", "")
        if name == LANGUAGE:
            if label or not _is_fasttext(rest):
                raise ConfigError(f"{text}: write language=FILE.bin (or .ftz), with no label", field="model")
            return cls(name, Path(path))
        if not name.isidentifier() or not path or (_is_fasttext(rest) and not label):
            raise ConfigError(f"{text}: write NAME=FILE.safetensors, or NAME=FILE.bin:LABEL of fastText", field="model")
        if name in RESERVED:
            raise ConfigError(f"{text}: `{name}` is a column of dq's tables; choose another name", field="model")
        return cls(name, published_list(path) or Path(path), label)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it gives."""
        return LANGUAGE_SIGNALS if self.name == LANGUAGE else (self.name,)

    def load(self) -> Scorer:
        """The classifier.

        Raises:
            DqError: the file is missing or no such model, or its library is not installed.
        """
        return _load(self, _written(self.path))


def _is_fasttext(path: str) -> bool:
    return path.partition(":")[0].endswith(FASTTEXT_ENDINGS)


def _written(path: Path) -> tuple[int, int] | None:
    """When a file was written, and its size; None where there is none."""
    with suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns, found.st_size
    return None


@functools.lru_cache(maxsize=16)
def _load(model: ModelFile, _written: tuple[int, int] | None) -> Scorer:
    if model.name == LANGUAGE:
        return LanguageLabels(model.path)
    if model.label:
        return FastTextModel(model.path, model.label, name=model.name)
    if model.path.suffix in WORDS_ENDINGS:
        return WordList(model.path, name=model.name)
    if is_ngram_model(model.path):
        return NgramModel.load(model.path, name=model.name)
    return QualityModel.load(model.path, name=model.name)


def load_models(models: Sequence[ModelFile], names: Collection[str]) -> list[Scorer]:
    """The classifiers among ``models`` whose columns are asked for.

    Raises:
        DqError: a file is missing or no such model, or its library is not installed.
    """
    return [model.load() for model in models if not set(names).isdisjoint(model.names)]
