"""A forecast: written before its targets run, never overwritten, scored when they end."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from pydantic import Field

from dq.compare import RunTable
from dq.config import StrictModel, fingerprint
from dq.errors import ConfigError, FitError, InputError
from dq.results import Result
from dq.scaling.fit import Fit
from dq.scaling.plans.back_test import look_ahead
from dq.scaling.plans.quantity import LEVEL, short
from dq.scaling.plans.surface import training_flops
from dq.scaling.points import compute_of

SAME = 0.01
"""Numbers of parameters, tokens that differ by less than this share are the same target."""
GOAL = 0.01
"""A forecast aims to be within 1 % of the loss."""
MAX_BYTES = 10_000_000


class Target(StrictModel):
    """A run to come."""

    columns: dict[str, float]
    """What the law reads."""
    loss: float = Field(gt=0)
    low: float = Field(gt=0)
    """Between which the run's loss is expected."""
    high: float = Field(gt=0)


class Forecast(StrictModel):
    """What a fit says of runs to come."""

    law: str
    params: dict[str, float]
    runs: str
    """Fingerprint of the runs that were fitted."""
    n_runs: int
    largest_flops: float
    """Of those runs."""
    level: float
    targets: tuple[Target, ...] = Field(min_length=1)


@dataclass(frozen=True, kw_only=True)
class ForecastScore(Result):
    """How a forecast did.

    Attributes:
        law: that forecast.
        scored: a row a target that has run: its columns, ``forecast``, ``low``, ``high``, ``loss``, ``error`` (share
            of the loss; above 0 where the run was worse) and ``inside``.
        waiting: targets that have not run.
        beyond: of the largest target that has run: its compute over that of the largest run that was fitted.
    """

    FRAME = "scored"

    law: str
    scored: pl.DataFrame
    waiting: int
    beyond: float

    @property
    def in_words(self) -> str:
        """Whether it kept its word."""
        if self.scored.is_empty():
            return f"none of the {self.waiting} targets has run"
        errors = np.abs(self.scored["error"].to_numpy())
        words = (
            f"{int(self.scored['inside'].sum())} of {len(self.scored)} targets inside their intervals, "
            f"{int((errors <= GOAL).sum())} within {GOAL:.0%}; the largest error is {errors.max():.2%}, up to "
            f"{short(self.beyond)} times the compute of the fitted runs"
        )
        return f"{words}; {self.waiting} have not run" if self.waiting else words


def forecast(fit: Fit, targets: Sequence[Mapping[str, float]], *, level: float = LEVEL) -> Forecast:
    """What a fit says of runs to come, in intervals that count how it did when it looked as far ahead before.

    Raises:
        FitError: one of them is among the runs that were fitted.
    """
    for one in targets:
        if len(_rows_of(fit.table.frame, one)):
            named = ", ".join(f"{name} {short(value)}" for name, value in one.items())
            raise FitError(
                f"{fit.table.name}: has run {named} already; a forecast comes before its targets", field="forecast"
            )
    return Forecast(
        law=fit.law,
        params=fit.params,
        runs=fingerprint(fit.table.frame.select("n_params", "n_tokens", "loss").rows()),
        n_runs=fit.n_runs,
        largest_flops=float(compute_of(fit.table.frame).max()),
        level=level,
        targets=tuple(
            Target(columns=dict(one), loss=ahead.row["loss"], low=ahead.row["run_low"], high=ahead.row["run_high"])
            for one, ahead in zip(targets, look_ahead(fit, targets, level=level), strict=True)
        ),
    )


def write_forecast(path: Path, found: Forecast) -> None:
    """Write a forecast where there is none.

    Raises:
        ConfigError: the file exists; a forecast is never replaced.
    """
    content = json.dumps(found.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ConfigError(
            f"{path}: exists, and a forecast is never replaced; give another name", field="forecast"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})", field="forecast") from None


def read_forecast(path: Path) -> Forecast:
    """A forecast that was written.

    Raises:
        InputError: it cannot be read, or is none.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: too large for a forecast", field="score")
        return Forecast.model_validate_json(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name the file of a forecast", field="score") from None
    except (ConfigError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not a forecast ({reason})", field="score") from None


def score_forecast(found: Forecast, runs: RunTable) -> ForecastScore:
    """Compare a forecast with the runs that have ended since; several runs of one target count by their mean loss."""
    rows, waiting, largest = [], 0, 0.0
    for target in found.targets:
        ended = _rows_of(runs.frame, target.columns)
        if ended.is_empty():
            waiting += 1
            continue
        loss = float(np.mean(ended["loss"].to_numpy()))
        rows.append(
            {
                **target.columns,
                "forecast": target.loss,
                "low": target.low,
                "high": target.high,
                "loss": loss,
                "error": (loss - target.loss) / loss,
                "inside": target.low <= loss <= target.high,
            }
        )
        largest = max(largest, float(training_flops(target.columns["n_params"], target.columns["n_tokens"])))
    return ForecastScore(
        law=found.law, scored=pl.DataFrame(rows), waiting=waiting, beyond=largest / found.largest_flops
    )


def _rows_of(runs: pl.DataFrame, target: Mapping[str, float]) -> pl.DataFrame:
    near = [
        ((pl.col(name) - value).abs() <= SAME * abs(value)) for name, value in target.items() if name in runs.columns
    ]
    return runs.filter(*near) if near else runs.clear()
