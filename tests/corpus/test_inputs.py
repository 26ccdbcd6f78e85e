"""What an entry of the input means: the same files in every command, whatever their place and format."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dq.corpus import InputSpec
from dq.corpus.formats import ENDINGS
from dq.corpus.inputs import find_inputs, input_identity
from dq.corpus.places.local import divided
from dq.corpus.quarantine import QUARANTINE
from dq.errors import InputError
from dq.store import Workspace
from tests.corpus.files import documents, jsonl, read, write, zstd


def names(*inputs: InputSpec | str | Path, root: Path) -> list[str]:
    """The files that entries mean, relative to a folder."""
    entries = [str(one) if isinstance(one, Path) else one for one in inputs]
    return [file.name.removeprefix(f"{root.as_posix()}/") for file in find_inputs(entries).files]


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def test_a_folder_is_read_whole_with_the_folders_in_it_sorted(tmp_path: Path) -> None:
    touch(tmp_path, *(f"sub/deep/{number}{ending}" for number, ending in enumerate(ENDINGS)))
    touch(tmp_path, "b.parquet", "a.jsonl", "sub/c.jsonl.gz", "notes.txt", "sub/readme.md")
    deep = [f"sub/deep/{number}{ending}" for number, ending in enumerate(ENDINGS)]
    expected = ["a.jsonl", "b.parquet", "sub/c.jsonl.gz", *deep]
    assert names(tmp_path, root=tmp_path) == sorted(expected, key=lambda name: Path(name).parts)


def test_what_a_folder_leaves_out_is_read_where_it_is_named(tmp_path: Path) -> None:
    left_out = [".hidden.jsonl", ".git/a.jsonl", "stage.json", "started.json", QUARANTINE, f"scores.{QUARANTINE}"]
    touch(tmp_path, "kept.jsonl", "mystage.json", *left_out)
    assert names(tmp_path, root=tmp_path) == ["kept.jsonl", "mystage.json"]
    assert sorted(names(*(tmp_path / name for name in left_out), root=tmp_path)) == sorted(left_out)


def test_what_is_published_beside_documents_is_theirs_only_where_their_card_is(tmp_path: Path) -> None:
    touch(tmp_path, "a/0.jsonl", "a/manifest.json", "a/tokenizer.json", "b/0.jsonl", "b/manifest.json", "b/README.md")
    (tmp_path / "a" / "croissant.json").write_text("{}")
    assert names(tmp_path, root=tmp_path) == ["a/0.jsonl", "b/0.jsonl", "b/manifest.json"]
    assert find_inputs([str(tmp_path)]).left_out == (str(tmp_path / "b" / "README.md"),)
    everything = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    read, left_out = divided("s3://there", everything, endings=tuple(ENDINGS))
    assert sorted(read) == ["a/0.jsonl", "b/0.jsonl", "b/manifest.json"] and left_out == ["b/README.md"]


def test_linked_folders_are_read_once_and_never_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "data/a.jsonl", "elsewhere/b.jsonl")
    (tmp_path / "data/again").symlink_to(tmp_path / "data")
    (tmp_path / "data/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/linked2").symlink_to(tmp_path / "elsewhere")
    assert names(tmp_path / "data", root=tmp_path) == ["data/a.jsonl", "data/linked/b.jsonl"]


def test_a_workspace_is_no_folder_of_documents_but_a_folder_in_it_is(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "data/work").create()
    touch(workspace.root, "kept/00000.parquet")
    with pytest.raises(InputError, match=r"work: a workspace; name what to read of it, such as .*/work/kept"):
        find_inputs([str(tmp_path / "data")])
    assert names(workspace.kept(), root=workspace.root) == ["kept/00000.parquet"]


def test_a_file_that_two_entries_name_is_read_once_unless_its_fields_are_others(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", jsonl([{"text": "x"}]))
    assert names(path, tmp_path / "*.jsonl", tmp_path, root=tmp_path) == ["a.jsonl"]
    as_source = InputSpec(path=str(path), source="mine")
    assert names(path, as_source, root=tmp_path) == ["a.jsonl", "a.jsonl"]
    assert len(documents(read([path, path], tmp_path / "out"))) == 1


def test_the_identity_of_an_input_is_names_contents_and_fields(tmp_path: Path) -> None:
    touch(tmp_path, "a.jsonl", "b.parquet")
    found = input_identity(find_inputs([str(tmp_path)]).files)
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    spec = {"path": str(tmp_path), "sample": None, "source": None}
    spec |= {"text_field": "text", "id_field": "id", "source_field": "source"}
    source = tmp_path.name  # said where it is not the file's own name, as it was before entries had names
    assert found == [[f"{tmp_path}/a.jsonl", empty, spec, source], [f"{tmp_path}/b.parquet", empty, spec, source]]
    alone = input_identity(find_inputs([str(tmp_path / "a.jsonl")]).files)
    assert alone == [[f"{tmp_path}/a.jsonl", empty, {**spec, "path": str(tmp_path / "a.jsonl")}]]
    news = input_identity(find_inputs([InputSpec(sample="news")]).files)
    assert [row[0] for row in news] == ["news"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_every_ending_is_read_in_every_case_by_name_and_in_a_folder(
    tmp_path: Path, ending: str, change: Callable[[str], str]
) -> None:
    path = tmp_path / f"in{change(ending)}"
    if ".parquet" in ending:
        pq.write_table(pa.table({"text": ["one", "two"]}), path)
    else:
        path.write_bytes(jsonl([{"text": "one"}, {"text": "two"}]))
    tools: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress,
        "zst": zstd,
        "zstd": zstd,
        "bz2": bz2.compress,
        "xz": lzma.compress,
    }
    path.write_bytes(tools.get(ending.rpartition(".")[2], bytes)(path.read_bytes()))
    for entry in (path, tmp_path):
        corpus = read(entry, tmp_path.parent / f"{tmp_path.name}-{entry.suffix}")
        assert [row["text"] for row in documents(corpus)] == ["one", "two"]
    assert len(set(ENDINGS)) == len(ENDINGS)


def test_the_files_of_a_pattern_are_named_as_they_were_found(tmp_path: Path) -> None:
    touch(tmp_path, "d/a.jsonl")
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert names("./d/*.jsonl", root=tmp_path) == names("d/", root=tmp_path) == ["d/a.jsonl"]
    finally:
        os.chdir(here)


def test_a_pattern_below_a_folder_with_brackets_in_its_name_finds_the_files(tmp_path: Path) -> None:
    for name in ("data [v2]/a.jsonl", "data [v2]/deep/b.jsonl", "data v/c.jsonl", "d[a]ta*/x?/e.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"text": "one"}\n')

    def found(entry: str) -> list[str]:
        return [Path(one.name).relative_to(tmp_path).as_posix() for one in find_inputs([str(tmp_path / entry)]).files]

    assert found("data [v2]/*.jsonl") == ["data [v2]/a.jsonl"]
    assert found("data [v2]/**/*.jsonl") == ["data [v2]/a.jsonl", "data [v2]/deep/b.jsonl"]
    assert found("data [v]/*.jsonl") == ["data v/c.jsonl"]
    assert found("d[a]ta*/x?/*.jsonl") == ["d[a]ta*/x?/e.jsonl"]
    assert found("data*/*.jsonl") == ["data [v2]/a.jsonl", "data v/c.jsonl"]
