"""A batch job: input, held-out sets, deduplication, rules, tokenizer."""

from __future__ import annotations

from pydantic import Field, field_validator

from dq.config import StrictModel
from dq.corpus import InputSpec, ReadConfig
from dq.dedup import DedupConfig
from dq.errors import ConfigError
from dq.heldout import HeldoutConfig
from dq.quality import presets
from dq.quality.registry import signal
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
    """Deduplication, which of the duplicates stays, and how much may go."""

    keep: str = "longest"
    """Policy: `longest`, `best:SIGNAL`, `earliest:FIELD`, `prefer:SOURCE,SOURCE`. Ties: content key, source, id."""
    max_removed_fraction: float = Field(default=0.5, ge=0, le=1)
    """Share of a source's documents past which their removal stops the job."""
    allow_removal: tuple[str, ...] = ()
    """Sources that may lose any share."""

    @property
    def method(self) -> DedupConfig:
        """What counts as a duplicate, without the policy and the guard."""
        return DedupConfig(**self.model_dump(exclude={"keep", "max_removed_fraction", "allow_removal"}))

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that the policy needs."""
        kind, _, name = self.keep.partition(":")
        return (name,) if kind == "best" else ()

    @field_validator("keep")
    @classmethod
    def _policy(cls, keep: str) -> str:
        kind, _, name = keep.partition(":")
        names = [part.strip() for part in name.split(",")] if kind == "prefer" else [name.strip()]
        named = kind in ("best", "earliest", "prefer") and all(names)
        if keep != "longest" and not named:
            raise ValueError("use `longest`, `best:SIGNAL`, `earliest:FIELD` or `prefer:SOURCE,SOURCE`")
        if kind == "best":
            try:
                signal(name)
            except ConfigError as error:
                raise ValueError(str(error)) from None
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
