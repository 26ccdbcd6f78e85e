"""A batch job: input, held-out sets, deduplication, rules, tokenizer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from dq.config import StrictModel
from dq.corpus import InputSpec, ReadConfig
from dq.dedup import DedupConfig
from dq.heldout import HeldoutConfig
from dq.quality import presets
from dq.tokens import TokenizerConfig

__all__ = ["DedupJobConfig", "JobConfig", "QualityConfig"]


class QualityConfig(StrictModel):
    """Which rules judge the documents."""

    preset: str = "quickstart"
    """A rule set by name."""

    @field_validator("preset")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in presets.PRESETS:
            raise ValueError(f"no preset `{name}`; there are {', '.join(sorted(presets.PRESETS))}")
        return name


class DedupJobConfig(DedupConfig):
    """Deduplication and which of the duplicates stays."""

    keep: Literal["longest"] = "longest"
    """Policy; ties go by content key, source and id."""


class JobConfig(StrictModel):
    """Everything `dq run` needs to make a workspace."""

    workspace: str = "dq-workspace"
    """Folder of the results, relative to the current folder."""
    input: tuple[InputSpec, ...] = Field(min_length=1)
    """The corpus: files and samples."""
    read: ReadConfig = ReadConfig()
    """How rows become documents."""
    heldout: HeldoutConfig = HeldoutConfig()
    """Which documents measure the models."""
    dedup: DedupJobConfig = DedupJobConfig()
    """Near-duplicates."""
    quality: QualityConfig = QualityConfig()
    """Rules."""
    tokenizer: TokenizerConfig = TokenizerConfig()
    """The tokenizer."""
