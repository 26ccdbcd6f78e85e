"""Do intervals hold what they claim? Fits of runs made by a known law, and comparisons of arms that are all alike.

python benchmarks/calibration.py [--simulations 1000] [--kept FOLDER] [-o docs/calibration.md]: about an hour of two
cores at 1,000. Every block of simulations is a file in the folder, so one that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl

from dq.compare import calibrate_comparisons
from dq.executors import usable_cores
from dq.scaling.calibration import coverage, designs, simulate
from dq.store import read_parquet

BLOCK = 25
HEAD = """# Do intervals hold what they claim?

Runs are made by a known law with known noise, and fitted as a user's are; arms that are all alike are compared.
Intervals of 95 % should hold the truth in 92 to 98 % of simulations, parameters that runs do not determine should be
flagged in 95 % or more, and verdicts where there is nothing to find should be as rare as stated. Made by
`python benchmarks/calibration.py --simulations {simulations} -o docs/calibration.md`, an hour of two cores.

"""
DESIGNS = range(len(designs()))


def main() -> None:
    """Simulate every design and print the table, or write it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--simulations", type=int, default=1000)
    options.add_argument("--kept", type=Path, default=Path("build/calibration"), help="folder of finished blocks")
    options.add_argument("--workers", type=int, default=usable_cores())
    options.add_argument("-o", "--output", type=Path)
    given = options.parse_args()
    given.kept.mkdir(parents=True, exist_ok=True)
    starts = range(0, given.simulations, BLOCK)
    tasks = [
        (given.kept, at, range(first, min(first + BLOCK, given.simulations))) for first in starts for at in DESIGNS
    ]
    found: list[pl.DataFrame] = []
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        for block in pool.map(_block, *zip(*tasks, strict=True)):
            found.append(block)
            print(f"{len(found)} of {len(tasks)} blocks", file=sys.stderr)
    covered = coverage(pl.concat(found).sort("design", "seed", maintain_order=True))
    lines = [
        "| runs | of | simulations | interval of 95 % holds the truth | flagged as not determined |",
        "|---|---|---|---|---|",
        *(_row(row) for row in covered.to_dicts()),
    ]
    errors = calibrate_comparisons(simulations=given.simulations).frame
    lines += [
        "",
        "| rule | seeds | simulations | false verdicts, stated | measured (95 %) |",
        "|---|---|---|---|---|",
        *(
            f"| {row['rule']} | {row['seeds']} | {row['simulations']:,} | {row['stated']:.1%} | {row['measured']:.1%} "
            f"({row['low']:.1%} to {row['high']:.1%}) |"
            for row in errors.to_dicts()
        ),
    ]
    table = "\n".join(lines) + "\n"
    print(table)
    if given.output is not None:
        given.output.write_text(HEAD.format(simulations=given.simulations) + table)


def _block(kept: Path, at: int, seeds: range) -> pl.DataFrame:
    """Simulate a design, or read what was kept of it."""
    place = kept / f"{at}-{seeds.start}-{seeds.stop}.parquet"
    if not place.exists():
        simulate(designs()[at], seeds).write_parquet(place.with_suffix(".begun"))
        place.with_suffix(".begun").replace(place)
    return read_parquet(place)


def _row(row: dict[str, Any]) -> str:
    held = f"{row['held']:.1%} (± {1.96 * row['standard_error']:.1%})"
    flagged = "" if row["flagged"] is None else f"{row['flagged']:.1%}"
    return f"| {row['design']} | {row['quantity']} | {row['simulations']:,} | {held} | {flagged} |"


if __name__ == "__main__":
    main()
