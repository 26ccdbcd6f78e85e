"""`benchmarks/gpu.py` runs where there is no GPU too, and says what it has not measured then."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.study.conftest import World

ROOT = Path(__file__).parents[2]
TINY = ("--sizes", "0.1M", "--shapes", "2x16", "--steps", "1", "--rounds", "1", "--beside", "2", "--stacks", "2")


@pytest.mark.slow
def test_it_measures_every_side_and_a_study(world: World) -> None:
    study = ("--study", str(world.workspace.root), "--seeds", "1", "--budget-tokens", "1024")
    script = str(ROOT / "benchmarks/gpu.py")
    done = subprocess.run(
        [sys.executable, script, "--device", "cpu", *TINY, *study], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first.startswith("no GPU is measured")
    for side in ("one run", "plain loop", "2 beside each other", "2 as one program"):
        (line,) = [line for line in lines if line.startswith(f"0.1M 2x16 {side}: ")]
        assert (found := re.search(r": ([\d,]+) tokens/s .* ([\d.]+)% of that product$", line)) is not None, line
        assert int(found[1].replace(",", "")) > 0 and 0 < float(found[2]) < 100
    verdict = (
        r"0\.1M 2x16: 2 as one program reach [\d.]+ times the best rate of single runs, (one run|2 beside each other)"
    )
    assert re.fullmatch(verdict, lines[-2])
    assert lines[-1].startswith("study of 4 variants x 1 seeds, 0.3M, 1,024 tokens a run: ")
    assert re.search(r"; 4 runs, \d+ at a time, ", lines[-1])
