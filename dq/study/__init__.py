"""A study: the grid of variants and seeds, run, compared and concluded."""

from dq.study.config import ControlsConfig, StudyConfig
from dq.study.forecast import StudyForecast, forecast_study
from dq.study.noise import StudyNoise, noise_of_workspace
from dq.study.outcome import StudyResult
from dq.study.run import run_study
from dq.study.runs import RunProgress, Runs, list_runs

__all__ = [
    "ControlsConfig",
    "RunProgress",
    "Runs",
    "StudyConfig",
    "StudyForecast",
    "StudyNoise",
    "StudyResult",
    "forecast_study",
    "list_runs",
    "noise_of_workspace",
    "run_study",
]
