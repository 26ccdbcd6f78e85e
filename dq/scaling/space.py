"""Which parameters of a law are free: a linear map from the solver's numbers to all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dq.errors import ConfigError, nearest
from dq.scaling.law import Law, Parameter
from dq.scaling.points import FloatArray


@dataclass(frozen=True)
class Space:
    """theta = spread @ x + offset, for free x (F,) and all theta (P,).

    Attributes:
        free: the parameters that are fitted, in the law's order.
        spread: (P, F), zeros and ones: a tied parameter repeats the column of the one it follows.
        offset: (P,), the fixed values.
    """

    free: tuple[Parameter, ...]
    spread: FloatArray
    offset: FloatArray

    @property
    def low(self) -> FloatArray:
        """Least values searched, (F,)."""
        return np.array([one.low for one in self.free])

    @property
    def high(self) -> FloatArray:
        """Greatest values searched, (F,)."""
        return np.array([one.high for one in self.free])

    @property
    def is_plain(self) -> bool:
        """Whether every parameter is free, so that the map changes nothing."""
        return self.spread.shape[0] == self.spread.shape[1] and bool((self.spread == np.eye(len(self.spread))).all())

    def place(self, name: str) -> int:
        """Where a free parameter stands.

        Raises:
            ConfigError: it is not free.
        """
        names = [one.name for one in self.free]
        if name not in names:
            raise ConfigError(nearest(name, names, what="fitted parameter"), field="name")
        return names.index(name)

    def all_of(self, x: FloatArray) -> FloatArray:
        """All parameters (K, P) of free ones (K, F)."""
        full: FloatArray = x if self.is_plain else x @ self.spread.T + self.offset
        return full

    @classmethod
    def of(cls, law: Law, *, fixed: Mapping[str, float], tied: Mapping[str, str]) -> Space:
        """The space of a law with some parameters fixed or tied.

        Raises:
            ConfigError: a name is no parameter, or a parameter is both fixed and tied, or follows one that is not free.
        """
        by_name = {one.name: one for one in law.parameters}
        _check(by_name, fixed, tied)
        fixed = {**fixed, **{name: fixed[other] for name, other in tied.items() if other in fixed}}
        free = tuple(one for one in law.parameters if one.name not in fixed and one.name not in tied)
        names = [one.name for one in free]
        spread, offset = np.zeros((len(by_name), len(free))), np.zeros(len(by_name))
        for row, (name, parameter) in enumerate(by_name.items()):
            if name in fixed:
                offset[row] = parameter.inner(fixed[name])
            else:
                spread[row, names.index(tied.get(name, name))] = 1.0
        return cls(free, spread, offset)


def _check(by_name: Mapping[str, Parameter], fixed: Mapping[str, float], tied: Mapping[str, str]) -> None:
    for field, names in (("fixed", [*fixed]), ("tied", [*tied, *tied.values()])):
        for name in names:
            if name not in by_name:
                raise ConfigError(nearest(name, by_name, what="parameter"), field=field)
    for name, value in fixed.items():
        if not np.isfinite(value) or (by_name[name].is_log and value < 0):
            raise ConfigError(
                f"`fixed`: {name} = {value:g} is no value of a parameter; give a number >= 0", field="fixed"
            )
    for name, other in tied.items():
        if name in fixed:
            raise ConfigError(f"`tied`: {name} is fixed already; fix {other} instead, or do not tie", field="tied")
        if other in tied:
            raise ConfigError(
                f"`tied`: {name} must follow a parameter of its own, not {other}, which is tied too", field="tied"
            )
        if by_name[name].is_log != by_name[other].is_log:
            raise ConfigError(f"`tied`: {name} and {other} are not of one kind; tie two exponents", field="tied")
