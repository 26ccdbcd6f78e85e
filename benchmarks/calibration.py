"""Do intervals hold what they claim? Fits of runs made by a known law, and comparisons of arms that are all alike.

python benchmarks/calibration.py [--simulations 1000] [-o docs/calibration.md]: about an hour of one core at 1,000.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl

from dq.compare import calibrate_comparisons
from dq.executors import usable_cores
from dq.scaling.calibration import coverage, designs, simulate

BLOCK = 25


def main() -> None:
    """Simulate every design and print the table, or write it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--simulations", type=int, default=1000)
    options.add_argument("-o", "--output", type=Path)
    given = options.parse_args()
    blocks = [range(first, min(first + BLOCK, given.simulations)) for first in range(0, given.simulations, BLOCK)]
    tasks = [(design, block) for design in designs() for block in blocks]
    with ProcessPoolExecutor(usable_cores(), mp_context=get_context("spawn")) as pool:
        found = coverage(pl.concat(pool.map(simulate, *zip(*tasks, strict=True))))
    lines = [
        "| runs | of | simulations | interval of 95 % holds the truth | flagged as not determined |",
        "|---|---|---|---|---|",
        *(_row(row) for row in found.to_dicts()),
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
        head = "# Do intervals hold what they claim?\n\n" + (__doc__ or "").partition("\n")[0] + "\n\n"
        given.output.write_text(head + table)


def _row(row: dict[str, Any]) -> str:
    held = f"{row['held']:.1%} (± {1.96 * row['standard_error']:.1%})"
    flagged = "" if row["flagged"] is None else f"{row['flagged']:.1%}"
    return f"| {row['design']} | {row['quantity']} | {row['simulations']:,} | {held} | {flagged} |"


if __name__ == "__main__":
    main()
