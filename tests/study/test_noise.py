"""What a workspace's studies know of the spread over seeds, and what a plan makes of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dq.store import Workspace
from dq.study import forecast_study, noise_of_workspace
from dq.study.noise import nearest_noise
from tests.study.conftest import Study, tiny_study


def test_a_plan_tells_the_smallest_difference_that_its_looks_detect(study: Study) -> None:
    plan = tiny_study(looks=(3, 5, 8))
    found = forecast_study(plan, study.workspace, workers=2)
    assert found.seeds == (3, 5, 8) and found.runs == 16 and found.runs_done >= 6
    assert found.noise_of is not None and found.sd is not None
    assert len(found.detectable) == 3 and found.detectable[0] > found.detectable[1] > found.detectable[2] > 0
    assert found.sd == nearest_noise(noise_of_workspace(study.workspace), size="0.1M", budget_tokens=2048).noise[0].sd  # type: ignore[union-attr]


def test_the_spread_of_another_size_or_budget_is_none_of_a_plans(study: Study) -> None:
    known = noise_of_workspace(study.workspace)
    assert nearest_noise(known, size="0.3M", budget_tokens=2048) is None
    assert nearest_noise(known, size="0.1M", budget_tokens=1_000_000) is None


@pytest.mark.parametrize("damaged", ["", "[]", "{}"])
def test_a_damaged_study_says_nothing_of_the_spread(study: Study, tmp_path: Path, damaged: str) -> None:
    workspace = Workspace(tmp_path / "workspace").create()
    kept = workspace.study("tiny", 2048)
    shutil.copytree(study.folder, kept)
    (found,) = noise_of_workspace(workspace)
    assert (found.study, found.size, found.budget_tokens) == ("tiny", "0.1M", 2048)
    assert found.noise[0].held_out_set == "essays" and found.noise[0].df == 2
    json.dumps(found.to_dict(), allow_nan=False)
    (kept / "comparison.json").write_text(damaged)
    assert noise_of_workspace(workspace) == ()
