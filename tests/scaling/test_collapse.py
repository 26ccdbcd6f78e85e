"""Normalised curves: on one another where runs are alike, apart where one was tuned otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dq.compare import RunTable
from dq.errors import FitError
from dq.scaling import collapse
from tests.command import run_dq

SHARES = np.linspace(0.05, 1.0, 20)


def runs(
    *, ratios: tuple[float, ...] = (20.0,) * 6, floor: float = 0.0, alpha: float = 0.3, noise: float = 0.0
) -> pl.DataFrame:
    """A curve a size: E + A/N^alpha + B/D^0.3 at each share of its tokens."""
    draw = np.random.default_rng(0)
    rows = [
        {
            "run": f"r{number}",
            "n_params": n,
            "n_tokens": ratio * n * share,
            "loss": (floor + 300 / n**alpha + 900 / (ratio * n * share) ** 0.3) * float(np.exp(noise * draw.normal())),
        }
        for number, (n, ratio) in enumerate(zip(np.geomspace(1e7, 1e9, len(ratios)), ratios, strict=True))
        for share in SHARES
    ]
    return pl.DataFrame(rows)


def bent(table: pl.DataFrame, run: str, by: float) -> pl.DataFrame:
    """A run that has its loss late: higher before its end."""
    share = pl.col("n_tokens") / pl.col("n_tokens").max().over("run")
    return table.with_columns(
        loss=pl.col("loss") * pl.when(run == pl.col("run")).then(1 + by * (1 - share)).otherwise(1)
    )


def test_curves_of_one_exponent_and_ratio_collapse_exactly_and_of_another_do_not() -> None:
    alike = collapse(RunTable.of(runs()))
    assert alike.runs["distance"].max() == pytest.approx(0.0, abs=1e-12)
    assert alike.runs["ratio"].to_list() == pytest.approx([20.0] * 6)
    assert "nothing speaks against their tuning" in alike.in_words[-1]
    apart = collapse(RunTable.of(runs(alpha=0.2)))
    assert apart.runs["distance"].min() > 1e-3  # type: ignore[operator]


def test_an_odd_run_is_named_with_its_side_and_size() -> None:
    found = collapse(RunTable.of(bent(runs(ratios=(20.0,) * 8, floor=1.5, noise=0.001), "r2", 0.06)))
    odd = found.runs.filter("odd")
    assert odd["run"].to_list() == ["r2"]
    share = np.linspace(SHARES[1], 1.0, 40)
    assert odd["side"][0] == pytest.approx(float(np.log(1 + 0.06 * (1 - share)).mean()), abs=0.008)
    assert found.in_words[1].startswith("1 of them leaves the others: r2 lies")
    assert "r2 lies" in found.in_words[1] and "mostly above" in found.in_words[1]


def test_many_odd_runs_are_counted_and_the_furthest_named() -> None:
    table = runs(ratios=(20.0,) * 16, noise=0.0005)
    for number, by in enumerate((0.06, 0.12, 0.08, 0.1, 0.07)):
        table = bent(table, f"r{2 + 3 * number}", by)
    words = collapse(RunTable.of(table)).in_words
    assert len(words) == 2
    assert [part.split()[0] for part in words[1].partition(": ")[2].split("; ")[:3]] == ["r5", "r11", "r8"]
    assert words[1].startswith("5 of them leave the others") and "; and 2 more. Look at" in words[1]


def test_runs_are_compared_with_those_of_their_ratio_alone() -> None:
    table = runs(ratios=(20.0, 20.0, 20.0, 100.0, 100.0, 100.0, 400.0))
    found = collapse(RunTable.of(table))
    assert found.runs["group"].to_list() == [0, 0, 0, 1, 1, 1, 2]
    assert found.runs["distance"].to_list()[-1] is None
    assert found.notes == ("r6: fewer than 3 runs with as many tokens a parameter",)
    assert found.runs["distance"].drop_nulls().max() == pytest.approx(0.0, abs=1e-12)
    unknown = collapse(RunTable.of(table.drop("n_params"), needs=("n_tokens", "loss")))
    assert unknown.runs["group"].unique().to_list() == [0]
    assert unknown.runs["distance"].max() > 0.01  # type: ignore[operator]


def test_tables_without_curves_are_refused() -> None:
    with pytest.raises(FitError, match="no column `run`"):
        collapse(RunTable.of(runs().drop("run")))
    last = runs().filter(pl.col("n_tokens") == pl.col("n_tokens").max().over("run"))
    with pytest.raises(FitError, match="0 runs have 4 evaluations past the first 10%"):
        collapse(RunTable.of(last))


def test_the_command_reads_curves_of_dq_runs_and_draws_them(tmp_path: Path) -> None:
    table = bent(runs(noise=0.001), "r4", -0.08).rename({"n_tokens": "tokens_seen", "loss": "bits_per_byte"})
    table.drop("n_params").with_columns(n_tokens=pl.lit(999), set=pl.lit("web")).write_csv(tmp_path / "curves.csv")
    columns = ("--columns", "n_tokens=tokens_seen,loss=bits_per_byte", "--where", "set=web")
    done = run_dq("fit", "curves.csv", "--collapse", *columns, "--figures", "page", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "r4 lies" in done.stdout
    assert (tmp_path / "page" / "runs-collapse-1.svg").read_text().count("<polyline") == 6
    assert "Were these runs tuned alike?" in (tmp_path / "page" / "index.html").read_text()
    wrong = run_dq("fit", "curves.csv", "--collapse", "--law", "curve", cwd=tmp_path)
    assert "curves are checked without a law" in wrong.stderr
