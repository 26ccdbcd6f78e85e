"""The one place that decides how a kernel is compiled.

Kernels are numba functions compiled without the GIL and cached on disk: where ``NUMBA_CACHE_DIR`` says, beside the
source, in the user's cache folder where the installation is read-only, and in the machine's temporary folder where
there is no home either. Without any of these every process compiles them anew, in about a minute. Arguments are flat
NumPy arrays and scalars, never closures.

Numba's cache notices a change in a kernel's own file only, though kernels are compiled into one another, and in most
versions it takes a file that was only touched, by a checkout say, for a changed one: ours are stamped with the contents
of all files in folders of kernels, where the constants that go into them stand too. That takes private names of numba,
which are used only in the versions it was tried with; with others, numba's own stamp stays, and who edits a kernel
empties the cache.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.extending import intrinsic

P = ParamSpec("P")
R = TypeVar("R")

PACKAGE = Path(__file__).parents[2]
# Within the package: kernels, and the constants that are compiled into them.
KERNEL_FILES = ("*/kernels/*.py", "quality/signals.py")
STAMPED_VERSIONS = ((0, 62), (0, 68))  # of numba, both included

OPTIONS = {"cache": True, "nogil": True}
# For functions that only kernels call: no wrappers for calls from Python (one kills the process), no reference counts.
INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False, "nogil": True}

# Arithmetic on float32 that may be reordered, so that sums are vectorised; NaN and infinity stay what they are.
ARITHMETIC = {"fastmath": {"reassoc", "contract", "arcp", "nsz"}, "error_model": "numpy"}


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` on its first call; keep its type for mypy."""
    return _compiled(function, **OPTIONS)


def plain_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Like `kernel`, for a function that allocates nothing: without reference counts, which large loops pay for."""
    return _compiled(function, _nrt=False, **OPTIONS)


def vector_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Like `plain_kernel`, for arithmetic in any order: equal bits on one machine, not on another."""
    return _compiled(function, _nrt=False, **OPTIONS, **ARITHMETIC)


def vector_inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Like `inlined`, into a `vector_kernel`."""
    return _compiled(function, forceinline=True, **INNER, **ARITHMETIC)


def _widest(_types: Any) -> Any:
    def code(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')  # LLVM knows it, `add` of llvmlite does not
        return context.get_dummy_value()

    return numba.types.none(), code


widest = cast("Callable[[], None]", intrinsic(_widest))
"""At the head of a function with loops: vectors as wide as they are, where LLVM prefers half of them (AVX-512)."""


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
    try:
        dispatcher = numba.njit(**options)(function)
    except RuntimeError:  # numba found no folder to cache in
        numba_config: Any = numba.config
        numba_config.CACHE_DIR = _temporary_cache()
        options["cache"] = bool(numba_config.CACHE_DIR)
        dispatcher = numba.njit(**options)(function)
    if options.get("cache") and STAMPED_VERSIONS[0] <= _numba_version() <= STAMPED_VERSIONS[1]:
        _stamp(dispatcher, Path(inspect.getfile(function)))
    return cast("Callable[P, R]", dispatcher)


@cache
def _temporary_cache() -> str:
    """A folder that nobody else can write to, for what is cached is run; empty where there is none."""
    folder = Path(tempfile.gettempdir()) / f"dq-kernels-{os.getuid()}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            return str(folder)
    return ""


def _numba_version() -> tuple[int, ...]:
    return tuple(int(number) for number in numba.__version__.split(".")[:2])


def _stamp(dispatcher: Any, own_file: Path) -> None:
    """Make the cached code of a kernel stale when the contents of any kernel file change, and only then.

    Numba reads the version before anything else, which may name types that are gone.
    """
    cached = dispatcher._cache._cache_file
    cached._version, cached._source_stamp = (numba.__version__, _kernel_stamps()), _digest(own_file)


@cache
def _kernel_stamps() -> tuple[tuple[str, str], ...]:
    """Name and contents, hashed, of every file that any kernel may have been compiled from."""
    files = sorted(file for pattern in KERNEL_FILES for file in PACKAGE.glob(pattern))
    return tuple((file.relative_to(PACKAGE).as_posix(), _digest(file)) for file in files)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
