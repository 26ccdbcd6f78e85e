"""Curves in other tools: what they read back is what the ledgers hold, each evaluation once."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dq.errors import ConfigError, WorkspaceError
from dq.mirrors import MIRRORS, Mirror, Point, open_mirrors
from dq.store import Workspace
from dq.study import RunProgress, Runs
from dq.study.runs import CURVE_KEYS
from dq.training.record import LEDGER_SCHEMA, TIMING_SCHEMA
from tests.command import run_dq
from tests.processes import ROOT, finish

STEPS = (1, 4, 8)
SECRET = "0123456789abcdef0123456789abcdef01234567"


def ledger(steps: tuple[int, ...] = STEPS) -> pl.DataFrame:
    """Two sets at each step; all documents of them at the last."""
    facts = {"unique_tokens_seen": 0, "epoch": 0.5, "phase": "trunk", "learning_rate": 0.01, "n_documents": 2}
    rows = [
        {
            **facts,
            "step": step,
            "tokens_seen": step * 256,
            "train_loss_nats": 6 / step,
            "set": name,
            "subset": subset,
            "n_bytes": 10,
            "n_tokens": 5,
            "loss_nats": 1.0,
            "bits_per_byte": at + 3 / step,
        }
        for step in steps
        for subset in ("tenth", "all")[: 2 if step == STEPS[-1] else 1]
        for at, name in enumerate(("essays", "news"))
    ]
    return pl.DataFrame(rows, schema=LEDGER_SCHEMA)


def write_run(workspace: Workspace, name: str, steps: tuple[int, ...] = STEPS) -> None:
    """A run folder as the trainer leaves it after its evaluations so far."""
    folder = workspace.run(name)
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"spec": {"size": "0.1M", "seed": 3}, "budget_tokens": 2048, "device": "cpu"}
    (folder / "config.json").write_text(json.dumps(facts))
    ledger(steps).write_parquet(folder / "ledger.parquet")
    seconds = {"training_seconds": 3.0, "evaluation_seconds": 1.0, "tokens_per_second": 99.0}
    pl.DataFrame([{"step": n, **seconds} for n in steps], schema=TIMING_SCHEMA).write_parquet(folder / "timing.parquet")
    if steps == STEPS:
        (folder / "status.json").write_text('{"status": "complete"}')


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "my-work")
    found.create("run")
    write_run(found, "raw-0.1M-seed3")
    write_run(found, "curated-0.1M-seed3", STEPS[:2])
    return found


def expected(steps: tuple[int, ...] = STEPS) -> dict[str, list[tuple[int, float]]]:
    """Points by name, straight from the ledger."""
    found: dict[str, list[tuple[int, float]]] = {}
    for row in ledger(steps).to_dicts():
        found.setdefault(f"bits_per_byte/{row['subset']}/{row['set']}", []).append((row["step"], row["bits_per_byte"]))
    for name in ("train_loss_nats", "learning_rate", "epoch", "tokens_seen"):
        found[name] = [
            (step, float(value)) for step, value in ledger(steps).select("step", name).unique().sort("step").iter_rows()
        ]
    return found


def in_tensorboard(folder: Path) -> dict[str, list[tuple[int, float]]]:
    read = EventAccumulator(str(folder)).Reload()
    return {name: [(one.step, one.value) for one in read.Scalars(name)] for name in read.Tags()["scalars"]}


def assert_near(found: dict[str, list[tuple[int, float]]], wanted: dict[str, list[tuple[int, float]]]) -> None:
    assert found.keys() == wanted.keys()
    for name, points in wanted.items():
        assert [step for step, _ in found[name]] == [step for step, _ in points], name
        assert [value for _, value in found[name]] == pytest.approx([value for _, value in points], rel=1e-6)


def test_tensorboard_reads_the_ledgers_and_what_is_new_is_added_once(workspace: Workspace, tmp_path: Path) -> None:
    command = ("runs", "my-work", "--mirror", "tensorboard=board")
    done = run_dq(*command, cwd=tmp_path)
    assert done.returncode == 0 and "board: 5 evaluations sent to tensorboard" in done.stdout, done
    assert "held-out documents took 25% of the time of all runs" in done.stdout
    assert_near(in_tensorboard(tmp_path / "board/raw-0.1M-seed3"), expected())
    assert_near(in_tensorboard(tmp_path / "board/curated-0.1M-seed3"), expected(STEPS[:2]))
    assert "board: 0 evaluations" in run_dq(*command, cwd=tmp_path).stdout
    write_run(workspace, "curated-0.1M-seed3")
    assert "board: 1 evaluations" in run_dq(*command, cwd=tmp_path).stdout
    assert_near(in_tensorboard(tmp_path / "board/curated-0.1M-seed3"), expected())


def test_a_run_that_was_trained_anew_is_sent_from_its_beginning(workspace: Workspace, tmp_path: Path) -> None:
    sent: list[tuple[str, list[int]]] = []

    class Listening(Mirror):
        def write(self, run: str, points: Sequence[Point], **_: object) -> None:
            sent.append((run, [point.step for point in points]))

    def send(steps: tuple[int, ...]) -> int:
        about = RunProgress(run="x", status="running", bits_per_byte={})
        keys = [
            pl.lit(value).cast(CURVE_KEYS[name]).alias(name)
            for name, value in zip(CURVE_KEYS, ("x", "", "", 0, 9), strict=True)
        ]
        return Listening(tmp_path / "f").send(Runs((about,), ledger(steps).select(*keys, *LEDGER_SCHEMA)), project="p")

    assert [send(STEPS[:2]), send(STEPS), send(STEPS[:1]), send(STEPS[:1])] == [2, 1, 1, 0]
    assert sent == [("x", [1, 4]), ("x", [8]), ("x", [1])]


def test_trackio_holds_the_ledgers(workspace: Workspace, tmp_path: Path) -> None:
    program = (
        "import os, sys; os.chdir(sys.argv[1]); from dq.cli.program import run\n"
        "assert run(['runs', 'my-work', '--mirror', 'trackio=track']) == 0\n"
        "from trackio.sqlite_storage import SQLiteStorage; import json\n"
        "print('\\n' + json.dumps(SQLiteStorage.get_logs('my-work', 'raw-0.1M-seed3')))"
    )
    done = finish(program, tmp_path, HF_HUB_OFFLINE="1", HF_TOKEN=f"hf_{SECRET}")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])
    found = {name: [(row["step"], row[name]) for row in rows if name in row] for name in expected()}
    assert_near(found, expected())
    assert_not_in(tmp_path / "track", SECRET)


IN_WANDB = """
import glob, json, os, sys
os.chdir(sys.argv[1])
from dq.cli.program import run
assert run(["runs", "my-work", "--mirror", "wandb=w"]) == 0
from wandb.proto.wandb_internal_pb2 import Record
BLOCK = 32768
for path in glob.glob("w/wandb/offline-run-*/*.wandb"):
    data, at, whole, name = open(path, "rb").read(), 7, b"", ""
    while at + 7 <= len(data):  # LevelDB's log: checksum, length and kind of each part of a record
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole record, or its last part
            record, whole = Record.FromString(whole), b""
            name = record.run.display_name or name
            items = record.history.item
            print(json.dumps([name, {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items}]))
