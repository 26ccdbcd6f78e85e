"""One law on several corpora at once, some parameters shared and the others each corpus's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dq.scaling.law import Law, Parameter, Term
from dq.scaling.points import FloatArray, Points
from dq.scaling.space import Space

CORPUS = "corpus"
"""The column that numbers the corpora, from 0."""


@dataclass(frozen=True)
class Joint(Law):
    """A law whose free parameters are those of all corpora: the shared ones first, then each corpus's own.

    Attributes:
        law: of one corpus.
        space: its free parameters.
        shared: places in it of those that all corpora share.
        corpora: how many.
    """

    law: Law
    space: Space
    shared: tuple[int, ...]
    corpora: int

    @property
    def own(self) -> tuple[int, ...]:
        """Places of the free parameters that each corpus has for itself."""
        return tuple(at for at in range(len(self.space.free)) if at not in self.shared)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All free ones, each corpus's own by its number."""
        free = self.space.free
        own = (replace(free[at], name=f"{free[at].name} {one}") for one in range(self.corpora) for at in self.own)
        return (*(free[at] for at in self.shared), *own)

    @property
    def columns(self) -> tuple[str, ...]:
        """The law's, and which corpus."""
        return (*self.law.columns, CORPUS)

    def place(self, corpus: int) -> list[int]:
        """Where the law's free parameters of a corpus stand among all."""
        first = len(self.shared) + corpus * len(self.own)
        at = {**{one: n for n, one in enumerate(self.shared)}, **{one: first + n for n, one in enumerate(self.own)}}
        return [at[one] for one in range(len(self.space.free))]

    def joined(self, each: Sequence[FloatArray]) -> FloatArray:
        """All parameters from those of each corpus, (K, F) each: shared ones by their mean."""
        shared = np.mean([one[:, list(self.shared)] for one in each], axis=0)
        return np.concatenate([shared, *(one[:, list(self.own)] for one in each)], axis=1)

    def terms(self, points: Points, p: Mapping[str, FloatArray]) -> Sequence[Term]:
        """One: the whole loss of each corpus's points by its own parameters."""
        names = [one.name for one in self.parameters]
        theta = np.concatenate([p[name] for name in names], axis=1)
        log_loss = np.zeros((len(theta), len(points)))
        slopes = np.zeros((len(theta), len(names), len(points)))
        for corpus in range(self.corpora):
            rows, place = np.flatnonzero(points[CORPUS] == corpus), self.place(corpus)
            found = self.law.evaluate(points.rows(rows), self.space.all_of(theta[:, place]))
            log_loss[:, rows] = found.log_loss
            slopes[:, np.array(place)[:, None], rows] = self.space.spread.T @ found.slopes
        return (Term(log_loss, {name: slopes[:, at] for at, name in enumerate(names)}),)
