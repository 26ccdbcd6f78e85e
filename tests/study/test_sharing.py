"""`--devices-per-run`: two real processes share each run of a study, on the CPU."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from dq.store import Workspace
from tests.command import run_dq

STUDY = {
    "name": "shared",
    "budget_tokens": 1024,
    "variants": {"raw": {"kind": "raw"}, "curated": {"kind": "curated"}},
    "size": "0.1M",
    "seeds": 1,
    "margin_bits_per_byte": 0.02,
    "training": {"context": 64, "batch_windows": 4, "curve_points": 2},
}


def ledgers(workspace: Workspace, result: str) -> dict[str, pl.DataFrame]:
    folders = [workspace.run(name) for name in json.loads(result)["runs"]]
    return {folder.name: pl.read_parquet(folder / "ledger.parquet") for folder in folders}


def test_a_study_whose_runs_are_shared_says_what_one_alone_says(fresh: Workspace, tmp_path: Path) -> None:
    path, place = tmp_path / "study.yaml", ("--workspace", str(fresh.root), "--json", "--overwrite")
    path.write_text(json.dumps(STUDY))
    done = run_dq("ablate", path, *place, "--devices-per-run", "2")
    assert done.returncode == 0, done.stderr
    together = ledgers(fresh, done.stdout)
    for name in together:
        config = json.loads((fresh.run(name) / "config.json").read_text())
        assert config["processes"] == 2
        shutil.rmtree(fresh.run(name))
    alone = ledgers(fresh, run_dq("ablate", path, *place).stdout)
    assert len(alone) == 2 and alone.keys() == together.keys()
    for name, ledger in alone.items():
        assert_frame_equal(ledger, together[name], rel_tol=1e-5)

    refused = run_dq("ablate", path, *place, "--devices-per-run", "3", "--budget-tokens", "2048")
    assert refused.returncode == 1
    assert "a step of 4 windows cannot be shared by 3 devices; let `training.batch_windows` be" in refused.stderr
