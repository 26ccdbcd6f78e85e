"""File faults stop the job with the file's name, on one line; an empty file is only a warning."""

from __future__ import annotations

import decimal
import gzip
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dq.corpus import InputSpec, ReadConfig
from dq.errors import InputError
from dq.stages.read import ingest
from tests.corpus.files import documents, jsonl, quarantined, read, write, zstd

ROWS = jsonl([{"text": f"document {number} " + os.urandom(20).hex()} for number in range(300)])


def refused(path: Path, folder: Path) -> str:
    """The message about a file: one line that begins with its name; nothing counts as done."""
    with pytest.raises(InputError) as caught:
        read(path, folder)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert not (folder / "stage.json").exists()
    return message


@pytest.mark.parametrize("ending", ["gz", "zst"])
@pytest.mark.parametrize("kept", [1, 5, 0.3, 0.9, -9, -1])
def test_a_truncated_file_stops_the_job(tmp_path: Path, ending: str, kept: float) -> None:
    whole = gzip.compress(ROWS) if ending == "gz" else zstd(ROWS)
    path = tmp_path / f"in.jsonl.{ending}"
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    assert "replace the file, or leave it out of the input" in refused(path, tmp_path / "out")


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_a_file_whose_second_member_is_truncated_stops_the_job(tmp_path: Path, ending: str) -> None:
    whole = gzip.compress(ROWS) if ending == "gz" else zstd(ROWS)
    path = tmp_path / f"in.jsonl.{ending}"
    path.write_bytes(whole + whole[:-20])
    refused(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("ending", "place"),
    # Zstandard without the optional checksum, as here, cannot tell every damage inside a frame.
    [("gz", 0.0), ("gz", 0.001), ("gz", 0.2), ("gz", 0.5), ("gz", 0.9), ("zst", 0.0), ("zst", 0.001)],
)
def test_a_damaged_or_wrongly_named_file_stops_the_job(tmp_path: Path, ending: str, place: float) -> None:
    whole = bytearray(gzip.compress(ROWS, mtime=0) if ending == "gz" else zstd(ROWS))
    at = int(place * len(whole))
    for number in range(at, at + 8):
        whole[number] ^= 0x5A
    path = tmp_path / f"in.jsonl.{ending}"
    path.write_bytes(bytes(whole))
    refused(path, tmp_path / "out")


def test_a_gzip_file_with_a_wrong_header_bit_stops_the_job(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(ROWS, mtime=0))
    whole[12] = 0xFF
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(bytes(whole))
    refused(path, tmp_path / "out")


