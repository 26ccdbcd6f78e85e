"""Benchmarks in files: the report names documents and items, and every document ends in one place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dq.errors import ConfigError, InputError
from dq.executors import LocalExecutor
from dq.files import decontaminate
from dq.files.decontaminate import ContaminationResult, decontaminate_files
from dq.stages.benchmarks import Benchmark, BenchmarksConfig
from tests.command import run_dq
from tests.jobs.texts import write_jsonl

QUESTION = "A farmer has nine hens and each of them lays four eggs on every day of the week"
ANSWER = "He collects two hundred and fifty two eggs in a week because nine times four times seven is that"
SHORT = "what is the capital city of this country"
ROWS: list[dict[str, Any]] = [
    {"id": "clean", "text": "Nothing of any benchmark stands in here, however long this sentence may become."},
    {"id": "question", "text": f"Homework. {QUESTION.upper()}, as we know.", "extra": 1},
    {"id": "both", "text": f"{QUESTION}. {ANSWER}! And also: {SHORT}?", "source": "web"},
]
MATHS: list[dict[str, Any]] = [
    {"question": QUESTION, "answer": ANSWER, "id": "q7"},
    {"question": "Two?", "answer": "Two."},
]
FACTS: list[dict[str, Any]] = [{"q": {"stem": SHORT, "choices": []}}, {"q": {"stem": f"{SHORT} or of any other one"}}]


def benchmarks(folder: Path, **settings: Any) -> BenchmarksConfig:
    maths, facts = write_jsonl(folder / "maths.jsonl", MATHS), folder / "facts.parquet"
    pl.DataFrame([{"q": one["q"]["stem"]} for one in FACTS]).write_parquet(facts)
    named = (Benchmark.parse(f"maths={maths}:question,answer"), Benchmark.parse(f"facts={facts}:q"))
    return BenchmarksConfig(benchmarks=named, **settings)


def look(folder: Path, **options: Any) -> ContaminationResult:
    source = write_jsonl(folder / "docs.jsonl", ROWS)
    return decontaminate_files([str(source)], benchmarks(folder), folder / "report", **options)


def test_the_report_names_documents_and_items_and_how_much_of_them(tmp_path: Path) -> None:
    done = look(tmp_path)
    assert (done.documents, done.contaminated) == (3, 2)
    columns = ("benchmark", "items", "too_short", "whole", "hit", "untouched", "mean_covered", "documents")
    assert tuple(done.by_benchmark.columns) == columns
    assert done.by_benchmark.rows() == [("maths", 2, 1, 0, 1, 0, 1.0, 2), ("facts", 2, 0, 1, 1, 1, 1.0, 1)]
    found = pl.read_parquet(tmp_path / "report" / "matches.parquet")
    named = [(one["benchmark"], one["item"], one["id"], one["row"]) for one in found.iter_rows(named=True)]
    assert named == [
        ("maths", "q7", "question", 2),
        ("maths", "q7", "both", 3),
        ("facts", str(tmp_path / "facts.parquet") + ":1", "both", 3),
    ]
    grams = len(f"{QUESTION} {ANSWER}".split()) - 12
    assert found["coverage"].to_list() == [(len(QUESTION.split()) - 12) / grams, 1, 1]
    items = pl.read_parquet(tmp_path / "report" / "items.parquet")
    assert items["words"].to_list() == [13, 0, 8, 13]
    assert items["covered"].to_list() == [1, 0, 1, 0]
    assert items["documents"].to_list() == [2, 0, 1, 0]


def test_documents_are_divided_with_the_benchmarks_as_reasons(tmp_path: Path) -> None:
    look(tmp_path, kept=tmp_path / "clean.jsonl", dropped=tmp_path / "dropped")
    kept = [json.loads(line) for line in (tmp_path / "clean.jsonl").read_text().splitlines()]
    assert kept == [ROWS[0]]
    dropped = pl.read_parquet(tmp_path / "dropped" / "00000.parquet")
    assert dropped["extra"].to_list() == [1, None]
    assert dropped["reasons"].to_list() == [
        ["contaminated_by_maths"],
        ["contaminated_by_maths", "contaminated_by_facts"],
    ]
    matches = pl.read_parquet(tmp_path / "report" / "matches.parquet")
    beside = dropped.select("id", "items").explode("items").unnest("items")
    assert beside.rows() == matches.select("id", "benchmark", "item", "ngrams", "coverage").rows()


def test_workers_and_pieces_change_no_byte_and_the_same_call_finds_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = look(tmp_path, kept=tmp_path / "kept")
    assert look(tmp_path, kept=tmp_path / "kept").to_dict() == first.to_dict()
    report = {name: (tmp_path / "report" / name).read_bytes() for name in ("matches.parquet", "items.parquet")}
    monkeypatch.setattr("dq.files.pieces.PIECE_BYTES", 100)
    (tmp_path / "again").mkdir()
    again = decontaminate_files(
        [str(tmp_path / "docs.jsonl")], benchmarks(tmp_path), tmp_path / "again", executor=LocalExecutor(2)
    )
    assert again.to_dict() == first.to_dict()
    assert report == {name: (tmp_path / "again" / name).read_bytes() for name in report}


def test_a_killed_run_goes_on_to_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = look(tmp_path).to_dict()
    monkeypatch.setattr(decontaminate, "report_of", lambda *_given, **_named: 1 / 0)
    given = ([str(tmp_path / "docs.jsonl")], benchmarks(tmp_path), tmp_path / "other")
    with pytest.raises(ZeroDivisionError):
        decontaminate_files(*given, kept=tmp_path / "kept.jsonl")
    monkeypatch.undo()
    assert decontaminate_files(*given, kept=tmp_path / "kept.jsonl").to_dict() == whole
    assert not (tmp_path / "other" / ".pieces").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("maths={0}:query", r"maths.jsonl:1: no item of maths: .*`query`.*question, answer"),
        ("maths={0}:question,reason", r"has no field `reason`; it has: question, answer"),
        ("maths={0}.gone", "no such file"),
        ("={0}", "NAME=FILE"),
        ("a b={0}", "NAME=FILE"),
    ],
)
def test_what_is_wrong_with_a_benchmark_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    maths, source = write_jsonl(tmp_path / "maths.jsonl", MATHS), write_jsonl(tmp_path / "docs.jsonl", ROWS)
    with pytest.raises((ConfigError, InputError), match=message) as error:
        named = Benchmark.parse(text.format(maths))
        decontaminate_files([str(source)], BenchmarksConfig(benchmarks=(named,)), tmp_path / "report")
    assert "\n" not in str(error.value)


def test_the_command_prints_what_was_found_and_goes_on(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "docs.jsonl", ROWS)
    write_jsonl(tmp_path / "maths.jsonl", MATHS)
    command = ("decontaminate", str(source), "--benchmark", "maths=maths.jsonl:question,answer", "-o", "report")
    done = run_dq(*command, "--workers", "1", cwd=tmp_path)
    assert "3 documents, 2 (66.67%) hold items of benchmarks" in done.stdout, done.stderr
    again = run_dq(*command, "--workers", "1", "--json", cwd=tmp_path)
    assert json.loads(again.stdout)["benchmarks"][0]["hit"] == 1
    other = run_dq(*command, "--ngram", "8", cwd=tmp_path)
    assert other.returncode == 1 and "--overwrite" in other.stderr
