"""What a run is: its training settings and its specification. No torch.

The defaults are tuned for the shortest runs, where most is at stake: size 0.3M, vocabulary 2,048, 250,000 tokens of
news, bits per byte on 142 held-out documents, where a unigram model scores 3.08. Measured, two seeds of weights and
data: steps of 4 windows, warmup of 0.02 and clipping at 0.5 end at 2.50 and 2.49; with warmup of 0.05 and clipping at 1
at 2.52 and 2.53; with steps of 2 windows at 2.47 and 2.46, for 1.15 times the time. One seed: no weight decay is 0.02
worse; at vocabulary 1,024 a beta2 of 0.98 or 0.99 and a decay over 0.4 of the run are no better.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from dq.config import FieldFault, StrictModel
from dq.errors import TrainingError, nearest
from dq.training import rates
from dq.training.sizes import SIZES, ModelSize, find_size

PrecisionChoice = Literal["auto", "fp32", "bf16"]


class TrainingConfig(StrictModel):
    """How every run of a study is trained."""

    context: int = Field(default=256, ge=8)
    """Tokens a window predicts; a window holds one token more."""
    batch_windows: int = Field(default=4, ge=1)
    """Windows per optimiser step."""
    microbatch_windows: int | None = Field(default=None, ge=1)
    """Windows per forward pass where a whole step does not fit; gradients are accumulated. None: the whole step."""
    peak_learning_rate: float | None = Field(default=None, gt=0)
    """Learning rate between warmup and decay. None: by `dq.training.rates`, 6e-3 for the shortest and smallest runs."""
    warmup_tokens: int | None = Field(default=None, ge=0)
    """Tokens in which the learning rate rises from 0, linearly. None: a fiftieth of the budget."""
    decay_fraction: float = Field(default=0.2, ge=0.1, le=0.5)
    """Share of the steps in which the learning rate falls to 0 as 1 - sqrt(progress) (arXiv:2405.18392)."""
    weight_decay: float | None = Field(default=None, ge=0)
    """Decoupled weight decay of the matrices in the layers; embeddings and norms have none. None: by `rates`."""
    gradient_clip: float = Field(default=0.5, gt=0)
    """Largest norm of the gradient of a step."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """AdamW's decay of the mean of gradients."""
    beta2: float = Field(default=0.95, ge=0, lt=1)
    """AdamW's decay of the mean of squared gradients."""
    precision: PrecisionChoice = "auto"
    """Number format of matrix products; `auto` takes it from the table of `dq.training.precision`."""
    compiled: bool | None = None
    """Compile the step, once for each shape of model and windows. None: on CUDA devices only."""
    curve_points: int = Field(default=8, ge=1)
    """Evaluations before the decay starts, evenly spaced in the logarithm of tokens; the last is at its start."""
    first_curve_fraction: float = Field(default=0.03, gt=0, lt=0.5)
    """Share of the budget at the first evaluation."""
    checkpoint_every_steps: int = Field(default=1000, ge=1)
    """A checkpoint is written after so many steps, and at every evaluation."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.microbatch_windows is not None and self.batch_windows % self.microbatch_windows:
            raise FieldFault("batch_windows must be a multiple of it", "microbatch_windows")
        return self

    @property
    def tokens_per_step(self) -> int:
        """Tokens an optimiser step trains on."""
        return self.batch_windows * self.context

    def windows_for(self, processes: int) -> int:
        """Windows of a step for each of the processes that share a run.

        Raises:
            TrainingError: they cannot have equally many.
        """
        if self.batch_windows % processes:
            raise TrainingError(
                f"a step of {self.batch_windows:,} windows cannot be shared by {processes:,} devices; "
                "let `batch_windows` be a multiple of them",
                field="batch_windows",
            )
        return self.batch_windows // processes

    def steps_for(self, budget_tokens: int) -> int:
        """Whole optimiser steps that fit into a budget."""
        return budget_tokens // self.tokens_per_step

    def resolved(self, size: ModelSize, *, vocabulary_size: int, budget_tokens: int) -> TrainingConfig:
        """The same with every number that is a rule's filled in, so that a specification holds what it means."""
        steps, total = self.steps_for(budget_tokens), size.parameters(vocabulary_size).total
        rate = self.peak_learning_rate or rates.learning_rate(
            size, tokens_per_step=self.tokens_per_step, budget_tokens=budget_tokens
        )
        decay = self.weight_decay
        if decay is None:
            decay = rates.weight_decay(parameters=total, learning_rate=rate, steps=steps, budget_tokens=budget_tokens)
        warmup = rates.warmup_tokens(budget_tokens) if self.warmup_tokens is None else self.warmup_tokens
        return self.model_copy(update={"peak_learning_rate": rate, "weight_decay": decay, "warmup_tokens": warmup})


class RunSpec(StrictModel):
    """Everything that decides the numbers of a run. Two runs of equal spec on one machine are equal bit for bit."""

    size: str
    """A size of the ladder."""
    seed: int = Field(ge=0)
    """Seed of the initial weights; with the size it decides them alone."""
    steps: int = Field(ge=1)
    """Optimiser steps."""
    vocabulary_size: int = Field(ge=2)
    """Token ids are below it."""
    bos_id: int = Field(ge=0)
    """Token that starts each document."""
    stream_fingerprint: str
    """Fingerprint of the token stream."""
    heldout_fingerprint: str
    """Fingerprint of the held-out documents."""
    training: TrainingConfig = TrainingConfig()
    """How it is trained."""

    @field_validator("size")
    @classmethod
    def _on_the_ladder(cls, size: str) -> str:
        if size not in SIZES:
            raise ValueError(nearest(size, SIZES, what="size", hint=False))
        return size

    @model_validator(mode="after")
    def _bos_in_vocabulary(self) -> Self:
        if self.bos_id >= self.vocabulary_size:
            raise ValueError("bos_id must be below vocabulary_size")
        return self

    @property
    def model_size(self) -> ModelSize:
        """The rung of the ladder."""
        return find_size(self.size)

    @property
    def resolved_training(self) -> TrainingConfig:
        """How it is trained, with every rate a number."""
        return self.training.resolved(
            self.model_size, vocabulary_size=self.vocabulary_size, budget_tokens=self.budget_tokens
        )

    @property
    def budget_tokens(self) -> int:
        """Tokens the run is trained on: steps x windows x context, exactly."""
        return self.steps * self.training.tokens_per_step

    @property
    def shape(self) -> Self:
        """The same without what each run of a stack has of its own (`dq.training.stack`)."""
        own = ("peak_learning_rate", "warmup_tokens", "weight_decay", "gradient_clip", "beta1", "beta2")
        plain = {name: TrainingConfig.model_fields[name].default for name in own}
        changes = {"seed": 0, "stream_fingerprint": "", "training": self.training.model_copy(update=plain)}
        return self.model_copy(update=changes)
