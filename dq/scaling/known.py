"""Every law by its name, found in the files of `laws`.

Discovered, not listed: a list is one more place to forget.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass

import polars as pl

from dq.errors import ConfigError, nearest
from dq.results import Result
from dq.scaling import laws
from dq.scaling.law import Form, Law


@dataclass(frozen=True, kw_only=True)
class LawDescription(Result):
    """A law for people: its name, its formula and source, and the columns and parameters that it has."""

    name: str
    meaning: str
    columns: tuple[str, ...]
    parameters: tuple[str, ...]
    fixed: dict[str, float]
    tied: dict[str, str]


@dataclass(frozen=True)
class NamedLaw:
    """A law for one table, under one of its names."""

    name: str
    law: Law
    form: Form


def _laws() -> dict[str, type[Law]]:
    found: dict[str, type[Law]] = {}
    for file in pkgutil.iter_modules(laws.__path__, f"{laws.__name__}."):
        for _, one in inspect.getmembers(importlib.import_module(file.name), inspect.isclass):
            if issubclass(one, Law) and one.__module__ == file.name and not inspect.isabstract(one):
                found |= dict.fromkeys(one.forms, one)
    return found


LAWS = _laws()


def law_named(name: str, runs: pl.DataFrame) -> NamedLaw:
    """The law of a name, for a table of runs.

    Raises:
        ConfigError: there is no such law.
    """
    if name not in LAWS:
        raise ConfigError(nearest(str(name), sorted(LAWS), what="law"), field="law")
    return NamedLaw(name, LAWS[name].for_runs(runs), LAWS[name].forms[name])


def describe_laws() -> tuple[LawDescription, ...]:
    """All laws, by name, as documentation shows them."""
    return tuple(
        LawDescription(
            name=name,
            meaning=form.meaning,
            columns=law().columns,
            parameters=tuple(one.name for one in law().parameters),
            fixed=dict(form.fixed),
            tied=dict(form.tied),
        )
        for name, law in sorted(LAWS.items())
        for form in (law.forms[name],)
    )
