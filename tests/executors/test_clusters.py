"""Tasks on a real Ray cluster of two nodes and in a real Slurm, both of this machine: the same files as here."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

import dq
from dq.dedup import parts
from dq.dedup.find.runs import Run
from dq.errors import BudgetError, ConfigError
from dq.executors import Executor, WorkerDiedError
from dq.executors.ray import RayExecutor, connected
from dq.executors.slurm import SlurmExecutor
from dq.interop.ray import Keep, Score
from dq.jobs import run_job
from dq.stages import select_tasks
from dq.store import Workspace
from tests.command import run_dq
from tests.conftest import tool
from tests.executors.tasks import always_killed, double, fail_at_1, wait_to_be_killed_once
from tests.jobs.workspaces import changed, contents, small_job
from tests.processes import ROOT, until

ray_nodes = pytest.importorskip("ray.cluster_utils")

WORKERS = 2


@dataclass(frozen=True)
class Cluster:
    """An executor, and how to take a node or a job of it down while tasks are at work."""

    name: str
    executor: Executor
    take_down: Callable[[Path], None]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Cluster]:
    """Two nodes of a core each, and this process beside them."""
    memory = {"object_store_memory": 80_000_000}
    cluster = ray_nodes.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **memory}
    )
    node = cluster.add_node(num_cpus=1, **memory)

    def take_down(_folder: Path) -> None:
        cluster.remove_node(node, allow_graceful=False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", cluster.address)
        patch.setenv("PYTHONPATH", str(ROOT))
        with connected():  # once for all tests, whose tasks then share workers
            yield Cluster("ray", RayExecutor.of_cluster(), take_down)
    cluster.shutdown()


CONFIGURATION = """
ClusterName=dq
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MpiDefault=none
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
KillWait=1
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture(scope="module")
def slurm_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One node of two cores."""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    host, ports = socket.gethostname().partition(".")[0], {"controller": free_port(), "node": free_port()}
    (folder / "slurm.conf").write_text(CONFIGURATION.format(host=host, folder=folder, **ports))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        patch.setenv("PYTHONPATH", str(ROOT))
        for program in ("slurmctld", "slurmd"):
            subprocess.run([tool(program)], check=True, env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"})
        until(lambda: b"idle" in subprocess.run(["sinfo", "-h", "-o%T"], check=False, capture_output=True).stdout)

        def take_down(tasks: Path) -> None:
            pid = int((tasks / "pid").read_text())
            os.kill(pid, signal.SIGKILL)

        yield Cluster("slurm", SlurmExecutor(WORKERS, folder=folder / "calls", poll_seconds=0.3), take_down)
        for program in ("slurmctld", "slurmd"):
            os.kill(int((folder / f"{program}.pid").read_text()), signal.SIGTERM)


@pytest.fixture(params=["ray", pytest.param("slurm", marks=pytest.mark.needs_tool)])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    found: Cluster = request.getfixturevalue(f"{request.param}_cluster")
    return found


def test_every_task_leaves_its_file_and_what_it_reports_is_heard(cluster: Cluster, tmp_path: Path) -> None:
    tasks, heard = [tmp_path / str(number) for number in range(5)], list[str]()
    cluster.executor.run(double, tasks, output=lambda path: path, on_report=heard.append)
    assert [path.read_text() for path in tasks] == ["0", "2", "4", "6", "8"]
    assert sorted(heard) == ["0", "1", "2", "3", "4"]


def test_a_tasks_own_error_ends_the_others_at_once(cluster: Cluster, tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(BudgetError, match=r"^pool web: 5 tokens available, 9 needed$"):
        cluster.executor.run(fail_at_1, [tmp_path / "0", tmp_path / "1"], output=lambda path: path)
    assert time.monotonic() - begun < 150 and not (tmp_path / "0").exists()


def test_a_task_whose_node_goes_down_is_done_elsewhere(cluster: Cluster, tmp_path: Path) -> None:
    tasks = [tmp_path / str(number) for number in range(WORKERS)]

    def take_down() -> None:
        until(lambda: all(path.with_suffix(".begun").exists() for path in tasks), seconds=120)
        cluster.take_down(tmp_path)
        (tmp_path / "down").touch()

    thread = threading.Thread(target=take_down)
    thread.start()
    cluster.executor.run(wait_to_be_killed_once, tasks, output=lambda path: path)
    thread.join()
    assert [path.read_text() for path in tasks] == ["done", "done"]


def test_a_job_makes_the_same_bytes_on_a_cluster(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = changed(small_job(tmp_path), read={"shard_rows": 100})
    run_job(job, Workspace(tmp_path / "here"))
    # Each shard a run, and parts of few documents: so large corpora are selected from.
    monkeypatch.setattr(
        select_tasks, "runs_of", lambda firsts: [Run(n, range(n, n + 1)) for n in range(len(firsts) - 1)]
    )
    monkeypatch.setattr(parts, "BYTES_A_DOCUMENT", 10**8)
    run_job(job, Workspace(tmp_path / "there"), executor=cluster.executor)
    assert contents(Workspace(tmp_path / "here")) == contents(Workspace(tmp_path / "there"))


@pytest.mark.parametrize(
    "command",
    [("filter", "--preset", "gopher_quality"), ("decontaminate", "--benchmark", "essays=essays.jsonl")],
    ids=lambda command: command[0],
)
def test_a_command_runs_on_a_cluster(cluster: Cluster, tmp_path: Path, command: tuple[str, ...]) -> None:
    small_job(tmp_path)
    made = []
    for engine in ("local", cluster.name):
        done = run_dq(
            *command, "documents.jsonl", "-o", engine, "--executor", engine,
            "--workers", "2", "--max-bad-fraction", "0.5", cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        tables = (tmp_path / engine).rglob("*.parquet")
        made.append({path.relative_to(tmp_path / engine): path.read_bytes() for path in tables})
    assert made[0] and made[0] == made[1]


@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_a_dataset_of_ray_keeps_what_the_rules_keep(ray_cluster: Cluster) -> None:
    texts, rules = ["The people of the town stood on the old bridge. " * 12, "Short.", ""], dq.presets.gopher_quality()
    dataset = ray_nodes.ray.data.from_arrow(pa.table({"body": texts, "n": list(range(len(texts)))}))
    kept = dataset.map_batches(Keep(rules, text="body"), batch_format="pyarrow")
    rows = kept.map_batches(Score(["word_count"], text="body"), batch_format="pyarrow").take_all()
    assert [row["n"] for row in rows] == [n for n, keep in enumerate(rules.judge(dq.score(texts))["keep"]) if keep]
    assert [row["word_count"] for row in rows] == dq.score([texts[0]], ["word_count"])["word_count"].to_list()


@pytest.mark.needs_tool
def test_a_job_that_dies_twice_names_its_log(slurm_cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(WorkerDiedError, match=r"ended without an answer .*; its log is /\S+/0\.log; run the same"):
        slurm_cluster.executor.run(always_killed, [tmp_path / "0"], output=lambda path: path)


def test_without_a_cluster_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="no `sbatch` here"):
        SlurmExecutor()
