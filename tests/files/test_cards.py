"""Cards of folders of kept documents: `datasets` loads them, and they count what was done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dq.cards import CardConfig
from dq.errors import ConfigError, WorkspaceError
from dq.files import cut_passages, dedup_files, filter_files, semdedup_files
from dq.files.decontaminate import decontaminate_files
from dq.files.finished import finished_files
from dq.quality import Rule, RuleSet
from dq.stages.benchmarks import Benchmark, BenchmarksConfig
from dq.stages.passages import PassageConfig
from dq.stages.selection import DeduplicationConfig
from dq.stages.semantic import SemanticConfig
from tests.command import run_dq
from tests.jobs.texts import write_jsonl

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib", "ignore::DeprecationWarning:mlcroissant")
RULES = RuleSet(name="long", rules=(Rule(signal="word_count", minimum=4, reason="too|few"),))
SOURCE = "a|<b>`c`"
CARD = CardConfig(licences={SOURCE: "CC0-1.0", "nobody": "MIT"}, languages=("en", "de"))
ITEM = "Words of number seven, of which nobody has written anything down before"
Maker = Callable[[Path, Path, CardConfig | None], Any]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A long text ten times, twelve long ones of their own, and five short ones of another source."""
    texts = [*["The same words again and again."] * 10, *(f"Words of number {n}, which is {n * n}." for n in range(12))]
    rows = [{"id": f"d{n}", "text": text, "source": SOURCE, "n": n, "v": [1, n]} for n, text in enumerate(texts)]
    rows += [{"id": f"s{n}", "text": f"Short {n}", "source": "short", "n": n, "v": [-1, n]} for n in range(5)]
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


def _decontaminate(documents: Path, out: Path, card: CardConfig | None) -> Any:
    items = write_jsonl(out.parent / "items.jsonl", [{"text": "Words of number 7, which is 49."}, {"text": ITEM}])
    config = BenchmarksConfig(benchmarks=(Benchmark(name="b", path=str(items)),), ngram=7, min_words=7)
    return decontaminate_files([str(documents)], config, out / "report", kept=out / "kept", card=card)


ANY, PASSAGES = 1.0, PassageConfig(min_bytes=20, min_rest_bytes=0, max_removed_fraction=1)
MAKERS: dict[str, Maker] = {
    "filter": lambda documents, out, card: filter_files([str(documents)], RULES, kept=out / "kept", card=card),
    "dedup": lambda documents, out, card: dedup_files(
        [str(documents)], out, DeduplicationConfig(max_removed_fraction=ANY), card=card
    ),
    "semdedup": lambda documents, out, card: semdedup_files(
        [str(documents)], out, SemanticConfig(vectors="v", max_removed_fraction=ANY), card=card
    ),
    "passages": lambda documents, out, card: cut_passages([str(documents)], out, PASSAGES, card=card),
    "decontaminate": _decontaminate,
}


def kept_files(out: Path) -> dict[str, tuple[bytes, int]]:
    """Contents, and which file it is: one that is written anew is another."""
    files = [path for path in (out / "kept").iterdir() if path.name != ".lock"]
    return {path.name: (path.read_bytes(), path.stat().st_ino) for path in files}


@pytest.mark.parametrize("name", MAKERS)
def test_another_card_of_a_finished_folder_is_written_anew_and_nothing_else(
    name: str, documents: Path, tmp_path: Path
) -> None:
    croissant, make, out = pytest.importorskip("mlcroissant"), MAKERS[name], tmp_path / "out"
    assert not make(documents, out, None).warnings
    before = kept_files(out)
    done = make(documents, out, CARD)
    assert done.warnings == ("`licences` names what is no source of the corpus: nobody",)
    after = kept_files(out)
    changed = {file for file, found in after.items() if before[file] != found}
    assert changed == {"README.md", "croissant.json", "stage.json"} and after.keys() == before.keys()
    card, metadata = after["README.md"][0].decode(), json.loads(after["croissant.json"][0])
    assert 'license:\n- "cc0-1.0"\n' in card and 'language:\n- "en"\n- "de"\n' in card
    assert metadata["inLanguage"] == ["en", "de"] and "CC0-1.0" in metadata["license"]
    hashes = {one["name"]: one["sha256"] for one in metadata["distribution"] if "sha256" in one}
    assert hashes == {
        file: hashlib.sha256(found).hexdigest() for file, (found, _) in after.items() if file.endswith(".parquet")
    }
    croissant.Dataset(jsonld=out / "kept" / "croissant.json")
    make(documents, out, CARD), make(documents, out, None)
    assert kept_files(out) == after
    make(documents, tmp_path / "at once", CARD)
    assert {file: found for file, (found, _) in kept_files(tmp_path / "at once").items()} == {
        file: found for file, (found, _) in after.items()
    }


