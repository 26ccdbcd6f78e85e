"""Text versions: what cleaners make, under the same ids, and what is judged, deduplicated and trained on."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pydantic
import pytest

from dq.corpus import ReadConfig
from dq.errors import ConfigError, WorkspaceError
from dq.executors import LocalExecutor
from dq.jobs import JobConfig, run_job
from dq.stages.base import View
from dq.stages.cleaned import CLEANERS, CleanConfig, clean_documents
from dq.stages.encoder import load_tokenizer
from dq.stages.fates import Fates
from dq.stages.heldout import Heldout
from dq.stages.read import Documents, ingest
from dq.stages.signals import Signals
from dq.stages.tokenizer import Tokenizer
from dq.stages.tokens import TokenPool
from dq.store import Workspace
from dq.variants import Raw, StreamConfig, Variant, open_universe
from tests.jobs.texts import prose, vocabulary, write_jsonl
from tests.jobs.workspaces import contents, small_job

FOOTER = "Subscribe to our newsletter and never miss a story again"


def cleaned_job(folder: Path, **texts: str) -> JobConfig:
    """The small job on pages that all end in one footer and an address, and a neutral set without them."""
    rng, words = random.Random(5), vocabulary(5)
    plain = small_job(folder).model_dump(mode="json")
    bodies = [prose(rng, words, 260) for _ in range(60)]
    rows = [
        {"id": f"page-{n:02d}", "source": "web", "text": f"{body}\nwrite to person{n}@site.net\n{FOOTER}"}
        for n, body in enumerate(bodies)
    ]
    plain["input"][0]["path"] = str(write_jsonl(folder / "pages.jsonl", rows))
    plain["clean"] = [
        {"version": "tidy", "cleaner": "repeated_units", "options": {"max_documents": 20}},
        {"version": "masked", "of": "tidy", "cleaner": "mask_pii"},
    ]
    plain["texts"] = texts
    plain["dedup"]["max_removed_fraction"] = 1
    return JobConfig.model_validate_json(json.dumps(plain))


def texts_of(view: View, version: str) -> list[str]:
    corpus = view.open(Documents, version)
    return corpus.texts_of(range(len(corpus.documents)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> View:
    folder = tmp_path_factory.mktemp("cleaned")
    return View.of(run_job(cleaned_job(folder, trained="masked"), Workspace(folder / "workspace")).workspace)


def test_every_version_has_the_same_documents_and_the_texts_that_its_cleaner_makes(trained: View) -> None:
    original, tidy, masked = (texts_of(trained, name) for name in ("original", "tidy", "masked"))
    assert all(text.endswith(FOOTER) for text in original)
    assert [text.removesuffix(FOOTER) for text in original] == tidy
    assert all("@site.net" in text and "@example." not in text for text in tidy)
    assert all("@site.net" not in text and "@example." in text for text in masked)
    columns = ["id", "source", "content_key", "occurrence", "shard"]
    frames = [trained.open(Documents, name).documents for name in ("original", "tidy", "masked")]
    assert frames[0][columns].equals(frames[1][columns]) and frames[0][columns].equals(frames[2][columns])
    for frame, texts in zip(frames, (original, tidy, masked), strict=True):
        assert frame["n_bytes"].to_list() == [len(text.encode()) for text in texts]


def test_what_is_trained_on_is_the_version_of_that_name_and_rules_judge_the_text_as_read(trained: View) -> None:
    tokenizer, pool = load_tokenizer(trained.open(Tokenizer).file), trained.open(TokenPool)
    decoded = [tokenizer.decode(pool.tokens(n)[1:].tolist()) for n in range(len(pool.lengths))]
    assert decoded == texts_of(trained, "masked")
    assert pool.folder.name == "masked" and trained.open(Signals).folder.name == "original"
    universe = open_universe(trained.workspace)
    assert len(universe.lengths) == 60
    variant = Variant("raw", Raw(), 4096, universe.raw_shares(), {}, 64, StreamConfig())
    manifest = variant.manifest(universe, [0])
    assert manifest.texts == {"judged": "original", "deduplicated": "original", "trained": "masked"}
    assert manifest.made_identical == 0


def test_the_record_counts_what_was_rewritten(trained: View) -> None:
    tidy, masked = trained.record(Documents, "tidy").summary, trained.record(Documents, "masked").summary
    assert tidy["counts"]["changed_documents"] == tidy["counts"]["removed_units"] == 60
    assert masked["counts"]["changed_documents"] == 60
    assert tidy["made_identical"] == masked["made_identical"] == 0


def test_texts_that_a_cleaner_makes_equal_are_counted(tmp_path: Path) -> None:
    config = cleaned_job(tmp_path, trained="masked")
    path = Path(str(config.input[0].path))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows += [{"id": f"twin-{n}", "source": "web", "text": f"the very same text but for a{n}@b.org"} for n in range(4)]
    write_jsonl(path, rows)
    view = View.of(run_job(config, Workspace(tmp_path / "w")).workspace)
    assert view.record(Documents, "masked").summary["made_identical"] == 3


def test_exclusion_looks_at_the_text_as_read_and_as_trained_on(tmp_path: Path) -> None:
    """A page that is near to a held-out text only once its footers are gone, and one that is near only before."""
    rng, words = random.Random(8), vocabulary(8)
    essay, footers = prose(rng, words, 40), [prose(rng, words, 90).replace("\n", " ") for _ in range(3)]
    config = cleaned_job(tmp_path, trained="tidy")
    path = Path(str(config.input[0].path))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows[:40]:
        row["text"] += "\n" + "\n".join(footers)
    rows.append({"id": "padded", "source": "web", "text": essay.replace("\n", " ") + "\n" + "\n".join(footers)})
    write_jsonl(path, rows)
    plain = config.model_dump(mode="json")
    neutral = write_jsonl(tmp_path / "essay.jsonl", [{"id": "essay", "text": essay.replace("\n", " ")}])
    plain["heldout"]["neutral"][0]["input"][0]["path"] = str(neutral)
    plain["heldout"]["min_containment"] = 1.0
    plain["heldout"]["fraction"] = 0.0

    def excluded(texts: dict[str, str], folder: str) -> set[str]:
        given = JobConfig.model_validate_json(json.dumps({**plain, "texts": texts}))
        view = View.of(run_job(given, Workspace(tmp_path / folder)).workspace)
        documents = view.open(Documents).documents
        return set(documents["id"].filter(pl.Series(view.open(Heldout).excluded)))

    plain["heldout"]["min_jaccard"] = 0.9
    assert excluded({"trained": "tidy"}, "tidy") == {"padded"}


def test_versions_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    run_job(cleaned_job(tmp_path, trained="tidy"), Workspace(folder))
    view = View.of(Workspace(folder))
    assert view.texts.trained == "tidy" and view.open(Fates).folder.name == "fates"
    record = view.workspace.corpus("tidy") / "stage.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "fingerprint": "0" * 64}))
    with pytest.raises(WorkspaceError, match=r"run the job again \(stage `(heldout|tokens|tokenizer)`\)"):
        open_universe(Workspace(folder))


def test_workers_and_restarts_change_no_byte(tmp_path: Path) -> None:
    config = cleaned_job(tmp_path, trained="masked", judged="tidy", deduplicated="tidy")
    one = run_job(config, Workspace(tmp_path / "one")).workspace
    two = run_job(config, Workspace(tmp_path / "two"), executor=LocalExecutor(2)).workspace
    assert contents(one) == contents(two)
    record = two.corpus("tidy") / "stage.json"
    started = {"fingerprint": json.loads(record.read_text())["fingerprint"]}
    record.unlink()
    (two.corpus("tidy") / "00000.json").unlink()
    (two.corpus("tidy") / "started.json").write_text(json.dumps(started))
    run_job(config, two)
    assert contents(one) == contents(two)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clean": [{"version": "trained", "cleaner": "mask_pii"}]}, "`trained` has a meaning of its own"),
        ({"clean": [{"version": "a", "cleaner": "mask_pi"}]}, "unknown cleaner `mask_pi`; did you mean `mask_pii`"),
        ({"clean": [{"version": "a", "cleaner": "mask_pii", "options": {"x": 1}}]}, "an option of mask_pii"),
        ({"clean": [{"version": "a", "cleaner": "repeated_units", "options": {"unit": "word"}}]}, "'line' or"),
        ({"clean": [{"version": "a", "of": "b", "cleaner": "mask_pii"}]}, "unknown text version `b`"),
        ({"clean": [{"version": "a", "cleaner": "mask_pii"}] * 2}, "two cleaners make the version `a`"),
        ({"texts": {"trained": "masked"}}, "unknown text version `masked`"),
    ],
)
def test_wrong_versions_are_refused_with_what_there_is(change: dict[str, Any], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        JobConfig.model_validate({"input": [{"path": "x"}], **change}, strict=False)


def test_every_cleaner_has_a_configuration_that_names_it() -> None:
    for name in CLEANERS:
        made = CleanConfig(version="v", cleaner=name).make()
        assert made.name == name and made.version >= 1 and json.dumps(made.config())


def test_a_version_without_repeated_passages_leaves_each_in_one_document(tmp_path: Path) -> None:
    rng, words = random.Random(6), vocabulary(6)
    notice = prose(rng, words, 60)
    rows = [{"id": f"p{n}", "text": f"{prose(rng, words, 60)} {notice} {prose(rng, words, 30)}"} for n in range(9)]
    view = View(Workspace(tmp_path / "ws").create("run"))
    ingest(Documents.place(view, ""), [str(write_jsonl(tmp_path / "in.jsonl", rows))], ReadConfig(shard_rows=4))
    options = {"min_bytes": 150, "boundaries": "words"}
    config = CleanConfig.model_validate_json(
        json.dumps({"version": "once", "cleaner": "repeated_passages", "options": options})
    )
    made = clean_documents(view, config, executor=LocalExecutor(2))
    assert len(made.shards) == 3 and sum(notice in text for text in texts_of(view, "once")) == 1
    ledger = pl.read_parquet(made.folder / "passages.parquet")
    assert set(ledger["kept_document"]) | set(ledger["document"]) == set(range(9))
    assert made.record.summary["counts"]["removed_passages"] == (ledger["cut_begin"] < ledger["cut_end"]).sum()
    assert made.record.summary["counts"]["changed_documents"] == 8
    before, after = (view.open(Documents, name).documents for name in ("original", "once"))
    cut = ledger.group_by("document").agg((pl.col("cut_end") - pl.col("cut_begin")).sum().alias("cut")).sort("document")
    lost = (before["n_bytes"] - after["n_bytes"]).gather(cut["document"])
    assert lost.to_list() == cut["cut"].to_list()


def test_which_copy_keeps_a_passage_cannot_rest_on_signals_of_the_text_that_is_made() -> None:
    with pytest.raises(ConfigError, match="needs signals"):
        CleanConfig(version="once", cleaner="repeated_passages", options={"keep": "best:word_count"})
