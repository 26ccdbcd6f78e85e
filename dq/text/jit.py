"""The one place that decides how a kernel is compiled.

Kernels are numba functions compiled without the GIL and cached on disk (beside the source, or in the user's cache
folder when the installation is read-only: numba falls back by itself). Arguments are flat NumPy arrays and scalars.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` on its first call; keep its type for mypy."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True)(function))


def inline_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Like :func:`kernel`, for small helpers that LLVM should inline into their callers."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True, inline="never", forceinline=True)(function))
