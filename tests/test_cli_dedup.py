"""`dq dedup`, `dq audit duplicates` and `dq inspect duplicates` as their user meets them: processes, files, kills."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from dq.store import Workspace
from tests.command import MAIN, list_again, run_dq
from tests.jobs.texts import prose, rows, vocabulary, write_jsonl
from tests.jobs.workspaces import contents
from tests.processes import finish, python, until

LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)); " + MAIN


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("dq: ")
    return line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dedup")


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Path:
    return write_jsonl(folder / "in.jsonl", rows(0, 400))


@pytest.fixture(scope="module")
def out(folder: Path, corpus: Path) -> Path:
    done = run_dq("dedup", corpus, "-o", folder / "out", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines()[:-2])) <= 80
    assert "documents by source" in done.stdout and "news" in done.stdout
    return folder / "out"


def test_json_says_what_the_files_hold(corpus: Path, out: Path) -> None:
    done = run_dq("dedup", corpus, "-o", out, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    gone = pl.read_parquet(out / "removed.parquet")
    assert (result["documents"], result["removed"]) == (400, len(gone))
    assert sum(row["kept"] for row in result["sources"]) == 400 - len(gone)


def test_killed_three_times_it_ends_with_the_bytes_of_an_undisturbed_run(
    corpus: Path, out: Path, tmp_path: Path
) -> None:
    again = tmp_path / "out"
    for begun in ("corpus/original", "duplicates/original", "kept"):
        with python(MAIN, "dedup", corpus, "-o", again, "--workers", "2") as process:
            until((again / begun / "started.json").exists)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert not (again / begun / "stage.json").exists()
    assert run_dq("dedup", corpus, "-o", again, "--workers", "2").returncode == 0
    assert contents(Workspace(again)) == contents(Workspace(out))


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(corpus: Path, out: Path, tmp_path: Path) -> None:
    line = one_line(finish(LIMITED, "dedup", corpus, "-o", tmp_path / "out"))
    assert "cannot be written: " in line and "File too large" in line
    assert run_dq("dedup", corpus, "-o", tmp_path / "out").returncode == 0
    assert contents(Workspace(tmp_path / "out")) == contents(Workspace(out))


def test_an_unreadable_shard_is_one_line_that_names_it(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00" + bytes(8))
    line = one_line(run_dq("dedup", corpus, tmp_path / "cut.jsonl.gz", "-o", tmp_path / "out"))
    assert "cut.jsonl.gz: cannot be read" in line


def test_unreadable_rows_are_an_error_until_their_share_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "some words"}\nbroken\n')
    arguments = ("dedup", tmp_path / "in.jsonl", "-o", tmp_path / "out")
    assert "--max-bad-fraction" in one_line(run_dq(*arguments))
    done = run_dq(*arguments, "--max-bad-fraction", "0.5")
    assert done.returncode == 0 and "unreadable rows: 1, listed in " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threshold", "1.5"], "--threshold: "),
        (["--threshold", "0"], "--threshold: "),
        (["--ngram", "0"], "--ngram: "),
        (["--keep", "shortest"], "--keep: use `longest`"),
        (["--keep", "best:no_such_signal"], "--keep: unknown signal"),
        (["--memory", "lots"], "--memory: 'lots' is no amount"),
        (["--memory", "1MB"], "--memory: "),
        (["--max-removed-fraction", "2"], "--max-removed-fraction: "),
    ],
)
def test_a_wrong_option_is_one_line(arguments: list[str], message: str, corpus: Path, tmp_path: Path) -> None:
    assert f"dq: {message}" in one_line(run_dq("dedup", corpus, "-o", tmp_path / "out", *arguments))


def test_a_field_that_no_row_has_is_named_with_those_there_are(corpus: Path, tmp_path: Path) -> None:
    line = one_line(run_dq("dedup", corpus, "-o", tmp_path / "out", "--text-field", "body"))
    assert "no row has the field `body`; the fields there are: id, text, source" in line
    assert "--text-field" in line


def test_missing_files_and_a_missing_folder_are_wrong_usage(corpus: Path) -> None:
    for arguments, message in ((["dedup", "-o", "x"], "name the files"), (["dedup", str(corpus)], "name the folder")):
        done = run_dq(*arguments)
        assert done.returncode == 2
        assert message in done.stderr


def test_the_guard_is_one_line_with_the_flag_that_allows_it(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "in.jsonl", [{"id": f"{n}\x1b[2J", "text": "the same words"} for n in range(5)])
    line = one_line(run_dq("dedup", path, "-o", tmp_path / "out"))
    assert "4 of 5 documents (80%)" in line and line.endswith(": in")
    assert "\x1b" not in line
    assert run_dq("dedup", path, "-o", tmp_path / "out", "--allow-removal", "in").returncode == 0


def test_explain_prints_the_bands_and_stops() -> None:
    done = run_dq("dedup", "--explain", "--threshold", "0.7")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    curve = json.loads(run_dq("dedup", "--explain", "--threshold", "0.7", "--json").stdout)["curve"]
    assert all(point["verified_probability"] >= 0.99 for point in curve if point["similarity"] > 0.7)


def test_a_dry_run_writes_nothing(corpus: Path, tmp_path: Path) -> None:
    done = run_dq("dedup", corpus, "-o", tmp_path / "out", "--dry-run", "--json")
    forecast = json.loads(done.stdout)
    assert (forecast["documents"], forecast["complete"]) == (400, True)
    assert forecast["seconds"] > 0 and forecast["memory_bytes"] > 0 and forecast["disk_bytes"] > 0
    assert not (tmp_path / "out").exists()


def test_the_audit_prints_recall_and_fails_on_an_unproven_removal(out: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(out), str(tmp_path / "copy")], check=True)
    done = run_dq("audit", "duplicates", tmp_path / "copy")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert " 0 unproven" in " ".join(done.stdout.split())
    assert json.loads(run_dq("audit", "duplicates", tmp_path / "copy", "--json").stdout)["missed_pairs"] == []

    path = tmp_path / "copy/selection/original/00000.parquet"
    table = pl.read_parquet(path)
    table.with_columns(similarity=pl.when("kept").then("similarity").otherwise(0.99999)).write_parquet(path)
    list_again(path.parent)
    done = run_dq("audit", "duplicates", tmp_path / "copy")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "checked removals are unproven" in line


def test_pairs_are_shown_side_by_side_with_marks_and_without_control_characters(tmp_path: Path) -> None:
    words = prose(random.Random(1), vocabulary(1), 150).split()
    texts = [
        " ".join([*words, "older\x1b[31m", "ending", "\u202e"]),
        " ".join([*words, "newer", "[bold]", "ending more"]),
    ]
    lines = [{"id": f"doc\x1b[2J{n}", "source": "s\x9b", "text": text} for n, text in enumerate(texts)]
    path = write_jsonl(tmp_path / "in.jsonl", lines)
    done = run_dq("dedup", path, "-o", tmp_path / "out")
    shown = run_dq("inspect", "duplicates", tmp_path / "out")
    listed = run_dq("inspect", "duplicates", tmp_path / "out", "--json")
    assert (done.returncode, shown.returncode, listed.returncode) == (0, 0, 0), shown.stderr
    for output in (done.stdout, shown.stdout, listed.stdout):
        assert not {"\x1b", "\x9b", "\u202e"} & set(output)
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert "[-" in shown.stdout and "older" in shown.stdout and "{+" in shown.stdout and "[bold]" in shown.stdout
    assert "equal words ..." in shown.stdout
    (pair,) = json.loads(listed.stdout)
    assert {pair["text"], pair["kept_text"]} == set(texts)


def test_a_folder_without_a_deduplication_is_one_line(tmp_path: Path) -> None:
    for command in ("audit", "inspect"):
        assert "no dq workspace here" in one_line(run_dq(command, "duplicates", tmp_path))


def test_the_commands_start_without_heavy_modules() -> None:
    program = "import sys, dq.cli; print([m for m in ('numba', 'polars', 'torch', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
