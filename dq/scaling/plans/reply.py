"""What every answer of a plan has: the question it is to, its words, and what to beware of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dq.results import Result
from dq.scaling.plans.quantity import short


@dataclass(frozen=True, kw_only=True)
class Reply(Result, ABC):
    """One answer; those to one question are read together.

    Attributes:
        beyond: compute that it is about, times that of the largest run that was fitted.
    """

    beyond: float = 0.0

    @property
    @abstractmethod
    def question(self) -> str:
        """As a user would ask it."""

    @property
    @abstractmethod
    def in_words(self) -> str:
        """The answer, without a full stop."""

    @property
    def caution(self) -> str:
        """What to beware of, beside extrapolation; empty if nothing."""
        return ""

    def record(self) -> dict[str, Any]:
        """The numbers and the words."""
        words = {"question": self.question, "in_words": self.in_words, "cautions": cautions_on([self])}
        return {**super().record(), **words}


def cautions_on(answers: Sequence[Reply]) -> tuple[str, ...]:
    """What to beware of in answers to one question; intervals know nothing of how a law bends beyond the runs."""
    found = list(dict.fromkeys(one.caution for one in answers if one.caution))
    beyond = max((one.beyond for one in answers), default=0.0)
    if beyond > 1.0:
        found.append(
            f"extrapolated to {short(beyond)} times the compute of the largest run, where an interval holds only if "
            "its law does: trust what laws agree on"
        )
    return tuple(found)
