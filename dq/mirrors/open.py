"""Mirrors by name: `tensorboard=FOLDER` becomes one, once what it needs is found to be installed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dq.errors import ConfigError, nearest, require_all
from dq.mirrors.mirror import Mirror
from dq.mirrors.tensorboard import TensorBoard
from dq.mirrors.trackio import Trackio
from dq.mirrors.wandb import WeightsAndBiases

MIRRORS: dict[str, type[Mirror]] = {"tensorboard": TensorBoard, "trackio": Trackio, "wandb": WeightsAndBiases}


def open_mirrors(named: Iterable[str]) -> list[Mirror]:
    """Mirrors written as ``name=folder``.

    Raises:
        ConfigError: there is no such mirror, or its folder is missing.
        MissingExtraError: something they need is not installed; all of it is named at once.
    """
    parted = [one.partition("=")[::2] for one in named]
    for name, folder in parted:
        if name not in MIRRORS:
            raise ConfigError(nearest(name, MIRRORS, what="mirror"), field="mirror")
        if not folder:
            raise ConfigError(f"{name} has no folder; write {name}=FOLDER", field="mirror")
    require_all(MIRRORS[name].module for name, _ in parted)
    return [MIRRORS[name](Path(folder)) for name, folder in parted]
