"""Seeds until decided: what is trained, what is fixed before and named when it changes, and fresh seeds of the best."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import polars as pl
import pytest

from dq.compare import Outcome
from dq.errors import TrainingError, WorkspaceError
from dq.executors import LocalExecutor
from dq.study import StudyConfig, compare_workspace, run_study
from dq.study.grid import plan_grid
from dq.study.outcome import Finding, compare_runs, variants_apart
from dq.study.registered import register
from dq.study.runner import train_runs
from dq.variants import Curated, Raw, TokenNoise, open_universe
from tests.study.conftest import World, tiny_study

# Noise in all tokens is clearly worse even of so short runs; another sample of the same text hardly differs.
VARIANTS = {"raw": Raw(), "noise": TokenNoise(dose=1.0), "curated": Curated()}
SETTINGS = {"name": "looked", "variants": VARIANTS, "looks": (3, 4), "margin_bits_per_byte": 1e-6, "confirm": 3}


def seeds_trained(losses: pl.DataFrame) -> dict[str, int]:
    return dict(losses.group_by("variant").agg(pl.col("seed").n_unique()).iter_rows())


def test_a_decided_variant_gets_no_more_runs_and_the_winner_gets_fresh_ones(world: World) -> None:
    config = tiny_study(**SETTINGS, baseline="noise")
    result = run_study(config, world.workspace, executor=LocalExecutor(2))
    found = {one.variant: one for one in result.comparison.variants}
    assert [look.error for look in result.comparison.looks] == [0.025, 0.025]
    trained = seeds_trained(result.losses)
    for name, one in found.items():
        decided_early = one.verdict.outcome is not Outcome.UNDECIDED and one.neutral.n_seeds == 3
        assert trained[name] == (3 if decided_early else 4), (name, one.verdict)
        assert one.next_look is None
    assert found["raw"].verdict.outcome is Outcome.BETTER
    again = result.confirmation
    assert again is not None and again.seed_pairs == ((100, 100), (101, 101), (102, 102)) and again.interval
    assert result.confirmed.startswith(f"{again.variant} on 3 fresh seeds: -")
    (compared,) = compare_workspace(world.workspace, only="looked")
    assert compared.groups[0].budgets[0].confirmed == result.confirmed
    assert len(result.runs) == sum(trained.values()) + 6
    assert json.loads((world.workspace.study("looked", 2048) / "comparison.json").read_text())["confirmation"]

    before = {path: path.stat().st_mtime_ns for path in world.workspace.root.glob("runs/*/*")}
    assert run_study(config, world.workspace).to_dict() == result.to_dict()
    assert {path: path.stat().st_mtime_ns for path in world.workspace.root.glob("runs/*/*")} == before


def test_what_was_fixed_stays_and_later_changes_are_named(tmp_path: Path) -> None:
    config = tiny_study()
    assert register(tmp_path, config, neutral=["essays"]).changes == ()
    written = (tmp_path / "registered.json").read_bytes()
    changed = tiny_study(margin_bits_per_byte=0.5, looks=(3, 5), variants={"raw": Raw(), "noise": TokenNoise(dose=0.1)})
    found = register(tmp_path, changed, neutral=["essays", "news"])
    assert found.fixed["margin_bits_per_byte"] == 0.02
    assert found.changes == (
        "variants noise were added",
        "variants curated were left out",
        "margin_bits_per_byte was 0.02, is 0.5",
        "seeds was 3, is 5",
        "looks was [], is [[3, 0.025], [5, 0.025]]",
        "neutral_sets was ['essays'], is ['essays', 'news']",
    )
    assert (tmp_path / "registered.json").read_bytes() == written
    assert register(tmp_path, config, neutral=["essays"]).changes == ()


@pytest.mark.parametrize("damaged", ["[]", "{}", "", '{"variants": 3}'])
def test_a_damaged_record_of_what_was_fixed_is_one_line(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "registered.json").write_text(damaged)
    with pytest.raises(WorkspaceError, match="delete"):
        register(tmp_path, tiny_study(), neutral=["essays"])


def test_a_variant_of_more_than_four_epochs_has_its_own_spread() -> None:
    variants = {
        "raw": {"kind": "raw"},
        "four": {"kind": "repeated", "epochs": 4},
        "five": {"kind": "repeated", "epochs": 5},
    }
    config = StudyConfig.model_validate({**tiny_study().model_dump(), "variants": variants})
    assert variants_apart(config) == {"five": "5 epochs, more than 4"}


def test_a_variant_of_which_a_run_diverged_gets_no_verdict_and_the_others_do(world: World) -> None:
    config = tiny_study(name="apart", variants=VARIANTS)
    universe = open_universe(world.workspace)
    outcomes = train_runs(world.workspace, plan_grid(config, world.workspace, universe), executor=LocalExecutor(2))

    def with_diverged(*lost: tuple[str, int]) -> Finding:
        changed = [
            dataclasses.replace(one, status="diverged") if (one.run.arm, one.run.spec.seed) in lost else one
            for one in outcomes
        ]
        return compare_runs(config, changed, neutral=["essays"])

    found = with_diverged(("noise", 1))
    assert [one.variant for one in found.comparison.variants] == ["curated"]
    assert set(found.losses["variant"]) == {"raw", "curated"}
    assert "noise gets no verdict, and is not better: 1 of its runs diverged" in found.comparison.notes[-1]
    for lost in ([("raw", 0)], [("noise", 0), ("curated", 2)]):
        with pytest.raises(TrainingError, match=rf"{len(lost)} of 9 runs diverged"):
            with_diverged(*lost)
