"""Callables for `map_batches` of Ray Data: alone on Arrow tables, and on a real dataset with workers of Ray's."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import dq
from dq.errors import ConfigError
from dq.interop.ray import Judge, Keep, Score
from tests.processes import ROOT

ray = pytest.importorskip("ray")

TEXTS = ["The people of the town stood on the old bridge. " * 12, "Short.", "", "naïve 日本語 text\nof two lines"]
RULES = dq.presets.gopher_quality()
TABLE = pa.table({"body": TEXTS, "n": list(range(len(TEXTS)))})
EXPECTED = RULES.judge(dq.score(TEXTS))


def test_columns_are_those_of_the_library() -> None:
    scored = Score(["word_count"], text="body")(TABLE)
    assert scored["word_count"].to_pylist() == dq.score(TEXTS, ["word_count"])["word_count"].to_list()
    judged = Judge(RULES, text="body")(scored)
    assert judged["keep"].to_pylist() == EXPECTED["keep"].to_list()
    assert judged["reasons"].to_pylist() == EXPECTED["reasons"].to_list()
    assert judged.column_names[:3] == ["body", "n", "word_count"]
    again = Judge(RULES, text="body")(judged)
    assert again.column_names == judged.column_names  # replaced, not doubled
    kept = Keep(RULES, text="body")(TABLE)
    assert kept["n"].to_pylist() == [n for n, keep in enumerate(EXPECTED["keep"]) if keep]
    assert pickle.loads(pickle.dumps(Keep(RULES, text="body")))(TABLE).equals(kept)


@pytest.mark.parametrize("one", [Score(["word_count"]), Judge(RULES), Keep(RULES)])
def test_other_batches_name_the_remedy(one: Any) -> None:
    with pytest.raises(ConfigError, match='pass batch_format="pyarrow"'):
        one({"text": TEXTS})
    with pytest.raises(ConfigError, match="no column `text`; there are body, n: name that of the texts by `text`"):
        one(TABLE)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)
    yield
    ray.shutdown()


@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_a_dataset_keeps_what_the_rules_keep(cluster: None, tmp_path: Path) -> None:
    dataset = ray.data.from_arrow(TABLE)
    kept = dataset.map_batches(Keep(RULES, text="body"), batch_format="pyarrow")
    scored = kept.map_batches(Score(["word_count"], text="body"), batch_format="pyarrow")
    rows = scored.take_all()
    assert [row["n"] for row in rows] == [n for n, keep in enumerate(EXPECTED["keep"]) if keep]
    assert [row["word_count"] for row in rows] == dq.score([TEXTS[row["n"]] for row in rows])["word_count"].to_list()
