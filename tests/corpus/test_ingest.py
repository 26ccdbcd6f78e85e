"""Rows become documents: ids, sources, meta, shards, and the same bytes every time."""

from __future__ import annotations

import gzip
import json
import os
import signal
import tempfile
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.corpus import Corpus, InputSpec, ReadConfig
from dq.corpus.documents import BadRow
from dq.corpus.formats.jsonl import JsonLines, line_spans
from dq.corpus.places.local import LocalFile
from dq.errors import InputError, WorkspaceError
from dq.stages.read import ingest
from tests.corpus.files import LENIENT, documents, invalid_strings, jsonl, quarantined, read, write, zstd
from tests.processes import python, until


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def column(corpus: Corpus, name: str) -> list[Any]:
    return [row[name] for row in documents(corpus)]


def test_a_document_has_its_id_source_text_meta_and_content_key(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a1", "text": "Grüße", "source": "s", "url": "u", "n": [1, None, 0.5], "deep": {"k": True}}
    ]
    path = write(tmp_path / "in.jsonl", jsonl(rows))
    (document,) = documents(read(path, tmp_path / "out"))
    assert document == {
        "id": "a1",
        "source": "s",
        "text": "Grüße",
        "meta": {"url": "u", "n": [1, None, 0.5], "deep": {"k": True}},
        "content_key": xxhash.xxh64_intdigest("Grüße".encode()),
        "n_bytes": 7,
    }


def test_an_id_is_the_given_one_or_names_file_and_line(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "given", "text": ""},
        {"text": ""},
        {"id": None, "text": ""},
        {"id": "", "text": ""},
        {"id": 7, "text": ""},
        {"id": 0, "text": ""},
        {"id": 2**63, "text": ""},
    ]
    path = write(tmp_path / "in.jsonl", b"\n\n" + jsonl(rows))
    derived = [f"{path}:{line}" for line in (4, 5, 6)]
    assert column(read(path, tmp_path / "out"), "id") == ["given", *derived, "7", "0", str(2**63)]
    assert column(read(path, tmp_path / "other", id_field="url"), "id") == [f"{path}:{line}" for line in range(3, 10)]


def test_the_source_is_the_jobs_then_the_rows_then_the_files(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "", "source": "row"},
        {"text": ""},
        {"text": "", "source": ""},
        {"text": "", "source": 3},
    ]
    path = write(tmp_path / "cc.2024.jsonl.gz", jsonl(rows))
    assert column(read(path, tmp_path / "a"), "source") == ["row", "cc", "cc", "3"]
    assert column(read(path, tmp_path / "b", source="job"), "source") == ["job"] * 4
    renamed = write(tmp_path / "x.jsonl", jsonl([{"text": "", "from": "row", "source": "no"}]))
    (document,) = documents(read(renamed, tmp_path / "c", source_field="from"))
    assert (document["source"], document["meta"]) == ("row", {"source": "no"})


