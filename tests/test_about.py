"""`dq --version`, `dq doctor`, `dq presets` and completion; the types that a user's own checker sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dq
from dq.quality import presets
from tests.command import run_dq
from tests.processes import ROOT


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    done = run_dq("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"dq {dq.__version__}\n")


def test_doctor_says_what_is_missing_and_how_to_install_it(tmp_path: Path) -> None:
    program = "import sys; sys.modules['jinja2'] = None\nimport importlib.util as u\nfind = u.find_spec\n"
    program += "u.find_spec = lambda name: None if name == 'jinja2' else find(name)\n"
    program += "from dq.cli import main; main(sys.argv[1:])"
    environment = {**os.environ, "DQ_CACHE": "/proc/none", "PYTHONPATH": str(ROOT)}
    shown, read = (
        subprocess.run(
            [sys.executable, "-c", program, *words],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        for words in (["doctor"], ["doctor", "--json"])
    )
    assert shown.returncode == 0, shown.stderr
    assert "extra report is not whole: pip install jinja2" in shown.stdout
    assert "/proc/none (cannot be written" in shown.stdout
    found = json.loads(read.stdout)
    assert found["missing_extras"]["report"] == ["jinja2"]
    assert found["versions"]["dq"] == dq.__version__
    assert found["cores"] >= 1
    assert found["cache_writable"] is False


def test_presets_are_listed_and_one_shows_every_rule_with_its_bound(tmp_path: Path) -> None:
    listed = run_dq("presets", cwd=tmp_path).stdout
    assert all(name in listed for name in presets.presets())
    shown = run_dq("presets", "gopher_quality", cwd=tmp_path).stdout
    assert all(rule.reason in shown for rule in presets.gopher_quality().rules)
    assert "word_count at least 50" in shown
    read = json.loads(run_dq("presets", "fineweb", "--json", cwd=tmp_path).stdout)
    assert len(read["rules"]) == len(presets.fineweb().rules)
    wrong = run_dq("presets", "finweb", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr) == (1, "dq: unknown preset `finweb`; did you mean `fineweb`?\n")


def test_a_shell_completes_the_names_of_commands(tmp_path: Path) -> None:
    environment = {**os.environ, "_DQ_COMPLETE": "complete_bash", "COMP_WORDS": "dq ded", "COMP_CWORD": "1"}
    command = [sys.executable, "-c", "from dq.cli import main; main([])"]
    done = subprocess.run(
        command, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["dedup"], done.stderr


@pytest.mark.slow
def test_a_users_own_file_is_checked_against_our_types(tmp_path: Path) -> None:
    assert (Path(dq.__file__).parent / "py.typed").exists()
    (tmp_path / "mine.py").write_text(
        "import dq\nimport polars as pl\nscores: pl.DataFrame = dq.score(['a'])\nwrong: int = dq.deduplicate(['a'])\n"
    )
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\nfollow_imports = silent\n")
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", str(tmp_path), "mine.py"]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[:-1] == [
        'mine.py:4: error: Incompatible types in assignment (expression has type "DataFrame", variable has type "int")'
        "  [assignment]"
    ]
