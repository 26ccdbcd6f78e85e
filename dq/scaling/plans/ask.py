"""Several questions to one table of runs: each law is fitted once, to the runs that it is about."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from dq.compare import RunTable
from dq.errors import ConfigError, FitError, nearest
from dq.results import Result
from dq.scaling.fit import Fit, FitOptions, fit
from dq.scaling.known import describe_laws
from dq.scaling.plans.approaches import approaches
from dq.scaling.plans.basis import Basis
from dq.scaling.plans.choice import choose_variant
from dq.scaling.plans.efficiency import sample_efficiency, tokens_for_loss
from dq.scaling.plans.epochs import best_epochs
from dq.scaling.plans.lifetime import cheapest_lifetime
from dq.scaling.plans.optimal import compute_optimal
from dq.scaling.plans.prediction import predict_runs
from dq.scaling.plans.questions import Questions
from dq.scaling.plans.reply import Reply
from dq.scaling.plans.saturation import saturation
from dq.scaling.plans.surface import RESAMPLES, Surface
from dq.scaling.plans.worth import repeat_or_noise

FRESH = ("chinchilla", "coupled")
"""Two forms by default: what they agree on is of the runs, the rest of the form."""
REPETITION = ("muennighoff", "lovelace")
"""By one, epochs are worth ever less; by the other, they may harm."""
NOISE = "noise"
ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True)
class Plans(Result):
    """The answers, and the fits they rest on."""

    questions: Questions
    answers: tuple[Reply, ...]
    bases: tuple[Basis, ...]
    notes: tuple[str, ...]
    surfaces: dict[str, Surface]
    """The fitted laws with their refits, by law; empty where variants were compared."""
    forecaster: str | None
    """The law that forecasts: of those that predict, the one that erred least on the most compute."""

    def record(self) -> dict[str, Any]:
        """All but what only figures need, and the fits in its place."""
        found = super().record()
        return {**found, "surfaces": {name: one.fit for name, one in self.surfaces.items()}}

    @property
    def in_words(self) -> tuple[str, ...]:
        """A sentence an answer."""
        return tuple(one.in_words for one in self.answers)

    @property
    def by_question(self) -> dict[str, tuple[Reply, ...]]:
        """The answers to each question together, in the order of asking."""
        asked = dict.fromkeys(one.question for one in self.answers)
        return {question: tuple(one for one in self.answers if one.question == question) for question in asked}


def answer(
    runs: RunTable,
    questions: Questions,
    *,
    laws: Sequence[str] = (),
    options: FitOptions | None = None,
    resamples: int = RESAMPLES,
) -> Plans:
    """Fit what the questions need, and answer them.

    Args:
        runs: of one variant, or of several to choose between.
        questions: see `Questions`.
        laws: in place of the usual ones; those that read unique tokens or a dose serve the questions about these.
        options: of every fit.
        resamples: refits to resampled runs, for intervals.

    Raises:
        ConfigError: nothing can be answered by these numbers.
        FitError: the runs cannot carry a law.
    """
    asked = _Asked(runs, questions, tuple(laws), options or FitOptions(), resamples)
    answers = tuple(asked.choice() if asked.variants else asked.plans())
    if not answers:
        raise ConfigError(_what_can_be_asked(asked.variants))
    bases = {name: Basis.of(one.fit) for name, one in asked.surfaces.items()}
    errors = {name: bases[name].held_out for name in asked.predicting}
    best = min(asked.predicting, key=lambda name: one.median_error if (one := errors[name]) else math.inf, default=None)
    return Plans(
        questions=questions,
        answers=answers,
        bases=tuple(bases.values()),
        notes=tuple(asked.notes),
        surfaces=asked.surfaces,
        forecaster=best,
    )


@dataclass
class _Asked:
    """Fits are made when a question needs them."""

    runs: RunTable
    questions: Questions
    laws: tuple[str, ...]
    options: FitOptions
    resamples: int
    surfaces: dict[str, Surface] = field(default_factory=dict)
    predicting: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants, if there are several."""
        if not self.runs.has("variant"):
            return ()
        names = tuple(self.runs.frame["variant"].drop_nulls().unique().sort())
        return names if len(names) > 1 else ()

    def plans(self) -> Iterator[Reply]:
        """Answers about one kind of text."""
        ask = self.questions
        if ask.unique_tokens is not None and not self.runs.has("n_unique"):
            raise FitError(
                f"{self.runs.name}: no column `n_unique` or `epochs`: nothing is known of repetition", field="columns"
            )
        if ask.flops is not None:
            yield from (compute_optimal(one, ask.flops) for one in self.fresh)
            ways = approaches(self.fresh, resamples=self.resamples)
            yield from ways.splits(ask.flops)
            self.notes += ways.notes
            if len(self.fresh) > 1:
                yield saturation(self.fresh, ask.flops)
            if ask.unique_tokens is not None:
                yield from (best_epochs(one, ask.flops, unique_tokens=ask.unique_tokens) for one in self.repetition)
        if targets := ask.targets():
            laws = self.fresh if ask.unique_tokens is None else self.repetition
            for surface in laws:
                self.predicting.append(surface.fit.law)
                yield from predict_runs(surface.fit, targets)
        if ask.loss is not None and ask.sizes:
            for surface in self.fresh:
                yield from tokens_for_loss(surface, ask.loss, sizes=ask.sizes, unique_tokens=ask.unique_tokens)
        first, *others = ask.sizes or (0.0,)
        for n_tokens in ask.n_tokens if others else ():
            for surface in self.fresh:
                yield from sample_efficiency(surface, n_params=first, n_tokens=n_tokens, sizes=others)
        if ask.loss is not None and ask.inference_tokens is not None:
            yield from (cheapest_lifetime(s, ask.loss, inference_tokens=ask.inference_tokens) for s in self.fresh)
        yield from self._worth()

    def _worth(self) -> Iterator[Reply]:
        ask = self.questions
        for size in ask.sizes if ask.epochs else ():
            pool = {"n_params": size, "unique_tokens": ask.unique_tokens or 0.0}
            for surface in self.repetition:
                yield from repeat_or_noise(surface, self.noise, epochs=ask.epochs, **pool)

    def choice(self) -> Iterator[Reply]:
        """Answers about several variants."""
        ask = self.questions
        targets = [{"n_params": n, "n_tokens": d} for n in ask.sizes for d in ask.n_tokens]
        for law in self.fresh_laws if targets else ():
            fits = {
                name: self._fitted(law, self._fresh_runs(pl.col("variant") == name), of=name) for name in self.variants
            }
            yield from (choose_variant(fits, at, resamples=self.resamples) for at in targets)

    @cached_property
    def fresh_laws(self) -> tuple[str, ...]:
        """Laws of fresh, clean text."""
        return self._laws_that_read(lambda columns: not {"n_unique", "epochs", "dose"} & columns) or FRESH

    @cached_property
    def fresh(self) -> list[Surface]:
        """The laws of fresh, clean text, fitted."""
        return [self._surface(name, self._fresh_runs()) for name in self.fresh_laws]

    @cached_property
    def repetition(self) -> list[Surface]:
        """Laws of repetition, fitted to all clean runs."""
        names = self._laws_that_read(lambda columns: bool({"n_unique", "epochs"} & columns)) or REPETITION
        runs = RunTable.of(_without_noise(self.runs.frame), name=self.runs.name)
        return [self._surface(name, runs) for name in names]

    @cached_property
    def noise(self) -> Surface | float | None:
        """The exponent that is assumed, or a law of noise; None where no run has any."""
        if self.questions.noise_exponent is not None:
            return self.questions.noise_exponent
        if not self.runs.has("dose") or not (self.runs.frame["dose"].fill_null(0.0) > 0).any():
            self.notes.append(
                "no run has noise (a column `dose` above 0), so repetition is not compared with it; a noise exponent "
                "can be assumed (about 0.4 where tokens are replaced)"
            )
            return None
        name = next(iter(self._laws_that_read(lambda columns: "dose" in columns)), NOISE)
        return self._surface(name, RunTable.of(_seen_once(self.runs.frame), name=self.runs.name))

    def _fresh_runs(self, *conditions: pl.Expr) -> RunTable:
        frame = self.runs.frame.filter(*conditions)
        kept = _seen_once(_without_noise(frame))
        if kept.is_empty():
            of = f" of {', '.join(frame['variant'].unique())}" if self.variants else ""
            raise FitError(
                f"{self.runs.name}: all {len(frame):,} runs{of} repeat their text or have noise, so no law of fresh "
                "text can be fitted; leave them out, or add runs of one epoch",
                field="where",
            )
        if len(kept) < len(frame):
            note = f"laws of fresh text: {len(frame) - len(kept):,} of {len(frame):,} runs left out, repeated or noisy"
            self.notes += [note] if note not in self.notes else []
        return RunTable.of(kept, name=self.runs.name)

    def _surface(self, law: str, runs: RunTable) -> Surface:
        if law not in self.surfaces:
            self.surfaces[law] = Surface.of(self._fitted(law, runs), resamples=self.resamples)
        return self.surfaces[law]

    def _fitted(self, law: str, runs: RunTable, *, of: str = "") -> Fit:
        """The law, or an error that says which question or variant had too few runs for it."""
        try:
            return fit(law, runs, options=self.options)
        except FitError as error:
            which = f" of variant {of!r}" if of else ""
            left = f" ({self.notes[-1]})" if self.notes else ""
            raise FitError(f"{error}{which}{left}", field=error.field) from None

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


def _what_can_be_asked(variants: Sequence[str]) -> str:
    if variants:
        return (
            f"the table has several variants ({', '.join(variants)}): ask which is best at a size and a number of "
            f"training tokens, or keep the rows of one by `where`: variant={variants[0]}"
        )
    return (
        "nothing is asked: give compute; sizes with training tokens, with a target loss, or with epochs of a pool; or "
        "a target loss with tokens of use"
    )
