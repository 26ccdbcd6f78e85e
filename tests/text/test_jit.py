"""Compiled kernels are kept between processes, and made anew when what they are made of has changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

KERNEL = """
from dq.text.kernels.jit import kernel

@kernel
def add(pair):
    return pair.left + pair.right
"""
SHAPE = "from typing import NamedTuple\n\nclass Pair(NamedTuple):\n    left: int\n    right: int\n"


def add_in_a_process(folder: Path, *, module: str, stamp: str) -> str:
    """Call the kernel with a type of ``module``, as if the kernel files were those of ``stamp``."""
    program = (
        f"import dq.text.kernels.jit as jit; jit._kernel_stamps = lambda: {stamp!r}\n"
        f"from adding import add; from {module} import Pair\n"
        "print(add(Pair(1, 2)), sum(add.stats.cache_hits.values()))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_kernel_is_compiled_once_and_anew_when_a_type_it_was_compiled_for_has_moved(tmp_path: Path) -> None:
    (tmp_path / "adding.py").write_text(KERNEL)
    (tmp_path / "old_home.py").write_text(SHAPE)
    assert add_in_a_process(tmp_path, module="old_home", stamp="before") == "3 0"
    assert add_in_a_process(tmp_path, module="old_home", stamp="before") == "3 1"
    (tmp_path / "old_home.py").rename(tmp_path / "new_home.py")
    assert add_in_a_process(tmp_path, module="new_home", stamp="after") == "3 0"
