"""What callers of the Python API pass by mistake becomes one line that says what to pass instead."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from dq.errors import ConfigError

Kind = TypeVar("Kind")


def many(values: Any, *, name: str, of: str) -> list[Any]:
    """The values of an argument that takes several: of one alone, its letters would be taken for them.

    Args:
        values: what was passed.
        name: the argument.
        of: what its values are, in the plural: ``"names of signals"``.

    Raises:
        ConfigError: it is one value, or no list.
    """
    if isinstance(values, (str, bytes, os.PathLike)):
        raise ConfigError(f"`{name}` takes a list of {of}; write [{_shown(values)}]", field=name)
    if isinstance(values, Mapping) or not isinstance(values, Iterable):
        raise ConfigError(f"`{name}` takes a list of {of}, not {kind_of(values)}", field=name)
    return list(values)


def instance(value: Any, kind: type[Kind], *, name: str, remedy: str) -> Kind:
    """The value of an argument that takes one kind of object.

    Raises:
        ConfigError: it is of another; the message ends with the remedy.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise ConfigError(f"`{name}` takes {article} {kind.__name__}, not {kind_of(value)}; {remedy}", field=name)
    return value


def whole_number(value: Any, *, name: str, least: int) -> int:
    """The value of an argument that takes a whole number.

    Raises:
        ConfigError: it is none, or too small.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ConfigError(f"`{name}` takes a whole number, not {kind_of(value)}", field=name)
    if int(value) < least:
        raise ConfigError(f"`{name}` must be at least {least} (got {value})", field=name)
    return int(value)


def path(value: Any, *, name: str) -> Path:
    """The value of an argument that takes a path.

    Raises:
        ConfigError: it is neither text nor a path.
    """
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise ConfigError(f"`{name}` takes a path, not {kind_of(value)}", field=name)
    return Path(value)


def kind_of(value: Any) -> str:
    """What a value is, in words: ``a str``, ``a pandas DataFrame``, ``None``."""
    if value is None:
        return "None"
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    name = kind.__name__ if package in ("builtins", "__main__") else f"{package} {kind.__name__}"
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