@pytest.mark.parametrize("cut", [3, 8, 100, -1, -200])
def test_a_truncated_parquet_file_stops_the_job(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": ["a" * 50] * 100}), path)
    path.write_bytes(path.read_bytes()[:cut])
    refused(path, tmp_path / "out")


def test_a_parquet_file_with_damaged_pages_stops_the_job(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": [f"{n}" * 50 for n in range(1000)]}), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[40:400] = bytes(360)
    path.write_bytes(bytes(content))
    refused(path, tmp_path / "out")


@pytest.mark.parametrize("name", ["in.docx", "in.orc", "in.jsonl.lz4", "in", "in.gz", "parquet", "in.jsonl.gz.gz"])
def test_an_unknown_ending_stops_the_job_and_names_the_known_ones(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(ROWS)
    message = refused(path, tmp_path / "out")
    assert "unknown kind of file by its name; dq reads .jsonl, .ndjson" in message
    assert ".parquet" in message


@pytest.mark.parametrize("name", ["none.jsonl", "s3://bucket"])
def test_a_path_that_is_not_there_is_said_to_be_so_and_no_more(tmp_path: Path, name: str) -> None:
    message = refused(tmp_path / name, tmp_path / "out")
    assert message.endswith(": no such file or folder; check the path, which is relative to the current folder")


@pytest.mark.parametrize("name", ["*.jsonl", "empty"])
def test_an_entry_that_means_no_file_stops_the_job_with_one_message(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    message = refused(tmp_path / name, tmp_path / "out")
    assert "no such file, and no folder with files in it that dq reads (.jsonl, " in message
    assert "check the path" in message


def test_a_file_that_cannot_be_read_stops_the_job(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.symlink_to("/proc/self/mem")  # a regular file that even root cannot read from its beginning
    assert "Input/output error; replace the file" in refused(path, tmp_path / "out")


def test_a_dangling_link_or_a_pipe_that_a_pattern_finds_is_not_skipped_silently(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", ROWS)
    (tmp_path / "b.jsonl").symlink_to(tmp_path / "gone")
    pattern = InputSpec(path=str(tmp_path / "*.jsonl"))
    with pytest.raises(InputError, match=r"b\.jsonl: cannot be read: No such file or directory"):
        ingest(tmp_path / "out", [pattern], ReadConfig())
    (tmp_path / "b.jsonl").unlink()
    os.mkfifo(tmp_path / "b.jsonl")
    with pytest.raises(InputError, match=r"b\.jsonl: not a regular file"):
        ingest(tmp_path / "out", [pattern], ReadConfig())


def test_a_pattern_passes_over_folders_and_a_path_with_brackets_is_itself(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").mkdir()
    write(tmp_path / "x.jsonl" / "a[1].jsonl", jsonl([{"text": "brackets"}]))
    write(tmp_path / "b.jsonl", jsonl([{"text": "b"}]))
    corpus = read(tmp_path / "**" / "*.jsonl", tmp_path / "out")
    assert [row["text"] for row in documents(corpus)] == ["b", "brackets"]
    corpus = read(tmp_path / "x.jsonl" / "a[1].jsonl", tmp_path / "out")
    assert [row["text"] for row in documents(corpus)] == ["brackets"]


@pytest.mark.parametrize(
    "name", [b"caf\xe9.jsonl", b"a\nb.jsonl", b"[x] what?*.jsonl", b"\x1b[31m.jsonl", b" a b .jsonl"]
)
def test_a_file_is_read_whatever_bytes_its_name_holds(tmp_path: Path, name: bytes) -> None:
    path = os.fsdecode(bytes(tmp_path) + b"/" + name)
    Path(path).write_bytes(ROWS)
    for entry, out in ((path, "a"), (str(tmp_path / "*"), "b"), (Path(path), "c")):
        corpus = ingest(tmp_path / out / "out", [entry], ReadConfig())
        assert len(corpus.documents) == 300
        assert all(one.isprintable() for one in corpus.documents["id"][:3])
        (tmp_path / out).rename(tmp_path.parent / f"{tmp_path.name}-{out}")  # out of the pattern's way


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz", "e.jsonl.zst", "blank.jsonl", "bom.jsonl"])
def test_an_empty_file_is_recorded_and_the_job_goes_on(tmp_path: Path, name: str) -> None:
    content = {"blank.jsonl": b"\n \n\r\n\t\n", "bom.jsonl": b"\xef\xbb\xbf\n"}.get(name, b"")
    empty = write(tmp_path / name, content)
    corpus = read([empty, write(tmp_path / "full.jsonl", ROWS)], tmp_path / "out")
    assert corpus.record.summary["empty_files"] == [str(empty)]
    assert corpus.record.summary["documents"] == 300
    with pytest.raises(InputError, match=r"no documents in .*; check what the input names"):
        read(empty, tmp_path / "alone")


def test_a_compressed_file_of_no_bytes_and_a_parquet_file_of_no_rows_are_empty_too(tmp_path: Path) -> None:
    (tmp_path / "0.jsonl.gz").touch()
    (tmp_path / "0.jsonl.zst").touch()
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "0.parquet")
    paths = [tmp_path / "0.jsonl.gz", tmp_path / "0.jsonl.zst", tmp_path / "0.parquet"]
    corpus = read([*paths, write(tmp_path / "full.jsonl", ROWS)], tmp_path / "out")
    assert corpus.record.summary["empty_files"] == [str(path) for path in paths]


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("text", "id", "source", "url"):
        path = tmp_path / f"{name}.parquet"
        columns = {"text": pa.array(["a"]), "same": pa.array(["b"]), "again": pa.array(["c"])}
        names = ["text", name, name] if name != "text" else ["text", "text", "x"]
        pq.write_table(pa.Table.from_arrays(list(columns.values()), names), path)
        assert f"two columns are named `{name}`" in refused(path, tmp_path / f"{name}.out")


def test_columns_of_types_that_polars_lacks_become_metadata(tmp_path: Path) -> None:
    wide = pa.array([decimal.Decimal("1.50"), None], pa.decimal256(60, 2))
    lists = pa.array([["x"], None], pa.list_view(pa.string()))
    table = pa.table({"text": ["a", "b"], "wide": wide, "lists": lists, "raw": pa.array([b"r", None])})
    pq.write_table(table, tmp_path / "odd.parquet")
    found = documents(read(tmp_path / "odd.parquet", tmp_path / "out"))
    assert [row["meta"] for row in found] == [
        {"wide": 1.50, "lists": ["x"], "raw": "r"},
        {"wide": None, "lists": None, "raw": None},
    ]


def test_a_bad_row_beside_columns_of_views_is_quarantined_alone(tmp_path: Path) -> None:
    texts = pa.array(["a", None, "a text of more than twelve bytes"], pa.string_view())
    table = pa.table({"text": texts, "id": pa.array(["1", "2", "3"], pa.string_view()), "raw": pa.array([b"r"] * 3)})
    pq.write_table(table, tmp_path / "views.parquet")
    found = documents(read(tmp_path / "views.parquet", tmp_path / "out"))
    assert [row["id"] for row in found] == ["1", "3"]
    assert [(row["line"], row["reason"]) for row in quarantined(tmp_path / "out")] == [(2, "text_missing")]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(2), pa.binary_view()])
def test_an_id_of_bytes_that_are_no_text_is_one_bad_row(tmp_path: Path, kind: pa.DataType) -> None:
    table = pa.table({"text": ["a", "b", "c"], "id": pa.array([b"aa", b"\xff\xfe", None], kind)})
    path = tmp_path / "ids.parquet"
    pq.write_table(table, path)
    assert [row["id"] for row in documents(read(path, tmp_path / "out"))] == ["aa", f"{path}:3"]
    assert [(row["line"], row["reason"]) for row in quarantined(tmp_path / "out")] == [(2, "invalid_utf8")]
