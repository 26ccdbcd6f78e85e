"""What a run to come would reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dq.scaling.fit import Fit
from dq.scaling.plans.back_test import BackTest, look_ahead
from dq.scaling.plans.quantity import OF_LOSS, short
from dq.scaling.plans.reply import Reply


@dataclass(frozen=True, kw_only=True)
class Prediction(Reply):
    """A law's loss at one point.

    Attributes:
        law: its name.
        at: the point, by what the law reads.
        loss: nats.
        low: with ``high``, where the law itself lies, at 95 %.
        run_low: with ``run_high``, where one run would end; at least as wide as the back-test.
        tested: how far the law missed when it looked ahead before; None within the runs.
    """

    law: str
    at: dict[str, float]
    loss: float
    low: float
    high: float
    run_low: float
    run_high: float
    tested: BackTest | None

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
        words = f"law `{self.law}`: a loss of {loss} [{low}, {high}]; one run ends between {run_low} and {run_high}"
        return words if self.tested is None else f"{words} (before, it was {self.tested.in_words})"


def predict_runs(fit: Fit, targets: Sequence[Mapping[str, float]]) -> tuple[Prediction, ...]:
    """The loss that a law gives at each target."""
    ends = ("loss", "low", "high", "run_low", "run_high")
    return tuple(
        Prediction(
            law=fit.law,
            at=dict(one),
            beyond=ahead.beyond,
            tested=ahead.tested,
            **{name: ahead.row[name] for name in ends},
        )
        for one, ahead in zip(targets, look_ahead(fit, targets), strict=True)
    )
