"""What a study would take, before anything is trained: runs, tokens, parameters, minutes, disk.

Speed is that of the runs of one size, one shape of windows and one kind of device that the workspace holds, and so are
the seconds that a run spends on held-out documents; without any, a model is trained on random tokens for a moment, and
held-out tokens are counted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dq.compare import MIN_SEEDS, detectable_at, plan_looks, pooled_df
from dq.errors import DqError
from dq.executors import Placement
from dq.results import Result
from dq.store import Workspace, read_parquet
from dq.study.cells import Cell, cells_of
from dq.study.config import StudyConfig
from dq.study.grid import PlannedRun, check_pools, plan_grid
from dq.study.heldout_tokens import tokenized_sets
from dq.study.noise import StudyNoise, nearest_noise, noise_of_workspace
from dq.study.placing import place_runs
from dq.study.trunks import branch_steps, plan_trunks
from dq.training import RunSpec, Schedule, read_run
from dq.training.record import RunFolder
from dq.variants import Universe, foreseen_universe

MEASURED_SECONDS = 3.0
WARM_UP_STEPS = 2
START_SECONDS = 2.0  # of a run: its stream, its model, its files; measured 1 to 3
EVALUATION_SPEED = 2.2  # times that of training: no gradients (measured 1.8 to 2.6 at three sizes)
STATE_BYTES = 12  # a parameter in a checkpoint: weight and two moments
MODEL_BYTES = 4  # a parameter in a finished run


@dataclass(frozen=True)
class StudyForecast(Result):
    """Expected cost of a study, at one size, budget, rate and decay, on this machine as busy as it is now.

    Attributes:
        cell: which of a study's cells it is, as `dq.study.cells` labels it.
        runs: all of its runs, controls included; with looks as many as it may come to.
        runs_done: those that have finished.
        tokens: that are still to be trained on, over all runs.
        shared_tokens: of these runs, that longer ones of the study train on for them: they are not among ``tokens``.
        parameters: of a model.
        tokens_per_second: of one run while it trains. Where several devices share it and no run has shown what they
            reach, that of one times their number, which is more than they will.
        speed_is: ``recorded`` by runs of the workspace, or ``measured`` now; ``nothing`` where all is trained.
        at_a_time: runs that work beside each other.
        seconds: that training would take, each run alone: what stacks gain `dq.study.measure_stacks` tells.
        scored_sets: held-out sets that a run is scored on.
        scoring_share: of training and scoring, what scoring takes.
        disk_bytes: that runs still to do would add, at the most.
        seeds: numbers of them after which variants are judged.
        noise_of: the study of the workspace, of this size and about this budget, that the next two rest on, or None.
        sd: over seeds, of a paired difference on the neutral sets, bits per byte.
        detectable: after each number of seeds the smallest difference that is found with 80 % power.
    """

    cell: str
    runs: int
    runs_done: int
    tokens: int
    shared_tokens: int
    parameters: int
    tokens_per_second: float
    speed_is: str
    at_a_time: int
    seconds: float
    scored_sets: int
    scoring_share: float
    disk_bytes: int
    seeds: tuple[int, ...]
    noise_of: str | None
    sd: float | None
    detectable: tuple[float, ...]


@dataclass(frozen=True)
class GridForecast(Result):
    """Expected cost of a study of several cells."""

    cells: tuple[StudyForecast, ...]

    @property
    def seconds(self) -> float:
        """That training would take."""
        return math.fsum(cell.seconds for cell in self.cells)

    @property
    def disk_bytes(self) -> int:
        """That runs still to do would add, at the most."""
        return sum(cell.disk_bytes for cell in self.cells)

    def record(self) -> dict[str, Any]:
        """The cells and their sums."""
        return {"seconds": self.seconds, "disk_bytes": self.disk_bytes, "cells": self.cells}


def forecast_study(
    config: StudyConfig,
    workspace: Workspace,
    *,
    workers: int | None = None,
    device: str = "auto",
    devices_per_run: int = 1,
) -> StudyForecast:
    """What is to be trained and what it would take. Nothing is written.

    Args:
        config: of the study, of one cell.
        workspace: that a job has finished.
        workers: runs at a time; default: as many as the device takes.
        device: where runs work, as for `run_study`.
        devices_per_run: that share a run, as for `run_study`.

    Raises:
        BudgetError: a variant's pool is too small.
        WorkspaceError: the workspace is not finished.
    """
    (found,) = forecast_grid(config, workspace, workers=workers, device=device, devices_per_run=devices_per_run).cells
    return found


def forecast_grid(
    config: StudyConfig,
    workspace: Workspace,
    *,
    workers: int | None = None,
    device: str = "auto",
    devices_per_run: int = 1,
) -> GridForecast:
    """The same of a study of several cells; its arguments and errors."""
    universe, cells = foreseen_universe(workspace), cells_of(config)
    planned = [_once(plan_grid(cell.config, workspace, universe)) for cell in cells]
    waiting = [run for runs in planned for run in runs if read_run(workspace.run(run.run_id)) is None]
    about = _About(
        workspace=workspace,
        universe=universe,
        noise=noise_of_workspace(workspace),
        workers=workers,
        device=device,
        devices_per_run=devices_per_run,
        waiting={run.run_id for run in waiting},
        shared_tokens=_shared_tokens(waiting),
        speeds={},
    )
    forecasts = (_forecast(cell, runs, about) for cell, runs in zip(cells, planned, strict=True))
    return GridForecast(tuple(forecasts))


def _once(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Arms that are the same run share it."""
    return list({run.run_id: run for run in runs}.values())