"""


def test_wandb_holds_the_ledgers_offline(workspace: Workspace, tmp_path: Path) -> None:
    done = finish(IN_WANDB, tmp_path, WANDB_API_KEY=SECRET, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    rows = [row for name, row in said if name == "raw-0.1M-seed3" and row]
    found = {name: [(row["_step"], row[name]) for row in rows if name in row] for name in expected()}
    assert_near(found, expected())
    for hidden in (SECRET, socket.gethostname(), str(ROOT)):
        assert_not_in(tmp_path, hidden)


def assert_not_in(folder: Path, hidden: str) -> None:
    """No file holds it; a name of a few letters, which binary files hold by chance, none as a text of its own."""
    spelled = re.escape(hidden.encode())
    apart = bytes([len(hidden)]) + spelled if len(hidden) < 6 else b""  # as protobuf writes a text
    sought = re.compile(apart + b"|[\"' =]" + spelled + b"[\"'\\s,]" if apart else spelled)
    assert [path for path in folder.rglob("*") if path.is_file() and sought.search(path.read_bytes())] == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("tensorbord=x", "unknown mirror `tensorbord`; did you mean `tensorboard`"),
        ("tensorboard", "tensorboard has no folder; write tensorboard=FOLDER"),
    ],
)
def test_a_mirror_that_is_none_is_one_line(workspace: Workspace, tmp_path: Path, given: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        open_mirrors([given])
    done = run_dq("runs", "my-work", "--mirror", given, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("dq: --mirror: ") and done.stderr.count("\n") == 1, done


def test_what_is_missing_is_named_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in MIRRORS else name)
    done = run_dq("runs", "nowhere", "--mirror", "wandb=w", "--mirror", "trackio=t", cwd=tmp_path)
    assert done.stderr == "dq: trackio and wandb are not installed; run: pip install trackio wandb\n"
    assert not list(tmp_path.iterdir())


def test_a_damaged_note_of_what_was_sent_is_one_line(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    (tmp_path / "board/dq-sent.json").write_text("[3]")
    done = run_dq("runs", "my-work", "--mirror", "tensorboard=board", cwd=tmp_path)
    assert done.returncode == 1 and "dq-sent.json: cannot be read" in done.stderr and done.stderr.count("\n") == 1
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="file: cannot be written"):
        run = Runs((RunProgress(run="x", status="running", bits_per_byte={}),), ledger().with_columns(run=pl.lit("x")))
        open_mirrors([f"tensorboard={tmp_path / 'file'}"])[0].send(run, project="p")
