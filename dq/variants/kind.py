"""What every kind of variant answers, so that parts, manifest and stream never ask which one they have.

A kind is one final class in one file of `dq/variants/kinds` (which documents, how often) or `dq/variants/noise` (what
is done to them). `dq.variants.spec` finds it there, and nothing else is to be changed. A class that does not say
what it is made of cannot be made: there is no kind that it would silently be instead.

Kinds are made of other kinds by ``base:``: a noise of repeated text, text repeated of noisy one, a mixture of both.
"""

from __future__ import annotations

import inspect
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import (
    BeforeValidator,
    SerializeAsAny,
    ValidationError,
    field_validator,
)

from dq.config import FieldFault, SparseModel
from dq.errors import nearest
from dq.stages.base import Need
from dq.stages.heldout import Heldout
from dq.stages.selection import Selected
from dq.stages.signals import Signals
from dq.stages.tokens import TokenPool
from dq.stages.verdicts import Verdicts
from dq.variants.documents import Universe
from dq.variants.ingredient import ROUNDING_TOKENS, Ingredient


def lower(field: str, most: float) -> str:
    """The remedy of a smaller number of tokens; the largest that fits is exact, though ``most`` was rounded."""
    return f"lower `{field}` to at most {math.floor(most + ROUNDING_TOKENS / 2):,}"


class Kind(SparseModel, ABC):
    """A kind of variant and its settings, as a study states them; the docstring's first line documents it."""

    version: ClassVar[int] = 1
    """Raised when the same settings give another stream: runs of the old one are not mixed in."""

    kind: str
    """Its name in a study: in each kind a `Literal` with itself as default."""
    when_short: Literal["error", "repeat"] = "error"
    """What happens where the pool is smaller than the budget: stop, or repeat all of it as often as needed."""

    @abstractmethod
    def composition(self) -> tuple[Ingredient, ...]:
        """What it is made of; the fractions sum to 1."""

    @property
    def bases(self) -> tuple[Kind, ...]:
        """The kinds that it is made from."""
        return ()

    @property
    def versions(self) -> dict[str, int]:
        """Versions above the first, of itself and what it is made from, by kind: no recipe of a first one has them."""
        own = {self.kind: self.version} if self.version > 1 else {}
        return {name: version for base in self.bases for name, version in base.versions.items()} | own

    @property
    def needs(self) -> Mapping[str, Need]:
        """Outputs that decide its stream: a changed rule leaves variants of all documents, and their runs, alone."""
        found, composition = {"tokens": Need(TokenPool), "heldout": Need(Heldout)}, self.composition()
        counts = [one.counts for one in composition if one.counts is not None]
        if any(one.of != "all" for one in composition) or any(one.is_cluster_size for one in counts):
            found |= {"verdicts": Need(Verdicts), "selection": Need(Selected)}
        if not all(one.is_cluster_size for one in counts):
            found |= {"signals": Need(Signals)}
        return found

    def remedies(
        self, universe: Universe, *, shares: Mapping[str, float], budget_tokens: int, fill: float
    ) -> Sequence[str]:
        """What would do where the shortest part fills only ``fill`` of its quota."""
        del universe, shares
        return [lower("budget_tokens", fill * budget_tokens), "set `when_short: repeat`"]


def is_kind(one: type[Kind]) -> bool:
    """Whether a class is a kind itself, not what kinds have in common: it says what it is called."""
    return not inspect.isabstract(one) and not one.model_fields["kind"].is_required()


def _kinds() -> dict[str, type[Kind]]:
    """Every kind there is, by its name."""
    found, left = {}, list(Kind.__subclasses__())
    while left:
        one = left.pop()
        left += one.__subclasses__()
        if is_kind(one):
            found[one.model_fields["kind"].default] = one
    return found


def _made(value: Any) -> Any:
    """A kind of what a study says of it, with faults at their places."""
    if not isinstance(value, dict):
        return value
    kinds = _kinds()
    if (name := value.get("kind")) not in kinds:
        raise FieldFault(nearest(str(name), kinds, what="kind") if name else "is missing", "kind")
    try:
        return kinds[name].model_validate_json(json.dumps(value))
    except ValidationError as error:
        fault = error.errors()[0]
        inner, message = fault.get("ctx", {}).get("error"), fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            message = nearest(str(fault["loc"][-1]), sorted(kinds[name].model_fields), what="key")
        keys = inner.keys if isinstance(inner, FieldFault) else ()
        raise FieldFault("is missing" if fault["type"] == "missing" else message, *fault["loc"], *keys) from None


Base: TypeAlias = Annotated[SerializeAsAny[Kind], BeforeValidator(_made)]
"""A kind that another one is made from."""


class Composed(Kind, ABC):
    """A kind that is made from another one."""

    base: Base | None = None
    """The variant that it is made from."""

    @field_validator("base")
    @classmethod
    def _plain(cls, base: Kind | None) -> Kind | None:
        if base is not None and base.when_short != "error":
            raise FieldFault("is for the whole variant to say, not for its base", "when_short")
        return base

    @property
    def bases(self) -> tuple[Kind, ...]:
        """The base."""
        return () if self.base is None else (self.base,)

    def of_base(self, otherwise: Ingredient) -> tuple[Ingredient, ...]:
        """What the base is made of; without one, the documents that this kind is of."""
        return (otherwise,) if self.base is None else self.base.composition()
