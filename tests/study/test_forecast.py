"""`dq ablate --dry-run`: what is to do, what it would take, and what it could tell; nothing is written."""

from __future__ import annotations

import json
import re

import polars as pl
import pytest

from dq.errors import ConfigError
from dq.executors import LocalExecutor
from dq.study import forecast_study, run_study
from dq.study.forecast import EVALUATION_SPEED, START_SECONDS
from dq.study.heldout_tokens import scored_sets, tokenized_sets
from dq.training import trial
from tests.command import run_dq
from tests.study.conftest import Study, tiny_study


def test_a_finished_study_has_nothing_to_do_and_more_seeds_of_it_tell_less(study: Study) -> None:
    done = forecast_study(study.config, study.workspace)
    assert (done.runs_done, done.tokens, done.seconds, done.disk_bytes) == (done.runs, 0, 0, 0)
    assert done.speed_is == "nothing" and done.noise_of  # of whichever studies the workspace has by now
    more = forecast_study(tiny_study(name="more", seeds=12), study.workspace)
    # A run is known by what it trains: those of 3 seeds are there, and perhaps some that other tests have trained.
    assert 6 <= more.runs_done < more.runs == 24 and more.tokens == (24 - more.runs_done) * 2048
    assert more.speed_is == "recorded" and more.seconds > 0 and more.disk_bytes > 0
    assert more.detectable[0] < done.detectable[0]
    assert forecast_study(tiny_study(size="0.3M", seeds=3), study.workspace).sd is None


def test_the_command_says_it_all_and_writes_nothing(study: Study) -> None:
    path = study.workspace.root.parent / "study.yaml"
    path.write_text(json.dumps(tiny_study(seeds=4, name="more").model_dump(mode="json")))
    before = sorted(study.workspace.root.rglob("*"))
    done = run_dq("ablate", path, "--workspace", study.workspace.root, "--dry-run", "--workers", "1")
    assert done.returncode == 0, done.stderr
    first = {line.split(" ")[0] for line in done.stdout.splitlines()}
    assert {"runs:", "model:", "time:", "disk:", "seeds:", "smallest"} <= first
    assert "by study" in " ".join(done.stdout.split())
    short = ("ablate", path, "--workspace", study.workspace.root, "--dry-run", "--workers", "1", "--deadline", "1s")
    found = json.loads(run_dq(*short, "--json").stdout)
    assert 0 < found["share_at_deadline"] == pytest.approx(min(1, 1 / found["seconds"]))
    assert re.search(r"deadline: 1 s are enough for about \d+% of the training that is left", run_dq(*short).stdout)
    assert sorted(study.workspace.root.rglob("*")) == before


@pytest.mark.parametrize("gain", [1.04, 1.2])
def test_the_time_is_that_of_single_runs_and_gains_of_stacks_are_measured_where_they_are_asked_for(
    study: Study, monkeypatch: pytest.MonkeyPatch, gain: float
) -> None:
    monkeypatch.setattr(trial, "stack_gain", lambda *_, **__: gain)
    path = study.workspace.root.parent / "study.yaml"
    path.write_text(json.dumps(tiny_study(seeds=4, name="more").model_dump(mode="json")))
    command = ("ablate", path, "--workspace", study.workspace.root, "--dry-run", "--workers", "1", "--stack")
    alone = "stack: the time above is that of runs trained alone"
    assert f"{alone}; `--stack auto` measures" in run_dq(*command, "2").stdout.replace("\n", " ")
    assert alone not in run_dq(*command, "1").stdout
    measured = run_dq(*command, "auto").stdout
    assert f"reach {gain:.2f} times the rate" in measured.replace("\n", " ") and (alone in measured) == (gain > 1.05)
    (found,) = json.loads(run_dq(*command, "auto", "--json").stdout)["stacks"]
    assert (found["gain"], found["is_worth"]) == (gain, gain > 1.05)


def test_what_runs_spend_on_held_out_documents_is_counted(study: Study) -> None:
    timing = pl.concat([pl.read_parquet(path) for path in study.workspace.root.glob("runs/*/timing.parquet")])
    recorded = forecast_study(tiny_study(name="more", seeds=12), study.workspace, workers=1)
    least = float(timing["evaluation_seconds"].sum()) / len(list(study.workspace.root.glob("runs/*/status.json")))
    assert forecast_study(tiny_study(name="few", seeds=2), study.workspace).detectable == ()  # there is no verdict
    training = recorded.tokens / recorded.tokens_per_second
    assert recorded.seconds > 18 * least + training
    waiting = recorded.runs - recorded.runs_done
    share = 1 - training / (recorded.seconds - waiting * START_SECONDS)  # of what `dq runs` counts: no start of a run
    assert recorded.scoring_share == pytest.approx(share)

    measured = forecast_study(tiny_study(name="larger", size="0.3M"), study.workspace, workers=1)
    n_tokens = sum(len(one.tokens) for one in tokenized_sets(study.workspace))
    assert measured.speed_is == "measured"
    assert measured.seconds > measured.runs * n_tokens / (EVALUATION_SPEED * measured.tokens_per_second)


def test_sets_that_are_not_named_are_not_scored_and_the_neutral_ones_decide(study: Study) -> None:
    everything = {one.name for one in tokenized_sets(study.workspace)}
    neutral = set(study.result.comparison.neutral_sets)
    assert neutral < everything
    few = tiny_study(name="few", score=(), controls=None)
    assert scored_sets(study.workspace, ()) == tuple(sorted(neutral))
    result = run_study(few, study.workspace, executor=LocalExecutor(1))
    assert set(result.losses["set"]) == neutral
    for here, there in zip(result.comparison.variants, study.result.comparison.variants, strict=False):
        assert here.neutral.baseline_bits_per_byte == there.neutral.baseline_bits_per_byte  # equal runs, fewer scores
    assert forecast_study(few, study.workspace).scored_sets == len(neutral)
    with pytest.raises(ConfigError, match=r"^unknown held-out set `new`; did you mean `news`"):
        scored_sets(study.workspace, ["new"])
