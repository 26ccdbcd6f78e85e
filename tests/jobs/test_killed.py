"""`dq run` with two workers, killed with SIGKILL during deduplication, and the same command again.

What it is compared with was made by one worker without interruption, so this is also the test that workers decide
nothing.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

from dq.store import Workspace
from tests.jobs.conftest import Finished
from tests.jobs.workspaces import contents
from tests.processes import python, session_of, until

MAIN = "from dq.cli import main; main()"
PATIENCE_SECONDS = 120.0


def test_a_job_killed_in_deduplication_ends_with_the_bytes_of_one_that_was_not(
    finished: Finished, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "workspace")
    duplicates = workspace.duplicates("original")
    (tmp_path / "job.yaml").write_text(finished.config.model_dump_json())
    arguments = ("run", tmp_path / "job.yaml", "--workspace", workspace.root, "--workers", "2")

    with python(MAIN, *arguments) as first:
        until((duplicates / "started.json").exists, seconds=PATIENCE_SECONDS)
        first.kill()
        assert first.wait() == -signal.SIGKILL
        assert not (duplicates / "stage.json").exists()
        until(lambda: not session_of(first.pid), seconds=20)
        left = contents(workspace)
        time.sleep(0.2)
        assert contents(workspace) == left

    with python(MAIN, *arguments) as second:
        output, errors = second.communicate(timeout=PATIENCE_SECONDS)
        assert (second.returncode, errors) == (0, "")
        assert "kept" in output
        until(lambda: not session_of(second.pid), seconds=20)
    assert contents(workspace) == contents(finished.workspace)
