"""What counts as a repeated passage, and what becomes of the texts that have one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dq.config import StrictModel
from dq.dedup.policy import LONGEST, Policy


class RepeatedPassages(StrictModel):
    """Which passages are cut, and where they stay; in a job, a cleaner."""

    name: ClassVar[str] = "repeated_passages"
    version: ClassVar[int] = 1

    min_bytes: Annotated[int, Field(ge=16, le=1_000_000)] = 200
    """Shorter repeats are left alone. 200 bytes of English are about the 50 tokens of Lee et al. (2022)."""
    boundaries: Literal["characters", "words", "lines"] = "characters"
    """Where a text may be cut: between any characters, behind white space, or between lines. What is repeated before
    the first and behind the last such place stays."""
    keep: Policy = LONGEST
    """Which document keeps a passage that several have: `longest`, `best:SIGNAL`, `earliest:FIELD`,
    `prefer:SOURCE,SOURCE`. Ties: content key, source, id."""
    min_rest_bytes: Annotated[int, Field(ge=0)] = 100
    """A text of which cutting would leave fewer is emptied."""
    drop_above: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Texts are not cut but emptied: those with a larger share of repeated bytes than this, in documents that stay."""

    def config(self) -> Mapping[str, Any]:
        """The fields: what decides the result, beside the corpus."""
        return self.model_dump(mode="json", include=set(RepeatedPassages.model_fields))
