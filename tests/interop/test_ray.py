"""Callables for `map_batches` of Ray Data, on Arrow tables; `executors/test_clusters.py` has a real dataset."""

from __future__ import annotations

import pickle
from typing import Any

import pyarrow as pa
import pytest

import dq
from dq.errors import ConfigError
from dq.interop.ray import Judge, Keep, Score

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
