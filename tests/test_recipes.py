"""Every recipe that ships is a valid job or study; the quickstart ones are run by the end-to-end tests."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from dq.config import load_yaml
from dq.jobs import JobConfig
from dq.recipes import list_recipes, recipe_path
from dq.study import StudyConfig
from dq.study.cells import cells_of

MODELS: dict[str, type[BaseModel]] = {"pipelines": JobConfig, "ablations": StudyConfig}


STUDY_OF_A_JOB = "pipelines/build_variants.yaml"  # beside the job whose workspace it is of


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_is_valid(name: str) -> None:
    model = StudyConfig if name == STUDY_OF_A_JOB else MODELS[name.partition("/")[0]]
    assert load_yaml(recipe_path(name), model)


def test_the_variants_are_of_the_workspace_of_the_fineweb_job() -> None:
    job = load_yaml(recipe_path("pipelines/fineweb.yaml"), JobConfig)
    assert load_yaml(recipe_path(STUDY_OF_A_JOB), StudyConfig).workspace == job.workspace


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


def test_the_study_of_scale_trains_nothing_again_that_the_quickstart_has_trained() -> None:
    quick, scale = (load_yaml(recipe_path(f"ablations/{name}.yaml"), StudyConfig) for name in ("quickstart", "scale"))
    (cell,) = [
        cell.config
        for cell in cells_of(scale)
        if (cell.config.size, cell.config.budget_tokens) == (quick.size, quick.budget_tokens)
    ]
    assert cell.training == quick.training and cell.rule_tokens == quick.rule_tokens
    assert cell.workspace == quick.workspace and cell.variants.items() < quick.variants.items()
