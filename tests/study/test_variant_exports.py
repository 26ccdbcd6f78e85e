"""Streams written for others, read back by the other's own loader, or by its published layout."""

from __future__ import annotations

import itertools
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from dq.errors import ConfigError, WorkspaceError
from dq.stages.base import View
from dq.stages.heldout import Heldout
from dq.stages.tokens import TokenPool
from dq.store import Workspace
from dq.study import StudyConfig, export
from dq.study.grid import plan_grid
from dq.variants import FORMATS, Curated, Export, Raw, Repeated, StreamConfig, TokenNoise, open_universe
from tests.study.conftest import World, tiny_study

KINDS = {"raw": Raw(), "again": Repeated(epochs=3), "noise": TokenNoise(dose=0.2, base=Curated())}
CONFIG: StudyConfig = tiny_study(variants=KINDS, seeds=1)


def exported(
    world: World,
    output: Path,
    *,
    format: str,  # noqa: A002
    name: str = "again",
    seed: int = 0,
    **more: Any,
) -> Export:
    return export(CONFIG, world.workspace, name, output=output, format=format, seed=seed, **more)


def row_of(world: World, name: str, seed: int = 0) -> np.ndarray[Any, Any]:
    """The tokens of a stream in the order of its row, by the trainer's own way."""
    universe = open_universe(world.workspace)
    variant = next(run.variant for run in plan_grid(CONFIG, world.workspace, universe) if run.arm == name)
    pool = View.of(world.workspace).open(TokenPool)
    return variant.stream(universe, pool, seed=seed, vocabulary_size=400).row.tokens(0, CONFIG.budget_tokens)


@pytest.mark.parametrize("name", list(KINDS))
def test_datatroves_own_loader_reads_the_tokens_and_where_documents_end(
    world: World, tmp_path: Path, name: str
) -> None:
    dataset = pytest.importorskip("datatrove.utils.dataset")
    found = exported(world, tmp_path / "ds", format="ds", name=name)
    length = 63
    loaded = dataset.DatatroveFolderDataset(
        str(found.folder), length, filename_pattern="*.ds", token_size=2, return_positions=True
    )
    tokens = row_of(world, name)
    windows = [loaded[at] for at in range(len(loaded))]
    assert len(windows) == CONFIG.budget_tokens // (length + 1)
    assert np.array_equal(np.concatenate([one["input_ids"].numpy() for one in windows]), tokens)
    ends = np.fromfile(found.folder / "00000.ds.index", "<u8").astype(int)
    assert len(ends) == found.pieces and ends[-1] == CONFIG.budget_tokens == found.tokens
    begins = np.concatenate([[0], ends[:-1]])
    places = np.concatenate([one["positions"].numpy() for one in windows])
    inside = np.concatenate([np.arange(length + 1)] * len(windows))  # datatrove begins anew in every window
    at = np.arange(len(tokens))
    expected = at - np.maximum.accumulate(np.isin(at, begins) * at)
    assert np.array_equal(places, np.minimum(expected, inside))
    about = (found.folder / "00000.ds.metadata").read_text().split("\n")
    assert about == ["tokenizer.json|2", str(CONFIG.budget_tokens), "2.05 KT"]


