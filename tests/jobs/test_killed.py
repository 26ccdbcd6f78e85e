"""`dq run` with two workers, killed with SIGKILL in the middle, and the same command again.

What it is compared with was made by one worker without interruption, so this is also the test that workers decide
nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dq.store import Workspace
from tests.jobs.conftest import Finished
from tests.jobs.workspaces import contents

MAIN = "import sys; sys.argv[0] = 'dq'; from dq.cli import main; main()"
PATIENCE_SECONDS = 120.0
MARK = "DQ_TEST_FAMILY"


def family(mark: str) -> set[int]:
    """Every living process that inherited the mark: workers and fork servers too, whoever their parent is now."""
    found = set()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}".encode() in environment.read_bytes().split(b"\0"):
                found.add(int(environment.parent.name))
        except OSError:
            continue
    return found


def wait_for(condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.002)
    return False


@pytest.fixture
def mark(request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"{os.getpid()}-{time.monotonic_ns()}"
    yield name
    for process in family(name):  # only where a test failed
        os.kill(process, signal.SIGKILL)


def command(finished: Finished, folder: Path) -> list[str]:
    job = folder / "job.yaml"
    job.write_text(finished.config.model_dump_json())
    return [sys.executable, "-c", MAIN, "run", str(job), "--workspace", str(folder / "workspace"), "--workers", "2"]


def start(arguments: list[str], mark: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, MARK: mark, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_alone(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert process.stderr is not None
    process.stderr.close()


def test_a_job_killed_in_deduplication_and_among_two_workers_ends_with_the_bytes_of_one_that_was_not(
    finished: Finished, tmp_path: Path, mark: str
) -> None:
    arguments, workspace = command(finished, tmp_path), Workspace(tmp_path / "workspace")
    duplicates, heldout = workspace.duplicates("original"), workspace.heldout()

    first = start(arguments, mark)
    assert wait_for((duplicates / "started.json").exists)
    kill_alone(first)
    assert not (duplicates / "stage.json").exists()
    assert wait_for(lambda: not family(mark), seconds=20)

    second = start(arguments, mark)
    assert wait_for(lambda: (heldout / "started.json").exists() and len(family(mark)) >= 4)
    kill_alone(second)
    assert not (heldout / "stage.json").exists()
    assert wait_for(lambda: not family(mark), seconds=20)
    left = contents(workspace)
    time.sleep(0.3)
    assert contents(workspace) == left

    third = start(arguments, mark)
    _, errors = third.communicate(timeout=PATIENCE_SECONDS)
    assert (third.returncode, errors) == (0, b"")
    assert contents(workspace) == contents(finished.workspace)
    assert wait_for(lambda: not family(mark), seconds=20)
