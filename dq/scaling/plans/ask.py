"""Several questions to one table of runs: each law is fitted once, to the runs that it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from dq.compare import RunTable
from dq.errors import ConfigError, FitError, nearest
from dq.results import Result
from dq.scaling.fit import Fit, FitOptions, fit
from dq.scaling.known import describe_laws
from dq.scaling.plans.choice import VariantChoice, choose_variant
from dq.scaling.plans.efficiency import EfficiencyPlan, sample_efficiency, tokens_for_loss
from dq.scaling.plans.epochs import EpochPlan, best_epochs
from dq.scaling.plans.lifetime import LifetimePlan, cheapest_lifetime
from dq.scaling.plans.optimal import ComputePlan, compute_optimal
from dq.scaling.plans.saturation import Saturation, saturation
from dq.scaling.plans.surface import Surface
from dq.scaling.plans.worth import RepeatOrNoise, repeat_or_noise

FRESH = ("chinchilla", "coupled")
"""Two forms by default: what they agree on is of the runs, the rest of the form."""
REPETITION = "muennighoff"
NOISE = "noise"
ROUNDING = 1e-6
Answer = ComputePlan | Saturation | EpochPlan | EfficiencyPlan | LifetimePlan | RepeatOrNoise | VariantChoice


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What is asked; each question is answered whose numbers are there.

    Attributes:
        flops: training compute: how to split it, what twice as much buys; with ``unique_tokens``, how often to repeat.
        sizes: parameters, with ``loss``: tokens that reach it; with ``n_tokens``: tokens at the other sizes that do as
            well as the first; with ``unique_tokens`` and ``epochs``: whether to repeat or to add noise.
        n_tokens: training tokens.
        unique_tokens: of a pool that is to be repeated.
        epochs: how often.
        loss: nats; with ``inference_tokens``: the cheapest model over its life.
        inference_tokens: read and written in its life.
        noise_exponent: assumed, where no run has noise.
    """

    flops: float | None = None
    sizes: tuple[float, ...] = ()
    n_tokens: float | None = None
    unique_tokens: float | None = None
    epochs: tuple[float, ...] = ()
    loss: float | None = None
    inference_tokens: float | None = None
    noise_exponent: float | None = None

    def __post_init__(self) -> None:
        numbers = {name: value if isinstance(value, tuple) else (value,) for name, value in vars(self).items()}
        for name, values in numbers.items():
            if wrong := [one for one in values if one is not None and not 0 < one < float("inf")]:
                raise ConfigError(f"`{name}` must be above 0 (got {wrong[0]:g})", field=name)
        if wrong := [one for one in self.epochs if one <= 1]:
            raise ConfigError(
                f"`epochs` must be above 1 (got {wrong[0]:g}): one epoch is no repetition", field="epochs"
            )


@dataclass(frozen=True, kw_only=True)
class Plans(Result):
    """The answers, and the fits they rest on."""

    answers: tuple[Answer, ...]
    fits: tuple[Fit, ...]
    notes: tuple[str, ...]

    @property
    def in_words(self) -> tuple[str, ...]:
        """A sentence an answer."""
        return tuple(one.in_words for one in self.answers)


def answer(
    runs: RunTable, questions: Questions, *, laws: Sequence[str] = (), options: FitOptions | None = None
) -> Plans:
    """Fit what the questions need, and answer them.

    Args:
        runs: of one variant, or of several to choose between.
        questions: see `Questions`.
        laws: in place of the usual ones; those that read unique tokens or a dose serve the questions about these.
        options: of every fit.

    Raises:
        ConfigError: nothing can be answered by these numbers.
        FitError: the runs cannot carry a law.
    """
    asked = _Asked(runs, questions, tuple(laws), options or FitOptions())
    answers = tuple(asked.choice() if asked.variants else asked.plans())
    if not answers:
        raise ConfigError(_what_can_be_asked(several=bool(asked.variants)))
    return Plans(answers=answers, fits=tuple(asked.fits.values()), notes=tuple(asked.notes))