def test_fields_may_have_other_names(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", jsonl([{"content": "a", "text": "not this", "key": "k"}]))
    (document,) = documents(read(path, tmp_path / "out", text_field="content", id_field="key"))
    assert (document["text"], document["id"], document["meta"]) == ("a", "k", {"text": "not this"})


def test_meta_of_any_depth_and_any_integer_is_kept(tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    lines = [
        json.dumps({"text": "a", "deep": deep}),
        r'{"text": "\ud800", "n": 123456789012345678901234567890}',
        r'{"text": "b", "n": 18446744073709551615}',
    ]
    rows = documents(read(write(tmp_path / "in.jsonl", "\n".join(lines).encode()), tmp_path / "out"))
    assert rows[0]["meta"] == {"deep": deep}
    assert rows[1]["meta"] == {"n": 123456789012345678901234567890}
    assert rows[2]["meta"] == {"n": 2**64 - 1}


def test_a_byte_order_mark_windows_lines_blank_lines_and_a_missing_last_newline_change_nothing(tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": f"text {n}\r\n"} for n in range(5)]
    plain = jsonl(rows)
    variants = {
        "plain": plain,
        "bom": b"\xef\xbb\xbf" + plain,
        "crlf": plain.replace(b"\n", b"\r\n"),
        "blank": b"\n \n" + plain.replace(b"\n", b"\n\r\n\n"),
        "open": plain.removesuffix(b"\n"),
    }
    found = []
    for name, content in variants.items():
        (tmp_path / name).mkdir()
        found.append(documents(read(write(tmp_path / name / "in.jsonl", content), tmp_path / name / "out")))
        assert not quarantined(tmp_path / name / "out")
    assert all(rows == found[0] for rows in found)
    assert [row["text"] for row in found[0]] == [row["text"] for row in rows]


def test_every_format_of_the_same_rows_gives_the_same_documents(tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": f"text {n} é" * n, "meta": {"n": n, "s": None}} for n in range(700)]
    raw = jsonl(rows)
    write(tmp_path / "in.jsonl", raw)
    write(tmp_path / "in.jsonl.gz", raw)
    write(tmp_path / "in.jsonl.zst", raw)
    cut = raw.index(b"\n", 5000) + 1
    (tmp_path / "in2.jsonl.gz").write_bytes(gzip.compress(raw[: cut - 9]) + gzip.compress(raw[cut - 9 :]))
    (tmp_path / "in2.jsonl.zst").write_bytes(zstd(raw[:cut]) + zstd(raw[cut:]))
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=100)
    large = table.set_column(1, "text", table["text"].cast(pa.large_string()))
    pq.write_table(large, tmp_path / "large.parquet")
    pq.write_table(table.set_column(1, "text", table["text"].dictionary_encode()), tmp_path / "words.parquet")
    expected = [{**row, "meta": {"meta": row["meta"]}} for row in rows]
    for path in sorted(tmp_path.iterdir()):
        found = documents(read(path, tmp_path / "out" / path.name, source="s"))
        assert [{key: row[key] for key in ("id", "text", "meta")} for row in found] == expected, path


def test_parquet_nulls_types_and_invalid_text_are_row_faults_at_most(tmp_path: Path) -> None:
    for name, large in (("small", False), ("large", True)):
        table = pa.table(
            {
                "id": pa.array([None, "b", None, "d", "e"]),
                "text": invalid_strings([b"one", b"caf\xe9", None, b"nul \x00", b""], large=large),
                "day": pa.array([date(2024, 1, 2)] * 5),
                "n": pa.array([1, 2, 3, 4, None], pa.int8()),
            }
        )
        path = tmp_path / f"{name}.parquet"
        pq.write_table(table, path)
        corpus = read(path, tmp_path / name)
        rows = documents(corpus)
        assert [(row["id"], row["text"]) for row in rows] == [(f"{path}:1", "one"), ("d", "nul \x00"), ("e", "")]
        assert [row["meta"] for row in rows] == [{"day": "2024-01-02", "n": n} for n in (1, 4, None)]
        bad = quarantined(tmp_path / name)
        assert [(row["line"], row["reason"]) for row in bad] == [(2, "invalid_utf8"), (3, "text_missing")]
        assert bad[0]["first_bytes"] == "caf\ufffd"


def test_invalid_text_deep_inside_a_parquet_row_is_that_rows_fault(tmp_path: Path) -> None:
    values = invalid_strings([b"ok", b"\xff", b"fine"])
    nested = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), values)
    words = pa.DictionaryArray.from_arrays(pa.array([0, 2, 1], pa.int32()), values)
    for name, extra in (("nested", nested), ("words", words)):
        table = pa.table({"text": ["a", "b", "c"], "extra": extra})
        pq.write_table(table, tmp_path / f"{name}.parquet")
        corpus = read(tmp_path / f"{name}.parquet", tmp_path / name)
        assert corpus.record.summary["documents"] == 2
        assert [bad["reason"] for bad in quarantined(tmp_path / name)] == ["invalid_utf8"]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("text", [1, 2], "column `text` holds int64, not text"),
        ("text", [b"a", b"b"], "column `text` holds binary, not text"),
        ("text", [["a"], ["b"]], "column `text` holds list<element: string>, not text"),
        ("body", ["a", "b"], "no column `text`; the fields there are: body"),
    ],
)
def test_a_parquet_file_without_a_column_of_texts_is_a_file_fault(
    tmp_path: Path, column: str, values: list[Any], message: str
) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({column: values}), path)
    with pytest.raises(InputError) as caught:
        read(path, tmp_path / "out")
    assert str(caught.value).startswith(f"{path}: {message}; ")
    assert "`text_field`" in str(caught.value)


