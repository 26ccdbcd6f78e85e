"""The answer for people: one HTML file that works offline."""

from dq.report.build import build_report

__all__ = ["build_report"]
