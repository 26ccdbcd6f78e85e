"""Tables of runs compared: groups, cells, epochs as arms, words and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dq.compare import compare_runs, read_runs, summary
from dq.compare.runs import NEEDS
from dq.errors import CompareError, ConfigError
from tests.command import run_dq

BUDGETS = (50_000, 100_000, 200_000, 400_000)


def table(**changes: pl.Expr) -> pl.DataFrame:
    """Two sizes, raw at four budgets and two variants at the middle ones; curated is worth 1.2 of raw, noisy 0.8."""
    draw = np.random.default_rng(1)
    rows = [
        (size, name, float(tokens), str(seed), 2 + drop * (worth * tokens / 1e5) ** -0.3 + draw.normal(0, 0.003))
        for size, drop in (("0.1M", 1.4), ("0.3M", 1.2))
        for name, worth in (("raw", 1.0), ("curated", 1.2), ("noisy", 0.8))
        for tokens in (BUDGETS if name == "raw" else BUDGETS[1:3])
        for seed in range(4)
    ]
    frame = pl.DataFrame(rows, schema=["size", "variant", "n_tokens", "seed", "loss"], orient="row")
    return frame.with_columns(**changes)


def test_every_size_and_budget_is_compared_alone_and_looked_up_along_its_budgets() -> None:
    found = compare_runs(table(), margin=0.01)
    assert (found.baseline, [group.runs for group in found.groups]) == ("raw", ["size 0.1M", "size 0.3M"])
    for group in found.groups:
        assert [cell.n_tokens for cell in group.budgets] == [100_000, 200_000]
        for cell in group.budgets:
            outcomes = {one.variant: one.outcome.value for one in cell.found.differences}
            assert outcomes == {"curated": "better", "noisy": "worse"} and len(cell.found.pairs) == 3
        assert group.equivalence is not None
        worth = {(one.variant, one.tokens): one.ratio for one in group.equivalence.variants}
        assert worth == pytest.approx(
            {(name, tokens): ratio for name, ratio in (("curated", 1.2), ("noisy", 0.8)) for tokens in BUDGETS[1:3]},
            rel=0.05,
        )
    assert len(found.to_frame()) == 8 and "low" in found.to_frame().columns


def test_the_words_name_what_is_decided_and_what_is_not() -> None:
    few = table().filter((pl.col("variant") != "noisy") | (pl.col("seed") == "0"))
    words = "\n".join(summary(compare_runs(few.filter(pl.col("size") == "0.1M"))))
    assert "better than raw: curated at 100,000 tokens (-0.0" in words
    assert "of fewer than 3 runs, which say nothing of how sure they are: noisy at 100,000 tokens" in words
    assert "unknown for 1 of 4" in "\n".join(
        summary(compare_runs(few.filter((pl.col("size") == "0.1M") & (pl.col("n_tokens") > 60_000))))
    )


def test_numbers_of_epochs_are_arms_of_their_own_and_share_no_spread_beyond_four() -> None:
    rows = [
        ("base", 1e6, 1e6 / k, str(seed), 3 + 0.01 * k + 0.001 * seed + 0.0005 * (seed * k % 3))
        for k in (1, 2, 16)
        for seed in range(3)
    ]
    frame = pl.DataFrame(rows, schema=["variant", "n_tokens", "n_unique", "seed", "loss"], orient="row")
    (group,) = compare_runs(frame).groups
    assert [one.variant for one in group.budgets[0].found.differences] == ["base k=2", "base k=16"]
    assert "base k=16 has an interval of its own spread: 16 epochs, more than 4" in group.budgets[0].found.notes


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (table().drop("variant"), {}, "no column `variant`"),
        (table(), {"baseline": "rawr"}, "unknown variant `rawr`; did you mean `raw`"),
        (table(variant=pl.col("variant") + "1"), {}, "which of curated1, noisy1, raw1 are the others judged against"),
        (table(variant=pl.lit("raw")).unique(["size", "n_tokens", "seed"]), {}, "nothing to compare"),
        (table(), {"margin": -1.0}, "the margin must be above 0"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused(
    frame: pl.DataFrame, options: dict[str, object], message: str
) -> None:
    with pytest.raises((ConfigError, CompareError), match=message):
        compare_runs(frame, **options)  # type: ignore[arg-type]


def test_the_command_compares_a_file_under_its_own_names_and_draws_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    table().rename({"loss": "val_loss", "variant": "data"}).write_csv(path)
    mapped = ("--columns", "loss=val_loss,variant=data", "--where", "size=0.1M")
    shown = run_dq("compare", path, *mapped, "--figures", tmp_path / "figures")
    assert shown.returncode == 0, shown.stderr
    words = " ".join(shown.stdout.split())
    assert "tokens variant seeds difference" in words and "by Holm's rule" in words and "curated 100,000 1.2" in words
    assert max(map(len, shown.stdout.splitlines()[:-1])) <= 80
    figures = {one.name for one in (tmp_path / "figures").iterdir()}
    assert figures == {
        "index.html",
        *(f"runs-{name}.svg" for name in ("differences-1", "differences-2", "equivalence-1")),
    }
    assert all("<svg" in (tmp_path / "figures" / name).read_text() for name in figures)
    found = json.loads(run_dq("compare", path, *mapped, "--json").stdout)["comparisons"][0]
    assert found["groups"][0]["equivalence"]["variants"][0]["in_words"] in words and found["summary"]


def elsewhere() -> pl.DataFrame:
    """The curve that raw runs of 0.1M parameters scatter about, at budgets of its own."""
    tokens = np.geomspace(20_000, 1_000_000, 9)
    return pl.DataFrame({"n_tokens": tokens, "loss": 2 + 1.4 * (tokens / 1e5) ** -0.3})


def test_every_arm_is_looked_up_on_a_curve_from_elsewhere(tmp_path: Path) -> None:
    small = table().filter(pl.col("size") == "0.1M")
    (group,) = compare_runs(small, reference=elsewhere()).groups
    assert group.matched is not None and group.matched.baseline == "reference"
    for one in group.matched.variants:
        worth = {"raw": 1.0, "curated": 1.2, "noisy": 0.8}[one.variant]
        assert one.ratio == pytest.approx(worth, rel=0.03) and not one.paired and one.df == 3
        assert one.low is not None and one.high is not None and one.low < one.baseline_tokens < one.high  # type: ignore[operator]
    alone = compare_runs(small.filter(pl.col("variant") == "curated"), reference=elsewhere())
    assert alone.groups[0].matched is not None and not alone.groups[0].budgets
    beyond = compare_runs(small.with_columns(pl.col("loss") - 1.5), reference=elsewhere()).groups[0].matched
    assert beyond is not None and {one.in_words for one in beyond.variants} == {"none in range"}
    with pytest.raises(CompareError, match="reference: the loss does not fall"):
        compare_runs(small, reference=elsewhere().with_columns(loss=pl.lit(2.0)))
    with pytest.raises(CompareError, match="reference: 1 budget: a curve needs at least 2"):
        compare_runs(small, reference=elsewhere().head(1))
    elsewhere().rename({"loss": "val_loss"}).write_parquet(tmp_path / "published.parquet")
    table().rename({"loss": "val_loss", "variant": "data"}).write_csv(tmp_path / "runs.csv")
    mapped = ("--columns", "loss=val_loss,variant=data", "--where", "size=0.1M")
    shown = run_dq("compare", "runs.csv", "--reference", "published.parquet", *mapped, "--figures", "f", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert (
        "tokens of published.parquet"
        in (tmp_path / "f/runs-matched-1.svg").read_text() + (tmp_path / "f/index.html").read_text()
    )
    assert "worth in published.parquet" in shown.stdout and max(map(len, shown.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--reference", "none.csv"), "none.csv"),
        (("--columns", "loss"), "'loss' is not OURS=THEIRS"),
        (("--study", "x"), "is a table, which has no --study"),
        (("--baseline", "rawr"), "--baseline: "),
    ],
)
def test_options_that_fit_nothing_are_refused_by_name(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    path = tmp_path / "runs.csv"
    table().write_csv(path)
    done = run_dq("compare", path, *options)
    assert done.returncode in {1, 2} and message in done.stderr and len(done.stderr.splitlines()) <= 2


@pytest.mark.needs_shared
def test_the_published_costs_of_epochs_are_found_in_the_published_runs(shared: Path) -> None:
    runs = read_runs(
        shared / "data/runs/datablations_c4_runs.csv",
        columns={"loss": "val_loss_c4"},
        where=["n_params=2.81e9", "n_tokens=5.5e10", "variant=base"],
        needs=NEEDS,
    )
    single = runs.frame.filter(pl.col("seed").is_null())
    (group,) = compare_runs(single).groups
    percent = {one.variant: 100 * one.relative for one in group.budgets[0].found.differences}
    known = {"1.96": 0.20, "3.06": 0.41, "3.93": 0.59, "5": 0.96, "6.11": 1.43, "13.8": 4.75, "44": 32.97}
    assert percent == pytest.approx({f"base k={k}": value for k, value in known.items()}, abs=0.03)
    (seeded,) = compare_runs(runs).groups
    judged = seeded.budgets[0].found.differences
    assert {(one.n_seeds, one.outcome.value) for one in judged} == {(4, "worse")}
