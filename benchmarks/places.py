"""`dq score`, `dq filter` and `dq dedup` of files in a bucket beside the same files on this machine, in one run.

python benchmarks/places.py FILE... [--rounds 5]: needs the extra `remote`, and moto for a real S3 server on loopback.
Each round reads a file from both places, one worker each: processor time of dq's process (without the server's, which a
bucket has elsewhere), and the clock, which has it where cores are few. While dq reads from disk somebody else fetches
the same file once: a busy server slows whoever shares its cores. moto reads a whole object for each of its ranges, so
of more than some 300 MB the clock shows little but that.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.corpus.bucket import ENVIRONMENT, SIGNED, Bucket, served  # noqa: E402

COMMANDS = {
    "score": ["score", "{}", "-o", "scores.parquet", "--workers", "1"],
    "filter": ["filter", "{}", "--preset", "fineweb", "-o", "kept", "--workers", "1"],
    "dedup": ["dedup", "{}", "-o", "deduplicated", "--max-removed-fraction", "1", "--workers", "1"],
}


def main() -> None:
    """Time both places, round by round, and print medians of ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", type=Path, nargs="+")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    with served() as bucket:
        bucket.put("/data")
        for file in given.files:
            bucket.put(f"/data/{file.name}", file.read_bytes())
            for name in COMMANDS:
                compare(name, file, bucket, rounds=given.rounds)


def compare(name: str, file: Path, bucket: Bucket, *, rounds: int) -> None:
    """One command, round by round."""
    command = COMMANDS[name]
    environment = {**os.environ, **ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{bucket.port}"}
    ratios = []
    for _ in range(rounds):
        fetching = threading.Thread(target=fetch, args=(bucket.port, f"/data/{file.name}"))
        fetching.start()
        here = timed(command, str(file.resolve()), environment)
        fetching.join()
        there = timed(command, f"s3://data/{file.name}", environment)
        ratios.append([far / near for far, near in zip(there, here, strict=True)])
        for place, (cpu, wall) in (("local", here), ("bucket", there)):
            print(f"{name} {file.name} {place}: {cpu:.1f} s, {wall:.1f} s by the clock")
    cpu, wall = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(f"{name} {file.name} from the bucket: {cpu:.2f} of the processor time of local, {wall:.2f} of the clock's")


def fetch(port: int, path: str) -> None:
    """An object, by ranges of 4 MB."""
    start, step = 0, 4 << 20
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path, headers={"Authorization": SIGNED, "Range": f"bytes={start}-{start + step - 1}"})
        size = len(connection.getresponse().read())
        connection.close()
        if size < step:
            return
        start += step


def timed(command: list[str], entry: str, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of the processor and of the clock."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [sys.executable, "-m", "dq", *(part.format(entry) for part in command)]
        began = time.perf_counter()
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, entry
        return usage.ru_utime + usage.ru_stime, time.perf_counter() - began


if __name__ == "__main__":
    main()
