"""A study: the grid of variants, seeds, sizes, budgets and rates, run, compared and concluded cell by cell."""

from dq.study.compared import compare_workspace
from dq.study.config import ControlsConfig, StudyConfig
from dq.study.ensembles import SeedEnsemble, ensembles_of_workspace
from dq.study.forecast import GridForecast, StudyForecast, forecast_grid, forecast_study
from dq.study.grid_result import CellResult, GridResult
from dq.study.noise import StudyNoise, noise_of_workspace
from dq.study.outcome import StudyResult
from dq.study.run import run_grid, run_study
from dq.study.runs import RunProgress, Runs, list_runs
from dq.study.stacks import StackGain, measure_stacks
from dq.study.variants import (
    ListedVariant,
    ShownVariant,
    export,
    list_variants,
    show_variant,
    usual_study,
    verify_variants,
)

__all__ = [
    "CellResult",
    "ControlsConfig",
    "GridForecast",
    "GridResult",
    "ListedVariant",
    "RunProgress",
    "Runs",
    "SeedEnsemble",
    "ShownVariant",
    "StackGain",
    "StudyConfig",
    "StudyForecast",
    "StudyNoise",
    "StudyResult",
    "compare_workspace",
    "ensembles_of_workspace",
    "export",
    "forecast_grid",
    "forecast_study",
    "list_runs",
    "list_variants",
    "measure_stacks",
    "noise_of_workspace",
    "run_grid",
    "run_study",
    "show_variant",
    "usual_study",
    "verify_variants",
]
