"""What a study fixed before its first run, and what was changed since.

A margin, a look or a variant chosen after the losses were seen makes a verdict mean less than it says. So the first run
writes them down, later ones compare, and every result names what has changed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dq.errors import WorkspaceError, listed
from dq.results import Result, plain
from dq.store import read_json, write_json_atomic
from dq.study.config import StudyConfig

FILE = "registered.json"


@dataclass(frozen=True, kw_only=True)
class Registered(Result):
    """What was fixed, and what is different now."""

    fixed: dict[str, Any]
    """Baseline, variants, margin, looks with their errors, pooling, seeds, confirmation and the sets that decide."""
    changes: tuple[str, ...]
    """One sentence each."""


def register(folder: Path, config: StudyConfig, *, neutral: list[str]) -> Registered:
    """Write down what a study fixes, or compare with what its first run wrote down.

    Raises:
        WorkspaceError: what was written cannot be read.
    """
    path, now = folder / FILE, _fixed(config, neutral)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json_atomic(path, now)
    fixed = read_json(path)
    if not isinstance(fixed, dict) or not isinstance(fixed.get("variants"), dict):
        raise WorkspaceError(f"{path}: does not say what the study fixed; delete {folder} and run again")
    return Registered(fixed=fixed, changes=tuple(_changes(fixed, now)))


def register_cells(folder: Path, names: list[str]) -> tuple[str, ...]:
    """Write down which cells a study has, or name those that were added or left out since its first run.

    Raises:
        WorkspaceError: what was written cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json_atomic(path, {"cells": names})
    fixed = read_json(path)
    if not isinstance(fixed, dict) or not isinstance(fixed.get("cells"), list):
        raise WorkspaceError(f"{path}: does not say which cells the study has; delete it and run again")
    return tuple(_differing("cells", fixed["cells"], names))


def _fixed(config: StudyConfig, neutral: list[str]) -> dict[str, Any]:
    found = {
        "baseline": config.baseline,
        "variants": config.variants,
        "margin_bits_per_byte": config.margin_bits_per_byte,
        "seeds": config.seeds,
        "looks": [[look.seeds, look.error] for look in config.plan],
        "pool": config.pool,
        "confirm": config.confirm,
        "neutral_sets": neutral,
    }
    if config.annealing:  # said only where it is so: what older versions wrote down stays as it is
        found["annealing"] = True
    return dict(plain(found))


def _changes(fixed: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What is different now, the variants one by one."""
    before, after = fixed["variants"], now["variants"]
    other = [name for name in after if name in before and after[name] != before[name]]
    said = _differing("variants", before, after)
    said += [f"variant {name} was {before[name]}, is {after[name]}" for name in other]
    said += [
        f"{name} was {fixed.get(name)}, is {value}"
        for name, value in now.items()
        if name != "variants" and value != fixed.get(name)
    ]
    return said


def _differing(what: str, before: Collection[str], after: Collection[str]) -> list[str]:
    """What was added and what was left out, a sentence each."""
    added, gone = [name for name in after if name not in before], [name for name in before if name not in after]
    return [f"{what} {listed(n)} {how}" for n, how in ((added, "were added"), (gone, "were left out")) if n]
