"""The answer for people: one HTML file that works offline."""

from dq.report.build import build_report
from dq.report.collapsed import build_collapse
from dq.report.compared import build_comparison
from dq.report.data import check_reportable
from dq.report.fitted import Fitted, build_fits
from dq.report.grids import build_grid_report
from dq.report.page import MODULES
from dq.report.planned import build_plans

__all__ = [
    "MODULES",
    "Fitted",
    "build_collapse",
    "build_comparison",
    "build_fits",
    "build_grid_report",
    "build_plans",
    "build_report",
    "check_reportable",
]
