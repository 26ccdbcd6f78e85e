"""The runs of a workspace as they are now: finished, at work, or waiting to be gone on with; and all their curves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from dq.errors import ConfigError, DqError
from dq.results import Result
from dq.store import Workspace, read_json, read_parquet
from dq.store.files import replacing
from dq.store.lock import holder
from dq.training.record import LEDGER_SCHEMA, TIMING_SCHEMA, RunFolder
from dq.training.trunk import spared_seconds


@dataclass(frozen=True, kw_only=True)
class RunProgress(Result):
    """How far one run is.

    Attributes:
        run: its folder's name.
        variant: kind and settings of what it is trained on, as the folder's name tells them.
        status: ``complete``, ``diverged``, ``running``, ``stopped`` (the same command goes on with it) or ``damaged``.
        tokens_seen: at its last evaluation.
        budget_tokens: that it ends at.
        device: type of device, such as ``cpu``.
        tokens_per_second: of training between its last two evaluations.
        seconds_left: of training, at that speed; None where it does not run.
        training_seconds: that it has cost so far: of a stack's its share, of a trunk's none.
        evaluation_seconds: so far, on held-out documents.
        bits_per_byte: by held-out set at the last evaluation: of every document at the end, of a tenth before.
    """

    run: str
    variant: str = ""
    size: str = ""
    seed: int = 0
    status: str
    tokens_seen: int = 0
    budget_tokens: int = 0
    device: str = ""
    tokens_per_second: float | None = None
    seconds_left: float | None = None
    training_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    bits_per_byte: dict[str, float]


@dataclass(frozen=True)
class Runs(Result):
    """Every run of a workspace.

    Attributes:
        runs: by name.
        curves: a row per run, evaluation, held-out set and subset: the ledgers of all runs, one below the other.
    """

    FRAME: ClassVar[str] = "curves"

    runs: tuple[RunProgress, ...]
    curves: pl.DataFrame

    @property
    def evaluation_share(self) -> float | None:
        """The share of all seconds that held-out documents took; None before the first evaluation."""
        evaluation = sum(run.evaluation_seconds for run in self.runs)
        seconds = evaluation + sum(run.training_seconds for run in self.runs)
        return evaluation / seconds if seconds else None

    def record(self) -> dict[str, object]:
        """The runs; the curves are a table."""
        return {"runs": self.runs, "evaluation_share": self.evaluation_share}

    def write_curves(self, path: Path) -> None:
        """Write the curves as CSV or Parquet, as the file's name says.

        Raises:
            ConfigError: it says neither.
            WorkspaceError: the file cannot be written.
        """
        if path.suffix.lower() not in {".csv", ".parquet"}:
            raise ConfigError(f"{path}: not a name of a table; let it end in .csv or .parquet", field="curves")
        with replacing(path) as temporary:
            if path.suffix.lower() == ".csv":
                self.curves.write_csv(temporary)
            else:
                self.curves.write_parquet(temporary)


CURVE_KEYS: dict[str, type[pl.DataType]] = {
    "run": pl.String,
    "variant": pl.String,
    "size": pl.String,
    "seed": pl.Int64,
    "budget_tokens": pl.Int64,
}


def list_runs(workspace: Workspace) -> Runs:
    """Read every run folder; runs at work are read while they write.

    Raises:
        WorkspaceError: there is no such workspace.
    """
    workspace.existing()
    found, curves = [], [pl.DataFrame(schema=CURVE_KEYS | LEDGER_SCHEMA)]
    for config in sorted(workspace.root.glob("runs/*/config.json")):
        folder = RunFolder(config.parent)
        try:
            run, curve = _read(folder)
        except (DqError, OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
            found.append(RunProgress(run=folder.path.name, status="damaged", bits_per_byte={}))
            continue
        found.append(run)
        curves.append(curve)
    return Runs(tuple(found), pl.concat(curves))


def _read(folder: RunFolder) -> tuple[RunProgress, pl.DataFrame]:
    facts = read_json(folder.config)  # not its specification, whose fields are those of the version that wrote it
    spec, budget_tokens = facts["spec"], int(facts["budget_tokens"])
    ledger = _table(folder.ledger, LEDGER_SCHEMA)
    timing = _table(folder.timing, TIMING_SCHEMA)
    status = _status(folder)
    seen = int(ledger["tokens_seen"].max() or 0)  # type: ignore[arg-type]
    speed = timing["tokens_per_second"][-1] if len(timing) else None
    last = ledger.filter(pl.col("tokens_seen") == seen)
    scored = last.filter(subset="all") if "all" in last["subset"] else last
    run = RunProgress(
        run=folder.path.name,
        variant=folder.path.name.partition(f"-{spec['size']}-seed")[0],
        size=spec["size"],
        seed=spec["seed"],
        status=status,
        tokens_seen=seen,
        budget_tokens=budget_tokens,
        device=facts.get("device", "cpu"),
        tokens_per_second=speed,
        seconds_left=(budget_tokens - seen) / speed if speed and status == "running" else None,
        training_seconds=float(timing["training_seconds"].sum()) - spared_seconds(folder.path),
        evaluation_seconds=float(timing["evaluation_seconds"].sum()),
        bits_per_byte=dict(scored.select("set", "bits_per_byte").iter_rows()),
    )
    about = {name: getattr(run, name) for name in CURVE_KEYS}
    columns = [pl.lit(value, dtype=CURVE_KEYS[name]).alias(name) for name, value in about.items()]
    return run, ledger.select(*columns, *LEDGER_SCHEMA)


def _status(folder: RunFolder) -> str:
    if folder.status.exists():
        return str(read_json(folder.status)["status"])
    return "running" if holder(folder.path) else "stopped"


def _table(path: Path, schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    return read_parquet(path) if path.exists() else pl.DataFrame(schema=schema)
