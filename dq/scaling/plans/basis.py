"""What an answer rests on: a fitted law, how it did on runs it had not seen, and what its runs leave open."""

from __future__ import annotations

from dataclasses import dataclass

from dq.results import Result
from dq.scaling.fit import Fit
from dq.scaling.heldout import HeldOut, held_out_compute
from dq.scaling.identified import Identification, Identified


@dataclass(frozen=True, kw_only=True)
class Basis(Result):
    """A law of a plan.

    Attributes:
        law: its name.
        n_runs: that it was fitted to.
        noise: standard deviation of runs about it, in log loss.
        held_out: its errors on the runs of most compute, fitted without them; None where too few would remain.
        parameters: whether the runs determine each.
        advice: of the fit.
    """

    law: str
    n_runs: int
    noise: float
    held_out: HeldOut | None
    parameters: tuple[Identification, ...]
    advice: tuple[str, ...]

    @classmethod
    def of(cls, fit: Fit) -> Basis:
        """What a fit is worth."""
        return cls(
            law=fit.law,
            n_runs=fit.n_runs,
            noise=fit.noise,
            held_out=held_out_compute(fit),
            parameters=fit.identified(),
            advice=fit.advice,
        )

    @property
    def in_words(self) -> str:
        """How far to trust it."""
        words = f"law `{self.law}`: {self.n_runs:,} runs, {100 * self.noise:.2g} % off it (one standard deviation)"
        if self.held_out is not None:
            error = f"{100 * self.held_out.median_error:.2g} %"
            words = f"{words}; fitted without {self.held_out.what}, it misses these by {error}"
        known = [one.interval.name for one in self.parameters if one.verdict is Identified.YES]
        loose = [one.interval.name for one in self.parameters if one.verdict is not Identified.YES]
        if known:
            words = f"{words}; the runs determine {', '.join(known)}"
        return f"{words}{', but' if known else '; the runs do'} not {', '.join(loose)}" if loose else words