def megatron_documents(prefix: Path) -> list[np.ndarray[Any, Any]]:
    """The documents of an indexed dataset, by the layout that `megatron/core/datasets/indexed_dataset.py` documents."""
    index, tokens = prefix.with_suffix(".idx").read_bytes(), prefix.with_suffix(".bin").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, sequences, documents = struct.unpack_from("<QBQQ", index, 9)
    assert version == 1
    dtype = np.dtype({1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f8", 7: "<f4", 8: "<u2"}[code])
    at = 34
    lengths = np.frombuffer(index, "<i4", sequences, at)
    pointers = np.frombuffer(index, "<i8", sequences, at + lengths.nbytes)
    bounds = np.frombuffer(index, "<i8", documents, at + lengths.nbytes + pointers.nbytes)
    assert at + lengths.nbytes + pointers.nbytes + bounds.nbytes == len(index)
    assert bounds[0] == 0 and bounds[-1] == sequences
    each = [np.frombuffer(tokens, dtype, n, p) for n, p in zip(lengths.tolist(), pointers.tolist(), strict=True)]
    return [np.concatenate(each[first:end]) for first, end in itertools.pairwise(bounds)]


@pytest.mark.parametrize("name", list(KINDS))
def test_megatrons_layout_holds_every_piece_as_a_document_and_exactly_the_budget(
    world: World, tmp_path: Path, name: str
) -> None:
    found = exported(world, tmp_path / "megatron", format="megatron", name=name)
    documents = megatron_documents(found.folder / "00000")
    assert len(documents) == found.pieces
    assert np.array_equal(np.concatenate(documents), row_of(world, name))
    assert sum(map(len, documents)) == found.tokens == CONFIG.budget_tokens


def originals(workspace: Workspace) -> dict[str, str]:
    frames = [pl.read_parquet(path) for path in sorted(workspace.corpus("original").glob("[0-9]*.parquet"))]
    return dict(pl.concat(frames).select("id", "text").iter_rows())


def test_lines_of_json_and_parquet_tell_each_piece_and_its_copy_and_join_to_documents(
    world: World, tmp_path: Path
) -> None:
    lines = exported(world, tmp_path / "lines", format="jsonl")
    rows = [json.loads(line) for line in (lines.folder / "00000.jsonl").read_text().splitlines()]
    tables = exported(world, tmp_path / "tables", format="parquet")
    assert pq.read_table(tables.folder / "00000.parquet").to_pylist() == rows
    assert len(rows) == lines.pieces and sum(row["tokens"] for row in rows) == CONFIG.budget_tokens
    assert {row["copy"] for row in rows} == {0, 1, 2}
    texts = originals(world.workspace)
    for row in rows[:-1]:  # the last one is cut
        assert row["text"] in texts[row["id"]] and row["source"] in row["part"]


def test_the_pieces_of_a_document_join_to_its_text(world: World, tmp_path: Path) -> None:
    config = tiny_study(variants=KINDS, seeds=1, budget_tokens=57_344)
    found = export(config, world.workspace, "raw", output=tmp_path / "x", format="jsonl")
    encoder, pieces = Tokenizer.from_file(str(found.folder / "tokenizer.json")), dict[str, dict[int, str]]()
    for row in map(json.loads, (found.folder / "00000.jsonl").read_text().splitlines()[:-1]):
        pieces.setdefault(row["id"], {})[row["begin"]] = row["text"]
    whole = 0
    for one, text in originals(world.workspace).items():
        if len(pieces.get(one, ())) == -(-(len(encoder.encode(text).ids) + 1) // 64):
            assert "".join(part for _, part in sorted(pieces[one].items())) == text
            whole += 1
    assert whole >= 3


def nanochat_batches(folder: Path, split: str) -> list[str]:
    """What nanochat reads (`nanochat/dataset.py`): all files but the last, or that one, row group by row group."""
    paths = sorted(name for name in folder.iterdir() if name.name.endswith(".parquet"))
    texts = []
    for path in paths[:-1] if split == "train" else paths[-1:]:
        file = pq.ParquetFile(path)
        for group in range(file.num_row_groups):
            assert file.metadata.row_group(group).num_rows <= 1024
            texts += file.read_row_group(group).column("text").to_pylist()
    return texts


def test_nanochat_trains_on_the_pieces_and_validates_on_the_neutral_sets(world: World, tmp_path: Path) -> None:
    found = exported(world, tmp_path / "nanochat", format="nanochat", name="raw")
    lines = exported(world, tmp_path / "lines", format="jsonl", name="raw")
    rows = [json.loads(line)["text"] for line in (lines.folder / "00000.jsonl").read_text().splitlines()]
    assert nanochat_batches(found.folder, "train") == rows
    heldout = View.of(world.workspace).open(Heldout)
    assert nanochat_batches(found.folder, "val") == heldout.documents("essays")["text"].to_list()


def test_the_manifest_beside_it_says_where_it_came_from(world: World, tmp_path: Path) -> None:
    found = exported(world, tmp_path / "a", format="ds", seed=1)
    stated = json.loads((found.folder / "manifest.json").read_text())
    universe = open_universe(world.workspace)
    variant = next(run.variant for run in plan_grid(CONFIG, world.workspace, universe) if run.arm == "again")
    manifest = variant.manifest(universe, [1])
    assert stated["digest"] == manifest.digests[0] == found.digest
    assert stated["stream"] == variant.stream_fingerprint(1) and stated["inputs"] == manifest.inputs
    assert stated["spec"] == manifest.spec and stated["seed"] == 1 and stated["variant"] == "again"
    assert sorted(stated["files"]) == ["00000.ds", "00000.ds.index", "00000.ds.metadata", "tokenizer.json"]


def test_the_same_export_is_found_another_is_refused_and_replaced_only_when_asked(world: World, tmp_path: Path) -> None:
    first = exported(world, tmp_path / "a", format="ds")
    times = {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir() if path.name != ".lock"}
    assert exported(world, tmp_path / "a", format="ds") == first
    assert times == {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir() if path.name != ".lock"}
    with pytest.raises(WorkspaceError, match="another command, other inputs or other settings"):
        exported(world, tmp_path / "a", format="jsonl")
    replaced = exported(world, tmp_path / "a", format="jsonl", overwrite=True)
    assert sorted(replaced.files) == ["00000.jsonl", "tokenizer.json"]
    assert not (tmp_path / "a" / "00000.ds").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(WorkspaceError, match="not an empty folder"):
        exported(world, tmp_path / "mine", format="ds", overwrite=True)
    with pytest.raises(ConfigError, match="megatron"):
        exported(world, tmp_path / "b", format="megatrn")


@pytest.mark.parametrize("format", list(FORMATS))
def test_an_interrupted_export_goes_on_and_is_the_same_bytes(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    format: str,  # noqa: A002
) -> None:
    monkeypatch.setattr("dq.variants.exported.CHUNK_TOKENS", 300)
    monkeypatch.setattr("dq.variants.exported.SHARD_TOKENS", 700)
    whole = exported(world, tmp_path / "whole", format=format)

    class Killed(Exception): ...  # noqa: N818

    class Killer:
        told = 0.0

        def step(self, *_: Any, **__: Any) -> Any:
            from contextlib import nullcontext  # noqa: PLC0415

            return nullcontext(self)

        def advance(self, amount: float = 1, **_: Any) -> None:
            self.told += amount
            if self.told > 1000:
                raise Killed

    with pytest.raises(Killed):
        exported(world, tmp_path / "cut", format=format, progress=Killer())
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cut").glob("0*")}
    assert not (tmp_path / "cut" / "stage.json").exists()
    done = exported(world, tmp_path / "cut", format=format)
    assert done.files == whole.files and len(done.files) > 1
    for name in whole.files:
        assert (done.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert all((done.folder / name).stat().st_mtime_ns == at for name, at in kept.items())
    assert kept or format in ("ds", "megatron")  # one file of tokens: from its beginning


def test_a_cooldown_alone_is_no_stream_to_export(world: World, tmp_path: Path) -> None:
    config = tiny_study(variants=KINDS, seeds=1, annealing=True)
    with pytest.raises(ConfigError, match=r"cooldown.*without `annealing`"):
        export(config, world.workspace, "again", output=tmp_path / "x", format="ds")


def test_whole_documents_are_exported_whole(world: World, tmp_path: Path) -> None:
    config = tiny_study(variants=KINDS, seeds=1, stream=StreamConfig(unit="document"))
    found = export(config, world.workspace, "raw", output=tmp_path / "x", format="jsonl")
    rows = [json.loads(line) for line in (found.folder / "00000.jsonl").read_text().splitlines()]
    texts = originals(world.workspace)
    assert all(row["begin"] == 0 and row["text"] == texts[row["id"]] for row in rows[:-1]) and len(rows) > 2
