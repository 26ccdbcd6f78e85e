"""An entry of the input is one source, named by what it means; rows that name a source of their own keep it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dq.corpus import InputSpec
from dq.corpus.inputs import find_inputs, input_specs
from dq.errors import InputError, WorkspaceError
from dq.store import Workspace
from tests.corpus.files import jsonl, read


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    """A folder `corpus` of files in folders, which is the current one."""
    root = tmp_path / "corpus"
    for name in (
        "news.jsonl.gz",
        "web-00.jsonl",
        "web-01.jsonl",
        "a/train/0.jsonl",
        "b/train/0.jsonl",
        "x [1]/0.jsonl",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(jsonl([{"text": name}]))
    before = Path.cwd()
    os.chdir(root)
    yield root
    os.chdir(before)


def sources(*entries: str | InputSpec) -> list[str]:
    return list(dict.fromkeys(file.source for file in find_inputs(list(entries)).files))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (["news.jsonl.gz"], ["news"]),
        (["."], ["corpus"]),
        (["a"], ["a"]),
        (["a/"], ["a"]),
        (["../corpus/a/train"], ["train"]),
        (["web-*.jsonl"], ["web"]),
        (["web-0[01].jsonl"], ["web"]),
        (["*.jsonl"], ["corpus"]),
        (["**/*.jsonl"], ["corpus"]),
        (["*/train/0.jsonl"], ["corpus"]),
        (["a/**/*.jsonl"], ["a"]),
        (["x [1]/*.jsonl"], ["x [1]"]),
        (["a/train/*.jsonl", "b/train/*.jsonl"], ["a/train", "b/train"]),
        (["a/train", "b/train", "news.jsonl.gz"], ["a/train", "b/train", "news"]),
        (["web-00.jsonl", "web-01.jsonl"], ["corpus"]),  # as the shell writes web-*.jsonl
        (["web-00.jsonl", "a/train/0.jsonl"], ["web-00", "0"]),
    ],
)
def test_an_entry_is_one_source_named_by_what_it_means(here: Path, entries: list[str], expected: list[str]) -> None:
    assert here.name == "corpus"
    assert sources(*entries) == expected


def test_entries_of_a_job_are_sources_each_and_a_list_is_one(here: Path) -> None:
    two = [InputSpec(path="web-00.jsonl"), InputSpec(path="web-01.jsonl")]
    assert sources(*two) == ["web-00", "web-01"]
    assert sources(InputSpec(path=["web-00.jsonl", "web-01.jsonl"])) == [here.name]  # type: ignore[arg-type]


def test_files_name_their_own_source_where_that_is_asked_for(here: Path) -> None:
    assert sources(*input_specs(["web-00.jsonl", "web-01.jsonl"], source_from="file")) == ["web-00", "web-01"]
    assert sources(InputSpec(path=str(here / "a"), source_from="file")) == ["0"]
    assert sources(InputSpec(path="a", source="mine", source_from="file")) == ["mine"]


def test_a_row_keeps_its_own_source(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(jsonl([{"text": "a", "source": "own"}, {"text": "b"}]))
    assert read(tmp_path / "in.jsonl", tmp_path / "out").documents["source"].to_list() == ["own", "in"]


def test_what_lies_in_a_folder_and_is_not_read_is_named_but_for_marks(tmp_path: Path) -> None:
    wanted = ["a.jsonl", "deep/er/b.PARQUET.GZ", "c.json.BZ2"]
    missed = [".cache/d.jsonl", ".hidden.jsonl", "deep/notes.txt", "table.csv"]
    marks = ["_SUCCESS", ".gitattributes", "__MACOSX/._a.jsonl", "._a.jsonl", "_metadata", ".cache/huggingface/x.lock"]
    for name in (*wanted, *missed, *marks, "__MACOSX/a.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jsonl([{"text": name}]))
    found = find_inputs([tmp_path])
    assert sorted(file.name for file in found.files) == sorted(f"{tmp_path}/{name}" for name in wanted)
    assert sorted(found.left_out) == sorted(f"{tmp_path}/{name}" for name in missed)


@pytest.mark.parametrize("entry", ["ftp://x.org/a.jsonl", "file:///a.jsonl", "dropbox://a"])
def test_addresses_of_other_schemes_are_refused_with_those_that_are_read(entry: str) -> None:
    for one in ([entry], [InputSpec(path=entry)]):
        with pytest.raises(InputError, match=rf"^{entry}: dq reads no such address, but those of s3://, .* copy the"):
            find_inputs(one)


@pytest.mark.parametrize("place", ["s3://bucket/workspace", "ftp://x.org/a"])
def test_workspaces_lie_on_this_machine(place: str) -> None:
    with pytest.raises(WorkspaceError, match="an address, and dq works on this machine alone"):
        Workspace(place)


def test_standard_input_and_pipes_are_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(InputError, match=r"^-: standard input is not read; write it to a file"):
        find_inputs(["-"])
    with pytest.raises(InputError, match=r"pipe\.jsonl: not a regular file; write what it holds to a file"):
        find_inputs([tmp_path / "pipe.jsonl"])
