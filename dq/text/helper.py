"""How the parts of kernels are compiled: functions that only other kernels call.

They get no wrappers for calls from Python, which halves the time to compile them, and no reference counts: they may not
allocate. LLVM passes every field of an array (seven) as an argument of its own, so a call that is not inlined costs by
its arrays: ``inlined`` is for small functions on hot paths, ``helper`` for large ones off them, with few arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")

__all__ = ["helper", "inlined"]

OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
}


def helper(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` for calls from kernels; keep its type for mypy."""
    return cast("Callable[P, R]", numba.njit(**OPTIONS)(function))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` into the kernels that call it; keep its type for mypy."""
    return cast("Callable[P, R]", numba.njit(forceinline=True, **OPTIONS)(function))
