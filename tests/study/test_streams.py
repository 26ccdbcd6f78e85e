"""Studies of other streams than the usual one, trained by real workers."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dq.config import load_yaml
from dq.errors import ConfigError
from dq.executors import LocalExecutor
from dq.study import StudyConfig, run_study
from dq.variants import StreamConfig
from tests.study.conftest import World, tiny_study


def test_each_way_to_make_streams_trains_runs_of_its_own_on_one_workspace(world: World) -> None:
    streams = (StreamConfig(unit="document"), StreamConfig(draw="cluster"))
    runs: dict[str, StreamConfig] = {}
    for number, stream in enumerate(streams):
        config = tiny_study(name=f"stream-{number}", seeds=1, stream=stream)
        result = run_study(config, world.workspace, executor=LocalExecutor(2))
        runs |= dict.fromkeys(result.runs, stream)
        for manifest in result.manifests.values():
            assert manifest.stream == stream.model_dump() and manifest.context == 64
        for run in result.runs:
            # No epoch ends: all that a model has seen is new, whatever the order of its windows.
            ledger = pl.read_parquet(world.workspace.run(run) / "ledger.parquet")
            assert (ledger["unique_tokens_seen"] == ledger["tokens_seen"]).all()
    assert len(runs) == 2 * len(streams)


def test_an_unknown_unit_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    variants = "variants: {raw: {kind: raw}, curated: {kind: curated}}"
    path.write_text(f"budget_tokens: 300_000\nmargin_bits_per_byte: 0.02\n{variants}\nstream: {{unit: token}}\n")
    with pytest.raises(ConfigError, match=r"study\.yaml:4: `stream\.unit`.*'piece' or 'document'"):
        load_yaml(path, StudyConfig)
