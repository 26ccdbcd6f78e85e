"""The variants of a study before and after it is trained: listed, shown, proven, and every real damage found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dq.errors import ConfigError, DqError, WorkspaceError
from dq.stages.base import View
from dq.stages.encoder import load_tokenizer
from dq.stages.read import Documents
from dq.stages.tokens import RewrittenTokens, TokenPool
from dq.store import Workspace
from dq.study import StudyConfig, list_variants, show_variant, usual_study, verify_variants
from dq.study.grid import plan_grid
from dq.study.runner import write_manifests
from dq.text import content_keys
from dq.variants import Characters, Curated, Raw, Repeated, TokenNoise, open_universe, rewrite_texts
from dq.variants.manifest import read_manifest
from tests.study.conftest import World, tiny_study

KINDS = {
    "raw": Raw(),
    "curated": Curated(),
    "again": Repeated(epochs=4),
    "noise": TokenNoise(dose=0.2, base=Curated()),
    "typed": Characters(dose=0.1),
}
CONFIG: StudyConfig = tiny_study(name="proven", variants=KINDS, seeds=2)


@pytest.fixture(scope="module")
def planned(world: World, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose study has its manifests and no runs."""
    workspace = Workspace(tmp_path_factory.mktemp("planned") / "ws")
    shutil.copytree(world.workspace.root, workspace.root, ignore=shutil.ignore_patterns("runs", "studies"))
    rewrite_texts(View.of(workspace), KINDS.values())
    universe = open_universe(workspace)
    runs = plan_grid(CONFIG, workspace, universe)
    write_manifests(workspace.study(CONFIG.name, CONFIG.budget_tokens) / "variants", universe, runs)
    return workspace


@pytest.fixture
def copy(planned: Workspace, tmp_path: Path) -> Workspace:
    """One of its own for a test that damages it."""
    shutil.copytree(planned.root, tmp_path / "ws")
    return Workspace(tmp_path / "ws")


def manifest_of(workspace: Workspace, name: str) -> Path:
    return workspace.study(CONFIG.name, CONFIG.budget_tokens) / "variants" / name / "manifest.json"


def test_what_is_listed_is_what_manifests_say(planned: Workspace) -> None:
    found = {one.variant: one for one in list_variants(CONFIG, planned)}
    assert list(found) == list(KINDS)
    for name, one in found.items():
        parts = [part for part in read_manifest(manifest_of(planned, name))[0]["parts"] if part["seed"] == 0]
        total, *sources = one.sources
        assert total.tokens == CONFIG.budget_tokens == sum(source.tokens for source in sources)
        assert [source.tokens for source in sources] == [part["tokens"] for part in parts]
        assert [source.documents for source in sources] == [part["documents"] for part in parts]
        assert [source.epochs for source in sources] == pytest.approx([part["epochs"] for part in parts])
    assert found["again"].sources[0].epochs == pytest.approx(4, rel=0.2)
    assert found["curated"].sources[0].epochs == 1


def test_a_variant_that_its_pool_cannot_fill_is_listed_with_the_reason_and_the_others_measured(world: World) -> None:
    found = {
        one.variant: one for one in list_variants(usual_study(world.workspace, budget_tokens=65_536), world.workspace)
    }
    assert found["raw"].fault is None and found["raw"].sources
    noisy = found["noisy"]
    assert noisy.fault is not None and "tokens are needed" not in noisy.fault and not noisy.sources
    assert "are needed; lower `budget_tokens`" in noisy.fault


def test_passages_are_the_text_that_a_model_reads(planned: Workspace) -> None:
    shown = show_variant(CONFIG, planned, "curated", limit=4)
    assert len(shown.passages) == 4 and len(shown.manifest.digests) == 1
    corpus = pl.concat(pl.read_parquet(path) for path in sorted(planned.corpus("original").glob("[0-9]*.parquet")))
    texts = dict(corpus.select("id", "text").iter_rows())
    for one in shown.passages:
        assert one.text and one.text in texts[one.id]
        assert one.begin or texts[one.id].startswith(one.text)
    with pytest.raises(ConfigError, match="curated"):
        show_variant(CONFIG, planned, "curatd")


def test_a_study_without_manifests_is_told_how_to_get_them(world: World) -> None:
    with pytest.raises(WorkspaceError, match="no manifests of this study yet; `dq ablate`"):
        verify_variants(tiny_study(name="unheard"), world.workspace)


def test_true_manifests_are_proven_with_every_document_looked_at(planned: Workspace) -> None:
    found = verify_variants(CONFIG, planned)
    assert [one.variant for one in found] == list(KINDS)
    for one in found:
        assert one.seeds == (0, 1) and len(set(one.digests)) == 2 and one.documents > 2


