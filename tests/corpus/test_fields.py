"""Fields by their names and with every digit, the same of JSON lines and of Parquet."""

from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dq.corpus.config import InputSpec
from dq.corpus.fields import json_field
from dq.corpus.inputs import find_inputs
from dq.corpus.pieces import cut_files
from dq.errors import InputError
from tests.command import run_dq


def documents(path: Path, **spec: Any) -> list[dict[str, str]]:
    read = [InputSpec(path=str(path), **spec)]
    return [
        row
        for piece in cut_files(find_inputs(read).files, max_bytes=10**9)
        for _, batch in piece.batches(max_document_bytes=10**6)
        for row in batch.documents.to_pylist()
    ]


@pytest.mark.parametrize(
    ("number", "meta"),
    [
        ("170141183460469231731687303715884105728", None),
        ("-170141183460469231731687303715884105728", None),
        ("18446744073709551615", None),
        ("9223372036854775808", None),
        ("0.12345678901234567890123", None),
        ("1e400", None),
        ("1.5e-400", None),
        ("0.30000000000000004", None),
        ("5e-324", None),
        ("NaN", "null"),
        ("-Infinity", "null"),
    ],
)  # fmt: skip
def test_a_number_of_the_other_fields_keeps_its_digits(tmp_path: Path, number: str, meta: str | None) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "t", "n": {number}, "inner": {{"k": [{number}]}}, "f": 0.5}}\n')
    (found,) = documents(tmp_path / "a.jsonl")
    expected = meta or number
    assert found["meta"] == f'{{"n":{expected},"inner":{{"k":[{expected}]}},"f":0.5}}'


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (str(2**127 + 1), str(2**127 + 1)),
        (str(2**64 - 1), str(2**64 - 1)),
        ("7", "7"),
        ("1.5", "1.5"),
        ('"a"', "a"),
        ('["a"]', '["a"]'),
        ("null", None),
        ("NaN", None),
        ('""', None),
    ],
)  # fmt: skip
def test_an_id_is_what_was_written_and_else_file_and_row(tmp_path: Path, given: str, name: str | None) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "t", "id": {given}}}\n')
    (found,) = documents(tmp_path / "a.jsonl")
    assert found["id"] == (name or f"{tmp_path}/a.jsonl:1")


def test_ids_of_decimals_and_wide_columns_of_parquet_keep_their_digits(tmp_path: Path) -> None:
    ids = pa.array([decimal.Decimal(10**37 + 1), None], pa.decimal128(38, 0))
    numbers = pa.array([decimal.Decimal("12345678901234567890.12")] * 2)
    pq.write_table(pa.table({"text": ["t", "t"], "id": ids, "n": numbers}), tmp_path / "a.parquet")
    first, second = documents(tmp_path / "a.parquet")
    assert (first["id"], first["meta"]) == (str(10**37 + 1), '{"n":12345678901234567890.12}')
    assert second["id"] == f"{tmp_path}/a.parquet:2"


