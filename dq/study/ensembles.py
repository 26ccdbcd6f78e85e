"""What the seeds of an arm say together: the loss of their averaged probabilities, beside their mean loss.

The difference is what chance in initial weights and order costs a single run, so it tells an arm that is worse from one
that is only more uncertain; an ensemble of 8 gained 3.402 -> 3.264 nats in one public series of runs. With more members
it gains more, so arms compare at equal numbers of seeds. Its interval is a jackknife over seeds: each left out once,
Student's t with one degree of freedom fewer than seeds. Two seeds have none worth the name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from dq.errors import WorkspaceError
from dq.executors import ON_CPU, QUIET, Progress
from dq.results import Result
from dq.store import Workspace
from dq.study.heldout_tokens import tokenized_sets
from dq.training import HeldoutTokens, RunRecord, read_run

MIN_SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class SeedEnsemble(Result):
    """The runs of an arm on one held-out set, bits per byte."""

    arm: str
    """As the folders of its runs are called, without the seed."""
    budget_tokens: int
    held_out_set: str
    seeds: int
    mean: float
    """Of the runs' losses."""
    ensemble: float
    """The loss of their averaged probabilities."""
    gain: float
    """The mean minus it."""
    low: float | None
    """The gain of another so many seeds lies from here to ``high`` with 95 %; None with 2 seeds."""
    high: float | None


def ensembles_of_workspace(workspace: Workspace, *, progress: Progress = QUIET) -> tuple[SeedEnsemble, ...]:
    """Of every arm with two seeds or more, on every held-out set of its runs; each model scores every document anew.

    Raises:
        WorkspaceError: there is no such workspace, or its held-out documents are no longer those of the runs.
        TrainingError: a run's files cannot be read.
    """
    workspace.existing()
    arms = [runs for runs in _arms(workspace).values() if len(runs) > 1]
    sets = tokenized_sets(workspace) if arms else []
    found: list[SeedEnsemble] = []
    with progress.step("score", unit="models", total=sum(map(len, arms))) as step:
        for runs in arms:
            found += _ensembles(runs, sets)
            step.advance(len(runs))
    return tuple(found)


def _arms(workspace: Workspace) -> dict[tuple[str, str], list[RunRecord]]:
    """Finished runs that differ in their seeds alone, by name and settings; a seed trained twice counts once."""
    arms: dict[tuple[str, str], dict[int, RunRecord]] = {}
    for status in sorted(workspace.root.glob("runs/*/status.json")):
        run = read_run(status.parent)
        if run is not None and run.status == "complete":
            spec = run.spec.model_copy(update={"seed": 0, "stream_fingerprint": ""})
            name = status.parent.name.rpartition("-seed")[0]
            arms.setdefault((name, spec.model_dump_json()), {}).setdefault(run.spec.seed, run)
    return {arm: list(runs.values()) for arm, runs in arms.items()}


def _ensembles(runs: Sequence[RunRecord], sets: Sequence[HeldoutTokens]) -> Iterator[SeedEnsemble]:
    from dq.training import evaluate_ensembles, load_hf, working_on  # noqa: PLC0415  torch takes 2 s

    spec, everyone = runs[0].spec, range(len(runs))
    models = [load_hf(run.run_dir / "model", spec=run.spec) for run in runs]
    alone = [(seed,) for seed in everyone]
    without = [tuple(one for one in everyone if one != seed) for seed in everyone]
    scored = set(runs[0].documents["set"])
    for heldout in (one for one in sets if one.name in scored):
        _check(runs, heldout)
        with working_on(ON_CPU):
            losses = evaluate_ensembles(
                models, [*alone, *without, tuple(everyone)], heldout, bos_id=spec.bos_id, precision=runs[0].precision
            )
        bits = np.array([one.loss_nats.sum() for one in losses]) / (math.log(2) * float(heldout.n_bytes.sum()))
        of_seeds, left_out, ensemble = bits[: len(runs)], bits[len(runs) : -1], float(bits[-1])
        gain = float(of_seeds.mean()) - ensemble
        half = _half_width((of_seeds.sum() - of_seeds) / (len(runs) - 1) - left_out) if len(runs) >= MIN_SEEDS else None
        yield SeedEnsemble(
            arm=runs[0].run_dir.name.rpartition("-seed")[0],
            budget_tokens=spec.budget_tokens,
            held_out_set=heldout.name,
            seeds=len(runs),
            mean=float(of_seeds.mean()),
            ensemble=ensemble,
            gain=gain,
            low=None if half is None else gain - half,
            high=None if half is None else gain + half,
        )


def _check(runs: Sequence[RunRecord], heldout: HeldoutTokens) -> None:
    for run in runs:
        scored = run.documents.filter(run.documents["set"] == heldout.name)["document"]
        if set(scored) != set(heldout.documents):
            raise WorkspaceError(
                f"{run.run_dir}: scored on other documents of set {heldout.name!r} than the workspace holds now; "
                "run the study again"
            )


def _half_width(without_one: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    n = len(without_one)
    error = math.sqrt((n - 1) ** 2 / n * float(without_one.var(ddof=1)))
    return error * float(special.stdtrit(n - 1, 0.975))
