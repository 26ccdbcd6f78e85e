"""What the seeds of an arm say together, beside a plain average of their models' probabilities."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from dq.errors import TrainingError, WorkspaceError
from dq.store import Workspace
from dq.study import ensembles_of_workspace
from dq.study.heldout_tokens import tokenized_sets
from dq.training import HeldoutTokens, Llama, RunRecord, load_hf, read_run
from tests.study.conftest import Study, World, without_runs


@pytest.fixture(scope="module")
def alone(world: World, study: Study, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace with the study's runs: other tests train in it too."""
    copy = without_runs(world, tmp_path_factory.mktemp("ensembles"))
    for run in study.result.runs:
        shutil.copytree(study.workspace.run(run), copy.run(run))
    return copy


def runs_of(workspace: Workspace, arm: str) -> list[RunRecord]:
    """One of each seed: a control repeats a run."""
    found = [read_run(path) for path in sorted(workspace.root.glob(f"runs/{arm}-seed*"))]
    return list({run.spec.seed: run for run in found if run is not None}.values())


def mean_nats(models: list[Llama], heldout: HeldoutTokens, *, bos_id: int, context: int) -> float:
    """-log of the mean probability of every token, summed, from plain logits of one document after another."""
    total = 0.0
    for first, last in zip(heldout.offsets[:-1], heldout.offsets[1:], strict=True):
        ids = [bos_id, *heldout.tokens[first:last].tolist()]
        for start in range(0, len(ids) - 1, context):
            window = torch.tensor([ids[start : start + context + 1]])
            with torch.no_grad():
                shares = [torch.softmax(model(window[:, :-1])[0].double(), dim=-1) for model in models]
            mean = torch.stack(shares).mean(0).gather(1, window[0, 1:, None])
            total -= float(mean.log().sum())
    return total


def test_an_ensemble_is_the_mean_of_the_probabilities(alone: Workspace) -> None:
    found = ensembles_of_workspace(alone)
    assert {one.arm.partition("-")[0] for one in found} >= {"raw", "curated"}
    sets = {one.name: one for one in tokenized_sets(alone)}
    for one in found:
        runs = runs_of(alone, one.arm)
        assert one.seeds == len(runs) == 3 and one.budget_tokens == runs[0].spec.budget_tokens
        scored = [run.documents.filter(pl.col("set") == one.held_out_set) for run in runs]
        recorded = [t["loss_nats"].to_numpy().sum() / t["n_bytes"].to_numpy().sum() / math.log(2) for t in scored]
        assert one.mean == pytest.approx(np.mean(recorded), rel=1e-5)
        assert one.gain == one.mean - one.ensemble > 0  # by Jensen's inequality
        assert one.low is not None and one.high is not None and one.low < one.gain < one.high
    one, heldout = found[0], sets[found[0].held_out_set]
    runs = runs_of(alone, one.arm)
    models = [load_hf(run.run_dir / "model", spec=run.spec) for run in runs]
    spec = runs[0].spec
    nats = mean_nats(models, heldout, bos_id=spec.bos_id, context=spec.training.context)
    assert one.ensemble == pytest.approx(nats / math.log(2) / heldout.n_bytes.sum(), rel=1e-5)


def test_other_held_out_documents_than_the_runs_saw_are_refused(
    alone: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, *others) = tokenized_sets(alone)
    fewer = first.select(np.arange(len(first.documents)) > 0)
    monkeypatch.setattr("dq.study.ensembles.tokenized_sets", lambda _workspace: [fewer, *others])
    with pytest.raises(WorkspaceError, match="scored on other documents"):
        ensembles_of_workspace(alone)


def test_what_is_not_the_model_of_a_run_is_one_line(alone: Workspace, tmp_path: Path) -> None:
    run = runs_of(alone, "raw*")[0]
    for damage in (b"", b"\x00" * 64):
        (tmp_path / "model.safetensors").write_bytes(damage)
        with pytest.raises(TrainingError, match=r"model\.safetensors: not the model of this run"):
            load_hf(tmp_path, spec=run.spec)
    with pytest.raises(TrainingError, match="not the model of this run"):
        load_hf(run.run_dir / "model", spec=run.spec.model_copy(update={"size": "0.3M"}))
