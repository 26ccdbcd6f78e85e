"""Cards of folders of kept documents: `datasets` loads them, and they count what was done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dq.errors import WorkspaceError
from dq.files import dedup_files, filter_files
from dq.quality import Rule, RuleSet
from dq.stages.selection import DeduplicationConfig

RULES = RuleSet(name="long", rules=(Rule(signal="word_count", minimum=4, reason="too|few"),))
SOURCE = "a|<b>`c`"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A long text ten times, twelve long ones of their own, and five short ones of another source."""
    texts = [*["The same words again and again."] * 10, *(f"Words of number {n}, which is {n * n}." for n in range(12))]
    rows = [{"id": f"d{n}", "text": text, "source": SOURCE, "n": n} for n, text in enumerate(texts)]
    rows += [{"id": f"s{n}", "text": f"Short {n}", "source": "short", "n": n} for n in range(5)]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def loaded(folder: Path, cache: Path) -> Any:
    datasets = pytest.importorskip("datasets")
    return datasets.load_dataset(str(folder), split="train", cache_dir=str(cache))


def test_kept_documents_load_by_their_card_and_their_metadata_counts_them(documents: Path, tmp_path: Path) -> None:
    filter_files([str(documents)], RULES, kept=tmp_path / "kept", dropped=tmp_path / "dropped")
    assert (
        loaded(tmp_path / "kept", tmp_path / "cache").to_list()
        == pl.read_parquet(tmp_path / "kept" / "*.parquet").to_dicts()
    )
    card = (tmp_path / "kept" / "README.md").read_text("utf-8")
    assert "| `short` | 5 | 0 |" in card
    assert "| too&#124;few | `word_count` | 4 |  |  | 5 |" in card
    metadata = json.loads((tmp_path / "kept" / "croissant.json").read_bytes())
    train, sources = metadata["recordSet"]
    assert {one["name"]: one["dataType"] for one in train["field"]} == {
        "id": "sc:Text",
        "text": "sc:Text",
        "source": "sc:Text",
        "n": "sc:Integer",
    }
    (told,) = sources["data"]
    assert (told["sources/source"], told["sources/documents"], told["sources/licence"]) == (SOURCE, 22, "unknown")
    assert not (tmp_path / "dropped" / "README.md").exists()


def test_a_named_file_has_no_card_and_a_folder_of_nothing_does_not_say_that_it_loads(
    documents: Path, tmp_path: Path
) -> None:
    filter_files([str(documents)], RULES, kept=tmp_path / "kept.jsonl")
    assert not [*tmp_path.rglob("README.md")]
    none = RuleSet(name="none", rules=(Rule(signal="word_count", minimum=1000, reason="few"),))
    filter_files([str(documents)], none, kept=tmp_path / "kept")
    card = (tmp_path / "kept" / "README.md").read_text("utf-8")
    assert '"n<1K"' in card and "viewer: false" in card and "load_dataset" not in card


def test_a_card_of_deduplicated_documents_says_by_what_and_how_many(documents: Path, tmp_path: Path) -> None:
    config = DeduplicationConfig(max_removed_fraction=1)
    dedup_files([str(documents)], tmp_path / "out", config)
    kept = tmp_path / "out" / "kept"
    assert loaded(kept, tmp_path / "cache")["id"] == pl.read_parquet(kept / "*.parquet")["id"].to_list()
    card = (kept / "README.md").read_text("utf-8")
    assert "| a&#124;&#60;b&#62;&#96;c&#96; | 22 | 13 | 9 | 9 | 0 |" in card
    assert "similarity of 0.8 or more by 5-grams of words" in card and "policy `longest`" in card


def test_an_edited_card_does_not_make_a_finished_folder_another_one(documents: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    first = filter_files([str(documents)], RULES, kept=kept)
    (kept / "README.md").write_text("Mine.")
    assert filter_files([str(documents)], RULES, kept=kept).kept == first.kept
    (kept / "croissant.json").write_text("{}")
    with pytest.raises(WorkspaceError, match=r"croissant\.json: not as it was left"):
        filter_files([str(documents)], RULES, kept=kept)
    assert (kept / "README.md").read_text() == "Mine."
