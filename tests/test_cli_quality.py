"""The commands `score`, `filter`, `signals` and `inspect dropped` as their user meets them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import polars as pl
import pytest

import dq
from dq.quality import all_signals
from tests.command import run_dq

GOOD = (
    "The river had risen in the night. The people of the town stood on the old bridge to look at it. "
    "Nobody could remember that the water had been so high before. Some of them began to carry their things up to the "
    "hill behind the church. They were right to do so, because by noon the lower street was under water. "
    "The mill had lost its wheel, and with it the work of a whole winter."
)
HOSTILE = "\x1b]0;owned\x07\x1b[2J \x9b31m [red]markup[/red] \u202etxt.exe"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("filter")
    rows = [{"id": "good", "text": GOOD}, {"id": HOSTILE, "text": HOSTILE, "source": HOSTILE * 3}]
    (place / "web.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return place


@pytest.fixture(scope="module")
def done(folder: Path) -> subprocess.CompletedProcess[str]:
    return run_dq(
        "filter", "web.jsonl", "--preset", "fineweb", "-o", "kept", "--dropped", "dropped", "--workers", "1", cwd=folder
    )


def is_safe(text: str) -> bool:
    return re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text) is None


def test_filter_prints_rules_and_sources_in_80_columns(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "fineweb: 2 documents, 1 kept (50.0%)"
    assert re.search(r"^too_few_words +1 +0$", done.stdout, re.MULTILINE)
    assert re.search(r"^web +1 +1 +100\.0% +100\.0%$", done.stdout, re.MULTILINE)
    assert max(map(len, lines)) <= 80
    assert is_safe(done.stdout)


def test_inspect_shows_value_and_bound_and_nothing_that_commands_a_terminal(
    done: subprocess.CompletedProcess[str], folder: Path
) -> None:
    arguments = ("inspect", "dropped", "dropped", "--reason", "too_few_words")
    shown = run_dq(*arguments, cwd=folder)
    assert shown.returncode == 0, shown.stderr
    assert re.search(r"too_few_words: word_count is \d+, accepted is at least 50", shown.stdout)
    assert r"\x1b[2J \x9b31m [red]markup[/red] \u202etxt.exe" in shown.stdout
    assert is_safe(shown.stdout)
    as_json = run_dq(*arguments, "--json", cwd=folder)
    assert is_safe(as_json.stdout)
    (document,) = json.loads(as_json.stdout)
    assert (document["id"], document["text"]) == (HOSTILE, HOSTILE)


def test_score_writes_the_signals_that_were_asked_for(folder: Path) -> None:
    scored = run_dq(
        "score", "web.jsonl", "-o", "s.parquet", "--signals", "word_count, line_count", "--json", cwd=folder
    )
    assert json.loads(scored.stdout)["documents"] == 2
    table = pl.read_parquet(folder / "s.parquet")
    assert table.drop("id", "source").equals(dq.score([GOOD, HOSTILE], ["word_count", "line_count"]))
    one_by_one = ("--signals", "word_count", "--signals", "line_count")
    assert run_dq("score", "web.jsonl", "-o", "s.csv", *one_by_one, cwd=folder).returncode == 0
    assert pl.read_csv(folder / "s.csv").columns == table.columns
    other = run_dq("score", "web.jsonl", "-o", "s.csv", "--signals", "word_count", cwd=folder)
    assert other.stderr.startswith("dq: s.csv: already there, and not of these")


def test_signals_lists_every_signal_with_its_definition(tmp_path: Path) -> None:
    listed = json.loads(run_dq("signals", "--json", cwd=tmp_path).stdout)
    assert [row["name"] for row in listed] == list(all_signals())
    assert all(row["dtype"] and row["unit"] and row["definition"] and row["source"] for row in listed)
    text = run_dq("signals", cwd=tmp_path).stdout
    assert all(f"{name}: " in text for name in all_signals() if not name.endswith("_as_written"))
    assert "NAME_as_written" in text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["filter", "none.jsonl", "--preset", "fineweb", "-o", "x"], 1, "none.jsonl: no such file"),
        (["filter", "web.jsonl", "--preset", "fine", "-o", "x"], 1, "unknown preset `fine`"),
        (["score", "web.jsonl", "-o", "x.parquet", "--signals", "wordcount"], 1, "did you mean `word_count`"),
        (["inspect", "dropped", "nowhere", "--reason", "x"], 1, "a folder of `dq filter`"),
        (["filter", "web.jsonl", "-o", "x"], 2, "give one of --preset NAME"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], code: int, message: str, folder: Path) -> None:
    wrong = run_dq(*arguments, cwd=folder)
    assert wrong.returncode == code
    assert message in wrong.stderr
    assert "Traceback" not in wrong.stderr
    if code == 1:
        assert len(wrong.stderr.strip().splitlines()) == 1


def test_a_remedy_that_was_taken_is_not_offered(tmp_path: Path) -> None:
    (tmp_path / "zh.jsonl").write_text(json.dumps({"text": "今天的天气很好，我们一起去公园散步。" * 20}))
    filtered = ("filter", "zh.jsonl", "--preset", "gopher_quality", "--workers", "1", "-o")
    plain = run_dq(*filtered, "a", cwd=tmp_path)
    assert "--words dictionary finds words, --any-script judges as it is" in " ".join(plain.stdout.split()), plain
    pytest.importorskip("icu4py")
    taken = run_dq(*filtered, "b", "--words", "dictionary", cwd=tmp_path)
    assert "--words dictionary" not in taken.stdout and "--any-script judges as it is" in " ".join(taken.stdout.split())
