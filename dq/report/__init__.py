"""The answer for people: one HTML file that works offline, and a table that fits a terminal."""

from dq.report.build import build_report
from dq.report.terminal import print_study

__all__ = ["build_report", "print_study"]
