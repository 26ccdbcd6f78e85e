"""A loss that falls with tokens, between the budgets that were trained: read in both directions, never beyond them.

Between budgets the curve is Fritsch and Carlson's monotone cubic in log tokens (SIAM J. Numer. Anal. 17, 1980; scipy's
PCHIP): it falls wherever the points do and makes no dip of its own. Of an excess loss that falls as tokens^-0.3, with
budgets a factor of 2 apart, it gives the tokens for a loss to 0.15 %; a straight line in log tokens to 1.8 %.
``straight`` is the other published way, a line between points in tokens themselves (the data efficiency of the NanoGPT
slowrun). No law is assumed and no irreducible loss: what is not between two points has no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import interpolate, optimize

from dq.compare.tables import FloatArray
from dq.errors import CompareError

STEP = 1e-6  # of the curve's fall, in differences that stand for derivatives


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Losses of one arm at several budgets.

    Args:
        tokens: (n,) float64, growing, at least 2.
        losses: (n,) float64, falling, in any unit.
        straight: interpolate on straight lines in tokens, and not by the monotone cubic in their logarithm.

    Raises:
        CompareError: there are fewer than 2 budgets, or the loss does not fall from one to the next.
    """

    tokens: FloatArray
    losses: FloatArray
    straight: bool = False

    def __post_init__(self) -> None:
        if len(self.tokens) < 2:
            raise CompareError(f"{len(self.tokens)} budget: a curve needs at least 2")
        if not (np.all(np.diff(self.tokens) > 0) and self.tokens[0] > 0 and np.all(np.isfinite(self.losses))):
            raise CompareError("budgets must grow and be above 0, and losses be finite numbers")
        rising = np.flatnonzero(np.diff(self.losses) >= 0)
        if len(rising):
            low, high = self.tokens[rising[0] : rising[0] + 2]
            raise CompareError(f"the loss does not fall from {low:,.0f} to {high:,.0f} tokens")

    def loss_at(self, tokens: FloatArray | float) -> FloatArray:
        """The loss at numbers of tokens between the first and the last budget, of their shape."""
        at: FloatArray = self._curve(self._place(tokens))
        return at

    def tokens_at(self, loss: float) -> float | None:
        """The tokens at which the curve reaches a loss; None where that is not between the first and the last."""
        if not self.losses[-1] <= loss <= self.losses[0]:
            return None
        places = self._place(self.tokens)
        at = int(np.clip(np.searchsorted(-self.losses, -loss, side="left"), 1, len(places) - 1))
        low, high = places[at - 1], places[at]
        if self._curve(low) <= loss or self._curve(high) >= loss:  # one of the points, to the last digits
            return float(self.tokens[at - 1] if self._curve(low) <= loss else self.tokens[at])
        found = float(optimize.brentq(lambda place: self._curve(place) - loss, low, high, xtol=1e-12))
        return found if self.straight else float(np.exp(found))

    def gap_at(self, tokens: float) -> float:
        """The factor between the two budgets around a number of tokens."""
        at = int(np.clip(np.searchsorted(self.tokens, tokens), 1, len(self.tokens) - 1))
        return float(self.tokens[at] / self.tokens[at - 1])

    def weights(self, tokens: FloatArray) -> FloatArray:
        """How much each budget's loss moves the curve at each of (m,) numbers of tokens: (m, n)."""
        step = STEP * (self.losses[0] - self.losses[-1])
        places = self._place(tokens)
        columns = []
        for number in range(len(self.tokens)):
            moved = np.zeros(len(self.tokens))
            moved[number] = step
            ahead, back = (_curve(self._place(self.tokens), self.losses + s * moved, self.straight) for s in (1, -1))
            columns.append((ahead(places) - back(places)) / (2 * step))
        return np.stack(columns, axis=-1)

    def _place(self, tokens: FloatArray | float) -> FloatArray:
        given = np.asarray(tokens, np.float64)
        return given if self.straight else np.log(given)

    @cached_property
    def _curve(self) -> interpolate.PPoly:
        return _curve(self._place(self.tokens), self.losses, self.straight)


def _curve(places: FloatArray, losses: FloatArray, straight: bool) -> interpolate.PPoly:
    if straight or len(places) == 2:
        slopes = np.diff(losses) / np.diff(places)
        return interpolate.PPoly(np.stack([slopes, losses[:-1]]), places)
    return interpolate.PchipInterpolator(places, losses)
