"""Signals and verdicts as columns of polars frames."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import dq
from dq.errors import ConfigError
from dq.interop.polars import judge, score

TEXTS = ["The people of the town stood on the old bridge. " * 12, "Short.", "", "naïve 日本語 text\nof two lines"]
SIGNALS = ("word_count", "line_count", "mean_word_length_chars")


def test_a_series_gives_the_table_of_dq_score() -> None:
    assert_frame_equal(score(pl.Series(TEXTS), SIGNALS), dq.score(TEXTS, SIGNALS))


def test_a_frame_keeps_its_columns_and_gets_the_signals() -> None:
    frame = pl.DataFrame({"n": range(4), "content": TEXTS})
    assert_frame_equal(score(frame, SIGNALS, text="content"), frame.hstack(dq.score(TEXTS, SIGNALS)))


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_a_lazy_frame_of_a_file_is_judged_in_batches(engine: str, tmp_path: Path) -> None:
    pl.DataFrame({"text": TEXTS * 50}).write_parquet(tmp_path / "a.parquet", row_group_size=16)
    rules = dq.presets.gopher_quality()
    lazy = judge(score(pl.scan_parquet(tmp_path / "a.parquet"), SIGNALS), rules)
    assert lazy.collect_schema()["reasons"] == pl.List(pl.String)
    done = lazy.collect(engine=engine)  # type: ignore[call-overload]
    expected = pl.DataFrame({"text": TEXTS * 50}).hstack(dq.score(TEXTS * 50, SIGNALS))
    assert_frame_equal(done, expected.hstack(rules.judge(dq.score(TEXTS * 50))))


def test_a_lazy_filter_by_the_verdict_keeps_what_the_rules_keep() -> None:
    lazy = judge(pl.LazyFrame({"text": TEXTS}), dq.presets.gopher_quality()).filter("keep").select("text")
    assert lazy.collect()["text"].to_list() == TEXTS[:1]


def test_a_missing_text_column_or_one_in_the_way_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no column `text`; there are body"):
        score(pl.LazyFrame({"body": TEXTS}))
    with pytest.raises(ConfigError, match="already has a column `keep`"):
        judge(pl.DataFrame({"text": TEXTS, "keep": True}), dq.presets.gopher_quality())
