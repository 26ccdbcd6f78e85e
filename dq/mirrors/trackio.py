"""Runs in trackio: `TRACKIO_DIR=FOLDER trackio show`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

from dq.errors import require
from dq.mirrors.mirror import Mirror, Point


class Trackio(Mirror):
    """A database of trackio's, in the folder; a Space or server is asked only where trackio's own variables say so."""

    module: ClassVar = "trackio"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        os.environ["TRACKIO_DIR"] = str(folder.absolute())  # read when trackio is imported

    def write(self, run: str, points: Sequence[Point], *, about: Mapping[str, object], project: str) -> None:
        """A run that is there goes on."""
        trackio: Any = require(self.module)
        with redirect_stdout(StringIO()):  # it greets, and says how to look
            trackio.init(
                project=project,
                name=run,
                config=dict(about),
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
            for point in points:
                trackio.log(dict(point.values), step=point.step)
            trackio.finish()
