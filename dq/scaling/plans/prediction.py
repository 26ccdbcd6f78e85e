"""What a run to come would reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from dq.scaling.fit import Fit
from dq.scaling.plans.quantity import OF_LOSS, short
from dq.scaling.plans.reply import Reply
from dq.scaling.plans.surface import training_flops
from dq.scaling.points import compute_of


@dataclass(frozen=True, kw_only=True)
class Prediction(Reply):
    """A law's loss at one point.

    Attributes:
        law: its name.
        at: the point, by what the law reads.
        loss: nats.
        low: with ``high``, where the law itself lies, at 95 %.
        run_low: with ``run_high``, where one run would end.
    """

    law: str
    at: dict[str, float]
    loss: float
    low: float
    high: float
    run_low: float
    run_high: float

    @property
    def question(self) -> str:
        """As a user would ask it."""
        what = f"{short(self.at['n_params'])} parameters on {short(self.at['n_tokens'])} tokens"
        unique = self.at.get("n_unique", self.at["n_tokens"])
        return f"What would {what}{f' ({short(unique)} unique)' if unique < self.at['n_tokens'] else ''} reach?"

    @property
    def in_words(self) -> str:
        """The loss."""
        loss, low, high, run_low, run_high = (
            short(one, digits=OF_LOSS) for one in (self.loss, self.low, self.high, self.run_low, self.run_high)
        )
        return f"law `{self.law}`: a loss of {loss} [{low}, {high}]; one run ends between {run_low} and {run_high}"


def predict_runs(fit: Fit, targets: Sequence[Mapping[str, float]]) -> tuple[Prediction, ...]:
    """The loss that a law gives at each target."""
    largest = float(compute_of(fit.table.frame).max())
    found = fit.predict(pl.DataFrame([dict(one) for one in targets]))
    ends = ("loss", "low", "high", "run_low", "run_high")
    return tuple(
        Prediction(
            law=fit.law,
            at=dict(one),
            beyond=float(training_flops(one["n_params"], one["n_tokens"])) / largest,
            **{name: row[name] for name in ends},
        )
        for one, row in zip(targets, found.to_dicts(), strict=True)
    )
