"""Runs in Weights & Biases: offline, for `wandb sync FOLDER/wandb/offline-run-*`, unless WANDB_MODE says otherwise."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dq.errors import require
from dq.mirrors.mirror import Mirror, Point


class WeightsAndBiases(Mirror):
    """A run has one id for ever, so that what is sent later goes on with it."""

    module: ClassVar = "wandb"

    def write(self, run: str, points: Sequence[Point], *, about: Mapping[str, object], project: str) -> None:
        """Numbers and what the run is: no console, code, git, machine or its load."""
        wandb: Any = require(self.module)
        settings = wandb.Settings(
            console="off",
            disable_code=True,
            disable_git=True,
            host="",
            silent=True,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        begun = wandb.init(
            project=project,
            name=run,
            id=hashlib.sha256(f"{project}/{run}".encode()).hexdigest()[:16],
            config=dict(about),
            dir=str(self.folder),
            mode=os.environ.get("WANDB_MODE", "offline"),
            resume="allow",
            settings=settings,
        )
        for point in points:
            begun.log(dict(point.values), step=point.step)
        begun.finish()
