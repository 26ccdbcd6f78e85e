"""The answer for people: one HTML file that works offline."""

from dq.report.build import MODULES, build_report

__all__ = ["MODULES", "build_report"]
