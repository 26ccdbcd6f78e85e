"""What holds for every command: one place prints, options mean one thing, help has examples, the README names it."""

from __future__ import annotations

import ast
import inspect
import os
import re
import shlex
import signal
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import dq
from dq.cli.options import commands, flags
from dq.cli.program import app
from tests.command import MAIN, run_dq
from tests.jobs.texts import rows, write_jsonl
from tests.processes import ROOT, finish, python, until

PACKAGE = Path(dq.__file__).parent
PROGRAM = get_command(app)
COMMANDS = dict(commands(PROGRAM))
EVERY = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)


def parsed(arguments: list[str]) -> Any:
    """The command that some words call, after it has read them; nothing is run."""
    command: Any = PROGRAM
    context = PROGRAM.make_context("dq", list(arguments))
    while hasattr(command, "commands"):
        _, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(command.name, rest, parent=context)
    return command


@EVERY
def test_every_command_has_an_example_in_its_help_and_the_example_parses(path: tuple[str, ...]) -> None:
    examples = re.findall(r"^Example: (dq .+)$", COMMANDS[path].help, re.MULTILINE)
    assert examples, COMMANDS[path].help
    for example in examples:
        words = shlex.split(example)[1:]
        assert tuple(words[: len(path)]) == path
        assert parsed(words) is COMMANDS[path]


@EVERY
def test_no_help_holds_a_bracket_that_would_be_read_as_markup(path: tuple[str, ...]) -> None:
    helps = [COMMANDS[path].help, *(getattr(one, "help", None) or "" for one in COMMANDS[path].params)]
    assert not [text for text in helps if re.search(r"(?<!\\)\[[a-z/#@]", text)]


@EVERY
def test_every_command_stands_in_the_readme(path: tuple[str, ...]) -> None:
    assert f"dq {' '.join(path)}" in (ROOT / "README.md").read_text("utf-8")


def test_an_option_is_defined_once_and_means_the_same_in_every_command() -> None:
    seen: dict[str, list[Any]] = {}
    for command in COMMANDS.values():
        hints = typing.get_type_hints(inspect.unwrap(command.callback), include_extras=True)
        for name, hint in hints.items():
            if name != "return" and hint not in seen.setdefault(name, []):
                seen[name].append(hint)
    several = {name for name, found in seen.items() if len(found) > 1}
    assert several <= {
        "inputs",
        "output",
        "folder",
        "reason",
        "name",
    }  # what is asked for in each is another file or folder
    assert all("-o" in one.opts for command in COMMANDS.values() for one in command.params if one.name == "output")
    assert flags(PROGRAM)["max_bad_fraction"] == "--max-bad-fraction"


@pytest.mark.parametrize("name", ["score", "filter", "dedup"])
def test_commands_on_files_have_the_same_options_for_them(name: str) -> None:
    of_files = {"output", "text_field", "id_field", "source_field", "max_bad_fraction", "workers", "as_json"}
    assert of_files <= {one.name for one in COMMANDS[(name,)].params}


# --- one module prints ------------------------------------------------------------------------------------------


def test_only_one_module_prints() -> None:
    printing = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if prints(path)}
    assert printing == {"cli/show.py"}


def prints(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
            if any(name.split(".")[0] == "rich" for name in names) or names & {"echo", "secho", "stdout", "stderr"}:
                return True
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        written = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if called == "print" or called.endswith(("echo", ".Console")) or written in ("sys.stdout", "sys.stderr"):
            return True
    return False


def test_libraries_name_arguments_and_never_flags() -> None:
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "cli" or path.name in ("wheels.py", "slurm.py"):  # which call pip and sbatch
            continue
        tree = ast.parse(path.read_text("utf-8"))
        docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
                beside_commands = re.sub(r"`+(dq|xz|zstd) [^`]+`+", "", node.value)
                if re.search(r"(?<![\w-])--[a-z]", beside_commands):
                    wrong.append(f"{path.name}:{node.lineno}: {node.value}")
    assert not wrong


# --- pipes, terminals and signals -------------------------------------------------------------------------------


def test_a_reader_that_leaves_early_ends_the_command_quietly() -> None:
    command = f"{shlex.quote(sys.executable)} -m dq signals | head -3"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=True)
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [("signals", "--json"), ("recipes", "show", "pipelines/quickstart.yaml")])
def test_a_reader_that_is_gone_from_the_start_is_no_traceback(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "dq", *arguments], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_encoding_without_our_characters_spells_them_out() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "dq", "filter", "Ähre.jsonl", "-o", "x", "--preset", "c4"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(rb"dq: \xc4hre.jsonl: no such file")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_behind_the_end_of_a_command_changes_nothing(number: signal.Signals) -> None:
    leaving = f"import atexit, os; atexit.register(os.kill, os.getpid(), {int(number)})"
    done = finish(f"{leaving}; {MAIN}", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().endswith(dq.__version__)


def test_an_interrupted_command_says_that_it_goes_on(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", rows(0, 400))
    with python(MAIN, "dedup", tmp_path / "in.jsonl", "-o", tmp_path / "out") as process:
        until((tmp_path / "out/corpus/original/started.json").exists)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "dq: interrupted; the same command goes on from here\n"


def test_wrong_words_are_two_lines_with_the_usage() -> None:
    wrong = run_dq("filter", "--no-such-option")
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[0] == "dq: No such option: --no-such-option"
    assert wrong.stderr.splitlines()[1].startswith("Usage: dq filter ")
    assert run_dq().returncode == 2
