"""A job end to end: what it makes, what it repeats, what a change rebuilds."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pydantic
import pytest

from dq.cards import read_card_config
from dq.corpus import Corpus, InputSpec, ReadConfig
from dq.dedup import find_duplicates
from dq.errors import DqError, WorkspaceError
from dq.executors import LocalExecutor, Timed
from dq.jobs import JobConfig, run_job
from dq.jobs.plan import plan_job
from dq.quality import NgramModel, NgramOptions, train_ngram
from dq.stages.base import View
from dq.stages.encoder import load_tokenizer
from dq.stages.heldout import Heldout
from dq.stages.planted import edit_words
from dq.stages.signals import Signals
from dq.stages.tokens import TokenPool
from dq.store import Workspace
from dq.variants import open_universe
from tests.jobs.conftest import Finished
from tests.jobs.texts import prose, vocabulary, write_jsonl
from tests.jobs.workspaces import changed, contents, rebuilt, touched


@pytest.fixture
def workspace(finished: Finished, tmp_path: Path) -> Workspace:
    """A copy to change, with the times of its files."""
    shutil.copytree(finished.workspace.root, tmp_path / "copy")
    return Workspace(tmp_path / "copy")


def kept_ids(workspace: Workspace) -> set[str]:
    documents = Corpus(workspace.corpus("original")).documents
    return set(documents["id"].filter(pl.read_parquet(workspace.selection("original") / "*.parquet")["kept"]))


# --- what it makes --------------------------------------------------------------------------------------------------


def test_every_document_has_one_fate_and_nothing_is_lost(finished: Finished) -> None:
    fates, documents = finished.result.fates, Corpus(finished.workspace.corpus("original")).documents
    assert finished.result.quarantined == 1
    assert finished.result.near == "similarity of 0.8 or more by 5-grams of words, normalization meaning"
    assert fates["documents"].sum() == len(documents) == 161
    assert fates["n_bytes"].sum() == documents["n_bytes"].sum()
    pool = TokenPool(finished.workspace.tokens("original"))
    assert fates["tokens"].sum() == pool.lengths.sum()
    assert set(fates["fate"]) == {"held_out", "excluded", "dropped", "removed", "kept"}
    assert fates.select("source", "fate").is_unique().all()

    world = open_universe(finished.workspace)
    for fate, members in (("kept", world.kept), ("dropped", world.dropped)):
        assert fates.filter(fate=fate)["documents"].sum() == members.sum()
        assert fates.filter(fate=fate)["tokens"].sum() == world.lengths[members].sum()
    assert not (world.kept & world.dropped).any() and not ((world.kept | world.dropped) & ~world.available).any()


def test_every_removed_document_names_a_kept_one_at_or_above_the_threshold(finished: Finished) -> None:
    table = pl.read_parquet(finished.workspace.selection("original") / "*.parquet")
    removed = table.filter(~pl.col("kept") & pl.col("kept_document").is_not_null())
    assert len(removed) == finished.result.fates.filter(fate="removed")["documents"].sum() > 3
    assert table["kept"].gather(removed["kept_document"]).all()
    assert (removed["similarity"] >= 0.8).all()
    assert table.filter("kept")["cluster_size"].sum() == table["kept"].sum() + len(removed)


def test_a_quotation_of_a_neutral_set_is_excluded(finished: Finished) -> None:
    heldout = View.of(finished.workspace).open(Heldout)
    documents = Corpus(finished.workspace.corpus("original")).documents
    leak = documents["id"].to_list().index("leak")
    assert heldout.excluded[leak] and not heldout.held_out[leak]
    assert heldout.exclusions.filter(document=leak)["heldout_id"].item() == "essay-3"
    assert heldout.sets == ["news", "web", "essays"] and heldout.neutral == ["essays"]


def test_the_tokenizer_reads_text_that_it_can_write_again(finished: Finished) -> None:
    tokenizer = load_tokenizer(finished.workspace.tokenizer() / "tokenizer.json")
    pool, corpus = TokenPool(finished.workspace.tokens("original")), Corpus(finished.workspace.corpus("original"))
    for document in (0, 77, 160):
        tokens = pool.tokens(document)
        assert tokens[0] == 0 and (tokens[1:] != 0).all()
        assert tokenizer.decode(tokens[1:].tolist()) == corpus.text_of(document)


def test_every_planted_copy_is_found(finished: Finished) -> None:
    planted = json.loads((finished.workspace.planted() / "planted.json").read_text())["controls"]
    assert [one["kind"] for one in planted] == [
        "planted near-duplicates",
        "planted held-out copies, verbatim",
        "planted held-out copies, 4.0% of words replaced",
        "planted held-out copies, inside a longer document",
    ]
    for one in planted:
        assert one["found"] == one["planted"] >= 40


@pytest.mark.parametrize(
    "dedup", [{"threshold": 0.95}, {"threshold": 1.0}, {"unit": "characters", "ngram": 10}, {"ngram": 13}]
)
def test_planted_copies_fit_other_settings(dedup: dict[str, Any], finished: Finished, workspace: Workspace) -> None:
    run_job(changed(finished.config, dedup=dedup, heldout={"min_jaccard": 0.9}), workspace)
    for one in json.loads((workspace.planted() / "planted.json").read_text())["controls"]:
        assert one["found"] == one["planted"] >= 40


def test_planted_edits_are_exact_and_at_hashed_positions() -> None:
    text = " ".join(vocabulary(1)[:300])
    for share, edits in ((0.01, 3), (0.04, 12), (0.0, 0), (0.00333, 0), (0.00334, 1)):
        edited = edit_words(text, share, seed=4).split()
        assert sum(new != old for new, old in zip(edited, text.split(), strict=True)) == edits
    assert edit_words(text, 0.04, seed=4) != edit_words(text, 0.04, seed=5)


def test_small_held_out_sets_and_large_exclusions_are_warnings(finished: Finished, tmp_path: Path) -> None:
    assert [w for w in finished.result.warnings if "essays (25)" in w and "below 100" in w]
    rng, words = random.Random(0), vocabulary(3)
    essays = [prose(rng, words, 100) for _ in range(120)]
    lines = [{"text": text, "source": "copies"} for text in essays[:10]]
    lines += [{"text": prose(rng, words, 100), "source": source} for source in ("copies", "new") for _ in range(150)]
    plain = finished.config.model_dump(mode="json")
    plain["heldout"]["neutral"][0]["input"][0]["path"] = str(
        write_jsonl(tmp_path / "e.jsonl", [{"text": text} for text in essays])
    )
    plain["heldout"].update(fraction=0, max_documents=100)
    plain["input"][0]["path"] = str(write_jsonl(tmp_path / "d.jsonl", lines))
    config = JobConfig.model_validate_json(json.dumps(plain))
    warnings = run_job(config, Workspace(tmp_path / "w")).warnings
    assert len(warnings) == 1
    assert warnings[0].startswith("tokens excluded as near to held-out documents: source copies (6.")
    assert "a study about deduplication should use neutral sets only" in warnings[0]


# --- what decides the bytes -----------------------------------------------------------------------------------------


def test_a_second_run_writes_nothing(finished: Finished, workspace: Workspace) -> None:
    before = {path: path.stat().st_mtime_ns for path in workspace.root.rglob("*") if path.name != ".lock"}
    timed = Timed()
    run_job(finished.config, workspace, progress=timed)
    assert {path: path.stat().st_mtime_ns for path in workspace.root.rglob("*") if path.name != ".lock"} == before
    assert [row.name for row in timed.times] == [
        "read", "find duplicates", "hold out", "score", "judge", "tokenise", "select", "check planted copies",
        "settle fates",
    ]  # fmt: skip


@pytest.mark.parametrize("stage", ["duplicates/original", "heldout", "signals/original", "tokens/original"])
def test_a_stage_that_lost_its_record_is_completed_to_the_same_bytes(
    stage: str, finished: Finished, workspace: Workspace
) -> None:
    record = workspace.root / stage / "stage.json"
    started = {"fingerprint": json.loads(record.read_text())["fingerprint"]}
    record.unlink()
    (record.parent / "started.json").write_text(json.dumps(started))
    (record.parent / ".00001.parquet.77.partial").write_bytes(b"half a file")
    run_job(finished.config, workspace)
    assert contents(workspace) == contents(finished.workspace)


def test_the_order_of_rows_and_the_size_of_shards_change_nothing(finished: Finished, tmp_path: Path) -> None:
    lines = (finished.folder / "documents.jsonl").read_text().splitlines()
    random.Random(3).shuffle(lines)
    (tmp_path / "documents.jsonl").write_text("\n".join(lines))
    plain = finished.config.model_dump(mode="json")
    plain["input"][0]["path"] = str(tmp_path / "documents.jsonl")
    plain["read"]["shard_rows"] = 7
    other = Workspace(tmp_path / "w")
    result = run_job(JobConfig.model_validate_json(json.dumps(plain)), other)
    assert kept_ids(other) == kept_ids(finished.workspace)
    assert result.fates.equals(finished.result.fates)
    tokenizers = [(w.tokenizer() / "tokenizer.json").read_bytes() for w in (other, finished.workspace)]
    assert tokenizers[0] == tokenizers[1]


# --- what a change rebuilds -----------------------------------------------------------------------------------------


def test_another_preset_rebuilds_its_signals_verdicts_and_selection_alone(
    finished: Finished, workspace: Workspace
) -> None:
    before = touched(workspace)
    run_job(changed(finished.config, quality={"preset": "gopher_quality"}), workspace)
    assert rebuilt(before, touched(workspace)) == {
        "signals/original",
        "verdicts/original",
        "selection/original",
        "fates",
    }
    assert kept_ids(workspace) != kept_ids(finished.workspace)
    run_job(finished.config, workspace)
    assert contents(workspace) == contents(finished.workspace)


def test_another_bound_of_a_rule_rebuilds_verdicts_and_selection_alone(
    finished: Finished, workspace: Workspace
) -> None:
    bounds = [{"signal": "word_count", "minimum": minimum, "reason": "short"} for minimum in (60, 120)]
    run_job(changed(finished.config, quality={"rules": bounds[:1]}), workspace)
    before, kept_before = touched(workspace), kept_ids(workspace)
    run_job(changed(finished.config, quality={"rules": bounds[1:]}), workspace)
    assert rebuilt(before, touched(workspace)) == {"verdicts/original", "selection/original", "fates"}
    assert kept_ids(workspace) < kept_before


def test_another_threshold_rebuilds_what_depends_on_duplicates_alone(finished: Finished, workspace: Workspace) -> None:
    before = touched(workspace)
    run_job(changed(finished.config, dedup={"threshold": 0.99}), workspace)
    assert rebuilt(before, touched(workspace)) == {"duplicates/original", "selection/original", "planted", "fates"}
    assert kept_ids(workspace) > kept_ids(finished.workspace)


def test_another_policy_rebuilds_the_selection_alone(finished: Finished, workspace: Workspace) -> None:
    before = touched(workspace)
    run_job(changed(finished.config, dedup={"keep": "prefer:web"}), workspace)
    assert rebuilt(before, touched(workspace)) == {"selection/original", "fates"}
    assert len(kept_ids(workspace) ^ kept_ids(finished.workspace)) > 0


def test_a_licence_repeats_no_work_and_one_of_no_source_is_a_warning(finished: Finished, workspace: Workspace) -> None:
    before = touched(workspace)
    licences = {"web": "ODC-By-1.0", "essays": "CC0-1.0", "wbe": "MIT"}
    warned = run_job(changed(finished.config, card={"licences": licences}), workspace).warnings
    assert rebuilt(before, touched(workspace)) == set()
    assert read_card_config(workspace).licences == licences
    assert [one for one in warned if "licences" in one] == [
        "`card.licences` names what is no source of the corpus: wbe"
    ]


def test_another_vocabulary_rebuilds_tokens_and_the_counts_of_fates(finished: Finished, workspace: Workspace) -> None:
    before = touched(workspace)
    run_job(changed(finished.config, tokenizer={"vocab_size": 300}), workspace)
    assert rebuilt(before, touched(workspace)) == {"tokenizer", "tokens/original", "selection/original", "fates"}


def test_another_held_out_fraction_leaves_duplicates_and_verdicts(finished: Finished, workspace: Workspace) -> None:
    before = touched(workspace)
    run_job(changed(finished.config, heldout={"fraction": 0.2}), workspace)
    again = rebuilt(before, touched(workspace))
    assert again == {"heldout", "tokenizer", "tokens/original", "selection/original", "planted", "fates"}


# --- refused --------------------------------------------------------------------------------------------------------


def test_a_locked_workspace_names_the_process_that_holds_it(finished: Finished, workspace: Workspace) -> None:
    before = contents(workspace)
    with workspace.lock(), pytest.raises(WorkspaceError, match=f"in use by process {os.getpid()}; wait"):
        run_job(finished.config, workspace)
    assert contents(workspace) == before
    run_job(finished.config, workspace)


def test_a_folder_of_something_else_is_not_taken(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(WorkspaceError, match="not empty and not a dq workspace"):
        run_job(finished.config, Workspace(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_source_that_is_held_out_whole_leaves_the_study_with_a_warning(finished: Finished, tmp_path: Path) -> None:
    plain = finished.config.model_dump(mode="json")
    essays = Path(plain["heldout"]["neutral"][0]["input"][0]["path"]).read_text().splitlines()
    lines = [json.loads(line) | {"source": "essays-again"} for line in essays]
    lines += [{"text": f"something else {n}", "source": "other"} for n in range(50)]
    plain["input"][0]["path"] = str(write_jsonl(tmp_path / "d.jsonl", lines))
    done = run_job(JobConfig.model_validate_json(json.dumps(plain)), Workspace(tmp_path / "w"))
    assert [one for one in done.warnings if one.startswith("nothing is left of essays-again after holding out")]
    universe = open_universe(done.workspace)
    assert universe.left_out == ("essays-again",)
    assert list(universe.raw_shares()) == ["other"]


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(pydantic.ValidationError, match=r"`gofer`; there are gopher_quality, .*quickstart"):
        JobConfig.model_validate({"input": (InputSpec(sample="web"),), "quality": {"preset": "gofer"}})


def test_deduplication_finds_the_same_pairs_outside_a_job(finished: Finished) -> None:
    corpus = Corpus(finished.workspace.corpus("original"))
    pairs = find_duplicates([corpus.texts(shard) for shard in range(len(corpus.shards))]).pairs
    stored = pl.read_parquet(finished.workspace.duplicates("original") / "pairs.parquet")
    assert pairs.equals(stored) and len(pairs) > 3
    assert np.all(pairs["similarity"].to_numpy() >= 0.8)


def test_a_job_has_an_input_and_reads_with_defaults() -> None:
    with pytest.raises(pydantic.ValidationError, match="input"):
        JobConfig.model_validate({"input": ()})
    assert JobConfig(input=(InputSpec(sample="web"),)).read == ReadConfig()


def test_a_classifier_trained_by_the_job_is_a_signal_for_its_rules(finished: Finished, tmp_path: Path) -> None:
    rng, words = random.Random(3), vocabulary(50)
    wanted = [{"id": f"w{n}", "text": prose(rng, words, 120)} for n in range(120)]
    path = write_jsonl(tmp_path / "wanted.jsonl", wanted)
    rule = {"signal": "like_wanted", "keep_fraction": 0.4, "per": "source", "reason": "unlike_wanted"}
    learned = {"name": "like_wanted", "wanted": [{"path": str(path)}], "options": {"bits": 12}}
    config = changed(finished.config, quality={"rules": [rule], "learned": learned})
    workspace = Workspace(tmp_path / "workspace")
    done = run_job(config, workspace)
    assert done.learned is not None
    assert done.learned.auc_low <= done.learned.auc <= done.learned.auc_high
    verdicts = pl.read_parquet(workspace.verdicts("original") / "*.parquet")
    sources = Corpus(workspace.corpus("original")).documents["source"]
    shares = verdicts.with_columns(sources).group_by("source").agg(pl.col("keep").mean())["keep"]
    assert all(0.4 <= share < 0.5 for share in shares)  # ties and documents without words are kept
    texts = set(pl.concat([pl.read_parquet(shard) for shard in Corpus(workspace.corpus("original")).shards])["text"])
    assert not texts & {row["text"] for row in wanted}
    before = contents(workspace)
    assert run_job(config, workspace, executor=LocalExecutor(2)).learned == done.learned
    assert contents(workspace) == before


def test_models_by_file_are_signals_of_a_job_and_another_file_scores_again(finished: Finished, tmp_path: Path) -> None:
    words, model = tmp_path / "words.txt", tmp_path / "model.safetensors"
    texts = Corpus(finished.workspace.corpus("original")).texts(0).to_pylist()[:50]
    words.write_text(f"{texts[0].split()[0]}\n")
    train_ngram(texts, NgramOptions(order=3)).save(model)
    rules = [
        {"signal": "said", "maximum": 3, "reason": "says_it"},
        {"signal": "bits", "keep_fraction": 0.8, "per": None, "reason": "unlikely"},
    ]
    config = changed(finished.config, quality={"rules": rules, "models": [f"said={words}", f"bits={model}"]})
    workspace = Workspace(tmp_path / "workspace")
    shutil.copytree(finished.workspace.root, workspace.root)
    run_job(config, workspace)
    found = View.of(workspace).open(Signals).table()
    assert found["bits"].is_finite().all() and found["said"].max() > 0  # type: ignore[operator]
    assert found["bits"][0] == pytest.approx(NgramModel.load(model, name="bits").scores(texts[:1])["bits"][0])
    before = touched(workspace)
    run_job(config, workspace)
    assert touched(workspace) == before
    words.write_text("anotherword\n")
    assert not next(one for one in plan_job(config, workspace).stages if one.name == "score").done
    run_job(config, workspace)
    assert View.of(workspace).open(Signals).table()["said"].max() == 0
    model.unlink()
    with pytest.raises(DqError, match=r"model\.safetensors"):
        run_job(config, workspace)
    with pytest.raises(DqError, match=r"model\.safetensors"):
        plan_job(config, workspace)


@pytest.mark.parametrize(
    ("quality", "message"),
    [
        ({"models": ["words=list.txt"]}, r"no rule uses `words`"),
        ({"models": ["word_count=list.txt"]}, "is a signal of dq"),
        ({"models": ["words=list.txt", "words=other.txt"]}, "two models are named `words`"),
        ({"models": ["words"]}, "write NAME=FILE"),
        ({"models": ["language=lid.bin:en"]}, "with no label"),
        ({"rules": [{"signal": "no_such", "minimum": 1, "reason": "r"}]}, "unknown signal `no_such`"),
        ({"learned": {"name": "like_it", "wanted": [{"path": "x"}]}}, "no rule uses `like_it`"),
        (
            {"rules": [{"signal": "word_count", "minimum": n, "reason": "r"} for n in (1, 2)]},
            "reasons must differ",
        ),
        ({"learned": {"name": "word_count", "wanted": [{"path": "x"}]}}, "is a signal of dq"),
        ({"learned": {"name": "source", "wanted": [{"path": "x"}]}}, "is a column of dq's tables"),
        (
            {"rules": [{"signal": "word_count", "keep_fraction": 0.5, "per": "url", "reason": "r"}]},
            "ranked per `source`",
        ),
        (
            {"preset": "gopher_quality", "rules": [{"signal": "word_count", "minimum": 9, "reason": "too_few_words"}]},
            "reasons must differ",
        ),
    ],
)
def test_rules_of_a_job_that_cannot_be_judged_are_refused(quality: dict[str, Any], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        JobConfig.model_validate({"input": [{"path": "x"}], "quality": quality}, strict=False)
