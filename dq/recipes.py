"""Recipes that ship with dq: YAML files as data, read from the installation or, when editable, from the repository."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from dq.errors import ConfigError, nearest
from dq.store import write_bytes_atomic

FOLDERS = ("pipelines", "ablations")


def _root() -> Path:
    """The folder that holds `pipelines` and `ablations`."""
    package = Path(str(importlib.resources.files("dq")))
    installed = package / "_recipes"
    return installed if installed.exists() else package.parent


def list_recipes() -> list[str]:
    """Names such as ``pipelines/quickstart.yaml``."""
    root = _root()
    return [path.relative_to(root).as_posix() for folder in FOLDERS for path in sorted((root / folder).glob("*.yaml"))]


def recipe_path(name: str) -> Path:
    """The file of a recipe.

    Raises:
        ConfigError: there is none of that name; says which there are.
    """
    if name not in list_recipes():
        raise ConfigError(nearest(name, list_recipes(), what="recipe"))
    return _root() / name


def copy_recipe(name: str, folder: Path, *, overwrite: bool = False) -> Path:
    """Copy a recipe below ``folder``, under its own name.

    Raises:
        ConfigError: no such recipe, or the file is already there.
    """
    source, target = recipe_path(name), folder / name
    if target.exists() and not overwrite:
        raise ConfigError(
            f"{target}: already there; copy into another folder, or replace it: `overwrite`", field="overwrite"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(target, source.read_bytes())
    return target
