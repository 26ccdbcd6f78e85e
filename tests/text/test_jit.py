"""Compiled kernels are kept between processes, and made anew when what they are made of has changed, and only then."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from dq.text.kernels import jit

INNER = "from dq.text.kernels.jit import inlined\n\n@inlined\ndef change(n):\n    return n + 1\n"
OUTER = """from change import change
from dq.text.kernels.jit import kernel

@kernel
def whole(n):
    return change(n)
"""
ADDING = "from dq.text.kernels.jit import kernel\n\n@kernel\ndef add(pair):\n    return pair.left + pair.right\n"
SHAPE = "from typing import NamedTuple\n\nclass Pair(NamedTuple):\n    left: int\n    right: int\n"


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose kernel files are compiled into one another, and an empty cache."""
    folder = tmp_path / "text/kernels"
    folder.mkdir(parents=True)
    for name, text in (("change", INNER), ("whole", OUTER), ("adding", ADDING), ("old_home", SHAPE)):
        (folder / f"{name}.py").write_text(text)
    monkeypatch.setattr(jit, "PACKAGE", tmp_path)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python's own cache goes by times too
    yield folder
    jit._kernel_stamps.cache_clear()


def fresh(*names: str) -> list[Any]:
    """Modules as a new process would import them."""
    jit._kernel_stamps.cache_clear()
    for name in ("change", "whole", "adding", "old_home"):
        sys.modules.pop(name, None)
    return [import_module(name) for name in names]


def call() -> tuple[int, int]:
    """What the kernel says of 1, and how often that came from the cache."""
    (module,) = fresh("whole")
    return module.whole(1), sum(module.whole.stats.cache_hits.values())


def test_what_a_checkout_only_touches_is_not_compiled_again(kernels: Path) -> None:
    assert call() == (2, 0)
    for at, file in enumerate(kernels.glob("*.py")):
        os.utime(file, (at, at))
    assert call() == (2, 1)


def test_a_changed_file_is_compiled_again_with_all_that_it_went_into(kernels: Path) -> None:
    assert call() == (2, 0)
    times = (kernels / "change.py").stat()
    (kernels / "change.py").write_text(INNER.replace("1", "7"))  # of the same length,
    os.utime(kernels / "change.py", ns=(times.st_atime_ns, times.st_mtime_ns))  # and the same time
    assert call() == (8, 0)
    assert call() == (8, 1)


def add(home: str) -> tuple[int, int]:
    """The sum of a pair of a module's type, and how often that came from the cache."""
    adding, shape = fresh("adding", home)
    return adding.add(shape.Pair(1, 2)), sum(adding.add.stats.cache_hits.values())


def test_a_kernel_is_compiled_anew_when_a_type_it_was_compiled_for_has_moved(kernels: Path) -> None:
    assert add("old_home") == (3, 0)
    assert add("old_home") == (3, 1)
    (kernels / "old_home.py").rename(kernels / "new_home.py")
    assert add("new_home") == (3, 0)


def test_all_that_is_compiled_into_kernels_is_among_the_files_that_stamp_them() -> None:
    stamped = {name for name, _ in jit._kernel_stamps()}
    for name in stamped - {"quality/signals.py"}:
        for node in ast.walk(ast.parse((jit.PACKAGE / name).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dq."):
                made = str(node.module).removeprefix("dq.").replace(".", "/")
                files = {f"{made}.py", *(f"{made}/{alias.name}.py" for alias in node.names)}
                assert files & stamped or made == "arrays", f"{name} imports {node.module}"  # arrays are types only
