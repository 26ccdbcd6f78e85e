"""`dq plan`: answers that fit a screen, forecasts that stay, errors that name the option."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tests.command import run_dq
from tests.scaling.tables import CHINCHILLA, grid, with_loss


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plans")
    runs = with_loss(grid(), "chinchilla", CHINCHILLA, noise=0.002, seed=1)
    runs.rename({"loss": "val"}).write_csv(folder / "r.csv")
    ended = with_loss(pl.DataFrame({"n_params": [7e9], "n_tokens": [1.4e11]}), "chinchilla", CHINCHILLA)
    pl.concat([runs, ended]).rename({"loss": "val"}).write_csv(folder / "later.csv")
    return folder


DECAYING = {"E": 1.9, "A": 520.0, "B": 1500.0, "alpha": 0.35, "R_D": 10.0, "R_N": 5.0}
SHARED = ("--columns", "loss=val", "--law", "chinchilla", "--resamples", "40")


def test_a_plan_in_words_with_a_forecast_that_is_scored_and_stays(place: Path) -> None:
    asked = ("plan", "r.csv", *SHARED, "--compute", "1e21", "--n-params", "7B", "--n-tokens", "140B")
    done = run_dq(*asked, "--forecast", "f.json", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "How are 1e21 FLOPs best split between parameters and tokens?" in done.stdout
    assert "the rule of 20 tokens a parameter" in " ".join(done.stdout.split())
    assert "times the compute of the largest run" in " ".join(done.stdout.split())
    assert "fitted without the 20 % of the runs with the most compute" in " ".join(done.stdout.split())
    assert all(len(one) <= 80 for one in done.stdout.splitlines() if not one.startswith("forecast"))
    assert "forecast by law `chinchilla`: f.json" in done.stdout
    again = run_dq(*asked, "--forecast", "f.json", cwd=place)
    assert again.returncode == 1
    assert "f.json: exists, and a forecast is never replaced" in again.stderr
    waiting = run_dq("plan", "r.csv", "--columns", "loss=val", "--score", "f.json", cwd=place)
    assert "none of the 1 targets has run" in waiting.stdout
    scored = run_dq("plan", "later.csv", "--columns", "loss=val", "--score", "f.json", "--json", cwd=place)
    record = json.loads(scored.stdout)
    assert record["summary"].startswith("1 of 1 targets inside their intervals, 1 within 1%")


def test_the_page_draws_what_was_asked_with_bands(tmp_path: Path) -> None:
    pools = grid(sizes=4, budgets=4).join(pl.DataFrame({"k": [1.0, 3.0, 9.0]}), how="cross")
    table = pools.select("n_params", "n_tokens", n_unique=pl.col("n_tokens") / pl.col("k"))
    with_loss(table, "muennighoff", DECAYING, noise=0.002).write_csv(tmp_path / "r.csv")
    asked = ("--compute", "1e20", "--n-params", "1B", "--n-tokens", "20B", "--unique-tokens", "4B", "--epochs", "2,4")
    laws = (
        "--law",
        "chinchilla",
        "--law",
        "muennighoff",
        "--noise-exponent",
        "0.4",
        "--resamples",
        "40",
        "--figures",
        "page",
    )
    done = run_dq("plan", "r.csv", *asked, *laws, "--figures", "page", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epochs  law" in done.stdout
    drawn = {one.name: one.read_text() for one in (tmp_path / "page").glob("*.svg")}
    named = {f"plan-{one}.svg" for one in ("split-1", "doubling-1", "loss-1", "epochs-1", "epochs-2")}
    assert set(drawn) == named
    assert all("nan" not in one for one in drawn.values())
    assert all(drawn[one].count("<polygon") == 1 for one in named - {"plan-loss-1.svg"})
    html = (tmp_path / "page" / "index.html").read_text()
    assert "Repeat 4B good tokens (1B parameters) or add worse text?" in html
    assert "What the answers rest on" in html


def test_answers_in_json_have_numbers_words_and_what_they_rest_on(place: Path) -> None:
    shared = ("plan", "r.csv", *SHARED, "--target-loss", "2.5", "--n-params", "350M", "--json")
    found = json.loads(run_dq(*shared, cwd=place).stdout)
    (one,) = found["answers"]
    assert one["n_tokens"]["low"] < one["n_tokens"]["value"] < one["n_tokens"]["high"]
    assert one["question"] == "How many tokens does a loss of 2.5 take?"
    assert found["bases"][0]["held_out"]["median_error"] < 0.01
    assert set(found["surfaces"]["chinchilla"]["params"]) >= {"E", "alpha"}


def test_a_bad_table_is_named_by_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("n_params,n_tokens,val\n1e7,1e9,3.1\n1e7,2e9,nan\n")
    done = run_dq("plan", "r.csv", "--columns", "loss=val", "--compute", "1e20", cwd=tmp_path)
    assert "r.csv, line 3, column `val`: the value is infinite or NaN; did the run diverge?" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "nothing is asked: give compute"),
        (("--compute", "many"), "'many' is no number, such as 1e9, 350M, 70B or 1.4T"),
        (("--compute", "1e20,1e21"), "are several numbers; give one"),
        (("--compute", "0"), "--compute must be above 0"),
        (("--epochs", "4"), "--epochs asks nothing on its own: give a size (parameters) and the unique tokens"),
        (("--compute", "1e21", "--unique-tokens", "1B"), "no column `n_unique` or `epochs`"),
        (("--compute", "1e21", "--forecast", "x.json"), "name the runs to come by --n-params and --n-tokens"),
        (("--score", "none.json"), "none.json: No such file"),
        (("--score", "none.json", "--compute", "1e21"), "a forecast is scored on its own"),
    ],
)
def test_what_cannot_be_answered_is_one_line_that_names_the_option(
    place: Path, options: tuple[str, ...], message: str
) -> None:
    done = run_dq("plan", "r.csv", "--columns", "loss=val", *options, cwd=place)
    assert done.returncode in (1, 2)
    assert message in done.stderr.splitlines()[0]
