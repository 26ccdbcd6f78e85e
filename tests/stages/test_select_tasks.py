"""Selecting by runs and parts gives what selecting all at once gives, whatever is linked to what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.corpus import InputSpec, ReadConfig
from dq.dedup import (
    Counts,
    DedupConfig,
    Duplicates,
    LargeBuckets,
    Policy,
    Resources,
    choose_bands,
    guard_removal,
    select,
)
from dq.dedup.find import runs
from dq.errors import InputError
from dq.executors import LocalExecutor
from dq.stages.base import View
from dq.stages.duplicates import FoundDuplicates
from dq.stages.read import Documents, ingest
from dq.stages.selection import DeduplicationConfig, select_documents
from dq.stages.signals import score_documents
from dq.store import Workspace

COUNT, FROZEN = 60, 5
CONFIG, SIGNAL = DedupConfig(num_perm=16), "word_count"
TIGHT = Resources(threads=2).model_copy(update={"memory_bytes": 16_000})
POLICIES = {
    "longest": None,
    f"best:{SIGNAL}": pl.Float64,
    "prefer:b,a": None,
    "earliest:content_key": pl.Int64,
    "earliest:broken": pl.Float64,
    "earliest:date": pl.String,
}


def document(number: int) -> dict[str, Any]:
    """A row like others: texts, sources and ids are there several times, and fields are missing in some."""
    rng = np.random.default_rng(number)
    row: dict[str, Any] = {"text": "word " * int(rng.integers(1, 4)), "source": str(rng.choice([*"abc"]))}
    row |= {
        "id": str(rng.integers(0, 20)),
        "content_key": int(rng.integers(0, 12)),
        "broken": float(rng.integers(0, 12)) / 2,
    }
    # Numbers in all runs but the last, whose texts decide for all.
    row["date"] = "none" if number == COUNT - 1 else str(rng.integers(0, 12))
    return {key: value for key, value in row.items() if key in ("text", "source", "id") or rng.random() < 0.8}


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """A corpus of runs of few documents."""
    folder = tmp_path_factory.mktemp("selecting")
    rows = [document(number) for number in range(COUNT)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    view = View(Workspace(folder / "workspace").create("run"))
    ingest(Documents.place(view, ""), [InputSpec(path=str(folder / "rows.jsonl"))], ReadConfig(shard_rows=7))
    score_documents(view, [SIGNAL], executor=LocalExecutor())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "ROWS_A_RUN", 10)
        yield view


def random_duplicates(seed: int) -> Duplicates:
    """Classes of copies, linked by pairs and by buckets that are verified at selection, also to documents of an index.

    A class of copies may have several texts; shingles are ten numbers or nine of them, so that many similarities tie.
    """
    rng = np.random.default_rng(seed)
    first = np.arange(COUNT)
    for one in np.flatnonzero(rng.random(COUNT) < rng.choice([0.1, 0.5])):
        first[one] = first[rng.integers(0, one + 1)]
    empty = np.flatnonzero((rng.random(COUNT) < 0.1) & (np.bincount(first, minlength=COUNT) == 1))
    text = np.array([rng.choice([one, first[one]]) for one in range(COUNT)])
    numbers = np.arange(COUNT, COUNT + FROZEN)
    nodes = np.concatenate([np.setdiff1d(first, empty), numbers])
    pairs = rng.choice(nodes, (int(rng.integers(0, 50)), 2))
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    pairs = pairs[pairs[:, 0] < COUNT]
    common = rng.integers(8, 11, len(pairs))
    buckets = [np.unique(rng.choice(nodes, 6)) for _ in range(rng.integers(0, 5))]
    members = np.concatenate([np.empty(0, np.int64), *buckets])
    documents, places = np.unique(members, return_inverse=True)
    shingles = [
        np.setdiff1d(np.arange(10) + 10 * (one % 2), rng.integers(0, 40)).astype(np.uint64) for one in documents
    ]
    copies = np.flatnonzero(first != np.arange(COUNT))
    return Duplicates(
        config=CONFIG,
        bands=choose_bands(CONFIG),
        counts=Counts(COUNT, len(empty), 0, 0, 0, 0, len(pairs), len(buckets), len(documents)),
        pairs=pl.DataFrame(
            {"left": pairs[:, 0], "right": pairs[:, 1], "intersection": common, "union": np.full(len(pairs), 10)}
        ).with_columns(similarity=pl.col("intersection") / pl.col("union")),
        copies=pl.DataFrame({"document": copies, "first_copy": first[copies], "first_text": text[copies]}),
        empty=empty,
        measured=pl.DataFrame(
            {"document": nodes[:-FROZEN:2], "characters": rng.integers(1, 4, len(nodes[:-FROZEN:2]))}
        ),
        buckets=LargeBuckets(
            offsets=np.cumsum([0, *map(len, buckets)]),
            members=places.astype(np.int64),
            documents=documents,
            shingle_offsets=np.cumsum([0, *map(len, shingles)]),
            shingles=np.concatenate([np.empty(0, np.uint64), *shingles]),
            digests=np.zeros((len(documents), CONFIG.num_perm), np.uint8),
        ),
        frozen=pl.DataFrame(
            {
                "document": numbers,
                "id": "x",
                "source": "y",
                "first_text": np.where(rng.random(FROZEN) < 0.5, numbers, rng.choice(first, FROZEN)),
            }
        ),
    )


def found_in(view: View, duplicates: Duplicates) -> None:
    stage = view.stage(FoundDuplicates, config={"digest": str(duplicates)})
    stage.start()
    duplicates.write(stage.folder)
    stage.commit()


def ranked_at_once(view: View, keep: str, duplicates: Duplicates) -> np.ndarray[Any, Any]:
    """The order of all documents, of rows as they were written."""
    policy, documents = Policy.parse(keep), view.open(Documents).documents.drop("occurrence")
    if keep == "longest":
        return policy.ranks(documents.with_columns(visible_characters=pl.Series(duplicates.visible)))
    if (kind := POLICIES[keep]) is not None:
        values = [document(number).get(policy.column) for number in range(COUNT)]
        if policy.signal:
            values = [len(document(number)["text"].split()) for number in range(COUNT)]
        documents = documents.drop("n_bytes").with_columns(pl.Series(policy.column, values, kind))
    return policy.ranks(documents)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20), st.sampled_from([*POLICIES]), st.sampled_from([TIGHT, Resources()]))
def test_many_parts_select_what_one_does(view: View, seed: int, keep: str, resources: Resources) -> None:
    duplicates, eligible = random_duplicates(seed), np.random.default_rng(seed).random(COUNT) < 0.8
    found_in(view, duplicates)
    config = DeduplicationConfig.model_validate({"keep": keep, "max_removed_fraction": 1})
    uses = ("duplicates", "signals")

    def chosen(config: DeduplicationConfig) -> Any:
        return select_documents(view, config, eligible=eligible, uses=uses, resources=resources)

    whole = select(duplicates, eligible, order=ranked_at_once(view, keep, duplicates))
    selected = chosen(config)
    np.testing.assert_array_equal(selected.kept, whole.kept)
    for name in ("kept_index", "intersection", "union", "similarity", "exact", "cluster_size"):
        np.testing.assert_array_equal(getattr(selected.selection, name), getattr(whole, name))
    assert dict(selected.record.summary) == {"kept": whole.kept.sum(), "removed": whole.removed.sum()}
    assert {path.name for path in selected.folder.iterdir()} == {*(f"{n:05d}.parquet" for n in range(9)), "stage.json"}
    guard = {"max_removed_fraction": 0.3}
    try:
        guard_removal(whole, view.open(Documents).documents, **guard, allowed=["a"])
    except InputError as expected:
        with pytest.raises(InputError) as caught:
            chosen(config.model_copy(update={**guard, "allow_removal": ("a",)}))
        assert str(caught.value) == str(expected)
        assert {path.name for path in selected.folder.iterdir()} == {"started.json"}
