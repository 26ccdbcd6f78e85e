"""A run that cannot be trained is told on one line, the others go on, and the same study trains it later."""

from __future__ import annotations

import os
import re
import resource
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from dq.errors import TrainingError
from dq.executors import LocalExecutor
from dq.store import Workspace
from dq.study import run_study, worker
from dq.study.grid import plan_grid
from dq.training import TrainingConfig, train
from dq.variants import Curated, Raw, TokenNoise, open_universe
from tests.study.conftest import tiny_study

Trouble = Callable[[], None]


def without_memory() -> None:
    """Training begins with 32 MB more than the process has; one step takes some 90."""

    def starved(*arguments: Any, **more: Any) -> Any:
        # The first optimizer imports half of torch, and a module that finds no memory half-way fails in its own ways.
        torch.optim.SGD([torch.zeros(1, requires_grad=True)])
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        lower(resource.RLIMIT_AS, pages * resource.getpagesize() + (32 << 20))
        return train(*arguments, **more)

    worker.train = starved  # type: ignore[attr-defined]  # of this process, which ends with the run


def without_disk() -> None:
    """No file may be as large as a checkpoint; what is written before is smaller."""
    lower(resource.RLIMIT_FSIZE, 100_000)


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def lower(limit: int, value: int) -> None:
    resource.setrlimit(limit, (value, value))


@dataclass(frozen=True)
class Troubled:
    """A task, and what befalls it."""

    function: Callable[[Any], None]
    task: Any
    trouble: Trouble | None


def run_troubled(one: Troubled) -> None:
    if one.trouble is not None:
        one.trouble()
    one.function(one.task)


@dataclass(frozen=True)
class TroubledExecutor(LocalExecutor):
    """Real processes, a new one a run, in which the runs of some variants meet with real trouble."""

    troubles: dict[str, Trouble] = field(default_factory=dict)

    def attempt(
        self,
        function: Callable[[Any], None],
        tasks: Sequence[Any],
        *,
        on_done: Callable[[Any], None],
        on_report: Callable[[Any], None] | None,
        isolated: bool,
    ) -> None:
        for task in tasks:
            troubled = Troubled(function, task, self.troubles.get(task.variant.name))
            super().attempt(
                run_troubled, [troubled], on_done=lambda one: on_done(one.task), on_report=on_report, isolated=isolated
            )


def test_runs_that_cannot_be_trained_are_named_and_trained_later(fresh: Workspace) -> None:
    troubles = {"curated": without_memory, "noise": without_disk, "halved": killed}
    reasons = {
        "curated": r"out of memory with 32 windows a pass; set `training\.microbatch_windows` to 16 ",
        "noise": r"/checkpoint/state\.safetensors: cannot be written: .*File too large.*; free ",
        "halved": r"its worker dies even alone .*; set a smaller `training\.microbatch_windows`, or run the same ",
    }
    doses = {"noise": 1.0, "halved": 0.5, "spared": 0.9}
    config = tiny_study(
        name="troubled",
        variants={"raw": Raw(), "curated": Curated(), **{name: TokenNoise(dose=dose) for name, dose in doses.items()}},
        seeds=1,
        size="0.3M",
        budget_tokens=8192,
        training=TrainingConfig(context=128, batch_windows=32, curve_points=1),
    )
    runs = {run.arm: run.run_id for run in plan_grid(config, fresh, open_universe(fresh))}
    found = run_study(config, fresh, executor=TroubledExecutor(1, troubles))
    assert found.missing.keys() == {runs[arm] for arm in troubles}
    for arm, reason in reasons.items():
        assert re.search(reason, found.missing[runs[arm]]), found.missing[runs[arm]]
        assert f"missing: {runs[arm]}: {found.missing[runs[arm]]}" in found.warnings
        assert f"{arm} gets no verdict: 1 of its runs is missing" in found.comparison.notes
        assert not list(fresh.run(runs[arm]).rglob("*.partial"))
    assert found.warnings[-1] == "the same command trains what is missing"
    assert [one.variant for one in found.comparison.variants] == ["spared"] and len(found.runs) == 2

    whole = run_study(config, fresh)
    assert not whole.missing and not whole.warnings and set(whole.runs) == set(runs.values())


def test_a_study_without_its_baseline_trains_the_rest_and_ends_with_the_reason(fresh: Workspace) -> None:
    config = tiny_study(name="baseless", variants={"raw": Raw(), "curated": Curated()}, seeds=2, budget_tokens=1536)
    with pytest.raises(TrainingError, match=r"File too large[^\n]* \(2 of 4 runs are missing\)$"):
        run_study(config, fresh, executor=TroubledExecutor(1, {"raw": without_disk}))
    ended = {path.parent.name for path in fresh.root.glob("runs/*/status.json")}
    universe = open_universe(fresh)
    assert {run.run_id for run in plan_grid(config, fresh, universe) if run.arm == "curated"} <= ended
