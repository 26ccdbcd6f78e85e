"""Shared fixtures: where the real corpora are, and which skips a strict run forbids."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

HERE = Path(__file__).parent

LONG_FILES = ("test_end_to_end.py", "test_cli_hostile.py", "study/", "test_kills.py", "corpus/test_bombs.py")
"""Files of minutes: what starts last decides how long one core waits for the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest files first; `-n` hands files out in this order (`--no-loadscope-reorder`)."""

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(HERE).as_posix()
        return next((place for place, start in enumerate(LONG_FILES) if path.startswith(start)), len(LONG_FILES))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared real corpora; tests that use it are marked ``needs_shared``."""
    folder = os.environ.get("DQ_SHARED")
    if not folder:
        pytest.skip("DQ_SHARED is not set")
    return Path(folder)


def tool(name: str) -> str:
    """The path of a program; a test that uses it is marked ``needs_tool``."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under ``DQ_STRICT=1`` a test skipped for a missing tool is a failure."""
    report = yield
    if os.environ.get("DQ_STRICT") == "1" and report.skipped and item.get_closest_marker("needs_tool"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: a needed tool is missing and DQ_STRICT=1 forbids the skip"
    return report
