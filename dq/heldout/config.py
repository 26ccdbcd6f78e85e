"""What a job says about its held-out sets."""

from __future__ import annotations

from pydantic import Field, model_validator

from dq.config import StrictModel
from dq.corpus import InputSpec

__all__ = ["HeldoutConfig", "NeutralSet"]


class NeutralSet(StrictModel):
    """Held-out text from elsewhere: no variant's home field, so verdicts are made on it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")
    """The set's name in tables."""
    input: tuple[InputSpec, ...] = Field(min_length=1)
    """Its files or samples; all of it is held out."""


class HeldoutConfig(StrictModel):
    """Which documents measure the models, and what is kept away from them."""

    fraction: float = Field(default=0.02, ge=0, lt=1)
    """Share of each source held out, by content key: adding documents never moves membership. 0: neutral sets only."""
    neutral: tuple[NeutralSet, ...] = ()
    """Sets from elsewhere."""
    max_documents: int = Field(default=500, ge=1)
    """Most documents of a set that are evaluated: those with the lowest draw. All of a set stay out of training."""
    document_bytes: int = Field(default=2000, ge=100)
    """Of each evaluated document the first so many bytes (whole characters) are scored."""
    min_jaccard: float = Field(default=0.5, gt=0, le=1)
    """Documents with at least this word-5-gram Jaccard to a held-out one are excluded from training."""
    min_containment: float = Field(default=0.5, gt=0, le=1)
    """So are those that hold at least this share of a held-out document's word 13-grams."""

    @model_validator(mode="after")
    def _names_differ(self) -> HeldoutConfig:
        names = [item.name for item in self.neutral]
        if len(set(names)) != len(names):
            raise ValueError("two neutral sets have the same name")
        if not names and self.fraction == 0:
            raise ValueError("nothing is held out: give `fraction` or `neutral`")
        return self