def test_columns_of_odd_types_cost_no_document(tmp_path: Path) -> None:
    when = [datetime.datetime(2020, 1, 2)]
    table = pa.table(
        {
            "text": ["t"],
            "zone": pa.array(when, pa.timestamp("us", "Not/AZone")),
            "bytes": pa.array([b"\xff\x00a"]),
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
            "nan": [float("nan")],
            "list": [[{"a": None}]],
            "null": pa.nulls(1),
            "dictionary": pa.array(["z"]).dictionary_encode(),
            "wide": pa.array([decimal.Decimal(10**60)], pa.decimal256(70, 0)),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    (found,) = documents(tmp_path / "a.parquet")
    meta = json.loads(found["meta"])
    assert meta["zone"] == "2020-01-02 00:00:00.000000 Not/AZone"
    assert meta["wide"] == 10**60
    assert (meta["nan"], meta["list"], meta["null"], meta["dictionary"]) == (None, [{"a": None}], None, "z")


ROWS = [{"data": {"text": "one", "n": 1}, "id": "a"}, {"data": {"text": "two", "n": 2}, "id": "b"}]


def write(folder: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_dots_name_a_nested_field_and_the_rest_stays(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, ROWS)
    found = documents(path, text_field="data.text", id_field="data.n", source_field="id")
    assert [(row["text"], row["id"], row["source"]) for row in found] == [("one", "1", "a"), ("two", "2", "b")]
    assert json.loads(documents(path, text_field="data.text")[0]["meta"]) == {"data": {"n": 1}}


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_key_that_has_a_dot_comes_before_a_nested_one(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, [{"data.text": "flat", "data": {"text": "nested"}}])
    assert documents(path, text_field="data.text")[0]["text"] == "flat"


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    "command",
    [
        ("score", "-o", "s.parquet"),
        ("filter", "--preset", "c4", "-o", "k"),
        ("dedup", "-o", "d"),
        ("dedup", "--dry-run"),
    ],
)
def test_a_wrong_text_field_names_those_that_there_are(tmp_path: Path, kind: str, command: tuple[str, ...]) -> None:
    path = write(tmp_path, kind, [{"doc_id": str(n), "content": "x y", "data": {"url": "u"}} for n in range(3)])
    done = run_dq(command[0], str(path), *command[1:], cwd=tmp_path)
    assert done.returncode == 1
    assert "doc_id, content, data.url" in done.stderr
    assert "--text-field; did you mean `content`?" in done.stderr
    assert done.stderr.count("\n") == 1
    assert run_dq(command[0], str(path), "--text-field", "contnt", *command[1:], cwd=tmp_path).returncode == 1


def test_a_job_names_the_place_of_the_text_field(tmp_path: Path) -> None:
    path = write(tmp_path, "jsonl", [{"content": "x y"}])
    (tmp_path / "job.yaml").write_text(f"workspace: w\ninput: [{{path: {path}}}]\n")
    done = run_dq("run", "job.yaml", "--workers", "1", cwd=tmp_path)
    assert "there are: content; name that of the text by `input.text_field`; did you mean `content`?" in done.stderr


def test_very_many_fields_are_named_by_a_few_dozen(tmp_path: Path) -> None:
    rows = [{f"field_{n}": "x" * 5 for n in range(5000)}]
    with pytest.raises(InputError) as error:
        documents(write(tmp_path, "parquet", rows))
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize(("given", "source"), [(3, "3"), (None, "a"), ("", "a"), ("web", "web")])
def test_a_source_may_be_a_number_or_missing(tmp_path: Path, kind: str, given: Any, source: str) -> None:
    (found,) = documents(write(tmp_path, kind, [{"text": "t", "source": given}]))
    assert found["source"].removesuffix(".parquet").removesuffix(".jsonl") == source
    assert json.loads(found["meta"]) == {}


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_source_that_is_a_list_or_overruled_stays_a_field(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, [{"text": "t", "source": ["a", "b"]}])
    assert json.loads(documents(path)[0]["meta"]) == {"source": ["a", "b"]}
    path = write(tmp_path, kind, [{"text": "t", "source": "own"}])
    (found,) = documents(path, source="mine")
    assert (found["source"], json.loads(found["meta"])) == ("mine", {"source": "own"})


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_folders_that_name_partitions_are_fields(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "source=web%20pages" / "lang=en"
    folder.mkdir(parents=True)
    path = write(folder, kind, [{"text": "t", "n": 1}])
    (found,) = documents(tmp_path)
    assert found["source"] == "web pages"
    assert json.loads(found["meta"]) == {"lang": "en", "n": 1}
    path.unlink()
    write(folder, kind, [{"text": "t", "lang": "de"}])
    assert json.loads(documents(tmp_path)[0]["meta"]) == {"lang": "de"}


def test_shared_ids_are_told_and_removals_name_each_of_them(tmp_path: Path) -> None:
    rows = [
        {"id": "same", "text": f"{'one two three four five six seven' if n % 2 else f'other {n} words'}"}
        for n in range(6)
    ]
    done = run_dq(
        "dedup", str(write(tmp_path, "jsonl", rows)), "-o", "d", "--max-removed-fraction", "0.9", cwd=tmp_path
    )
    assert "6 documents share their id" in " ".join(done.stdout.split())
    removed = pq.read_table(tmp_path / "d" / "removed.parquet").to_pylist()
    assert {(row["id"], row["occurrence"], row["kept_occurrence"]) for row in removed} in (
        {("same", a, c), ("same", b, c)} for a, b, c in ((3, 5, 1), (1, 5, 3), (1, 3, 5))
    )


def test_a_nested_field_of_rows_of_json_is_found_by_its_name() -> None:
    rows = pl.Series(['{"a": {"b": "x"}}', '{"a.b": "y"}', "{}"])
    assert json_field(rows, "a.b").to_list() == ["x", "y", None]
