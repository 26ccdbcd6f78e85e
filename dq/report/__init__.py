"""The answer for people: one HTML file that works offline."""

from dq.report.build import MODULES, build_report
from dq.report.grids import build_grid_report

__all__ = ["MODULES", "build_grid_report", "build_report"]
