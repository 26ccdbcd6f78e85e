"""Policies: what they rank first, and how configurations read and write them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pydantic
import pytest

from dq.config import StrictModel, fingerprint
from dq.dedup import Policy
from dq.dedup import policy as policy_module
from dq.errors import ConfigError


class Options(StrictModel):
    """A configuration with a policy, and one as it was before policies were values."""

    keep: Policy = Policy.parse("longest")


class OldOptions(StrictModel):
    keep: str = "longest"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("longest", [2, 1, 3, 0]),
        ("best:score", [0, 3, 2, 1]),
        ("earliest:date", [1, 0, 3, 2]),
        ("prefer:web,news", [3, 2, 1, 0]),
    ],
)
def test_policies_rank_documents_and_ties_go_by_content_key(policy: str, expected: list[int]) -> None:
    documents = pl.DataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "source": ["books", "mail", "news", "web"],
            "content_key": pl.Series([4, 3, 2, 1], dtype=pl.UInt64),
            "occurrence": [0, 0, 0, 0],
            "n_bytes": [5, 7, 9, 5],
            "visible_characters": [5, 7, 9, 5],
            "score": [0.9, float("nan"), None, 0.5],
            "date": ["2001", "2000", None, None],
        }
    )
    assert np.argsort(Policy.parse(policy).ranks(documents)).tolist() == expected


def test_an_unknown_policy_and_a_missing_column_say_what_there_is() -> None:
    documents = pl.DataFrame({"id": ["a"], "content_key": [1]})
    with pytest.raises(ConfigError, match=r"`keep`: use `longest`, .*, not 'biggest'"):
        Policy.parse("biggest")
    with pytest.raises(ConfigError, match="needs the column `quality`; there are: id, content_key") as raised:
        Policy.parse("best:quality").ranks(documents)
    assert raised.value.field == "keep"


@pytest.mark.parametrize("text", ["", "shortest", "longest:", "longest:x", "best", "best:", "prefer:", "prefer:a,,b"])
def test_what_is_no_policy_is_refused_at_once(text: str) -> None:
    with pytest.raises(ConfigError, match="use `longest`, `best:SIGNAL`, "):
        Policy.parse(text)
    with pytest.raises(pydantic.ValidationError, match="use `longest`, `best:SIGNAL`, "):
        Options.model_validate({"keep": text})


@pytest.mark.parametrize("text", ["longest", "best:word_count", "earliest:date", "prefer:web, news"])
def test_a_configuration_holds_the_very_text_so_that_fingerprints_stay(text: str) -> None:
    options = Options.model_validate({"keep": text})
    assert fingerprint(options) == fingerprint(OldOptions(keep=text))
    assert options == Options.model_validate_json(options.model_dump_json()) == Options(keep=Policy.parse(text))
    assert Options.model_json_schema()["properties"]["keep"]["type"] == "string"


def test_a_policy_knows_what_it_needs() -> None:
    best, earliest, prefer = (Policy.parse(text) for text in ("best:a", "earliest: b", "prefer:c, d"))
    assert (best.signal, earliest.signal, prefer.signal) == ("a", None, None)
    assert (best.field, earliest.field, prefer.field) == (None, "b", None)
    assert (best.sources, earliest.sources, prefer.sources) == ((), (), ("c", "d"))
    assert [policy.column for policy in (best, earliest, prefer, Policy.parse("longest"))] == [
        "a", "b", "source", "visible_characters",
    ]  # fmt: skip


@pytest.mark.parametrize("tied_at_a_time", [1, 3, 1 << 18])
def test_ties_are_broken_the_same_however_many_are_sorted_at_a_time(
    tied_at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_module, "TIED_AT_A_TIME", tied_at_a_time)
    drawn = np.random.default_rng(0).integers(0, 3, (5, 200))
    documents = pl.DataFrame(
        dict(zip(("visible_characters", "n_bytes", "content_key", "source", "id"), drawn, strict=True))
    )
    documents = documents.with_columns(pl.col("source", "id").cast(pl.String))
    rows = sorted(
        documents.with_row_index("row").rows(named=True),
        key=lambda row: (
            -row["visible_characters"],
            *[row[name] for name in ("n_bytes", "content_key", "source", "id", "row")],
        ),
    )
    assert np.argsort(Policy.parse("longest").ranks(documents)).tolist() == [row["row"] for row in rows]
