"""Runs in TensorBoard: `tensorboard --logdir FOLDER`, a folder of events a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dq.errors import require
from dq.mirrors.mirror import Mirror, Point


class TensorBoard(Mirror):
    """Event files, written without TensorFlow or torch."""

    module: ClassVar = "tensorboard"

    def write(self, run: str, points: Sequence[Point], *, about: Mapping[str, object], project: str) -> None:
        """One more event file in the run's folder, as TensorBoard expects of a program that goes on."""
        del about, project  # the run's name says what it is
        event: Any = require("tensorboard.compat.proto.event_pb2").Event
        summary: Any = require("tensorboard.compat.proto.summary_pb2").Summary
        new: Any = require("tensorboard.summary.writer.event_file_writer").EventFileWriter
        writer = new(str(self.folder / run))
        for point in points:
            values = [summary.Value(tag=name, simple_value=value) for name, value in point.values.items()]
            writer.add_event(event(step=point.step, summary=summary(value=values)))
        writer.close()
