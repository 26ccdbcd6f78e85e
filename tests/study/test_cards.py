"""Cards of exports, read by who will read them: `huggingface_hub`, `datasets`, `mlcroissant`, a Markdown parser."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from huggingface_hub import DatasetCard
from markdown_it import MarkdownIt

from dq.cards import CardConfig, Facts, Section, Source, Split, read_card_config, write_card_config, write_cards
from dq.cards.licences import hub_licence, licence_id
from dq.cards.readme import size_category
from dq.corpus.inputs import find_inputs
from dq.errors import ConfigError, WorkspaceError
from dq.study import export
from tests.study.conftest import World, tiny_study

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib", "ignore::DeprecationWarning:mlcroissant")
CONFIG = tiny_study(seeds=1)
HOSTILE = '| <script>x</script> [a](http://x.y) `b` **c** :d: "\n---\n# e\u202e\x1b'


def exported(world: World, output: Path, *, format: str = "jsonl", **more: Any) -> Path:  # noqa: A002
    return export(CONFIG, world.workspace, "curated", output=output, format=format, **more).folder


def validated(folder: Path, caplog: pytest.LogCaptureFixture) -> Any:
    """What the format's own library makes of the metadata; warnings only of what nobody has told dq."""
    croissant = pytest.importorskip("mlcroissant")
    with caplog.at_level(logging.WARNING):
        found = croissant.Dataset(jsonld=folder / "croissant.json")
    warned = [line for record in caplog.records for line in record.message.splitlines() if "Property" in line]
    assert len(warned) == 3 and all(any(name in line for name in ("citeAs", "date", "version")) for line in warned)
    return found


def cells(card: str, title: str) -> list[list[str]]:
    """The rows of the table under a heading, head first, as a Markdown parser has them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(card.partition("\n---\n")[2])
    at = next(n for n, one in enumerate(tokens) if one.type == "heading_open" and tokens[n + 1].content == title)
    rows: list[list[str]] = []
    for one in tokens[at + 3 :]:
        if one.type == "table_close":
            break
        if one.type == "tr_open":
            rows.append([])
        if one.type == "inline" and rows:
            rows[-1].append("".join(child.content for child in one.children or ()))
    return rows


@pytest.mark.parametrize("format", ["jsonl", "nanochat"])
def test_an_export_loads_by_its_card_and_its_metadata(
    world: World,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    format: str,  # noqa: A002
) -> None:
    datasets = pytest.importorskip("datasets")
    folder = exported(world, tmp_path / "export", format=format)
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == ({"train"} if format == "jsonl" else {"train", "validation"})
    metadata = validated(folder, caplog)
    for name, split in loaded.items():
        texts = [row[f"{name}/text"].decode() for row in metadata.records(name)]
        assert texts == split["text"] and len(texts) > 5
    assert metadata.metadata.name == "curated"
    card = DatasetCard.load(folder / "README.md")
    assert card.data.to_dict()["license"] == ["unknown"]
    if format == "jsonl":
        rows = list(loaded["train"])
        tokens, documents = (
            Counter[str](),
            Counter(source for source, _ in {(row["source"], row["id"]) for row in rows}),
        )
        for row in rows:
            tokens[row["source"]] += row["tokens"]
        told = [[row[0], int(row[1]), int(row[2].replace(",", ""))] for row in cells(card.content, "Sources")[1:]]
        assert told == [[name, documents[name], tokens[name]] for name in sorted(tokens)]
        assert sum(tokens.values()) == CONFIG.budget_tokens
        records = [(one["sources/source"], one["sources/tokens"]) for one in metadata.records("sources")]
        assert records == sorted(tokens.items())


def test_other_contents_under_the_same_names_are_not_taken_from_a_cache(world: World, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    texts = []
    for seed in range(2):
        folder = exported(world, tmp_path / str(seed) / "export", seed=seed)
        loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
        assert loaded["text"] == pl.read_ndjson(folder / "00000.jsonl")["text"].to_list()
        texts.append(loaded["text"])
    assert texts[0] != texts[1]


def test_tokens_say_that_datasets_does_not_read_them(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = exported(world, tmp_path / "export", format="ds")
    data = DatasetCard.load(folder / "README.md").data.to_dict()
    assert data["viewer"] is False and "configs" not in data
    assert [one.uuid for one in validated(folder, caplog).metadata.record_sets] == ["sources"]


def test_every_file_is_listed_with_its_hash_and_size(world: World, tmp_path: Path) -> None:
    folder = exported(world, tmp_path / "export")
    listed = json.loads((folder / "croissant.json").read_bytes())["distribution"]
    files = {one["name"]: (one["sha256"], one["contentSize"]) for one in listed if one["@type"] == "cr:FileObject"}
    contents = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
    for own in ("README.md", "croissant.json", "stage.json"):
        del contents[own]
    assert files == {name: (hashlib.sha256(one).hexdigest(), f"{len(one)} B") for name, one in contents.items()}
    assert set(files) == {"00000.jsonl", "manifest.json", "tokenizer.json"}
    assert [one.file.name for one in find_inputs([str(folder)]).files] == [str(folder / "00000.jsonl")]


def test_the_card_counts_what_rules_dropped_and_what_became_of_documents(world: World, tmp_path: Path) -> None:
    card = (exported(world, tmp_path / "export") / "README.md").read_text("utf-8")
    reasons = pl.read_parquet(world.workspace.verdicts("original") / "*.parquet")["reasons"].to_list()
    counts = Counter(reason for one in reasons for reason in one)
    told = {row[0]: int(row[-1].replace(",", "")) for row in cells(card, "Rules")[1:]}
    assert {name: n for name, n in told.items() if n} == counts and counts
    fates = pl.read_parquet(world.workspace.fates() / "*.parquet")["fate"].value_counts()
    head, *rows = cells(card, "What became of the corpus")
    sums = {name.replace(" ", "_"): sum(int(row[at]) for row in rows) for at, name in enumerate(head) if at}
    assert {name: n for name, n in sums.items() if n} == dict(fates.with_columns(pl.col("fate").cast(str)).iter_rows())
    assert "similarity of 0.8 or more by 5-grams of words" in card


def test_names_of_a_corpus_stay_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever they hold, there is one table, one heading more, no HTML, no link; YAML and JSON give them back."""
    (tmp_path / "00000.jsonl").write_text('{"text": "a"}\n')
    facts = Facts(
        title=HOSTILE,
        summary="Text.",
        rows=1,
        loader="json",
        splits=[Split("train", ["00000.jsonl"], "*.jsonl")],
        columns=[],
        files=["00000.jsonl"],
        sources=[Source(HOSTILE, {"documents": 1}), Source("b|c", {"documents": 2}), Source("", {"documents": 3})],
        sections=[Section("Rules", "Text.", ("reason", "n"), [(HOSTILE, 1)])],
        config=CardConfig(licences={HOSTILE: "no", "b|c": "1.0"}, languages=("no",)),
    )
    write_cards(tmp_path, facts)
    card = DatasetCard.load(tmp_path / "README.md")
    shown = HOSTILE.replace("\n", "\\u000a").replace("\u202e", "\\u202e").replace("\x1b", "\\u001b")
    data = card.data.to_dict()
    assert data["pretty_name"] == shown and data["language"] == ["no"]
    assert data["license"] == ["other", "unknown"] and data["license_name"] == "no-and-1.0"
    rows = cells(card.content, "Sources")[1:]
    assert rows == [[shown, "1", "no"], ["b|c", "2", "1.0"], ["", "3", "unknown"]]
    kinds = {
        child.type for one in MarkdownIt("commonmark").enable("table").parse(card.text) for child in one.children or ()
    }
    assert kinds <= {"text", "code_inline", "text_special"}
    html = MarkdownIt("commonmark").enable("table").render(card.text)
    assert "<script" not in html and "<a" not in html and html.count("<h1>") == 1 and html.count("<table>") == 2
    records = [one["sources/source"] for one in validated(tmp_path, caplog).records("sources")]
    assert records[0] == shown


