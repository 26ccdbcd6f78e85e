"""The wheel: only `dq`, with its recipes as data, and nothing that belongs to the repository."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import dq
from dq.errors import ConfigError
from dq.recipes import copy_recipe, list_recipes, recipe_path

REPOSITORY = Path(dq.__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("dq_scaling-*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_dq_alone(wheel: zipfile.ZipFile) -> None:
    top = {name.partition("/")[0] for name in wheel.namelist()}
    assert top == {"dq", f"dq_scaling-{dq.__version__}.dist-info"}


def test_the_wheel_holds_every_module_and_the_report_template(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    package = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "dq").rglob("*.py")}
    assert package <= names
    assert "dq/report/template.html" in names


def test_the_wheel_holds_every_recipe_and_no_results(wheel: zipfile.ZipFile) -> None:
    shipped = {name.removeprefix("dq/_recipes/") for name in wheel.namelist() if name.startswith("dq/_recipes/")}
    assert shipped == set(list_recipes())


def test_recipes_of_an_installed_wheel_are_those_of_the_repository(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    program = "from dq.recipes import list_recipes, recipe_path; print(*[recipe_path(n) for n in list_recipes()])"
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    paths = [Path(path) for path in done.stdout.split()]
    assert paths
    for path, name in zip(paths, list_recipes(), strict=True):
        assert path.is_relative_to(tmp_path / "dq" / "_recipes")
        assert path.read_bytes() == recipe_path(name).read_bytes()


def test_copying_a_recipe_never_overwrites(tmp_path: Path) -> None:
    target = copy_recipe("pipelines/quickstart.yaml", tmp_path)
    assert target.read_bytes() == recipe_path("pipelines/quickstart.yaml").read_bytes()
    with pytest.raises(ConfigError, match="already there"):
        copy_recipe("pipelines/quickstart.yaml", tmp_path)


def test_an_unknown_recipe_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="pipelines/quickstart"):
        recipe_path("../../etc/passwd")
