"""A batch job: input, held-out sets, deduplication, rules, tokenizer."""

from __future__ import annotations

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
        if name not in presets.presets():
            raise ValueError(f"no preset `{name}`; there are {', '.join(sorted(presets.presets()))}")
        return name


class DedupJobConfig(DedupConfig):
    """Deduplication and which of the duplicates stays."""

    keep: str = "longest"
    """Policy: `longest`, or `prefer:SOURCE,SOURCE`; ties go by content key, source and id."""

    @property
    def method(self) -> DedupConfig:
        """What counts as a duplicate, without the policy."""
        return DedupConfig(**self.model_dump(exclude={"keep"}))

    @field_validator("keep")
    @classmethod
    def _policy(cls, keep: str) -> str:
        kind, _, sources = keep.partition(":")
        if keep != "longest" and not (kind == "prefer" and all(source.strip() for source in sources.split(","))):
            raise ValueError("use `longest` or `prefer:SOURCE,SOURCE`")
        return keep


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
