"""Nothing of the user's is lost: outputs of something else, inputs inside outputs, links and files in dq's folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.command import run_dq
from tests.jobs.texts import rows, write_jsonl

JOB = """workspace: ws
input: [{{path: "{path}"}}]
read: {{shard_rows: 30}}
heldout: {{fraction: 0.1}}
tokenizer: {{vocab_size: 300, bytes_per_source: 10000}}
"""


ALONE = ("--workers", "1")  # workers are tried elsewhere


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of each command on one file, and another input."""
    place = tmp_path_factory.mktemp("outputs")
    write_jsonl(place / "a.jsonl", rows(0, 90))
    write_jsonl(place / "b.jsonl", rows(90, 150))
    (place / "job.yaml").write_text(JOB.format(path="a.jsonl"))
    for command in (
        ("dedup", "a.jsonl", "-o", "out"),
        ("filter", "a.jsonl", "--preset", "c4", "-o", "kept", "--dropped", "dropped"),
        ("score", "a.jsonl", "-o", "s.parquet"),
        ("run", "job.yaml"),
    ):
        assert run_dq(*command, *ALONE, cwd=place).returncode == 0, command
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "here")
    return tmp_path / "here"


def refused(place: Path, *command: str, says: str) -> None:
    """A command is one line of error and changes nothing."""
    before = snapshot(place)
    done = run_dq(*command, cwd=place)
    assert (done.returncode, done.stdout) == (1, ""), done
    (line,) = done.stderr.splitlines()
    assert says in line, line
    assert snapshot(place) == before


