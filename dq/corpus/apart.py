"""Inputs lie apart from outputs: what is read is never written to, deleted, or read again as its own result."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

from dq.corpus.addresses import is_address
from dq.corpus.inputs import Inputs
from dq.corpus.places import LocalFile
from dq.corpus.places.patterns import as_regex
from dq.errors import ConfigError

# What outputs hold, as far as a pattern could find it: files, kept documents, corpora.
_RESULTS = ("", "00000.parquet", "kept/00000.parquet", "corpus/original/00000.parquet")
_REMEDY = "name another place for the output"


def refuse_overlap(inputs: Inputs, outputs: Sequence[Path]) -> None:
    """Refuse an input inside an output, and an output where the input will find it the next time.

    Links and ``..`` are followed before places are compared; nothing has been written or deleted yet.

    Raises:
        ConfigError: which two.
    """
    paths = [one.file.path for one in inputs.files if isinstance(one.file, LocalFile)]
    files = [(path, path.is_symlink()) for path in paths]
    specs = {id(one.spec): one.spec for one in inputs.files}.values()
    entries = [entry for one in specs for entry in (one.path if isinstance(one.path, tuple) else [one.path])]
    for output in outputs:
        place = output.resolve()
        holds = cache(partial(_holds, place))  # most files share a few folders
        for file, is_link in files:
            itself = is_link or file.name == place.name
            if holds(file.parent) or (itself and _holds(place, file)):
                raise ConfigError(f"{file}: the input is inside the output {output}; {_REMEDY}")
        for entry in entries:
            if entry is not None and _finds(entry, place):
                raise ConfigError(
                    f"{output}: lies where the input {entry} looks for files, and would be read the next time; "
                    f"{_REMEDY}"
                )


def _holds(place: Path, path: Path) -> bool:
    """Whether a path is a place or lies in it, as it is named and where links lead: one in the output is its own."""
    as_named = Path(os.path.abspath(path))  # noqa: PTH100
    return any(place in (here, *here.parents) for here in (path.resolve(), as_named))


def _finds(entry: str, output: Path) -> bool:
    """Whether an entry of the input names files of an output."""
    path = Path(entry)
    if is_address(entry) and not os.path.lexists(entry):
        return False
    if path.is_dir():
        return path.resolve() in (output, *output.parents)
    if os.path.lexists(path):
        return path.resolve() == output
    base = next((folder for folder in path.parents if folder.is_dir()), Path())
    pattern = as_regex(path.relative_to(base).as_posix())
    base = base.resolve()
    found = [output / name for name in _RESULTS]
    return any(base in one.parents and pattern.fullmatch(one.relative_to(base).as_posix()) for one in found)
