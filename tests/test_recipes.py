"""Every recipe that ships is a valid job or study; the quickstart ones are run by the end-to-end tests."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from dq.config import load_yaml
from dq.jobs import JobConfig
from dq.recipes import list_recipes, recipe_path
from dq.study import StudyConfig

MODELS: dict[str, type[BaseModel]] = {"pipelines": JobConfig, "ablations": StudyConfig}


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_is_valid(name: str) -> None:
    assert load_yaml(recipe_path(name), MODELS[name.partition("/")[0]])


def test_the_quickstart_study_runs_its_controls_with_enough_tokens() -> None:
    study = load_yaml(recipe_path("ablations/quickstart.yaml"), StudyConfig)
    assert study.active_controls is not None
    assert study.budget_tokens >= 200_000
    assert study.seeds >= 3


def test_the_quickstart_job_and_study_share_a_workspace() -> None:
    job = load_yaml(recipe_path("pipelines/quickstart.yaml"), JobConfig)
    study = load_yaml(recipe_path("ablations/quickstart.yaml"), StudyConfig)
    assert job.workspace == study.workspace
    assert job.heldout.neutral
    assert job.tokenizer.vocab_size <= 2048
