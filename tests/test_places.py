"""Where dq runs: macOS, read-only installations without a home, environments in which something is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dq
from dq.config import load_yaml
from dq.errors import MissingExtraError, require_all
from dq.jobs import JobConfig
from dq.recipes import list_recipes, recipe_path
from dq.report import MODULES
from dq.study import StudyConfig

PACKAGE = Path(dq.__file__).parent
AS_ON_MACOS = """
import os
for name in ("sched_getaffinity", "sched_setaffinity", "posix_fallocate"):
    delattr(os, name)
from dq.cli import main
if __name__ == "__main__":
    main()
"""
LINES = "\n".join(json.dumps({"text": f"Some words of document {n}, which are {n * n}."}) for n in range(50))


def test_files_are_scored_and_deduplicated_where_the_calls_of_linux_are_missing(tmp_path: Path) -> None:
    (tmp_path / "docs.jsonl").write_text(LINES)
    (tmp_path / "dq_on_macos.py").write_text(AS_ON_MACOS)
    for command in ("score docs.jsonl -o scores.parquet", "dedup docs.jsonl -o deduplicated --workers 2"):
        done = subprocess.run(
            [sys.executable, "dq_on_macos.py", *command.split()],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_windows_is_refused_by_name() -> None:
    program = "import sys; sys.platform = 'win32'; import dq"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "dq runs on Linux and macOS, not on Windows" in done.stderr


READ_ONLY = """
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && mount -t tmpfs -o ro none "$2" || exit 77
unset NUMBA_CACHE_DIR XDG_CACHE_HOME
export HOME="$2" TMPDIR="$3" PYTHONPATH="$1"
for _ in 1 2; do
    "$4" -c "$5" || exit 1
done
"""


def test_kernels_are_kept_in_the_temporary_folder_where_nothing_else_can_be_written(tmp_path: Path) -> None:
    """A read-only installation and no home, in a mount namespace: a kernel is compiled once, then read again."""
    installed, home, scratch = tmp_path / "installed", tmp_path / "home", tmp_path / "scratch"
    shutil.copytree(PACKAGE, installed / "dq", ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir()
    scratch.mkdir()
    program = (
        "import numpy as np; from dq.text.kernels.hash import hash_of\n"
        "hash_of(np.zeros(9, np.uint8)); print(sum(hash_of.stats.cache_hits.values()))"
    )
    arguments = [str(installed), str(home), str(scratch), sys.executable, program]
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", READ_ONLY, "bash", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this user may not mount")
    assert done.stdout.split() == ["0", "1"], done.stderr
    (cache,) = scratch.glob("dq-kernels-*")
    assert cache.stat().st_mode & 0o777 == 0o700


def test_all_that_is_missing_is_named_at_once_with_a_command() -> None:
    require_all(["json", "dq.config"])
    with pytest.raises(MissingExtraError) as caught:
        require_all(["json", "no_such_b.part", "no_such_a"])
    assert str(caught.value) == "no_such_a and no_such_b are not installed; run: pip install no_such_a no_such_b"


def test_what_recipes_need_is_in_the_extras() -> None:
    extras = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {line.partition(">")[0] for extra in extras.values() for line in extra}
    for name in list_recipes():
        study = name.startswith("ablations") or name == "pipelines/build_variants.yaml"
        config = load_yaml(recipe_path(name), StudyConfig if study else JobConfig)
        assert config.modules()
        assert {*config.modules(), *MODULES} <= named


def test_a_study_is_refused_before_anything_is_done_where_something_is_missing(tmp_path: Path) -> None:
    program = "import sys; sys.modules['jinja2'] = sys.modules['torch'] = None\nfrom dq.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "quickstart", "--workspace", str(tmp_path / "workspace")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "dq: jinja2 and torch are not installed; run: pip install jinja2 torch\n"
    assert done.returncode == 1
    assert not (tmp_path / "workspace").exists()