@dataclass
class _Asked:
    """Fits are made when a question needs them."""

    runs: RunTable
    questions: Questions
    laws: tuple[str, ...]
    options: FitOptions
    fits: dict[str, Fit] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants, if there are several."""
        if not self.runs.has("variant"):
            return ()
        names = tuple(self.runs.frame["variant"].drop_nulls().unique().sort())
        return names if len(names) > 1 else ()

    def plans(self) -> Iterator[Answer]:
        """Answers about one kind of text."""
        ask = self.questions
        if ask.flops is not None:
            surfaces = [self.fresh(name) for name in self.fresh_laws]
            yield from (compute_optimal(one, ask.flops) for one in surfaces)
            if len(surfaces) > 1:
                yield saturation(surfaces, ask.flops)
            if ask.unique_tokens is not None:
                yield best_epochs(self.repetition, ask.flops, unique_tokens=ask.unique_tokens)
        if ask.loss is not None and ask.sizes:
            yield from tokens_for_loss(self.fresh(self.fresh_laws[0]), ask.loss, sizes=ask.sizes)
        if ask.n_tokens is not None and len(ask.sizes) > 1:
            first, *others = ask.sizes
            surface = self.fresh(self.fresh_laws[0])
            yield from sample_efficiency(surface, n_params=first, n_tokens=ask.n_tokens, sizes=others)
        if ask.loss is not None and ask.inference_tokens is not None:
            surface = self.fresh(self.fresh_laws[0])
            yield cheapest_lifetime(surface, ask.loss, inference_tokens=ask.inference_tokens)
        if ask.unique_tokens is not None and ask.epochs and ask.sizes:
            for size in ask.sizes:
                yield from repeat_or_noise(
                    self.repetition, self.noise, n_params=size, unique_tokens=ask.unique_tokens, epochs=ask.epochs
                )

    def choice(self) -> Iterator[Answer]:
        """Answers about several variants."""
        ask = self.questions
        if ask.n_tokens is None or not ask.sizes:
            return
        for law in self.fresh_laws:
            fits = {
                name: fit(law, self._fresh_runs(pl.col("variant") == name), options=self.options)
                for name in self.variants
            }
            self.fits |= {f"{law} {name}": one for name, one in fits.items()}
            for size in ask.sizes:
                yield choose_variant(fits, {"n_params": size, "n_tokens": ask.n_tokens})

    @cached_property
    def fresh_laws(self) -> tuple[str, ...]:
        """Laws of fresh, clean text."""
        return self._laws_that_read(lambda columns: not {"n_unique", "epochs", "dose"} & columns) or FRESH

    @cached_property
    def repetition(self) -> Surface:
        """A law of repetition, fitted to all clean runs."""
        name = next(iter(self._laws_that_read(lambda columns: bool({"n_unique", "epochs"} & columns))), REPETITION)
        if not self.runs.has("n_unique"):
            raise FitError(
                f"{self.runs.name}: no column `n_unique` or `epochs`: nothing is known of repetition", field="columns"
            )
        return self._surface(name, _without_noise(self.runs.frame))

    @cached_property
    def noise(self) -> Surface | float:
        """A law of noise, or the exponent that is assumed."""
        if self.questions.noise_exponent is not None:
            return self.questions.noise_exponent
        if not self.runs.has("dose"):
            raise FitError(
                f"{self.runs.name}: no column `dose`: nothing is known of noise; assume a `noise_exponent` (about "
                "0.4 for replaced tokens)",
                field="noise_exponent",
            )
        name = next(iter(self._laws_that_read(lambda columns: "dose" in columns)), NOISE)
        return self._surface(name, _seen_once(self.runs.frame))

    def fresh(self, name: str) -> Surface:
        """A law of fresh, clean text."""
        return self._surface(name, self._fresh_runs())

    def _fresh_runs(self, *conditions: pl.Expr) -> RunTable:
        frame = self.runs.frame.filter(*conditions)
        kept = _seen_once(_without_noise(frame))
        if len(kept) < len(frame):
            note = f"laws of fresh text: {len(frame) - len(kept):,} of {len(frame):,} runs left out, repeated or noisy"
            self.notes += [note] if note not in self.notes else []
        return RunTable.of(kept, name=self.runs.name)

    def _surface(self, law: str, frame: pl.DataFrame | RunTable) -> Surface:
        if law not in self.fits:
            self.fits[law] = fit(law, RunTable.of(frame, name=self.runs.name), options=self.options)
        return Surface.of(self.fits[law])

    def _laws_that_read(self, reads: Callable[[set[str]], bool]) -> tuple[str, ...]:
        columns = {one.name: set(one.columns) for one in describe_laws()}
        for name in self.laws:
            if name not in columns:
                raise ConfigError(nearest(name, sorted(columns), what="law"), field="law")
        return tuple(name for name in self.laws if reads(columns[name]))


def _seen_once(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("epochs").fill_null(1.0) <= 1.0 + ROUNDING) if "epochs" in frame.columns else frame


def _without_noise(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("dose").fill_null(0.0) == 0) if "dose" in frame.columns else frame


def _what_can_be_asked(*, several: bool) -> str:
    if several:
        return "a table of several variants answers which is best at `sizes` and `n_tokens`: give both, or one variant"
    return (
        "nothing is asked: give `flops`; `sizes` with `loss`, with `n_tokens`, or with `unique_tokens` and `epochs`; "
        "or `loss` with `inference_tokens`"
    )
