"""Warmup-stable-decay, and when a run is evaluated. No torch.

The learning rate rises linearly, stays, and falls as 1 - sqrt(progress) (arXiv:2405.18392 found this shape better than
linear or cosine). What is measured before the fall (*trunk*) and after it (*cooled*) is never mixed in a fit, so every
evaluation point carries its phase.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from dq.training.config import TrainingConfig

Phase = Literal["trunk", "cooling", "cooled"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The schedule of one run; steps are counted from 1, and step 0 is the untrained model.

    The rise takes so many tokens, whatever the budget: runs of several budgets share their trunk.
    """

    config: TrainingConfig
    """Resolved: every rate is a number."""
    steps: int

    @property
    def warmup_steps(self) -> int:
        """Steps of the rise: at least 1, and at most what the fall leaves."""
        asked = round((self.config.warmup_tokens or 0) / self.config.tokens_per_step)
        return max(1, min(asked, self.trunk_steps))

    @property
    def decay_steps(self) -> int:
        """Steps of the fall, at least 1."""
        return max(1, round(self.config.decay_fraction * self.steps))

    @property
    def trunk_steps(self) -> int:
        """Steps before the fall."""
        return self.steps - self.decay_steps

    def learning_rate(self, step: int) -> float:
        """Learning rate of a step. The last step of the fall still moves: its rate is that of half a step before 0."""
        rise = min(1.0, step / self.warmup_steps)
        progress = max(0.0, step - self.trunk_steps - 0.5) / self.decay_steps
        return (self.config.peak_learning_rate or 0.0) * rise * (1.0 - math.sqrt(progress))

    def phase(self, step: int) -> Phase:
        """Phase of the model after a step."""
        if step == self.steps:
            return "cooled"
        return "cooling" if step > self.trunk_steps else "trunk"

    def evaluation_steps(self) -> list[int]:
        """Steps after which the model is evaluated, rising: the trunk's, one halfway down the fall, the last."""
        first = max(1, round(self.config.first_curve_fraction * self.steps))
        last = max(first, self.trunk_steps)
        count = self.config.curve_points
        ratio = (last / first) ** (1 / max(1, count - 1))
        trunk = {min(last, round(first * ratio**point)) for point in range(count - 1)} | {last}
        halfway = self.steps - self.decay_steps // 2
        return sorted({step for step in trunk | {halfway} if step < self.steps} | {self.steps})