def drawn_document(workspace: Workspace, name: str) -> int:
    """One of which the stream of seed 0 has a piece, in the middle of the pool, which no digest of ends covers."""
    universe = open_universe(workspace)
    run = next(one for one in plan_grid(CONFIG, workspace, universe) if one.arm == name)
    documents = np.unique(run.variant.order(universe, 0).documents)
    return int(documents[len(documents) // 2])


def rewrite_text(folder: Path, document: int, text: str) -> None:
    """Put another text into the shard of a document, as one would who knows of the keys of rewritten texts."""
    for path in sorted(folder.glob("[0-9]*.parquet")):
        frame = pl.read_parquet(path)
        if document < len(frame):
            texts = frame["text"].to_list()
            texts[document] = text
            frame = frame.with_columns(pl.Series("text", texts))
            if "text_key" in frame.columns:
                frame = frame.with_columns(pl.Series("text_key", content_keys(texts)))
            frame.write_parquet(path)
            grown(path)
            return
        document -= len(frame)


def refused(workspace: Workspace, name: str, match: str) -> None:
    with pytest.raises(DqError, match=match) as caught:
        verify_variants(CONFIG, workspace, name)
    assert "\n" not in str(caught.value)


def grown(file: Path) -> None:
    """Make a check of both ends blind, as it is to the middle of a large file."""
    record = file.parent / "stage.json"
    value = json.loads(record.read_text())
    value["files"] = {}
    record.write_text(json.dumps(value))


def test_a_byte_of_the_pool_that_changes_is_found(copy: Workspace) -> None:
    document = drawn_document(copy, "curated")
    pool = View.of(copy).open(TokenPool)
    at = int(pool.offsets[document]) * 2 + 4
    path = copy.tokens("original") / "tokens.bin"
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    refused(copy, "curated", "tokens.bin")  # by the digest of the ends
    grown(path)
    refused(copy, "curated", r"tokens\.bin: the tokens of document \S+ \(\w+\) are not its text's; delete .*tokens")


def test_a_text_that_changes_is_found(copy: Workspace) -> None:
    document = drawn_document(copy, "curated")
    rewrite_text(copy.corpus("original"), document, "another text")
    refused(copy, "curated", r"0000\d\.parquet: the text of document \S+ \(\w+\) is not the one that was read")


def test_text_that_is_not_what_the_noise_makes_is_found_though_its_tokens_are_its_own(copy: Workspace) -> None:
    document = drawn_document(copy, "typed")
    folder = next(copy.corpus("original").parent.glob("characters_*"))
    pool = View.of(copy).open(RewrittenTokens, folder.name)
    original = View.of(copy).open(Documents, folder.name).text_of(document)
    encoder = load_tokenizer(copy.tokenizer() / "tokenizer.json")
    swapped = next(
        original[:at] + letter + original[at + 1 :]
        for at in range(len(original))
        for letter in "xqz"
        if len(encoder.encode(original[:at] + letter + original[at + 1 :]).ids) == pool.lengths[document] - 1
    )
    rewrite_text(folder, document, swapped)
    tokens = np.fromfile(pool.folder / "tokens.bin", "<u2")
    tokens[pool.offsets[document] + 1 : pool.offsets[document + 1]] = encoder.encode(swapped).ids
    tokens.tofile(pool.folder / "tokens.bin")
    grown(pool.folder / "tokens.bin")
    refused(copy, "typed", r"0000\d\.parquet: document \S+ \(\w+\) is not what characters makes of its text")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("parts", "data", 0, 3), 7),
        (("unique_tokens", 1), 7),
        (("digests", 0), "0" * 64),
        (("members",), "0" * 64),
        (("noise", 0, "measured"), 0.5),
        (("source_shares",), {}),
        (("spec", "dose"), 0.3),
        (("inputs", "tokens"), "f" * 64),
    ],
)
def test_a_manifest_that_states_anything_else_is_refused_by_its_field(
    planned: Workspace, place: tuple[str | int, ...], value: object
) -> None:
    path = manifest_of(planned, "noise")
    before = path.read_bytes()
    stated = json.loads(before)
    inner = stated
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_text(json.dumps(stated))
    try:
        refused(planned, "noise", rf"manifest\.json: `{place[0]}.* by the documents; .*`dq ablate` writes it anew")
    finally:
        path.write_bytes(before)


def test_a_held_out_document_that_is_let_in_is_found(copy: Workspace) -> None:
    """The marks and the fates agree on a lie: the document itself is too near to what is held out."""
    path = copy.heldout() / "withheld.parquet"
    marks = pl.read_parquet(path)
    marks.with_columns(pl.lit(False).alias("held_out"), pl.lit(False).alias("excluded")).write_parquet(path)
    grown(path)
    grown(copy.fates() / "00000.parquet")
    refused(copy, "curated", "says of other documents than .* that they are withheld")  # the marks alone
    for file in copy.fates().glob("0*.parquet"):
        fate = pl.read_parquet(file)["fate"]
        told = ["kept" if one in ("held_out", "excluded") else one for one in fate]
        pl.DataFrame({"fate": pl.Series(told, dtype=fate.dtype)}).write_parquet(file)
    universe = open_universe(copy)
    runs = plan_grid(CONFIG, copy, universe)
    write_manifests(copy.study(CONFIG.name, CONFIG.budget_tokens) / "variants", universe, runs)
    refused(copy, "raw", r"document \S+ \(\w+\) is near to the held-out document .*(jaccard_5gram|containment_13gram)")
