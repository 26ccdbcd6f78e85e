"""A study: the grid of variants, seeds, sizes, budgets and rates, run, compared and concluded cell by cell."""

from dq.study.compared import compare_workspace
from dq.study.config import ControlsConfig, StudyConfig
from dq.study.forecast import GridForecast, StudyForecast, forecast_grid, forecast_study
from dq.study.grid_result import CellResult, GridResult
from dq.study.noise import StudyNoise, noise_of_workspace
from dq.study.outcome import StudyResult
from dq.study.run import run_grid, run_study
from dq.study.runs import RunProgress, Runs, list_runs

__all__ = [
    "CellResult",
    "ControlsConfig",
    "GridForecast",
    "GridResult",
    "RunProgress",
    "Runs",
    "StudyConfig",
    "StudyForecast",
    "StudyNoise",
    "StudyResult",
    "compare_workspace",
    "forecast_grid",
    "forecast_study",
    "list_runs",
    "noise_of_workspace",
    "run_grid",
    "run_study",
]
