"""Numba's compiler, without what kernels do not need: it compiles ours in two thirds of the time.

Most of that time is Python's, not LLVM's. Nothing here changes what a kernel does, or its speed. The names from numba
are its own and may change with it: the version is bounded in ``pyproject.toml``.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder, Flags
from numba.core.compiler_machinery import PassManager
from numba.core.typed_passes import NopythonRewrites
from numba.core.untyped_passes import (
    InlineClosureLikes,
    LiteralUnroll,
    MakeFunctionToJitFunction,
    RewriteDynamicRaises,
    WithLifting,
)

__all__ = ["InnerCompiler", "KernelCompiler", "take_any_value"]

RARE_COLLECTIONS = 100_000  # objects made before the garbage collector looks for those of no use; usually 700
# For what kernels do without: arithmetic on whole arrays, closures, tuples of mixed types in loops, exceptions, `with`.
PASSES_LEFT_OUT = {
    NopythonRewrites,
    InlineClosureLikes,
    MakeFunctionToJitFunction,
    LiteralUnroll,
    RewriteDynamicRaises,
    WithLifting,
}


class _Flags(Flags):
    """Numba's options of one compilation: keys of its tables, hashed and compared a hundred thousand times."""

    _HASH = hash(Flags())  # type: ignore[no-untyped-call]  # one for all: numba hashes the names of the options

    def __hash__(self) -> int:
        return self._HASH

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Flags) and self._values == other._values:
            return True
        return super().__eq__(other)  # type: ignore[no-untyped-call, no-any-return]


class KernelCompiler(CompilerBase):
    """Numba's usual passes but `PASSES_LEFT_OUT`."""

    def compile_extra(self, func: Callable[..., Any]) -> Any:
        """Compile one function, and what it calls."""
        self.state.flags = _Flags(self.state.flags)  # type: ignore[no-untyped-call]
        with _rare_collections():
            return super().compile_extra(func)  # type: ignore[no-untyped-call]

    def define_pipelines(self) -> list[Any]:
        """The passes, in order."""
        usual: Any = DefaultPassBuilder  # numba is not typed
        passes: Any = PassManager("kernel")  # type: ignore[no-untyped-call]
        for step, name in usual.define_nopython_pipeline(self.state).passes:
            if step not in PASSES_LEFT_OUT:
                passes.add_pass(step, name)
        passes.finalize()
        return [passes]


class InnerCompiler(KernelCompiler):
    """The same into an `_InnerLibrary`."""

    def define_pipelines(self) -> list[Any]:
        """The passes, in order."""
        make: Any = _InnerLibrary
        self.state.library = make(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        return super().define_pipelines()


class _InnerLibrary(JITCodeLibrary):
    """The code of a function that only kernels call: they optimise and translate it, so nobody else need.

    Numba's own libraries do both before they are linked, which is a sixth of all time spent compiling.
    """

    def finalize(self) -> None:
        """Add what this function calls to its module, and leave it there."""
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:  # noqa: ARG002
        """No code to call from Python."""
        return 0

    @property
    def codegen(self) -> _InnerLibrary:
        """What numba gives the environment of a function to that can run: this one cannot."""
        return self

    def set_env(self, env_name: str, env: object) -> None:
        """Nothing to do."""


def take_any_value(dispatcher: Any) -> None:
    """Compile a function once for all values of a type, not again for every constant that a kernel calls it with."""
    usual = dispatcher.get_call_template
    type_of: Callable[[Any], Any] = types.unliteral

    def of_types(given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return usual(tuple(map(type_of, given)), {name: type_of(one) for name, one in named.items()})

    dispatcher.get_call_template = of_types


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Compiling makes millions of objects that stay: looking for garbage among them is a seventh of its time."""
    before = gc.get_threshold()
    gc.set_threshold(RARE_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