def _shared_tokens(runs: Sequence[PlannedRun]) -> dict[str, int]:
    """Of each branch, the tokens that the run which it branches off trains on for it."""
    by_id = {run.run_id: run for run in runs}
    return {
        run.run_id: branch_steps(by_id[longest], run) * run.spec.training.tokens_per_step
        for longest, branches in plan_trunks(runs).items()
        for run in branches
    }


@dataclass(frozen=True)
class _About:
    """What the forecasts of all cells share."""

    workspace: Workspace
    universe: Universe
    noise: tuple[StudyNoise, ...]
    workers: int | None
    device: str
    devices_per_run: int
    waiting: set[str]
    """Runs that have not finished."""
    shared_tokens: dict[str, int]
    speeds: dict[str, float]
    """Tokens a second of sizes that have been measured."""


def _forecast(cell: Cell, runs: Sequence[PlannedRun], about: _About) -> StudyForecast:
    config = cell.config
    check_pools(config, runs, about.universe)
    waiting = [run for run in runs if run.run_id in about.waiting]
    shared = sum(about.shared_tokens.get(run.run_id, 0) for run in waiting)
    tokens = sum(run.spec.budget_tokens for run in waiting) - shared
    spec = runs[0].spec
    parameters = spec.model_size.parameters(spec.vocabulary_size).total
    placing = place_runs(about.device, spec=spec, devices_per_run=about.devices_per_run)
    speed, evaluation_seconds, speed_is = 0.0, 0.0, "nothing"
    if waiting:
        speed, evaluation_seconds, speed_is = _speed(about, runs[0], placement=placing.of(0)[0])
    working = tokens / len(waiting) / speed + evaluation_seconds if waiting else 0.0
    at_a_time = max(1, min(about.workers or placing.at_a_time, len(waiting)))
    return StudyForecast(
        cell=cell.label,
        runs=len(runs),
        runs_done=len(runs) - len(waiting),
        tokens=tokens,
        shared_tokens=shared,
        parameters=parameters,
        tokens_per_second=speed,
        speed_is=speed_is,
        at_a_time=at_a_time,
        seconds=math.ceil(len(waiting) / at_a_time) * (START_SECONDS + working),
        scored_sets=len(runs[0].sets),
        scoring_share=evaluation_seconds / working if waiting else 0.0,
        seeds=config.stops,
        **_power(config, about.noise),
        disk_bytes=parameters * (MODEL_BYTES * len(waiting) + STATE_BYTES * at_a_time * bool(waiting)),
    )