def test_identical_documents_are_numbered_by_id_within_their_source(tmp_path: Path) -> None:
    rows = [
        {"id": "c", "text": "same", "source": "x"},
        {"id": "a", "text": "same", "source": "x"},
        {"id": "b", "text": "same", "source": "y"},
        {"id": "b", "text": "other", "source": "x"},
        {"id": "b", "text": "same", "source": "x"},
    ]
    numbered = {}
    for name, order in (("forth", rows), ("back", rows[::-1])):
        path = write(tmp_path / f"{name}.jsonl", jsonl(order))
        corpus = read(path, tmp_path / name, config=ReadConfig(shard_rows=2))
        table = corpus.documents
        assert table["occurrence"].dtype == pl.UInt32
        numbered[name] = {
            (row["id"], row["source"], row["content_key"]): row["occurrence"] for row in table.iter_rows(named=True)
        }
    assert numbered["forth"] == numbered["back"]
    assert [numbered["forth"][i, "x", xxhash.xxh64_intdigest(b"same")] for i in "abc"] == [0, 1, 2]
    assert [value for key, value in numbered["forth"].items() if key[1] == "y"] == [0]


def test_shards_are_cut_by_rows_and_documents_are_found_by_number(tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": f"text {n}"} for n in range(10)]
    paths = [write(tmp_path / "a.jsonl", jsonl(rows[:4])), write(tmp_path / "b.jsonl", jsonl(rows[4:]))]
    corpus = read(paths, tmp_path / "out", config=ReadConfig(shard_rows=3))
    assert [path.name for path in corpus.shards] == [f"{n:05d}.parquet" for n in range(4)]
    assert corpus.documents["shard"].to_list() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert [corpus.text_of(n) for n in range(10)] == [row["text"] for row in rows]
    assert corpus.texts(3).to_pylist() == ["text 9"]
    assert corpus.record.summary["sources"] == {
        "a": {"documents": 4, "bytes": 24},
        "b": {"documents": 6, "bytes": 36},
    }


def test_a_second_run_repeats_nothing_and_a_new_one_gives_the_same_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", jsonl([{"text": f"text {n}"} for n in range(100)]) + b"{\n")
    read(path, tmp_path / "one")
    before = {item.name: item.stat().st_mtime_ns for item in (tmp_path / "one").iterdir()}
    read(path, tmp_path / "one")
    assert {item.name: item.stat().st_mtime_ns for item in (tmp_path / "one").iterdir()} == before
    read(path, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert set(contents(tmp_path / "one")) == {"00000.parquet", "quarantined.jsonl", "stage.json"}


def test_changed_bytes_or_settings_are_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", jsonl([{"text": "a"}, {"text": "b"}]))
    first = read(path, tmp_path / "out").record.fingerprint
    assert read(path, tmp_path / "out", source="s").record.fingerprint != first
    assert read(path, tmp_path / "out", config=ReadConfig(shard_rows=1)).record.fingerprint != first
    write(path, jsonl([{"text": "c"}]))
    corpus = read(path, tmp_path / "out")
    assert corpus.record.fingerprint != first
    assert column(corpus, "text") == ["c"]
    assert len(corpus.shards) == 1


def test_two_inputs_are_read_in_the_order_of_the_job_and_files_of_a_pattern_by_name(tmp_path: Path) -> None:
    for name in ("b2", "b10", "a"):
        write(tmp_path / f"{name}.jsonl", jsonl([{"text": name}]))
    specs = [InputSpec(path=str(tmp_path / "b*.jsonl")), InputSpec(path=str(tmp_path / "a.jsonl"))]
    assert column(ingest(tmp_path / "out", specs, LENIENT), "text") == ["b10", "b2", "a"]
    assert [InputSpec.model_validate(one.path) for one in specs] == specs  # as a job may write them, by the path alone


def test_progress_names_the_file_and_counts_its_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", jsonl([{"text": "a"}] * 40_000))
    seen: list[tuple[str, float]] = []
    spec = InputSpec(path=str(path))

    class Listener:
        def advance(self, amount: float = 1, *, detail: str = "") -> None:
            seen.append((detail, amount))

    ingest(tmp_path / "out", [spec], LENIENT, step=Listener())
    assert {detail for detail, _ in seen} == {str(path)}
    assert sum(amount for _, amount in seen) == path.stat().st_size


READER = """
import sys
from pathlib import Path
from dq.corpus import InputSpec, ReadConfig
from dq.stages.read import ingest
ingest(Path(sys.argv[2]), [InputSpec(path=sys.argv[1])], ReadConfig(shard_rows=20))
"""


def test_a_reader_killed_at_work_is_not_done_and_the_next_one_ends_with_the_same_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", jsonl([{"text": f"text {n} " * 2000} for n in range(400)]))
    with python(READER, path, tmp_path / "killed") as process:
        until((tmp_path / "killed" / "00003.parquet").exists)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with pytest.raises(WorkspaceError, match="not finished"):
        Corpus(tmp_path / "killed")
    for name in ("killed", "whole"):
        read(path, tmp_path / name, config=ReadConfig(shard_rows=20))
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
row = st.fixed_dictionaries({"id": st.text(min_size=1, max_size=6), "text": st.text(max_size=40), "more": values})


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(row, min_size=1, max_size=8), ascii_only=st.booleans(), shard_rows=st.integers(1, 9))
def test_any_rows_come_back_as_they_were_written(
    rows: list[dict[str, Any]], ascii_only: bool, shard_rows: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    content = "".join(json.dumps(item, ensure_ascii=ascii_only) + "\n" for item in rows).encode()
    corpus = read(write(folder / "in.jsonl", content), folder / "out", config=ReadConfig(shard_rows=shard_rows))
    found = [{"id": item["id"], "text": item["text"], **item["meta"]} for item in documents(corpus)]
    assert found == rows
    keys = corpus.documents["content_key"].to_list()
    assert keys == [xxhash.xxh64_intdigest(item["text"].encode()) for item in rows]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=30), st.integers(0, 60), st.booleans(), st.integers(1, 16))
def test_spans_of_a_file_are_its_lines_in_order(lengths: list[int], size: int, ended: bool, chunk: int) -> None:
    content = b"\n".join(b"x" * length for length in lengths) + (b"\n" if ended else b"")
    with tempfile.TemporaryDirectory() as folder, patch("dq.corpus.formats.jsonl.CHUNK_BYTES", chunk):
        path = Path(folder) / "in.jsonl"
        path.write_bytes(content)
        file = LocalFile(path)
        spans = line_spans(file, max_bytes=size)
        whole = [
            (row.line, row.first_bytes)
            for row in JsonLines().rows(file, max_document_bytes=10)
            if isinstance(row, BadRow)
        ]
        parts = [
            (row.line, row.first_bytes)
            for span in spans
            for row in JsonLines().rows(file, max_document_bytes=10, part=span)
            if isinstance(row, BadRow)
        ]
    assert b"".join(content[span.start : span.end] for span in spans) == content
    assert parts == whole
    assert all(content[span.end - 1 : span.end] == b"\n" for span in spans[:-1])
    assert all(span.end - span.start <= size + 2 * chunk + 41 for span in spans)
