"""One small workspace, and one real study of eight small runs with every control."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dq.executors import LocalExecutor
from dq.jobs import JobConfig, run_job
from dq.store import Workspace
from dq.study import ControlsConfig, StudyConfig, StudyResult, run_study
from dq.study.grid import PlannedRun, plan_grid
from dq.training import TrainingConfig
from dq.variants import Curated, Raw, open_universe
from tests.jobs.workspaces import small_job

Plan = Callable[[StudyConfig], list[PlannedRun]]


@dataclass(frozen=True)
class World:
    """A finished job that studies may use."""

    job: JobConfig
    workspace: Workspace


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("study")
    job = small_job(folder)
    return World(job, run_job(job, Workspace(folder / "workspace")).workspace)


def without_runs(world: World, folder: Path) -> Workspace:
    """The workspace without any runs and studies, those of other tests too."""
    copy = Workspace(folder / "fresh")
    shutil.copytree(world.workspace.root, copy.root, ignore=shutil.ignore_patterns("runs", "studies"))
    return copy


@pytest.fixture
def fresh(world: World, tmp_path: Path) -> Workspace:
    """A workspace without runs, for one test."""
    return without_runs(world, tmp_path)


def tiny_study(**changes: Any) -> StudyConfig:
    """2,048 tokens a run, in 8 steps of 256."""
    settings: dict[str, Any] = {
        "name": "tiny",
        "budget_tokens": 2048,
        "variants": {"raw": Raw(), "curated": Curated()},
        "size": "0.1M",
        "margin_bits_per_byte": 0.02,
        "training": TrainingConfig(context=64, batch_windows=4, curve_points=2),
        "controls": None,
    }
    return StudyConfig(**{**settings, **changes})


class ShortControls(StudyConfig):
    """Controls on runs so short that a study leaves them out: what is tested is the plumbing, not the outcome."""

    @property
    def active_controls(self) -> ControlsConfig | None:
        return self.controls


def with_controls(config: StudyConfig) -> StudyConfig:
    settings = {name: getattr(config, name) for name in StudyConfig.model_fields}
    return ShortControls(**{**settings, "controls": ControlsConfig()})


@pytest.fixture(scope="session")
def plan(world: World) -> Plan:
    universe = open_universe(world.workspace)
    return lambda config: plan_grid(config, world.workspace, universe)


@dataclass(frozen=True)
class Study:
    """A study that has been run."""

    config: StudyConfig
    result: StudyResult
    workspace: Workspace

    @property
    def folder(self) -> Path:
        return self.workspace.study(self.config.name, self.config.budget_tokens)


@pytest.fixture(scope="session")
def study(world: World) -> Study:
    config = with_controls(tiny_study())
    return Study(config, run_study(config, world.workspace, executor=LocalExecutor(2)), world.workspace)
