"""`dq run --plan`: what measured parts of a sample say of a larger corpus, and what does not fit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from dq.cli.cluster import plan_job_for
from dq.corpus.drawn import Drawn
from dq.dedup.find.runs import ROWS_A_RUN
from dq.errors import ConfigError
from dq.files import parse_bytes
from dq.jobs import ClusterPlan, JobConfig, Nodes, costs, plan_cluster
from dq.jobs.costs import cost_of
from dq.jobs.tried import StepCost, Tried
from tests.command import run_dq
from tests.jobs.conftest import Finished
from tests.jobs.workspaces import changed, small_job

GB, TB = 10**9, 10**12


def planned(config: JobConfig, monkeypatch: pytest.MonkeyPatch, *, size: int, nodes: Nodes) -> ClusterPlan:
    """A plan where every step takes 10 s and 3,600 s a GB, and leaves half of the text's bytes on disk."""

    def try_job(drawn: Drawn, tried: JobConfig, *, rows: int) -> Tried:
        text_bytes = sum(len(row["text"].encode()) for row in drawn.rows[:rows])
        cost = StepCost(10 + 3600 * text_bytes / GB, GB, text_bytes // 2)
        names = ["read", "find duplicates", "score", "tokenise", "select", "check planted copies"]
        return Tried(dict.fromkeys(names, cost), 1.0, 1, text_bytes)

    monkeypatch.setattr("dq.jobs.tried.try_job", try_job)
    monkeypatch.setattr("dq.jobs.cluster.compile_by", lambda drawn, config: None)
    return plan_cluster(config, size, nodes)


def test_stages_are_as_long_as_their_parts_say(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    config = changed(finished.config, read={"shard_rows": 1000})
    plan = planned(config, monkeypatch, size=TB, nodes=Nodes(cores=10, memory_bytes=100 * GB, count=4))
    read, search, score, tokenise, select, planted = plan.stages
    assert planted.core_hours.expected < 1 and not planted.disk_bytes > TB  # of a bounded sample
    for stage in plan.stages[:-1]:
        assert stage.core_hours.expected == pytest.approx(1000 + 10 / 3600, rel=1e-6)
        assert stage.core_hours.least <= stage.core_hours.expected <= stage.core_hours.most
        assert stage.disk_bytes == pytest.approx(TB / 2, rel=1e-3)
    assert read.hours == pytest.approx(read.core_hours.expected / 40) and read.tasks == -(-TB // (256 << 20))
    assert search.way == "tasks" and search.tasks == 2 * score.tasks  # texts are read twice
    assert search.hours == pytest.approx((1000 + 10 / 3600 - search.alone_hours) / 40 + search.alone_hours)
    assert 0 < search.alone_hours < 100  # what sorts while the others wait
    assert select.tasks == 2 * -(-plan.documents // ROWS_A_RUN) < score.tasks  # they are ranked, and written
    assert 0 < select.alone_hours < select.hours < 100
    one_node = planned(config, monkeypatch, size=TB, nodes=Nodes(cores=10, memory_bytes=100 * GB)).stages
    alone = one_node[1]
    assert (alone.way, alone.tasks, alone.alone_hours) == ("threads", 1, alone.hours) and 100 < alone.hours < 1000
    assert (one_node[4].way, one_node[4].tasks, one_node[4].hours) == ("process", 1, one_node[4].alone_hours)
    assert score.hours == tokenise.hours == pytest.approx(score.core_hours.expected / 40)
    assert score.tasks == pytest.approx(plan.documents / 1000, abs=1) and tokenise.tasks >= score.tasks
    assert plan.hours == sum(stage.hours for stage in plan.stages)


def test_memory_says_how_many_tasks_fit_and_up_to_which_corpus(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, small = finished.config, Nodes(cores=10, memory_bytes=6 * GB - 1)
    plan = planned(config, monkeypatch, size=TB, nodes=small)
    score = next(stage for stage in plan.stages if stage.name == "score")
    assert score.hours == pytest.approx(score.core_hours.expected / 5)  # a GB each
    largest = plan.largest_text_bytes
    assert 0 < largest < TB
    for size, fits in ((0.99 * largest, True), (1.01 * largest, False)):
        most = planned(config, monkeypatch, size=int(size), nodes=small).largest
        assert (most.task_bytes + most.held_bytes <= small.memory_bytes) == fits


def test_jobs_of_slurm_take_time_to_start(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = (
        planned(finished.config, monkeypatch, size=GB, nodes=Nodes(8, 64 * GB, start_seconds=seconds)).stages[-3]
        for seconds in (0, 2)
    )
    assert there.core_hours.expected - here.core_hours.expected == pytest.approx(2 * here.tasks / 3600)


def test_a_version_that_the_whole_corpus_decides_is_made_by_one_process(finished: Finished) -> None:
    plain = finished.config.model_dump(mode="json")
    plain["clean"] = [
        {"version": "masked", "cleaner": "mask_pii"},
        {"version": "cut", "cleaner": "repeated_units"},
    ]
    config = JobConfig.model_validate_json(json.dumps(plain))
    assert [cost_of(f"clean: {name}", config).way for name in ("masked", "cut")] == ["tasks", "process"]


def test_a_screen_says_what_is_where_and_what_does_not_fit(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = Nodes(cores=2, memory_bytes=64 * GB)
    plan = planned(finished.config, monkeypatch, size=2 * TB, nodes=nodes)
    plan_job_for(finished.config, "2TB", nodes, as_json=False)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    rows = {line[: len(stage.name)]: line for line in shown.splitlines() for stage in plan.stages}
    assert "1 process" in rows["read"] and "2 threads" in rows["find duplicates"]
    assert f"{plan.stages[2].tasks:,}" in rows["score"]
    words = " ".join(shown.split())
    assert "DOES NOT FIT a node of 64 GB" in words and "a node of 2 cores" in words
    assert "makes fewer and longer ones" in words and "shards, of which a job has 100,000 at most" in words
    slow = dataclasses.replace(costs.STAGES["find duplicates"], alone_seconds=1e-5)
    with monkeypatch.context() as patch:
        patch.setitem(costs.STAGES, "find duplicates", slow)
        plan_job_for(finished.config, "2TB", Nodes(2, 64 * GB, 100_000), as_json=False)
    words = " ".join(capsys.readouterr().out.split())
    assert "of the hours are of one node, whatever the number of nodes: find duplicates " in words
    large_shards = changed(finished.config, read={"shard_rows": 100_000})
    plan_job_for(large_shards, "1GB", Nodes(64, 64 * GB), as_json=False)
    words = " ".join(capsys.readouterr().out.split())
    assert "fits a node of 64 GB" in words and "NOT FIT" not in words and "warning" not in words
    plan_job_for(finished.config, "2TB", nodes, as_json=True)
    assert json.loads(capsys.readouterr().out)["largest_text_bytes"] == plan.largest_text_bytes


def test_what_is_no_size_and_no_machine_is_said(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(small_job(tmp_path, documents=20).model_dump_json())
    wrong = run_dq("run", "job.yaml", "--plan", "2TB", "--node", "64", cwd=tmp_path)
    assert wrong.returncode == 2 and "64,256GB" in wrong.stderr
    with pytest.raises(ConfigError, match="no amount of bytes") as raised:
        parse_bytes("2 apples", field="plan")
    assert raised.value.field == "plan"
