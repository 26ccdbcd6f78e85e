"""Kernels are compiled by a compiler of ours: what it leaves out, and what it does not change."""

from __future__ import annotations

import gc
from typing import Any

import numba
import numpy as np
import pytest
from numba.core.compiler import Flags

from dq.text import compiler
from dq.text.jit import OPTIONS, _compiled, inlined, part


def kernel(function: Any) -> Any:
    """A kernel that is not kept on disk, where what it calls is not compiled again."""
    return _compiled(function, **OPTIONS | {"cache": False})


@inlined
def _scaled(value: Any, factor: Any) -> Any:
    return value * factor


@part
def _shifted(value: Any, by: Any) -> Any:
    return value + by


@kernel
def _mixed(values: Any) -> Any:
    total = 0
    for value in values:
        total += _scaled(value, 2) + _scaled(value, 3) + _shifted(value, 1) + _shifted(value, 2)
    return total


def test_a_constant_argument_makes_no_copy_of_a_function() -> None:
    assert _mixed(np.array([1, 10])) == 2 * 11 + 3 * 11 + 11 + 2 + 11 + 4
    signatures: Any = _scaled.nopython_signatures  # type: ignore[attr-defined]
    assert [signature.args for signature in signatures] == [(numba.int64, numba.int64)]
    assert _shifted.nopython_signatures == []  # type: ignore[attr-defined]  # written into the kernel


def test_options_are_the_keys_that_numba_looks_for() -> None:
    usual: Any = Flags()  # type: ignore[no-untyped-call]
    ours: Any = compiler._Flags(usual)  # type: ignore[no-untyped-call]
    assert ours == usual
    assert usual == ours
    assert hash(ours) == hash(usual)
    other: Any = ours.copy()
    assert other == ours
    other.nrt = not ours.nrt
    assert other not in (ours, usual)
    assert type(other) is compiler._Flags


def test_collections_are_as_before_after_a_failed_compilation() -> None:
    @kernel
    def broken(value: Any) -> Any:
        return value.nothing_of_that_name

    before = gc.get_threshold()
    with pytest.raises(numba.TypingError):
        broken(1)
    assert gc.get_threshold() == before
