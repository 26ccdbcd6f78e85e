"""Repeated passages beside a suffix array on the same text: `python benchmarks/passages.py [FILE]`.

FILE is JSON lines (plain or .zst) with `text`; without one, the project's own files are read. Both sides look for every
window of 200 bytes that stands earlier in the corpus, documents as they come, and mark its bytes. The peer is what Lee
et al. (2022) do: a suffix array (libdivsufsort) and its longest common prefixes (Kasai), both compiled, then a scan of
the runs of suffixes that agree in 200 bytes, by NumPy. Each side runs in a process of its own; the time is that of its
processors from the texts on, one thread, best of three after one that warms up (the peer: one); the memory is the peak
of the process beyond what it had with the texts read. The marked bytes must be equal: exit code 1 where they differ.
`--memory` is ours, as of `dq passages`; `--json` prints one record.

    pip install pydivsufsort
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from _common import best_seconds, read_texts

from dq.dedup import Policy, RepeatedPassages, Resources, find_passages
from dq.files import parse_bytes

MIN_BYTES = 200
SEPARATOR = b"\xff"  # in no text
Marks = np.ndarray[Any, np.dtype[np.bool_]]
Side = Callable[[list[str], argparse.Namespace], Marks]


def texts_of(path: Path | None) -> list[str]:
    """The texts of a file; of the project's own files each once."""
    texts = read_texts(path)
    return texts if path is not None else list(dict.fromkeys(texts))


def ours(texts: list[str], arguments: argparse.Namespace) -> Marks:
    """The bytes of pieces, of the texts one after another."""
    options = RepeatedPassages(min_bytes=MIN_BYTES, keep=Policy.parse("earliest:order"))
    resources = Resources(memory_bytes=parse_bytes(arguments.memory))
    documents = pl.DataFrame({"order": range(len(texts))})
    found = find_passages([texts], options, documents=documents, resources=resources)
    starts = np.concatenate([[0], np.cumsum(found.n_bytes)])
    document, begin, end = (found.pieces[name].to_numpy() for name in ("document", "begin", "end"))
    return marked(starts[document] + begin, starts[document] + end, total=int(starts[-1]))


def suffix_array(texts: list[str], _arguments: argparse.Namespace) -> Marks:
    """The same bytes: of suffixes that agree in so many the first one stands, unless it overlaps the other."""
    library = importlib.import_module("pydivsufsort")
    parts = [text.encode("utf-8", "replace") for text in texts]
    data = np.frombuffer(bytearray(SEPARATOR.join(parts) + SEPARATOR), np.uint8)
    places = library.divsufsort(data)
    common = library.kasai(data, places)
    agree = common[: len(places) - 1] >= MIN_BYTES  # each with the next one
    begins = ~np.append(False, agree)
    several = np.append(agree, False) | ~begins
    begins, place = begins[several], places[several]
    first = np.minimum.reduceat(place, np.flatnonzero(begins))[np.cumsum(begins) - 1] if len(place) else place
    ends = np.flatnonzero(data == 0xFF)
    one, other = np.searchsorted(ends, first), np.searchsorted(ends, place)
    later = (first < place) & ((one != other) | (first + MIN_BYTES <= place)) & (place + MIN_BYTES <= ends[other])
    marks = marked(place[later], place[later] + MIN_BYTES, total=len(data))
    return np.asarray(marks[data != 0xFF])


def marked(begins: Any, ends: Any, *, total: int) -> Marks:
    """Which of so many bytes are in some stretch."""
    steps = np.bincount(begins, minlength=total + 1) - np.bincount(ends, minlength=total + 1)
    return np.asarray(np.cumsum(steps)[:total] > 0)


SIDES: dict[str, tuple[Side, int]] = {"dq": (ours, 3), "suffix array": (suffix_array, 1)}


def measure(arguments: argparse.Namespace) -> None:
    """One side, in this process: its marks to a file, its time and memory to standard output."""
    side, rounds = SIDES[arguments.side]
    texts = texts_of(arguments.file)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if rounds == 1:  # nothing of it is compiled here
        started = time.process_time()
        marks = side(texts, arguments)
        seconds = time.process_time() - started
    else:
        seconds, marks = best_seconds(lambda: side(texts, arguments), rounds=rounds), side(texts, arguments)
    unit = 1 if sys.platform == "darwin" else 1024
    more = unit * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    np.save(arguments.marks, np.packbits(marks))
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    record = {"documents": len(texts), "bytes": size, "repeated_bytes": int(marks.sum())}
    print(json.dumps({"name": arguments.side, "seconds": seconds, "peak_bytes": more, **record}))


def in_own_process(name: str, arguments: argparse.Namespace, marks: Path) -> dict[str, Any] | None:
    command = [sys.executable, __file__, "--side", name, "--marks", str(marks), "--memory", arguments.memory]
    command += [str(arguments.file)] if arguments.file else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(f"{name}: failed ({(done.stderr.strip() or 'killed').splitlines()[-1]})\n")
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--marks", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        measure(arguments)
        return 0
    with tempfile.TemporaryDirectory(prefix="dq-bench-") as folder:
        files = {name: Path(folder) / f"{number}.npy" for number, name in enumerate(SIDES)}
        found = [one for name, file in files.items() if (one := in_own_process(name, arguments, file))]
        equal = len(found) == len(SIDES) and np.array_equal(*(np.load(file) for file in files.values()))
    if arguments.json:
        print(json.dumps({"sides": found, "equal": equal}))
    for one in found if not arguments.json else ():
        speed = one["bytes"] / 1e6 / one["seconds"]
        print(
            f"{one['name']:14s}{one['seconds']:9.2f} s{speed:8.1f} MB/s{one['peak_bytes'] / 1e6:9,.0f} MB of memory"
            f"{one['repeated_bytes']:14,} repeated bytes of {one['bytes']:,}"
        )
    if len(found) < len(SIDES):
        return 0 if found and found[0]["name"] == "dq" else 1
    if not arguments.json:
        ratio = found[1]["seconds"] / found[0]["seconds"]
        print(f"the suffix array takes {ratio:.1f} times as long; the marked bytes are {'' if equal else 'NOT '}equal")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
