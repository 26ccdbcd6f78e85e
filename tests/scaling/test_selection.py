"""Laws compared on what they have not seen, and the command that shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dq.errors import DqError
from dq.scaling import fit, select
from tests.command import run_dq
from tests.scaling.tables import CHINCHILLA, grid, with_loss


def test_the_law_that_made_the_runs_is_found() -> None:
    found = select(["kaplan", "chinchilla"], with_loss(grid(), "chinchilla", CHINCHILLA, noise=0.001, seed=1))
    assert [one.law for one in found.candidates] == ["chinchilla", "kaplan"]
    best, other = found.candidates
    assert best.bic < other.bic
    assert best.held_out is not None and other.held_out is not None and best.rollout is not None
    assert best.held_out.median_error < other.held_out.median_error
    assert len(best.held_out.frame) == 6
    assert len(best.rollout.frame) == 20  # sizes 3 to 6
    assert "chinchilla errs least" in found.words
    with pytest.raises(DqError, match="each once"):
        select(["kaplan", "kaplan"], found.fits[0].table)


def test_a_fit_tells_what_it_hangs_on() -> None:
    found = fit("chinchilla", with_loss(grid(), "chinchilla", CHINCHILLA, noise=0.001, seed=1)).sensitivity()
    assert found["change"].to_list()[:2] == ["as fitted", "delta 0.0001"]
    assert found["change"].to_list()[-1] == "without the 5 largest residuals"
    assert found["objective"][-1] < found["objective"][0]


def test_the_command_says_what_the_runs_determine(tmp_path: Path) -> None:
    with_loss(grid(), "chinchilla", CHINCHILLA, noise=0.001, seed=1).rename({"loss": "val"}).write_csv(
        tmp_path / "r.csv"
    )
    shared = ("fit", "r.csv", "--columns", "loss=val", "--fix", "alpha=0.348")
    done = run_dq(*shared, "--figures", "page", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The runs determine E (" in done.stdout
    assert {"chinchilla-curves-1.svg", "chinchilla-profiles-1.svg"} <= {
        one.name for one in (tmp_path / "page").iterdir()
    }
    as_json = json.loads(run_dq(*shared, "--json", "--resamples", "20", cwd=tmp_path).stdout)
    assert as_json["fits"][0]["params"]["alpha"] == 0.348
    assert as_json["fits"][0]["bootstrap"]["resamples"] == 20
    wrong = run_dq(*shared, "--law", "kaplan", "--law", "chinchilla", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "give one --law" in wrong.stderr
