"""What a study says: which variants, at which budget, how many seeds, and which difference matters."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator, model_validator

from dq.config import FieldFault, StrictModel
from dq.errors import nearest
from dq.training import SIZES, TrainingConfig
from dq.variants import StreamConfig, VariantSpec

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}"  # names folders, with a size, a seed and a fingerprint behind it
CONTROL_PREFIX = "control-"
MIN_CONTROL_TOKENS = 200_000  # below it a 0.3M-parameter model does not clearly beat word counts (measured)


class ControlsConfig(StrictModel):
    """Runs whose answer is known, so that a broken trainer or a wrong pool does not go unnoticed."""

    replaced_tokens: float = Field(default=0.5, gt=0, le=1)
    """Dose of the token-replacement control, which must come out `worse`."""
    unigram_margin: float = Field(default=0.1, gt=0)
    """Bits per byte by which every baseline run must beat a unigram model of the same tokens."""


class StudyConfig(StrictModel):
    """A study: a grid of variants x seeds at one budget and one model size, and the rule that decides."""

    name: str = Field(default="study", pattern=rf"^{NAME}$")
    """Names the folder of its results."""
    workspace: str = "dq-workspace"
    """The workspace that `dq run` made, relative to the current folder."""
    training: TrainingConfig = TrainingConfig()
    """How every run is trained."""
    budget_tokens: int = Field(ge=1)
    """T: tokens every run is trained on, BOS included. Rounded down to whole optimiser steps when it is read."""
    variants: dict[str, VariantSpec] = Field(min_length=2)
    """The variants by name; names that begin with `control-` are the controls'."""
    baseline: str = "raw"
    """The variant that the others are compared with."""
    size: str = "0.3M"
    """A model size of the ladder."""
    seeds: int = Field(default=3, ge=1, le=100)
    """Runs a variant: initial weights, document order and the drawn documents all change with the seed."""
    margin_bits_per_byte: float = Field(gt=0)
    """The difference that matters, fixed before running."""
    pool: bool = False
    """Let the interval with the seed spread pooled over variants decide; fixed before running."""
    stream: StreamConfig = StreamConfig()
    """How every variant's stream is made of its documents."""
    shares: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None
    """Share of the budget per source, pinned in every variant. Default: the sources' shares of the raw tokens."""
    controls: ControlsConfig | None = ControlsConfig()
    """Controls; null leaves them out. They do not run below 200,000 tokens, where even a sound model tells little."""

    @property
    def own_modules(self) -> tuple[str, ...]:
        """What training imports."""
        return ("safetensors", "tokenizers", "torch")

    @field_validator("budget_tokens")
    @classmethod
    def _whole_steps(cls, budget_tokens: int, info: ValidationInfo) -> int:
        if (training := info.data.get("training")) is None:  # at fault itself, and named for it
            return budget_tokens
        if budget_tokens < training.tokens_per_step:
            raise ValueError(f"below one optimiser step of {training.tokens_per_step:,} tokens")
        return int(training.steps_for(budget_tokens) * training.tokens_per_step)

    @field_validator("variants")
    @classmethod
    def _named(cls, variants: dict[str, VariantSpec]) -> dict[str, VariantSpec]:
        for name in variants:
            if not re.fullmatch(NAME, name):
                raise FieldFault("not a name; use up to 50 letters, digits, `.`, `_` and `-`", name)
            if name.startswith(CONTROL_PREFIX):
                raise FieldFault(f"names that begin with `{CONTROL_PREFIX}` are the controls'; use another", name)
        return variants

    @model_validator(mode="after")
    def _consistent(self) -> StudyConfig:
        if self.baseline not in self.variants:
            raise FieldFault(nearest(self.baseline, self.variants, what="variant"), "baseline")
        if self.size not in SIZES:
            raise FieldFault(nearest(self.size, SIZES, what="size", hint=False), "size")
        if self.shares is not None and not math.isclose(sum(self.shares.values()), 1.0, abs_tol=1e-6):
            raise FieldFault(f"shares sum to {sum(self.shares.values()):g}, not to 1", "shares")
        return self

    @property
    def active_controls(self) -> ControlsConfig | None:
        """The controls that run: none where the budget is too small for their answers to be known."""
        return self.controls if self.budget_tokens >= MIN_CONTROL_TOKENS else None

    @property
    def steps(self) -> int:
        """Optimiser steps of every run."""
        return self.training.steps_for(self.budget_tokens)

    @property
    def aa_seed_pairs(self) -> tuple[tuple[int, int], ...]:
        """Seeds of the A/A control, each with the baseline's that it is compared with: none is both."""
        return tuple((self.seeds + seed, seed) for seed in range(self.seeds))
