"""What every mirror does: send each evaluation of each run once, from the ledgers, while they grow or years later.

Training knows nothing of mirrors. A mirror is a folder of the tool's own files, with a note of what it has been sent:
nothing leaves the machine, and of a run it holds what `Point` and `about` say, no paths, hosts or environment.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from dq.errors import WorkspaceError, cause_of
from dq.store.files import write_json_atomic
from dq.study import RunProgress, Runs

SENT = "dq-sent.json"
VALUES = ("train_loss_nats", "learning_rate", "epoch", "tokens_seen")  # of the ledger, the same for all sets
ABOUT = ("variant", "size", "seed", "budget_tokens", "device")


@dataclass(frozen=True)
class Point:
    """One evaluation of a run: numbers by name; `bits_per_byte/all/news` is that of all documents of a set."""

    step: int
    values: Mapping[str, float]


class Mirror(ABC):
    """A folder that another tool shows runs from."""

    module: ClassVar[str]
    """What it needs installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def write(self, run: str, points: Sequence[Point], *, about: Mapping[str, object], project: str) -> None:
        """Add points to a run that is there already or not; all of it is on disk afterwards."""

    def send(self, runs: Runs, *, project: str) -> int:
        """Send what the folder has not been sent yet; the number of evaluations.

        A run that was trained anew, and so is behind what was sent, is sent from its beginning.

        Raises:
            WorkspaceError: the folder cannot be written, or its note of what was sent cannot be read.
        """
        sent, count = self._sent(), 0
        found = {run.run: run for run in runs.runs}
        for (run,), curve in runs.curves.group_by("run", maintain_order=True):
            points = points_of(curve)
            before = sent.get(str(run), 0)
            new = [point for point in points if point.step > before or points[-1].step < before]
            if not new:
                continue
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self.write(str(run), new, about=_about(found[str(run)]), project=project)
                sent[str(run)] = points[-1].step
                write_json_atomic(self.folder / SENT, sent)
            except OSError as error:
                raise WorkspaceError(f"{self.folder}: cannot be written ({cause_of(error)})", field="mirror") from None
            count += len(new)
        return count

    def _sent(self) -> dict[str, int]:
        """The last step of each run that was sent."""
        file = self.folder / SENT
        if not file.exists():
            return {}
        try:
            return {str(run): int(step) for run, step in json.loads(file.read_text()).items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise WorkspaceError(
                f"{file}: cannot be read ({cause_of(error)}); mirror into another folder", field="mirror"
            ) from None


def points_of(curve: pl.DataFrame) -> list[Point]:
    """The evaluations of one run, in the order of its steps."""
    points = []
    for (step,), rows in curve.sort("step").group_by("step", maintain_order=True):
        first = rows.row(0, named=True)
        scores = {f"bits_per_byte/{row['subset']}/{row['set']}": row["bits_per_byte"] for row in rows.to_dicts()}
        points.append(Point(int(str(step)), {name: float(first[name]) for name in VALUES} | scores))
    return points


def _about(run: RunProgress) -> dict[str, object]:
    return {name: getattr(run, name) for name in ABOUT}