def _power(config: StudyConfig, noise: tuple[StudyNoise, ...]) -> dict[str, Any]:
    """What so many seeds detect, where the workspace knows how much they spread."""
    known = nearest_noise(noise, size=config.size, budget_tokens=config.budget_tokens, annealing=config.annealing)
    if known is None:
        return {"noise_of": None, "sd": None, "detectable": ()}
    sd, variants = known.noise[0].sd, len(config.variants) - 1
    looks = config.plan or plan_looks([config.seeds])
    detectable = [
        detectable_at(
            sd,
            df=pooled_df(variants, look.seeds),
            n_seeds=look.seeds,
            comparisons=variants,
            confidence=1 - look.error,
        )
        for look in looks
        if look.seeds >= MIN_SEEDS
    ]
    return {"noise_of": known.study, "sd": sd, "detectable": tuple(detectable)}


def _speed(about: _About, run: PlannedRun, *, placement: Placement) -> tuple[float, float, str]:
    """Tokens a second of one run's training, its seconds of evaluation, and where both are from."""
    workspace, spec = about.workspace, run.spec
    kind, found = placement.device.partition(":")[0], []
    for status in sorted(workspace.root.glob("runs/*/status.json")):
        folder = RunFolder(status.parent)
        try:
            record, timing = read_run(folder.path), read_parquet(folder.timing)
            took = timing.select(pl.col("training_seconds", "evaluation_seconds").sum()).row(0)
        except (DqError, pl.exceptions.PolarsError):  # what is damaged says nothing of the speed
            continue
        if record is None or (record.device, record.processes, record.stacked) != (kind, placement.world, 1):
            continue
        if _alike(record.spec, spec):
            found.append((record.step * spec.training.tokens_per_step, *took))
    if found:
        tokens, training_seconds, evaluation_seconds = map(sum, zip(*found, strict=True))
        return tokens / training_seconds, evaluation_seconds / len(found), "recorded"
    if (speed := about.speeds.get(spec.size)) is None:
        speed = about.speeds[spec.size] = placement.world * _measured(spec, placement)
    return speed, _evaluated_tokens(workspace, run) / (EVALUATION_SPEED * speed), "measured"


def _evaluated_tokens(workspace: Workspace, run: PlannedRun) -> int:
    """Held-out tokens that a run scores: every document at the end, the fixed tenths before."""
    schedule = Schedule(config=run.spec.training, steps=run.spec.steps)
    points = len(schedule.evaluation_steps()) - 1
    sets = tokenized_sets(workspace, run.sets)
    return sum(len(one.tokens) + points * len(one.select(one.curve_documents()).tokens) for one in sets)


def _alike(one: RunSpec, other: RunSpec) -> bool:
    """Whether runs are about as fast: models and windows of one shape, scored on the same documents."""
    keys = ("context", "batch_windows", "microbatch_windows", "precision", "compiled")
    same = all(getattr(one.training, key) == getattr(other.training, key) for key in keys)
    return same and all(
        getattr(one, key) == getattr(other, key) for key in ("size", "vocabulary_size", "heldout_fingerprint")
    )


def _measured(spec: RunSpec, placement: Placement) -> float:
    """Tokens a second of some seconds of training on random tokens, with one thread as a worker does."""
    from dq.training.trial import train_steps  # noqa: PLC0415  torch takes 2 s, and a recorded speed needs none

    with train_steps(spec, placement=placement) as take_step:
        for _ in range(WARM_UP_STEPS):
            take_step()
        done, began = 0, time.perf_counter()
        while (seconds := time.perf_counter() - began) < MEASURED_SECONDS:
            take_step()
            done += 1
    return done * spec.training.tokens_per_step / seconds
