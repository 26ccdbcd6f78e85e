"""What a study says: which variants, at which budget, how many seeds, and which difference matters."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from dq.compare import MIN_SEEDS, Look, plan_looks
from dq.config import FieldFault, StrictModel
from dq.errors import CompareError, nearest
from dq.training import SIZES, TrainingConfig
from dq.variants import StreamConfig, VariantSpec

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}"  # names folders, with a size, a seed and a fingerprint behind it
CONTROL_PREFIX = "control-"
MAX_SEEDS = 100
MIN_CONTROL_TOKENS = 200_000  # below it a 0.3M-parameter model does not clearly beat word counts (measured)
ONE_OF = {"size": "sizes", "budget_tokens": "budgets_tokens"}
"""Fields of one value, and those of several in their place: the first of these is the one value."""
RATES = {"peak_learning_rate": "learning_rates", "weight_decay": "weight_decays"}
"""The same of `training`."""

Tokens = Annotated[int, Field(ge=1)]


def _check_rate(rate: float | str) -> float | str:
    number = float(rate.removesuffix("x")) if isinstance(rate, str) and re.fullmatch(r"\d+(\.\d+)?x", rate) else rate
    if isinstance(number, str) or not number > 0:
        raise ValueError("not a rate; write a number above 0, or a multiple of what the rule says, such as 2x")
    return rate


Rate = Annotated[float | str, AfterValidator(_check_rate)]


class ControlsConfig(StrictModel):
    """Answers that are known, so that a broken trainer or a wrong pool does not go unnoticed.

    They take two runs: one with replaced tokens, and one of the baseline trained twice. The baseline's even and odd
    seeds are compared as well, which takes none.
    """

    replaced_tokens: float = Field(default=0.5, gt=0, le=1)
    """Dose of the token-replacement control, which must come out `worse`."""
    unigram_margin: float = Field(default=0.1, gt=0)
    """Bits per byte by which the baseline must beat a unigram model of the same tokens, on the mean of its runs."""


class StudyConfig(StrictModel):
    """A study: variants x seeds, and the rule that decides, at one model size and budget, or at several of them.

    With several sizes, budgets, rates or decays every combination is a *cell*, with verdicts of its own.
    """

    elsewhere: ClassVar = {"input": "this is a job, not a study; `dq run` is its command"}

    name: str = Field(default="study", pattern=rf"^{NAME}$")
    """Names the folder of its results."""
    workspace: str = "dq-workspace"
    """The workspace that `dq run` made, relative to the current folder."""
    training: TrainingConfig = TrainingConfig()
    """How every run is trained."""
    budgets_tokens: tuple[Tokens, ...] | None = Field(default=None, min_length=1)
    """Several budgets, in place of `budget_tokens`."""
    budget_tokens: int = Field(default=0, ge=1)
    """T: tokens every run is trained on, BOS included. Rounded down to whole optimiser steps when it is read."""
    variants: dict[str, VariantSpec] = Field(min_length=2)
    """The variants by name; names that begin with `control-` are the controls'."""
    baseline: str = "raw"
    """The variant that the others are compared with."""
    size: str = "0.3M"
    """A model size of the ladder."""
    sizes: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Several sizes, in place of `size`."""
    learning_rates: tuple[Rate, ...] | None = Field(default=None, min_length=1)
    """Several learning rates, in place of `training.peak_learning_rate`: numbers, or multiples of what the rule says
    for each size and budget, such as `[0.5x, 1x, 2x]`."""
    trunk_tokens: int | None = Field(default=None, ge=1)
    """The budget whose rate, decay and warmup, by the rules, all budgets from half to twice of it take: then they share
    their first steps, which are trained once. Without it each budget has its own, and shares where all is stated."""
    annealing: bool = False
    """Compare variants in the cooldown alone: all arms of a seed share one trunk of the baseline's text. Cheaper, and
    another question: what a text does at the end, not from the beginning."""
    weight_decays: tuple[Annotated[float, Field(ge=0)], ...] | None = Field(default=None, min_length=1)
    """Several weight decays, in place of `training.weight_decay`."""
    seeds: int = Field(default=3, ge=1, le=MAX_SEEDS)
    """Runs a variant: initial weights, document order and the drawn documents all change with the seed."""
    looks: tuple[Annotated[int, Field(ge=3, le=MAX_SEEDS)], ...] | None = Field(default=None, min_length=1)
    """Numbers of seeds at which variants are judged, such as `[5, 8, 12]`, in place of `seeds`; fixed before running.
    A variant that is decided or equivalent at one of them gets no more runs."""
    look_errors: tuple[float, ...] | None = None
    """Chance of any false verdict spent at each look, 0.05 in all. Default: 0.01, 0.015, 0.025 for three looks, else
    equal parts."""
    confirm: int = Field(default=0, ge=0, le=MAX_SEEDS)
    """Fresh seeds on which the best variant is estimated again, for a winner looks too good: 3 at least. 0: none."""
    margin_bits_per_byte: float = Field(gt=0)
    """The difference that matters, fixed before running."""
    pool: bool = True
    """Let variants share their spread over seeds, where they look alike; fixed before running."""
    stream: StreamConfig = StreamConfig()
    """How every variant's stream is made of its documents."""
    shares: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None
    """Share of the budget per source, pinned in every variant. Default: the sources' shares of the raw tokens."""
    without: tuple[str, ...] = ()
    """Sources that no variant draws from, such as those of which rules keep nothing; the others stay in proportion."""
    score: tuple[str, ...] | None = None
    """Held-out sets that runs are scored on beside the neutral ones, which decide; scoring many can take longer than
    training on little. Default: all."""
    controls: ControlsConfig | None = ControlsConfig()
    """Controls; null leaves them out. They do not run below 200,000 tokens, where even a sound model tells little."""

    @property
    def own_modules(self) -> tuple[str, ...]:
        """What training imports."""
        return ("safetensors", "tokenizers", "torch")

    @field_validator("budget_tokens", "trunk_tokens")
    @classmethod
    def _whole_steps(cls, budget_tokens: int | None, info: ValidationInfo) -> int | None:
        if (
            budget_tokens is None or (training := info.data.get("training")) is None
        ):  # at fault itself, and named for it
            return budget_tokens
        if budget_tokens < training.tokens_per_step:
            raise ValueError(f"below one optimiser step of {training.tokens_per_step:,} tokens")
        return int(training.steps_for(budget_tokens) * training.tokens_per_step)

    @field_validator("budgets_tokens")
    @classmethod
    def _each_in_whole_steps(cls, budgets_tokens: tuple[int, ...] | None, info: ValidationInfo) -> Any:
        return budgets_tokens and tuple(cls._whole_steps(one, info) for one in budgets_tokens)

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
        self._check_several()
        if self.looks is not None and "seeds" not in self.model_fields_set:
            self.__dict__["seeds"] = self.looks[-1]  # looks say how many seeds there are
        if self.baseline not in self.variants:
            raise FieldFault(nearest(self.baseline, self.variants, what="variant"), "baseline")
        if unknown := [size for size in (self.size, *(self.sizes or ())) if size not in SIZES]:
            raise FieldFault(nearest(unknown[0], SIZES, what="size", hint=False), "sizes" if self.sizes else "size")
        if self.shares is not None and not math.isclose(sum(self.shares.values()), 1.0, abs_tol=1e-6):
            raise FieldFault(f"shares sum to {sum(self.shares.values()):g}, not to 1", "shares")
        if self.shares is not None and self.without:
            raise FieldFault("`shares` name the sources already; leave out one of the two", "without")
        if self.looks is not None and self.seeds != self.looks[-1]:
            raise FieldFault(f"`looks` end with {self.looks[-1]} seeds; leave `seeds` out", "seeds")
        if 0 < self.confirm < MIN_SEEDS:
            raise FieldFault(f"an interval needs {MIN_SEEDS} seeds at least; 0 leaves it out", "confirm")
        if self.looks is None and self.look_errors is not None:
            raise FieldFault("there are no `looks` that they belong to", "look_errors")
        try:
            self.plan  # noqa: B018  raises what is wrong with it
        except CompareError as error:
            raise FieldFault(str(error), "looks" if self.look_errors is None else "look_errors") from None
        return self

    def _check_several(self) -> None:
        """Lists name nothing twice, and stand in place of the one value."""
        for many in (*ONE_OF.values(), *RATES.values()):
            values = getattr(self, many) or ()
            if len(set(values)) < len(values):
                raise FieldFault("a value is there twice", many)
        for one, many in ONE_OF.items():
            if (values := getattr(self, many)) and one not in self.model_fields_set:
                self.__dict__[one] = values[0]  # whatever asks for one of them gets the first
            elif values and getattr(self, one) != values[0]:
                raise FieldFault(f"`{many}` are given; leave `{one}` out", one)
        if not self.budget_tokens:
            raise FieldFault("is missing", "budget_tokens")
        for one, many in RATES.items():
            if getattr(self, many) and getattr(self.training, one) is not None:
                raise FieldFault(f"`{many}` are given; leave `training.{one}` out", "training", one)

    @property
    def rule_tokens(self) -> int:
        """The budget that the rules of rates are asked for. Half and twice are meant to a step: budgets are rounded."""
        near, trunk, a_step = self.budget_tokens, self.trunk_tokens, self.training.tokens_per_step
        return trunk if trunk and trunk <= 2 * (near + a_step) and near <= 2 * (trunk + a_step) else near

    @property
    def is_grid(self) -> bool:
        """Whether it lists sizes, budgets, rates or decays: `dq.study.cells` makes a study of each combination."""
        return any(getattr(self, many) is not None for many in (*ONE_OF.values(), *RATES.values()))

    @property
    def plan(self) -> tuple[Look, ...]:
        """The looks with the error that each spends; none where the number of seeds is fixed."""
        return () if self.looks is None else plan_looks(self.looks, self.look_errors)

    @property
    def stops(self) -> tuple[int, ...]:
        """Numbers of seeds after which variants are judged, the last being all of them."""
        return self.looks or (self.seeds,)

    @property
    def active_controls(self) -> ControlsConfig | None:
        """The controls that run: none where the budget is too small for their answers to be known."""
        return self.controls if self.budget_tokens >= MIN_CONTROL_TOKENS else None

    @property
    def steps(self) -> int:
        """Optimiser steps of every run."""
        return self.training.steps_for(self.budget_tokens)
