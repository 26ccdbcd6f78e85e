"""`benchmarks/web.py` runs every filter, and names the peers that are not there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dq.quality import presets
from tests.quality.fetched import usable_presets

ROOT = Path(__file__).parents[2]
PEERS = {
    "addresses": "URLFilter",
    "language": "LanguageFilter",
    "masking personal data": "PIIFormatter",
    "rude words": "C4BadWordsFilter",
    "items by 13-grams": "NGramsDecontFilter",
    "perplexity by byte 5-grams": "kenlm",
}


@pytest.mark.slow
def test_every_filter_is_measured_and_every_peer_measured_or_named_as_absent() -> None:
    pytest.importorskip("datatrove")
    pytest.importorskip("glin_profanity")
    if usable_presets().keys() != presets.presets().keys():
        pytest.skip("the model of languages cannot be fetched")
    command = [sys.executable, str(ROOT / "benchmarks/web.py"), "--megabytes", "0.2"]
    options = ["--peer-megabytes", "0.01", "--rounds", "1"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, peer in PEERS.items():
        of_dq, *of_peers = [line for line in done.stdout.splitlines() if line.startswith(f"{name}: ")]
        assert re.fullmatch(r".*: dq [\d.e+]+ MB/s, finds \d+ of \d+", of_dq)
        (line,) = [one for one in of_peers if peer in one]
        measured = re.fullmatch(r".* [\d.e+-]+ MB/s, finds \d+; dq takes in ([\d.e+-]+) times as much", line)
        assert " is absent: " in line or (measured and float(measured[1]) > 0)
