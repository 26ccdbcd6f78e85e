"""One finished small job for every test that only reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from dq.jobs import JobConfig, JobResult, run_job
from dq.store import Workspace
from tests.jobs.workspaces import small_job


@dataclass(frozen=True)
class Finished:
    """A job, its result, and the folder of its inputs."""

    config: JobConfig
    result: JobResult
    folder: Path

    @property
    def workspace(self) -> Workspace:
        return self.result.workspace


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("job")
    config = small_job(folder)
    return Finished(config, run_job(config, Workspace(folder / "workspace")), folder)
