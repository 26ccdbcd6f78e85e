"""What every law answers, so that solver, intervals and plans never ask which one they have.

A law is one final class in one file of `dq/scaling/laws`; `dq.scaling.known` finds it there, and nothing else is to be
changed. It says its parameters and its loss as a sum of positive terms, each by its logarithm and that one's
derivatives: sums of exponentials neither overflow nor cancel, and no law writes the chain rule of the logarithm again.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

import numpy as np
import polars as pl

from dq.scaling.points import FloatArray, Points

LARGEST_LOG = 600.0
"""Of a term: its exponential is a number still, and so is the sum of a few."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One number of a law. The solver moves a coefficient by its logarithm, which keeps it positive.

    Attributes:
        name: as papers and tables write it.
        meaning: in a few words.
        starts: where searches begin, by ``low`` and ``high``'s scale: logarithms where ``is_log``.
        low: the least value searched.
        high: the greatest.
        is_log: whether the solver moves its logarithm.
    """

    name: str
    meaning: str
    starts: tuple[float, ...]
    low: float
    high: float
    is_log: bool = False

    def inner(self, value: float) -> float:
        """The solver's number for a value; -inf for a coefficient of 0."""
        if not self.is_log:
            return value
        return math.log(value) if value > 0 else -math.inf

    def value(self, inner: float) -> float:
        """The value of the solver's number."""
        return math.exp(min(inner, LARGEST_LOG)) if self.is_log else inner


Slopes: TypeAlias = dict[str, "FloatArray | float"]
"""Derivatives by parameter."""


@dataclass(frozen=True)
class Term:
    """A positive term of the loss, for K parameter vectors at n points.

    Attributes:
        log: its natural logarithm, of a shape that broadcasts to (K, n); -inf for a term that is absent.
        slopes: derivatives of ``log`` by parameter (of its logarithm for a coefficient); finite everywhere.
    """

    log: FloatArray
    slopes: Slopes


@dataclass(frozen=True, kw_only=True)
class Form:
    """A law under a name of its own: the general one with some parameters fixed or tied.

    Attributes:
        meaning: its formula, and whose it is.
        example: plausible values of every other parameter, published ones where there are: what it is tested with.
        fixed: values of parameters that are not fitted.
        tied: parameters that equal another one.
    """

    meaning: str
    example: Mapping[str, float]
    fixed: Mapping[str, float] = field(default_factory=dict)
    tied: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """A law at K parameter vectors and n points.

    Attributes:
        log_loss: (K, n).
        slopes: its derivatives by the solver's parameters, (K, P, n).
    """

    log_loss: FloatArray
    slopes: FloatArray


@dataclass(frozen=True)
class Law(ABC):
    """A law of the loss; the docstring's first line documents it."""

    forms: ClassVar[Mapping[str, Form]]
    """Its names: in `fit` and on the command line."""
    without_spread: ClassVar[Mapping[str, Mapping[str, float]]] = {}
    """By column: what is fixed where all runs have one value there, since nothing can be learnt about it."""

    @property
    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, in the order in which tables show them."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns of runs that it reads."""

    @abstractmethod
    def terms(self, points: Points, p: Mapping[str, FloatArray]) -> Sequence[Term]:
        """The terms of the loss; ``p`` holds the solver's numbers, (K, 1) a parameter."""

    @classmethod
    def for_runs(cls, runs: pl.DataFrame) -> Law:
        """The law for a table: one whose parameters follow from the table's columns looks at them here."""
        del runs
        return cls()

    def evaluate(self, points: Points, theta: FloatArray) -> Evaluation:
        """Log loss and its slopes at parameter vectors (K, P)."""
        names = [one.name for one in self.parameters]
        terms = self.terms(points, {name: theta[:, at : at + 1] for at, name in enumerate(names)})
        parts = [np.exp(np.minimum(term.log, LARGEST_LOG)) for term in terms]
        total = np.zeros((len(theta), len(points)))
        for part in parts:
            total += part
        slopes = np.zeros((len(theta), len(names), len(points)))
        place = {name: at for at, name in enumerate(names)}
        for term, part in zip(terms, parts, strict=True):
            share = part / total
            for name, slope in term.slopes.items():
                slopes[:, place[name]] += share * slope
        return Evaluation(np.log(total), slopes)
