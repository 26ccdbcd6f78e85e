"""What a file holds is told by its first bytes: it is read whatever its name, or named with the remedy on one line."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd

from dq.corpus import ReadConfig
from dq.corpus.formats import json_values
from dq.errors import InputError
from dq.stages.read import ingest
from tests.corpus.files import documents, jsonl, quarantined, read

ROWS = [{"text": f'a "quoted" {{brace}} [and] back\\slash {n}\n', "n": [n, {"deep": "]"}]} for n in range(50)]
LINES, TEXTS = jsonl(ROWS), [str(row["text"]) for row in ROWS]
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def texts(path: Path) -> list[str]:
    found = documents(read(path, path.parent / f"{path.name}.out"))
    return [str(row["text"]) for row in found]


def parquet() -> bytes:
    stored = io.BytesIO()
    pq.write_table(pa.table({"text": TEXTS}), stored)
    return stored.getvalue()


def archive(kind: str) -> bytes:
    stored = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stored, "w") as packed:
            packed.writestr("in.jsonl", LINES)
    else:
        with tarfile.open(fileobj=stored, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("in.jsonl"), io.BytesIO())
    return stored.getvalue()


@pytest.mark.parametrize("name", ["in.jsonl", "in.json", "in.parquet", "in.jsonl.gz", "in.ndjson.zst", "in.json.xz"])
@pytest.mark.parametrize(
    "content",
    [LINES, gzip.compress(LINES), zstd.compress(LINES), bz2.compress(LINES), lzma.compress(LINES), parquet()],
    ids=["plain", "gzip", "zstd", "bzip2", "xz", "parquet"],
)
def test_a_file_is_read_by_what_it_holds_and_not_by_its_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert texts(tmp_path / name) == TEXTS


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress, bz2.compress, lzma.compress])
def test_concatenated_streams_and_padding_are_read_whole_and_what_is_no_stream_is_a_fault(
    tmp_path: Path, pack: type
) -> None:
    path, halves = tmp_path / "in.jsonl", (LINES[: len(LINES) // 2], LINES[len(LINES) // 2 :])
    packed = [pack(half) for half in halves]
    path.write_bytes(packed[0] + bytes(8) + packed[1] + bytes(8))
    assert texts(path) == TEXTS
    for number, damaged in enumerate((packed[0] + packed[1][:-3], packed[0] + b"garbage behind", packed[0][:-9])):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"in\.jsonl: cannot be read: .*; replace the file, or leave it out"):
            read(path, tmp_path / str(number))


def test_zstandard_frames_of_no_data_are_passed_over(tmp_path: Path) -> None:
    skipped = b"\x5e\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"
    (tmp_path / "in.jsonl.zst").write_bytes(skipped + zstd.compress(LINES) + skipped)
    assert texts(tmp_path / "in.jsonl.zst") == TEXTS


@pytest.mark.parametrize("window", [27, 28, 31])
def test_zstandard_windows_are_read_up_to_the_largest_there_are(tmp_path: Path, window: int) -> None:
    parameter = zstd.CompressionParameter
    options: dict[int, int] = {
        parameter.window_log: window,
        parameter.enable_long_distance_matching: 1,
        parameter.content_size_flag: 0,
    }
    packer = zstd.ZstdCompressor(options=options)
    (tmp_path / "in.jsonl.zst").write_bytes(packer.compress(LINES) + packer.flush())
    assert texts(tmp_path / "in.jsonl.zst") == TEXTS


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_an_array_is_read_in_any_layout_and_in_any_chunks(
    tmp_path: Path, indent: int | None, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_values, "CHUNK_BYTES", chunk)
    path = tmp_path / "in.json"
    path.write_bytes(b"\xef\xbb\xbf\n " + json.dumps(ROWS, indent=indent).encode())
    found = documents(read(path, tmp_path / "out"))
    assert [row["text"] for row in found] == TEXTS
    assert [row["id"] for row in found[:2]] == [f"{path}:1", f"{path}:2"]
    assert found[3]["meta"] == {"n": [3, {"deep": "]"}]}


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(json.dumps(row, indent=1) for row in ROWS),
        "".join(json.dumps(row) + ",\n" for row in ROWS),
        json.dumps(ROWS[:20]) + "\n" + json.dumps(ROWS[20:]),
    ],
    ids=["pretty objects", "an array without brackets", "two arrays"],
)
def test_objects_over_several_lines_or_with_commas_between_them_are_read(tmp_path: Path, content: str) -> None:
    (tmp_path / "in.json").write_text(content)
    assert texts(tmp_path / "in.json") == TEXTS


def test_bad_elements_of_an_array_are_quarantined_by_number(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text('[{"text": "a"}, 7, "s,]", null, {"text": oops}, {"no": 1}, {"text": "b"}]')
    found = documents(read(tmp_path / "in.json", tmp_path / "out"))
    assert [row["text"] for row in found] == ["a", "b"]
    reasons = [(row["line"], row["reason"]) for row in quarantined(tmp_path / "out")]
    expected = ["not_an_object"] * 3 + ["broken_json", "text_missing"]
    assert reasons == list(enumerate(expected, start=2))


def test_an_array_that_ends_too_early_is_a_fault_of_the_file_and_an_empty_one_is_empty(tmp_path: Path) -> None:
    whole = json.dumps(ROWS).encode()
    (tmp_path / "in.json").write_bytes(whole[:-1])
    with pytest.raises(InputError, match=r"in\.json: cannot be read: the JSON ends before its last bracket"):
        read(tmp_path / "in.json", tmp_path / "out")
    (tmp_path / "in.json").write_bytes(b"[ ]\n")
    (tmp_path / "more.jsonl").write_bytes(LINES)
    corpus = read([tmp_path / "in.json", tmp_path / "more.jsonl"], tmp_path / "out")
    assert corpus.record.summary["empty_files"] == [str(tmp_path / "in.json")]


@pytest.mark.parametrize("name", ["in.jsonl", "in.parquet", "in.json.gz"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LFS, ("Git LFS pointer", "git lfs pull")),
        (b"\xff\xfe" + LINES.decode().encode("utf-16-le"), ("UTF-16", "iconv -f UTF-16 -t UTF-8")),
        (LINES.decode().encode("utf-16-be"), ("UTF-16BE", "iconv")),
        (LINES.decode().encode("utf-32"), ("UTF-32", "iconv")),
        (b"\n <!DOCTYPE html><html>404</html>", ("HTML page", "replace the file")),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', ("XML", "replace the file")),
        (archive("zip"), ("zip archive", "unpack")),
        (archive("tar"), ("tar archive", "unpack")),
        (gzip.compress(archive("tar")), ("tar archive", "unpack")),
        (b"FEA1\x00\x00", ("Feather", "Parquet")),
        (bytes(9000), ("nothing but zeros", "replace the file")),
    ],
    ids=lambda value: (
        "" if isinstance(value, bytes) else str(value[0]).replace(" ", "-")
    ),  # contents hold times and are no names
)
def test_what_dq_does_not_read_is_named_with_its_remedy(
    tmp_path: Path, name: str, content: bytes, words: tuple[str, ...]
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(tmp_path / name, tmp_path / "out")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name}: holds ")
    assert message.isprintable()
    assert all(word in message for word in words)


def test_text_under_a_packed_name_that_is_neither_is_said(tmp_path: Path) -> None:
    for name, what in (("in.jsonl.gz", "gzip"), ("in.jsonl.zstd", "Zstandard"), ("in.parquet", "Parquet")):
        (tmp_path / name).write_bytes(b"plain words\n")
        with pytest.raises(InputError, match=f"{name}: holds no {what}, as its name says; replace the file"):
            read(tmp_path / name, tmp_path / "out")


def test_latin1_is_hinted_at_where_most_unreadable_rows_are_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes('{"text": "café"}\n'.encode("latin-1") * 20)
    with pytest.raises(InputError, match=r"invalid_utf8 20.*is it Latin-1\? `iconv -f LATIN1 -t UTF-8`"):
        ingest(tmp_path / "out", [tmp_path / "in.jsonl"], ReadConfig())


def test_a_mark_of_byte_order_is_none_of_the_text_at_any_line(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"".join(b"\xef\xbb\xbf" + jsonl([row]) for row in ROWS))
    assert texts(tmp_path / "in.jsonl") == TEXTS


@pytest.mark.parametrize("name", ["e.jsonl", "e.parquet", "e.json", "e.jsonl.gz", "e.jsonl.xz", "e.parquet.zst"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_an_empty_shard_of_any_kind_is_passed_over(tmp_path: Path, name: str, pack: type) -> None:
    (tmp_path / name).write_bytes(pack(b""))
    (tmp_path / "full.jsonl").write_bytes(LINES)
    corpus = read(tmp_path, tmp_path.parent / f"{tmp_path.name}-out")
    assert corpus.record.summary["empty_files"] == [str(tmp_path / name)]
    assert len(corpus.documents) == len(ROWS)
