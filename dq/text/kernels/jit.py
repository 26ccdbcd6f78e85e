"""The one place that decides how a kernel is compiled.

Kernels are numba functions compiled without the GIL and cached on disk (beside the source, or in the user's cache
folder when the installation is read-only: numba falls back by itself). Arguments are flat NumPy arrays and scalars,
never closures.

Numba's cache notices a change in a kernel's own file only, though kernels are compiled into one another: ours are
stamped with all files in folders of kernels, where the constants that go into them stand too. That takes private names
of numba, which are used only in the versions it was tried with; with others, numba's own stamp stays, and who edits a
kernel empties the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")

# Within the package: kernels, and the constants that are compiled into them.
KERNEL_FILES = ("*/kernels/*.py", "quality/signals.py")
STAMPED_VERSIONS = ((0, 62), (0, 68))  # of numba, both included

OPTIONS = {"cache": True, "nogil": True}
# For functions that only kernels call: no wrappers for calls from Python (one kills the process), no reference counts.
INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False, "nogil": True}


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` on its first call; keep its type for mypy."""
    return _compiled(function, **OPTIONS)


def plain_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Like `kernel`, for a function that allocates nothing: without reference counts, which large loops pay for."""
    return _compiled(function, _nrt=False, **OPTIONS)


def helper(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` for calls from kernels.

    This takes less time than a kernel, and the function may not allocate. LLVM passes every field of an array (seven)
    as an argument of its own, so a call costs by its arrays: for large functions off hot paths, with few of them.
    """
    return _compiled(function, **INNER)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` into the kernels that call it: for small functions on hot paths."""
    return _compiled(function, forceinline=True, **INNER)


def part(function: Callable[P, R]) -> Callable[P, R]:
    """Write ``function`` into the one kernel that calls it, before that is compiled: for parts of a long kernel.

    Unlike `inlined` it is not compiled by itself as well, but anew for every call in the source.
    """
    return _compiled(function, inline="always", **INNER)


def _compiled(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    dispatcher = numba.njit(**options)(function)
    if options.get("cache") and STAMPED_VERSIONS[0] <= _numba_version() <= STAMPED_VERSIONS[1]:
        _stamp(dispatcher)
    return cast("Callable[P, R]", dispatcher)


def _numba_version() -> tuple[int, ...]:
    return tuple(int(number) for number in numba.__version__.split(".")[:2])


def _stamp(dispatcher: Any) -> None:
    """Make the cached code of a kernel stale when any kernel file changes.

    Numba reads the version before anything else, which may name types that are gone.
    """
    dispatcher._cache._cache_file._version = (numba.__version__, _kernel_stamps())


@cache
def _kernel_stamps() -> tuple[tuple[str, float, int], ...]:
    """Name, time and size of every file that any kernel may have been compiled from."""
    package = Path(__file__).parents[2]
    files = sorted(file for pattern in KERNEL_FILES for file in package.glob(pattern))
    return tuple((file.name, (found := file.stat()).st_mtime, found.st_size) for file in files)
