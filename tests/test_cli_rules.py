"""`dq rules`: what thresholds would do, from the table of `dq score`, and filters by rules of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from dq.quality import attribution, presets, solve, sweep
from tests.command import run_dq
from tests.jobs.texts import rows, write_jsonl

PRESET = presets.gopher_quality()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    write_jsonl(folder / "in.jsonl", rows(0, 80))
    done = run_dq("score", "in.jsonl", "-o", "s.parquet", "--workers", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "rules.yaml").write_text(
        "name: mine\nrules:\n"
        "  - {signal: word_count, minimum: 50, reason: too_few_words}\n"
        "  - {signal: word_count, keep_fraction: 0.5, per: source, reason: in_the_shorter_half}\n"
    )
    return folder


@pytest.fixture(scope="module")
def scores(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "s.parquet")


def test_each_query_answers_as_the_python_one_does(folder: Path, scores: pl.DataFrame) -> None:
    preset = ("s.parquet", "--preset", "gopher_quality", "--json")
    found = json.loads(run_dq("rules", "attribution", *preset, cwd=folder).stdout)
    assert found == attribution(scores, PRESET).to_dicts()
    moved = ("--reason", "too_few_words", "--weight", "char_count")
    swept = json.loads(run_dq("rules", "sweep", *preset, *moved, "--values", "10,50,200", cwd=folder).stdout)
    values = [10.0, 50.0, 200.0]
    assert swept == sweep(scores, PRESET, "too_few_words", values=values, weight="char_count").to_dicts()
    solved = json.loads(run_dq("rules", "solve", *preset, *moved, "--target", "20000", cwd=folder).stdout)
    expected = solve(scores, PRESET, "too_few_words", target=20_000, weight="char_count")
    assert (solved["value"], solved["kept_weight"]) == (expected.rule.minimum, expected.kept_weight)


def test_answers_for_people_fit_80_columns(folder: Path) -> None:
    preset = ("s.parquet", "--preset", "gopher_quality")
    moved = ("--reason", "too_few_words")
    for command in (
        ("attribution", *preset),
        ("sweep", *preset, *moved, "--values", "10,100"),
        ("solve", *preset, *moved, "--target", "10"),
    ):
        done = run_dq("rules", *command, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert 0 < max(map(len, done.stdout.splitlines())) <= 80


def test_rules_of_ones_own_filter_files_and_answer_queries(folder: Path, scores: pl.DataFrame) -> None:
    done = run_dq("filter", "in.jsonl", "--rules", "rules.yaml", "-o", "kept", "--dropped", "dropped", cwd=folder)
    assert done.returncode == 0, done.stderr
    kept = pl.read_parquet(folder / "kept/*.parquet")
    medians = scores.group_by("source").agg(pl.col("word_count").quantile(0.5, "higher"))
    assert 0.5 <= len(kept) / len(scores) < 0.6
    assert (
        kept.join(scores, on="id")
        .join(medians, on="source")
        .filter(pl.col("word_count") < pl.col("word_count_right"))
        .is_empty()
    )
    asked = json.loads(
        run_dq("rules", "attribution", "s.parquet", "--rules", "rules.yaml", "--json", cwd=folder).stdout
    )
    assert asked[-1]["drops"] == len(scores) - len(kept)
    shown = run_dq("inspect", "dropped", "dropped", "--reason", "in_the_shorter_half", "--limit", "1", cwd=folder)
    assert "the best 50% of " in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["rules", "attribution", "none.parquet", "--preset", "fineweb"], 1, "give a file of `dq score`"),
        (["rules", "attribution", "in.jsonl", "--preset", "fineweb"], 1, "give a file of `dq score`"),
        (["rules", "attribution", "s.parquet"], 2, "give one of --preset NAME and --rules FILE"),
        (["rules", "sweep", "s.parquet", "--preset", "c4", "--reason", "x", "--values", "1"], 1, "its reasons: "),
        (["rules", "sweep", "s.parquet", "--preset", "c4", "--reason", "x", "--values", "a"], 2, "numbers with commas"),
        (["filter", "in.jsonl", "-o", "x", "--rules", "none.yaml"], 1, "none.yaml"),
        (["filter", "in.jsonl", "-o", "x", "--rules", "rules.yaml", "--preset", "c4"], 2, "give one of --preset"),
        (["filter", "in.jsonl", "-o", "x", "--preset", "c4", "--model", "m"], 1, "write NAME=FILE"),
        (["score", "in.jsonl", "-o", "x.parquet", "--model", "m=no.safetensors"], 1, "no.safetensors: no such file"),
        (["score", "in.jsonl", "-o", "x.parquet", "--model", "m=."], 1, "not a quality model of dq"),
        (["score", "in.jsonl", "-o", "x.parquet", "--model", "id=m.safetensors"], 1, "is a column of dq's tables"),
        (["filter", "in.jsonl", "-o", "x", "--preset", "c4", "--model", "reasons=m"], 1, "is a column of dq's tables"),
        (["score", "in.jsonl", "-o", "x.parquet", "--model", "m=a", "--model", "m=b"], 1, "two models have one name"),
        (["rules", "attribution", "s.parquet", "--preset", "c4", "--weight", "source"], 1, "holds String, not numbers"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], code: int, message: str, folder: Path) -> None:
    wrong = run_dq(*arguments, cwd=folder)
    assert wrong.returncode == code
    assert message in " ".join(wrong.stderr.replace("│", " ").split())
    assert "Traceback" not in wrong.stderr
    if code == 1:
        assert len(wrong.stderr.strip().splitlines()) == 1