def test_licences_and_languages_of_the_job_are_on_the_card_and_another_licence_makes_another_export(
    world: World, tmp_path: Path
) -> None:
    workspace = world.workspace
    folder = exported(world, tmp_path / "export")
    try:
        write_card_config(workspace, CardConfig(licences={"web": "ODC-By-1.0"}, languages=("en",)))
        assert read_card_config(workspace).licence("web") == "ODC-By-1.0"
        with pytest.raises(WorkspaceError, match="other settings"):
            exported(world, folder)
        exported(world, folder, overwrite=True)
        data = DatasetCard.load(folder / "README.md").data.to_dict()
        assert "odc-by" in data["license"] and data["language"] == ["en"]
    finally:
        write_card_config(workspace, CardConfig())
    assert read_card_config(workspace) == CardConfig()


def test_an_edited_card_stays_and_is_never_deleted(world: World, tmp_path: Path) -> None:
    folder = exported(world, tmp_path / "export")
    card = folder / "README.md"
    made = card.read_text("utf-8")
    card.write_text(f"{made}\nMine.\n", "utf-8")
    assert exported(world, folder) == folder
    with pytest.raises(WorkspaceError, match=r"README\.md: edited.*move it"):
        exported(world, folder, format="parquet", overwrite=True)
    assert card.read_text("utf-8").endswith("Mine.\n")
    card.write_text(made, "utf-8")
    exported(world, folder, format="parquet", overwrite=True)
    assert '"*.parquet"' in card.read_text("utf-8")


@pytest.mark.parametrize(
    ("rows", "category"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**12 - 1, "100B<n<1T"), (10**12, "n>1T")],
)
def test_sizes_are_the_hubs_categories(rows: int, category: str) -> None:
    assert size_category(rows) == category


def test_licences_are_called_as_the_hub_calls_them_or_other() -> None:
    names = ("ODC-By-1.0", "ODC-BY-1.0", "Apache-2.0", "GPL-3.0-only", "CC0-1.0", "unknown", "Mine 1.0")
    assert [*map(hub_licence, names)] == ["odc-by", "odc-by", "apache-2.0", "gpl-3.0", "cc0-1.0", "unknown", "other"]
    assert [*map(licence_id, ("Mine | 1.0", "<b>", "|"))] == ["mine-1.0", "b", "other"]


def test_a_wrong_language_and_a_damaged_file_are_told(world: World) -> None:
    with pytest.raises(ConfigError, match="languages"):
        CardConfig(languages=("English",))
    path = world.workspace.root / "card.json"
    path.write_text('{"licences": 3}')
    try:
        with pytest.raises(WorkspaceError, match=r"card\.json: not what a job wrote"):
            read_card_config(world.workspace)
    finally:
        path.unlink()
