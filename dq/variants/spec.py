"""What a study says about a variant: one of the kinds that the files of `kinds` and `noise` define.

Discovered, not listed: a list is one more place to forget, and a forgotten kind is wrong science without a word.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Field

from dq.variants import kinds, noise
from dq.variants.kind import Kind, is_kind


def _kinds_in(package: ModuleType) -> Iterator[type[Kind]]:
    """The kinds that the files of a package define: all that is not abstract."""
    for file in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for _, one in inspect.getmembers(importlib.import_module(file.name), inspect.isclass):
            if issubclass(one, Kind) and one.__module__ == file.name and is_kind(one):
                yield one


KINDS: tuple[type[Kind], ...] = (*_kinds_in(kinds), *_kinds_in(noise))

if TYPE_CHECKING:
    VariantSpec: TypeAlias = Kind
else:
    VariantSpec = Annotated[reduce(or_, KINDS), Field(discriminator="kind")]
    """Any variant, told apart by its `kind`."""


@dataclass(frozen=True)
class KindDescription:
    """A kind for people: its name in a study, its settings, and what it is."""

    kind: str
    fields: tuple[str, ...]
    meaning: str


def describe_kinds() -> tuple[KindDescription, ...]:
    """All kinds, by name, as documentation shows them."""
    return tuple(
        KindDescription(
            kind=one.model_fields["kind"].default,
            fields=tuple(name for name in one.model_fields if name != "kind"),
            meaning=(inspect.getdoc(one) or "").partition("\n")[0],
        )
        for one in KINDS
    )