def test_a_card_of_documents_without_repeated_passages_says_what_was_cut(documents: Path, tmp_path: Path) -> None:
    MAKERS["passages"](documents, tmp_path / "out", None)
    kept, rows = tmp_path / "out" / "kept", pl.read_ndjson(documents)
    found = loaded(kept, tmp_path / "cache")
    left = pl.DataFrame({name: found[name] for name in ("source", "text", "cut_bytes")})
    assert left["source"].value_counts(sort=True).rows() == [(SOURCE, 13), ("short", 5)]
    read, bytes_left = rows.filter(source=SOURCE)["text"].str.len_bytes().sum(), left["text"].str.len_bytes().sum() - 35
    card = (kept / "README.md").read_text("utf-8")
    assert f"| 22 | 9 | 9 | {read} | {bytes_left} |" in card and "| `short` | 5 | 0 | 0 | 35 | 35 |" in card
    assert "a passage of 20 bytes or more" in card and "it was cut, between characters" in card
    config = PASSAGES.model_copy(update={"drop_above": 0.5})
    cut_passages([str(documents)], tmp_path / "whole", config)
    assert "dropped if more than 0.5 of its bytes" in (tmp_path / "whole" / "kept" / "README.md").read_text("utf-8")


def test_a_card_of_decontaminated_documents_counts_benchmarks(documents: Path, tmp_path: Path) -> None:
    MAKERS["decontaminate"](documents, tmp_path / "out", None)
    found = loaded(tmp_path / "out" / "kept", tmp_path / "cache")
    assert len(found) == 26 and not any("number 7," in text for text in found["text"])
    card = (tmp_path / "out" / "kept" / "README.md").read_text("utf-8")
    assert "| `b` | 2 | 0 | 1 | 1 |" in card and "one of the word 7-grams of an item" in card
    assert "| a&#124;&#60;b&#62;&#96;c&#96; | 22 | 21 |" in card and "| `short` | 5 | 5 |" in card


def test_an_edited_card_is_never_written_over(documents: Path, tmp_path: Path) -> None:
    make, readme = MAKERS["filter"], tmp_path / "out" / "kept" / "README.md"
    make(documents, tmp_path / "out", CARD)
    card = readme.read_bytes()
    readme.write_text("Mine.")
    make(documents, tmp_path / "out", CARD)  # as it says already
    before = kept_files(tmp_path / "out")
    with pytest.raises(WorkspaceError, match=r"README\.md: edited, .* move it"):
        make(documents, tmp_path / "out", CardConfig())
    assert kept_files(tmp_path / "out") == before
    readme.rename(tmp_path / "mine.md")
    make(documents, tmp_path / "out", None)
    assert not readme.exists() and finished_files(readme.parent) == ["00000.parquet", "croissant.json", "stage.json"]
    make(documents, tmp_path / "out", CARD)
    assert readme.read_bytes() == card


@pytest.mark.parametrize("at", ["write_bytes_atomic", "write_json_atomic"])
def test_killed_between_the_files_of_a_card_the_folder_is_whole_and_the_next_card_is_right(
    at: str, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, out = MAKERS["dedup"], tmp_path / "out"
    make(documents, out, CardConfig())
    first = kept_files(out)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"dq.cards.write.{at}", killed)
        with pytest.raises(KeyboardInterrupt):
            make(documents, out, CARD)
    assert make(documents, out, None).sources["kept"].sum() == 18
    for card in (CARD, CardConfig()):
        make(documents, out, card)
    assert {name: found for name, (found, _) in kept_files(out).items()} == {
        name: found for name, (found, _) in first.items()
    }


def test_a_card_that_nothing_would_have_or_that_is_none_is_refused_before_the_work(
    documents: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="only a folder has a card"):
        filter_files([str(documents)], RULES, kept=tmp_path / "kept.jsonl", card=CARD)
    with pytest.raises(ConfigError, match="takes a CardConfig, not a dict"):
        cut_passages([str(documents)], tmp_path / "out", PASSAGES, card={"licences": {}})  # type: ignore[arg-type]
    (tmp_path / "card.yaml").write_text("licence: {web: MIT}\n")
    command = ("decontaminate", documents, "--benchmark", f"b={documents}", "-o", tmp_path / "out", "--card")
    wrong = run_dq(*map(str, command), str(tmp_path / "card.yaml"))
    assert wrong.returncode == 1 and wrong.stderr.endswith("unknown key `licence`; did you mean `licences`?\n")
    (tmp_path / "card.yaml").write_text("licences: {web: MIT}\n")
    wrong = run_dq(*map(str, command), str(tmp_path / "card.yaml"))
    assert (
        wrong.stderr
        == "dq: --card: no kept documents are written, and only a folder has a card; name a folder for them\n"
    )
    assert not (tmp_path / "out").exists()