OTHERS = {
    "dedup": ("dedup", "b.jsonl", "-o", "out"),
    "filter": ("filter", "b.jsonl", "--preset", "c4", "-o", "kept", "--dropped", "dropped"),
    "filter by other rules": ("filter", "a.jsonl", "--preset", "gopher_quality", "-o", "kept", "--dropped", "dropped"),
    "score": ("score", "b.jsonl", "-o", "s.parquet"),
    "run": ("run", "other.yaml"),
    "recipes": ("recipes", "copy", "pipelines/quickstart.yaml"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_another_input_or_setting_made_is_replaced_on_request_only(name: str, place: Path) -> None:
    (place / "other.yaml").write_text(JOB.format(path="b.jsonl"))
    (place / "pipelines").mkdir()
    (place / "pipelines/quickstart.yaml").write_text("mine")
    refused(place, *OTHERS[name], says="--overwrite")
    again = run_dq(*OTHERS[name], "--overwrite", *(() if name == "recipes" else ALONE), cwd=place)
    assert again.returncode == 0, again.stderr
    assert not [path for path in place.rglob("*") if path.name in ("started.json", ".lock", ".pieces")]


@pytest.mark.parametrize("target", ["ws/signals/original", "out/kept", "out/corpus/original", "ws/fates"])
@pytest.mark.parametrize("state", ["finished", "begun"])
def test_the_folder_of_another_command_is_refused_finished_or_not(target: str, state: str, place: Path) -> None:
    if state == "begun":
        (place / target / "stage.json").unlink()
        (place / target / "started.json").write_text('{"fingerprint": "x"}')
    command = ("filter", "a.jsonl", "--preset", "c4", "-o", target)
    refused(place, *command, says="of another command" if state == "finished" else target)
    refused(place, *command, "--overwrite", says=target)


INSIDE = {
    "a corpus": ("dedup", "out/corpus/original/*.parquet", "-o", "out", "--overwrite"),
    "the folder itself": ("filter", "kept", "--preset", "c4", "-o", "kept", "--overwrite"),
    "by a link": ("filter", "linked/00000.parquet", "--preset", "c4", "-o", "kept", "--overwrite"),
    "by a way around": ("filter", "kept/../kept/00000.parquet", "--preset", "c4", "-o", "./kept", "--overwrite"),
    "a file is its own table": ("score", "s.parquet", "-o", "s.parquet", "--overwrite"),
    "an output in the input": ("filter", "data", "--preset", "c4", "-o", "data/new/kept"),
    "a table in the input": ("score", "data", "-o", "data/s.parquet"),
    "where a pattern looks": ("filter", "data/**/*.parquet", "--preset", "c4", "-o", "data/kept"),
    "one output in the other": ("filter", "a.jsonl", "--preset", "c4", "-o", "x", "--dropped", "x/dropped"),
    "an index": ("dedup", "seen/a.jsonl", "-o", "y", "--index", "seen"),
}


@pytest.mark.parametrize("name", INSIDE)
def test_an_input_in_an_output_and_an_output_in_an_input_are_refused(name: str, place: Path) -> None:
    (place / "linked").symlink_to(place / "kept")
    for folder in ("data", "seen"):
        (place / folder).mkdir()
        shutil.copy(place / "a.jsonl", place / folder)
    shutil.copy(place / "kept/00000.parquet", place / "data/x.parquet")
    refused(place, *INSIDE[name], says="two folders" if name.startswith("one") else "another place for the output")


def test_a_job_does_not_read_its_own_workspace(place: Path) -> None:
    for path in ("ws/corpus/original/*.parquet", "ws/corpus/original/00000.parquet"):
        (place / "job.yaml").write_text(JOB.format(path=path))
        refused(place, "run", "job.yaml", "--overwrite", says="the input is inside the output ws")


def test_an_edited_job_rebuilds_and_one_whose_input_has_grown_by_files_goes_on(place: Path) -> None:
    job = JOB.format(path="a.jsonl")
    (place / "job.yaml").write_text(job.replace("0.1}", "0.2}").replace("shard_rows: 30", "shard_rows: 40"))
    assert run_dq("run", "job.yaml", *ALONE, cwd=place).returncode == 0
    (place / "job.yaml").write_text(job.replace("[{", '[{path: "b.jsonl"}, {'))
    assert run_dq("run", "job.yaml", *ALONE, cwd=place).returncode == 0
    assert json.loads((place / "ws/corpus/original/stage.json").read_text())["summary"]["documents"] > 140


@pytest.mark.parametrize("link", ["out/kept", "out/corpus", "ws/signals/original"])
def test_a_link_in_a_workspace_is_refused_and_what_it_leads_to_stays(link: str, place: Path) -> None:
    precious = place / "precious"
    (precious / "original").mkdir(parents=True)
    for name in ("thesis.txt", "00000.parquet", "original/00000.parquet"):
        (precious / name).write_text("mine")
    shutil.rmtree(place / link)
    (place / link).symlink_to(precious)
    before = snapshot(precious)
    job = JOB.format(path="a.jsonl").replace("tokenizer", "quality: {preset: c4}\ntokenizer")
    (place / "job.yaml").write_text(job)
    for command in (("dedup", "b.jsonl", "-o", "out", "--overwrite"), ("run", "job.yaml")):
        done = run_dq(*command, *ALONE, cwd=place)
        if link.startswith("out") == (command[0] == "dedup"):
            assert done.returncode == 1 and "a link to" in done.stderr, done
    assert snapshot(precious) == before


@pytest.mark.parametrize("name", ["notes.txt", "00009.parquet", "pairs/x.parquet"])
def test_a_file_of_the_user_in_a_stage_s_folder_is_named_and_never_deleted(name: str, place: Path) -> None:
    mine = place / "ws/signals/original" / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    (place / "job.yaml").write_text(JOB.format(path="a.jsonl") + "quality: {preset: c4}\n")
    done = run_dq("run", "job.yaml", *ALONE, cwd=place)
    assert done.returncode == 1 and f"{name}: not a file of dq" in done.stderr, done
    assert mine.read_text() == "mine"
    mine.unlink()
    assert run_dq("run", "job.yaml", *ALONE, cwd=place).returncode == 0


def test_run_and_dedup_share_no_workspace(place: Path) -> None:
    refused(place, "dedup", "a.jsonl", "-o", "ws", "--overwrite", says="ws: holds results of `dq run`")
    refused(place, "run", "job.yaml", "--workspace", "out", "--overwrite", says="out: holds results of `dq dedup`")
