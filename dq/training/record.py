"""A run folder: its files, their columns, and what is read back from them. No torch.

config.json        the specification, device and precision, parameter counts, FLOPs a token, the torch version
ledger.parquet     one row per evaluation, set and subset
documents.parquet  one row per held-out document at the final evaluation
timing.parquet     seconds and speed; kept apart, because nothing that is fingerprinted holds a time
checkpoint/        where a killed run goes on; removed when the run is complete
model/             the trained model, as `transformers` reads it
status.json        how it ended and digests of these files; written last: without it the run is not finished

Ledger and timing are written anew at every evaluation, so that a curve can be watched while it grows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from dq.errors import TrainingError, WorkspaceError, cause_of
from dq.store import read_json, read_parquet
from dq.store.contents import check, digest
from dq.store.files import write_parquet
from dq.training.config import RunSpec

RunStatus = Literal["complete", "diverged"]

LEDGER_SCHEMA: dict[str, type[pl.DataType]] = {
    "step": pl.Int64,
    "tokens_seen": pl.Int64,
    "unique_tokens_seen": pl.Int64,
    "epoch": pl.Float64,
    "phase": pl.String,
    "learning_rate": pl.Float64,
    "train_loss_nats": pl.Float64,
    "set": pl.String,
    "subset": pl.String,
    "n_documents": pl.Int64,
    "n_bytes": pl.Int64,
    "n_tokens": pl.Int64,
    "loss_nats": pl.Float64,
    "bits_per_byte": pl.Float64,
}
"""Columns of the ledger. `train_loss_nats` is the mean per token since the row before; `loss_nats` is the sum over
the set; subset `tenth` is the curve's fixed tenth of the documents, `all` is every document (final point only)."""

DOCUMENTS_SCHEMA: dict[str, type[pl.DataType]] = {
    "set": pl.String,
    "document": pl.String,
    "n_bytes": pl.Int64,
    "n_tokens": pl.Int64,
    "loss_nats": pl.Float64,
}
"""Columns of the per-document table."""

TIMING_SCHEMA: dict[str, type[pl.DataType]] = {
    "step": pl.Int64,
    "training_seconds": pl.Float64,
    "evaluation_seconds": pl.Float64,
    "tokens_per_second": pl.Float64,
}
"""Columns of the timing table: since the row before. The speed is that of training alone, by the clock; the seconds are
what the run cost, which in a stack is a share of the stack's: of 8 runs each costs an eighth."""


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run, and how its files are written."""

    path: Path

    @property
    def config(self) -> Path:
        """The specification and what followed from it."""
        return self.path / "config.json"

    @property
    def ledger(self) -> Path:
        """The ledger."""
        return self.path / "ledger.parquet"

    @property
    def documents(self) -> Path:
        """Losses by document."""
        return self.path / "documents.parquet"

    @property
    def timing(self) -> Path:
        """Seconds and speed."""
        return self.path / "timing.parquet"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint's folder."""
        return self.path / "checkpoint"

    @property
    def model(self) -> Path:
        """The trained model's folder."""
        return self.path / "model"

    @property
    def status(self) -> Path:
        """The record written last."""
        return self.path / "status.json"

    def digests(self) -> dict[str, str]:
        """Of every file that a finished run leaves, but for the seconds: two equal runs have equal digests."""
        files = (self.config, self.ledger, self.documents)
        there = [path for path in (*files, *sorted(self.model.glob("*"))) if path.exists()]
        return {path.relative_to(self.path).as_posix(): digest(path) for path in there}


@dataclass(frozen=True, eq=False, kw_only=True)
class RunRecord:
    """A finished run, as its folder tells it."""

    run_dir: Path
    """The folder."""
    spec: RunSpec
    """What was run."""
    status: RunStatus
    """`diverged`: a loss or gradient was not finite, or a loss far above chance; the ledger ends before it and there is
    no model."""
    step: int
    """Last step; for a diverged run the step at which it did."""
    precision: Literal["fp32", "bf16"]
    """Number format of matrix products."""
    device: str
    """Type of device that it was trained on, such as `cpu` or `cuda`."""
    processes: int = 1
    """That shared it."""
    stacked: int = 1
    """Runs that were one program with it; 1 where it was trained alone."""
    ledger: pl.DataFrame
    """`LEDGER_SCHEMA`."""
    documents: pl.DataFrame
    """`DOCUMENTS_SCHEMA`; empty for a diverged run."""


def read_run(run_dir: Path) -> RunRecord | None:
    """The finished run in a folder, or None where none has finished.

    Raises:
        TrainingError: the folder's files cannot be read.
    """
    folder = RunFolder(run_dir)
    if not folder.status.exists():
        return None
    try:
        status, config = read_json(folder.status), read_json(folder.config)
        check(run_dir, status.get("files", {}), stage="train")  # older versions have none
        record = RunRecord(
            run_dir=run_dir,
            spec=read_spec(folder),
            status=status["status"],
            step=status["step"],
            precision=config["precision"],
            device=config.get("device", "cpu"),  # older versions knew no other
            processes=config.get("processes", 1),
            stacked=config.get("stacked", 1),
            ledger=read_parquet(folder.ledger),
            documents=read_parquet(folder.documents),
        )
        _check(record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, WorkspaceError) as error:
        raise TrainingError(
            f"{run_dir}: the run's files cannot be read ({cause_of(error)}); delete the folder to run again"
        ) from None
    return record


def _check(record: RunRecord) -> None:
    """The tables are those of a run that has ended so; for folders whose files have no digests."""
    for name, table, schema in (
        ("ledger", record.ledger, LEDGER_SCHEMA),
        ("documents", record.documents, DOCUMENTS_SCHEMA),
    ):
        if dict(table.schema) != schema:
            raise ValueError(f"{name}.parquet has other columns")
    if record.status not in ("complete", "diverged") or not isinstance(record.step, int):
        raise ValueError("status.json says nothing of a run")
    last = record.ledger["step"].max()
    if record.status == "complete" and (not record.step == record.spec.steps == last or record.documents.is_empty()):
        raise ValueError(f"its ledger does not reach step {record.spec.steps}")


def read_spec(folder: RunFolder) -> RunSpec:
    """The specification a folder was started with."""
    return RunSpec.model_validate_json(json.dumps(read_json(folder.config)["spec"]))


def write_table(path: Path, rows: list[dict[str, Any]], *, schema: dict[str, type[pl.DataType]]) -> None:
    """Write rows as Parquet, whole or not at all."""
    write_parquet(path, pl.DataFrame(rows, schema=schema))
