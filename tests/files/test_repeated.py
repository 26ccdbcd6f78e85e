"""Ids that documents share are told by what reads files alone, whatever pieces they lie in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dq.files import filter_files, repeated, score_files
from dq.quality import Rule, RuleSet


def test_shared_ids_are_told_by_filter_and_score_too_over_all_pieces(tmp_path: Path) -> None:
    rows = [{"id": f"d{min(n, 7)}", "source": "web" if n else "news", "text": f"page {n}"} for n in range(10)]
    rows += [{"id": "d0", "text": "page", "source": "web"}, {"text": "no id"}]
    for n, part in enumerate((rows[:6], rows[6:9], rows[9:])):
        (tmp_path / f"part-{n}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    rules = RuleSet(name="any", rules=(Rule(signal="char_count", minimum=7, reason="short"),))
    pieces = [str(tmp_path / f"part-{n}.jsonl") for n in range(3)]
    filtered = filter_files(pieces, rules, kept=tmp_path / "kept")
    scored = score_files(pieces, tmp_path / "s.parquet", signals=["word_count"])
    again = score_files(pieces, tmp_path / "s.parquet", signals=["word_count"])
    for done in (filtered, scored, again):
        assert done.rows.repeated_ids == 3  # d7 three times; d0 of two sources is no repeat
        expected = "3 documents share their id with another of their source, such as source web, id d7; file and row"
        assert done.rows.warnings()[0].startswith(expected)


@pytest.mark.parametrize("at_a_time", [1, 7, 1000])
def test_hashes_are_counted_a_part_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_a_time: int) -> None:
    monkeypatch.setattr(repeated, "AT_A_TIME", at_a_time)
    draw = np.random.default_rng(1)
    hashes = draw.integers(0, 2**64, 50, dtype=np.uint64)
    hashes[:4] = [0, 0, 2**64 - 1, 2**64 - 1]
    pieces = [hashes, hashes[10:15], np.empty(0, np.uint64)]
    for n, piece in enumerate(pieces):
        np.save(tmp_path / f"{n}.npy", piece)
    assert repeated.repeated_ids([tmp_path / f"{n}.npy" for n in range(3)]) == (4 + 10, 0, 0)
    hashes[:2] = [1, 3]  # shares nothing now: the smallest that is shared is one of numbers 10 to 14
    np.save(tmp_path / "0.npy", hashes)
    at = 10 + int(np.argmin(hashes[10:15]))
    assert repeated.repeated_ids([tmp_path / f"{n}.npy" for n in (2, 0, 1)]) == (2 + 10, 1, at)
    assert repeated.repeated_ids([tmp_path / "1.npy"]) == (0, 0, 0)
