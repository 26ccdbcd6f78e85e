"""`dq recipes`: list, show and copy the recipes that ship with dq."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dq.cli import show
from dq.cli.options import AsJson, Overwrite


def list_recipes(as_json: AsJson = False) -> None:
    """List the recipes.

    Example: dq recipes list
    """
    from dq.recipes import list_recipes

    names = list_recipes()
    show.json(names) if as_json else show.block("\n".join(names))


def show_recipe(name: Annotated[str, typer.Argument(help="A name from `dq recipes list`.")]) -> None:
    """Print a recipe.

    Example: dq recipes show pipelines/quickstart.yaml
    """
    from dq.recipes import recipe_path

    show.block(recipe_path(name).read_text("utf-8").removesuffix("\n"))


def copy_recipes(
    names: Annotated[list[str], typer.Argument(help="Names from `dq recipes list`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to copy into.")] = Path(),
    to: Annotated[Path | None, typer.Option("--to", hidden=True, help="The old name of --output.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Copy recipes, to make them your own.

    Example: dq recipes copy pipelines/quickstart.yaml ablations/quickstart.yaml
    """
    from dq.recipes import copy_recipe

    for name in names:
        show.line(str(copy_recipe(name, to or output, overwrite=overwrite)))
