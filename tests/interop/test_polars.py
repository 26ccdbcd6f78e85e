"""Signals and verdicts as columns of polars frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

import dq
from dq.errors import ConfigError
from dq.interop.polars import judge, score
from dq.quality import VERDICT, judge_texts

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


def test_a_lazy_frame_is_filtered_into_a_file_without_being_held_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pl.DataFrame({"n": range(400), "text": TEXTS * 100})
    frame.write_parquet(tmp_path / "in.parquet", row_group_size=20)
    rules, sizes = dq.presets.gopher_quality(), list[int]()

    def counted(texts: pl.Series, *arguments: Any, **options: Any) -> pl.DataFrame:
        sizes.append(len(texts))
        return judge_texts(texts, *arguments, **options)

    monkeypatch.setattr("dq.interop.polars.judge_texts", counted)
    kept = judge(pl.scan_parquet(tmp_path / "in.parquet"), rules).filter("keep").drop(*VERDICT)
    kept.sink_parquet(tmp_path / "kept.parquet", row_group_size=50)
    assert sum(sizes) == 400 and max(sizes) <= 100
    written = pq.ParquetFile(tmp_path / "kept.parquet")
    assert max(written.metadata.row_group(n).num_rows for n in range(written.num_row_groups)) <= 50
    verdicts = rules.judge(dq.score(frame["text"]))
    assert_frame_equal(pl.read_parquet(tmp_path / "kept.parquet"), frame.filter(verdicts["keep"]))
