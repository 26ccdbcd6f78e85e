"""Outputs that do not belong together are never opened, and the message names the stage to run again."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dq.errors import WorkspaceError
from dq.executors import QUIET, Step
from dq.jobs import JobConfig, run_job
from dq.stages.base import View
from dq.stages.duplicates import FoundDuplicates
from dq.stages.fates import Fates
from dq.stages.heldout import Heldout
from dq.stages.read import Documents
from dq.stages.selection import Selected
from dq.stages.signals import Signals
from dq.stages.tokens import TokenPool
from dq.stages.verdicts import Verdicts
from dq.store import Workspace
from dq.study import run_study
from dq.variants import open_universe
from tests.jobs.workspaces import changed, small_job
from tests.processes import python
from tests.study.conftest import tiny_study

STEPS = ("find duplicates", "hold out", "score", "judge", "tokenise", "select", "check planted copies", "settle fates")


class StoppedError(Exception):
    """A job that ends before one of its steps."""


class StopBefore:
    """A progress under which a job ends where a step would begin."""

    def __init__(self, name: str) -> None:
        self._name = name

    @contextmanager
    def step(self, name: str, *, unit: str = "", total: float | None = None) -> Iterator[Step]:
        if name == self._name:
            raise StoppedError
        yield QUIET


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> tuple[JobConfig, Workspace]:
    folder = tmp_path_factory.mktemp("chain")
    config = small_job(folder)
    return config, run_job(config, Workspace(folder / "workspace")).workspace


@pytest.fixture
def workspace(job: tuple[JobConfig, Workspace], tmp_path: Path) -> Workspace:
    shutil.copytree(job[1].root, tmp_path / "copy")
    return Workspace(tmp_path / "copy")


def with_more_rows(config: JobConfig, folder: Path) -> JobConfig:
    """The job on an input that has grown by ten documents."""
    path = folder / "documents.jsonl"
    more = "".join(json.dumps({"id": f"new-{n}", "text": f"new text {n}", "source": "web"}) + "\n" for n in range(10))
    path.write_text(Path(str(config.input[0].path)).read_text() + more)
    plain = config.model_dump(mode="json")
    plain["input"][0]["path"] = str(path)
    return JobConfig.model_validate_json(json.dumps(plain))


@pytest.mark.parametrize("step", STEPS)
def test_a_job_on_changed_input_that_stopped_between_stages_is_refused_and_can_go_on(
    step: str, job: tuple[JobConfig, Workspace], workspace: Workspace, tmp_path: Path
) -> None:
    grown = with_more_rows(job[0], tmp_path)
    with pytest.raises(StoppedError):
        run_job(grown, workspace, overwrite=True, progress=StopBefore(step))
    for reads in (open_universe, lambda place: run_study(tiny_study(), place)):
        with pytest.raises(WorkspaceError, match=r"(made from another .*|not finished); run (the job again|`dq run`)"):
            reads(workspace)
    run_job(grown, workspace, overwrite=True)
    assert len(open_universe(workspace).lengths) == 171


@pytest.mark.parametrize(
    ("sections", "step", "stale"),
    [
        ({"dedup": {"threshold": 0.99}}, "select", "select"),
        ({"quality": {"preset": "gopher_quality"}}, "judge", "judge"),
        ({"heldout": {"fraction": 0.2}}, "tokenise", "tokenizer"),
        ({"tokenizer": {"vocab_size": 300}}, "select", "select"),
        ({"dedup": {"keep": "prefer:web"}}, "settle fates", "fates"),
    ],
)
def test_another_setting_whose_job_stopped_names_the_first_stage_that_is_stale(
    sections: dict[str, dict[str, object]],
    step: str,
    stale: str,
    job: tuple[JobConfig, Workspace],
    workspace: Workspace,
) -> None:
    with pytest.raises(StoppedError):
        run_job(changed(job[0], **sections), workspace, progress=StopBefore(step))
    with pytest.raises(WorkspaceError, match=rf"run the job again \(stage `{stale}`\)"):
        open_universe(workspace)


def test_a_killed_job_on_changed_input_is_refused(
    job: tuple[JobConfig, Workspace], workspace: Workspace, tmp_path: Path
) -> None:
    grown = with_more_rows(job[0], tmp_path)
    (tmp_path / "job.json").write_text(grown.model_dump_json())
    code = """
import os, signal, sys
from pathlib import Path
from dq.jobs import JobConfig, run_job
from dq.store import Workspace
def die(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("duplicates/original/stage.json"):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die)
run_job(JobConfig.model_validate_json(Path(sys.argv[1]).read_text()), Workspace(sys.argv[2]), overwrite=True)
"""
    with python(code, tmp_path / "job.json", workspace.root) as process:
        assert process.wait(120) == -signal.SIGKILL
    with pytest.raises(WorkspaceError, match=r"not finished|made from another"):
        open_universe(workspace)
    with pytest.raises(WorkspaceError, match="duplicates/original: not finished"):
        View(workspace).open(FoundDuplicates)
    assert len(View(workspace).open(Documents).documents) == 171


def test_every_output_of_a_finished_job_opens(job: tuple[JobConfig, Workspace]) -> None:
    view = View.of(job[1])
    for output in (Documents, FoundDuplicates, Heldout, Signals, Verdicts, TokenPool, Selected, Fates):
        assert view.open(output).record == view.record(output)
    assert view.open(Verdicts).rules == job[0].quality.rule_set


def test_an_output_of_another_version_of_dq_is_refused(workspace: Workspace) -> None:
    path = workspace.verdicts("original") / "stage.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 0}))
    with pytest.raises(WorkspaceError, match=r"made by another version of dq; run the job again \(stage `judge`\)"):
        open_universe(workspace)


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("verdicts/original", {"inputs": {"nothing-of-ours": "0"}}),
        ("corpus/original", {"stage": "clean", "version": 1, "inputs": {"corpus": "0"}, "config": {"of": "original"}}),
        ("corpus/original", {"stage": "clean", "version": 1, "inputs": {"corpus": "0"}, "config": None}),
        ("corpus/original", {"stage": "clean", "version": 1, "inputs": {"corpus": "0"}, "config": {"of": "../.."}}),
        ("fates", {"config": {}}),
        ("fates", {"config": {"texts": {"judged": 7}}}),
    ],
)
def test_a_record_that_no_stage_wrote_is_one_line(stage: str, change: dict[str, object], workspace: Workspace) -> None:
    path = workspace.root / stage / "stage.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(WorkspaceError, match=r"not a record of this stage; delete|not a name"):
        open_universe(workspace)
