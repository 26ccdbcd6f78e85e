"""Files deduplicated by meaning: vectors of the user's or of a static model, proof, the guard, going on, faults."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import model2vec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tokenizers
from safetensors.numpy import save_file
from scipy.sparse.linalg import svds

from dq.arrays import Array
from dq.corpus import ReadConfig
from dq.dedup import deduplicate_vectors
from dq.dedup.policy import Policy
from dq.errors import ConfigError, InputError, WorkspaceError
from dq.files.semantic import audit_semantic, semdedup_files
from dq.stages.semantic import SemanticConfig
from dq.stages.static_model import StaticModel
from dq.store import Workspace
from tests.command import list_again, run_dq
from tests.jobs.texts import write_jsonl
from tests.jobs.workspaces import contents
from tests.processes import ROOT

COUNT, WIDTH = 120, 12
BY_FIELD = SemanticConfig(
    vectors="embedding", threshold=0.9, keep=Policy.parse("earliest:date"), max_removed_fraction=1
)


def vectors(seed: int = 0) -> Array:
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((COUNT // 3, WIDTH))
    near = centres[generator.integers(0, len(centres), COUNT)] + 0.2 * generator.standard_normal((COUNT, WIDTH))
    return near.astype(np.float32)


def rows(found: Array) -> list[dict[str, Any]]:
    return [
        {
            "id": f"d{number:03d}",
            "source": "news" if number % 2 else "web",
            "text": f"text {number % 100} of these",  # the last twenty repeat the first
            "date": f"{number * 7 % COUNT:04d}",  # each has one of its own
            "embedding": [float(value) for value in one],
        }
        for number, one in enumerate(found)
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "in.jsonl", rows(vectors()))


def removed(out: Path) -> pl.DataFrame:
    return pl.read_parquet(out / "removed.parquet")


def test_every_removed_document_names_the_kept_one_and_their_cosine(file: Path, tmp_path: Path) -> None:
    done = semdedup_files([str(file)], tmp_path / "out", BY_FIELD)
    documents = pl.read_ndjson(file).with_row_index("number")
    table, kept = removed(tmp_path / "out"), pl.read_parquet(tmp_path / "out" / "kept" / "*.parquet")
    wide, at = vectors().astype(np.float64), dict(zip(documents["id"], documents["number"], strict=True))
    for row in table.iter_rows(named=True):
        one, other = wide[at[row["id"]]], wide[at[row["kept_id"]]]
        assert row["cosine"] == pytest.approx(one @ other / np.sqrt((one @ one) * (other @ other)), abs=1e-12)
        assert row["cosine"] >= 0.9 and row["kept_id"] in set(kept["id"])
        assert row["exact"] == (at[row["id"]] % 100 == at[row["kept_id"]] % 100)
    assert set(table["id"]) | set(kept["id"]) == set(documents["id"]) and len(table) + len(kept) == COUNT
    assert kept["cluster_size"].sum() == COUNT
    assert 20 < len(table) == int(done.sources["removed"].sum())
    assert (done.dimensions, done.zero_vectors) == (WIDTH, 0)
    assert done.record()["near_copies"] + done.record()["exact_copies"] == len(table)
    assert json.loads(kept["meta"][0]).keys() == {"date", "embedding"}


def test_it_selects_as_python_does_on_the_array_under_the_same_policy(file: Path, tmp_path: Path) -> None:
    semdedup_files([str(file)], tmp_path / "out", BY_FIELD)
    documents = pl.read_ndjson(file).with_columns(content_key=pl.col("text").hash())
    found = deduplicate_vectors(vectors(), threshold=0.9, order=Policy.parse("earliest:date").ranks(documents))
    gone = found.with_row_index("row").filter(pl.col("kept_index") != pl.col("row"))
    table, ids = removed(tmp_path / "out"), documents["id"]
    assert table["id"].equals(ids.gather(gone["row"])) and table["cosine"].equals(gone["cosine"])
    assert table["kept_id"].to_list() == ids.gather(gone["kept_index"]).to_list()


def test_columns_of_parquet_of_any_kind_give_what_json_gives(file: Path, tmp_path: Path) -> None:
    half = vectors().astype(np.float16)
    write_jsonl(tmp_path / "half.jsonl", rows(half))
    semdedup_files([str(tmp_path / "half.jsonl")], tmp_path / "wanted", BY_FIELD)
    plain = pa.Table.from_pylist([{k: v for k, v in row.items() if k != "embedding"} for row in rows(half)])
    starts = np.arange(COUNT + 1, dtype=np.int32) * WIDTH
    columns = {
        "half": pa.ListArray.from_arrays(starts, pa.array(half.ravel())),
        "fixed": pa.FixedSizeListArray.from_arrays(pa.array(half.astype(np.float32).ravel()), WIDTH),
        "double": pa.LargeListArray.from_arrays(starts.astype(np.int64), pa.array(half.astype(np.float64).ravel())),
    }
    for name, column in columns.items():
        pq.write_table(plain.append_column("embedding", column), tmp_path / f"{name}.parquet")
        semdedup_files([str(tmp_path / f"{name}.parquet")], tmp_path / name, BY_FIELD)
        assert removed(tmp_path / name).equals(removed(tmp_path / "wanted")), name
        made = np.load(tmp_path / name / "vectors" / "original" / "vectors.npy")
        assert np.array_equal(made, half.astype(np.float32))


def test_order_shards_and_threads_change_nothing(file: Path, tmp_path: Path) -> None:
    semdedup_files([str(file)], tmp_path / "one", BY_FIELD)
    mixed = [rows(vectors())[number] for number in np.random.default_rng(1).permutation(COUNT)]
    other = write_jsonl(tmp_path / "other.jsonl", mixed)
    semdedup_files([str(other)], tmp_path / "two", BY_FIELD, read=ReadConfig(shard_rows=11), threads=2)
    assert removed(tmp_path / "one").sort("id").equals(removed(tmp_path / "two").sort("id"))


def test_it_goes_on_where_it_stopped_and_another_threshold_uses_the_vectors(file: Path, tmp_path: Path) -> None:
    semdedup_files([str(file)], tmp_path / "out", BY_FIELD)
    before = contents(Workspace(tmp_path / "out"))
    for part in ("kept", "selection/original"):
        (tmp_path / "out" / part / "stage.json").unlink()  # as if it had been killed before
    semdedup_files([str(file)], tmp_path / "out", BY_FIELD)
    assert contents(Workspace(tmp_path / "out")) == before
    made = (tmp_path / "out" / "vectors" / "original" / "vectors.npy").stat().st_mtime_ns
    other = BY_FIELD.model_copy(update={"threshold": 0.99})
    with pytest.raises(WorkspaceError, match="made of other inputs or settings"):
        semdedup_files([str(file)], tmp_path / "out", other)
    done = semdedup_files([str(file)], tmp_path / "out", other, overwrite=True)
    assert (tmp_path / "out" / "vectors" / "original" / "vectors.npy").stat().st_mtime_ns == made
    assert len(removed(tmp_path / "out")) == int(done.sources["removed"].sum()) < 40


def test_the_guard_stops_it_and_names_the_nearest(file: Path, tmp_path: Path) -> None:
    strict = BY_FIELD.model_copy(update={"max_removed_fraction": 0.1})
    with pytest.raises(InputError, match=r"documents \(\d+%\) would be removed .* for example d\d+ \(similarity 0\.9"):
        semdedup_files([str(file)], tmp_path / "out", strict)
    let = strict.model_copy(update={"allow_removal": ("news", "web")})
    assert semdedup_files([str(file)], tmp_path / "out", let).sources["removed"].sum() > 20


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (..., "field `embedding` is missing; there are: date; name that of the vectors"),
        (None, "field `embedding` is missing"),
        ([1.0] * (WIDTH - 1), f"field `embedding` has 11 numbers, and that of the first document {WIDTH}"),
        ([1.0] * (WIDTH - 1) + [None], "field `embedding` holds null or NaN; leave the row out"),
        (["1.0"] * WIDTH, "field `embedding` holds what is no number"),
        ([[1.0]] * WIDTH, "field `embedding` holds what is no number"),
        ([1e300] * WIDTH, "field `embedding` has a number too large for float32"),
        ("1, 2, 3", "field `embedding` is no list of 1 to 16,384 numbers"),
        ([], "field `embedding` is no list of 1 to 16,384 numbers"),
    ],
)
def test_a_wrong_vector_is_one_line_that_names_the_row(
    value: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rows(vectors())[:5]
    del made[3]["id"]
    if value is ...:
        del made[3]["embedding"]
    else:
        made[3]["embedding"] = value
    write_jsonl(tmp_path / "in.jsonl", made)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        semdedup_files(["in.jsonl"], tmp_path / "out", BY_FIELD)
    assert str(error.value).startswith("document in.jsonl:4 of source news: ") and error.value.field == "vectors"


def test_documents_without_a_direction_stay_and_are_counted(tmp_path: Path) -> None:
    made = rows(vectors())[:6]
    for row in made[:2]:
        row["embedding"] = [0] * WIDTH
    done = semdedup_files([str(write_jsonl(tmp_path / "in.jsonl", made))], tmp_path / "out", BY_FIELD)
    assert done.zero_vectors == 2 and any("2 documents have a vector of zeros" in one for one in done.warnings)
    assert not {"d000", "d001"} & set(removed(tmp_path / "out")["id"])


def test_the_audit_takes_all_again_and_sees_what_was_altered(file: Path, tmp_path: Path) -> None:
    semdedup_files([str(file)], tmp_path / "out", BY_FIELD)
    audit = audit_semantic(Workspace(tmp_path / "out"))
    assert (
        audit.removals_checked == len(removed(tmp_path / "out"))
        and audit.kept_checked == COUNT - audit.removals_checked
    )
    assert not audit.unproven.height and not audit.missed.height
    folder = tmp_path / "out" / "selection" / "original"
    table = pl.read_parquet(folder / "00000.parquet")
    row = int(table["kept"].not_().arg_true()[0])
    changes = {
        "unproven": {"similarity": table["similarity"].clone().scatter(row, table["similarity"][row] + 1e-6)},
        "missed": {
            "kept": table["kept"].clone().scatter(row, True),
            "kept_document": table["kept_document"].clone().scatter(row, row),
        },
    }
    for name, columns in changes.items():
        table.with_columns(**columns).write_parquet(folder / "00000.parquet")
        list_again(folder)
        assert getattr(audit_semantic(Workspace(tmp_path / "out")), name).height


# A static model


def train(seed: int = 0, size: int = 500, dimensions: int = 16) -> tuple[Array, tokenizers.Tokenizer]:
    """Vectors of the tokens of the README: singular vectors of which stand beside each other."""
    texts = [(ROOT / "README.md").read_text("utf-8")]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=["[PAD]", "[UNK]"], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    ids = np.concatenate([tokenizer.encode(text, add_special_tokens=False).ids for text in texts])
    beside = np.zeros((tokenizer.get_vocab_size(),) * 2)
    np.add.at(beside, (ids[:-1], ids[1:]), 1.0)
    left, values, _ = svds(np.log1p(beside + beside.T), k=dimensions, random_state=seed)
    return np.ascontiguousarray(left * np.sqrt(values), np.float32), tokenizer


@pytest.fixture(scope="module")
def trained() -> tuple[Array, tokenizers.Tokenizer]:
    return train()


@pytest.fixture(scope="module")
def model(trained: tuple[Array, tokenizers.Tokenizer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    model2vec.StaticModel(*trained).save_pretrained(folder)
    return folder


README = (ROOT / "README.md").read_text("utf-8")[:20_000]
TEXTS = ["", "\n", "Deduplicate files", "漢字 of a corpus", "☃", README, "[UNK] [PAD]x"]


@pytest.mark.parametrize("kind", ["plain", "float16", "mapped", "normalised", "sentence_transformers", "nested"])
def test_vectors_are_those_of_model2vec_whatever_it_has_saved(
    kind: str, trained: tuple[Array, tokenizers.Tokenizer], tmp_path: Path
) -> None:
    table, tokenizer = trained
    generator = np.random.default_rng(0)
    kinds: dict[str, dict[str, Any]] = {
        "float16": {"vectors": table.astype(np.float16)},
        "normalised": {"normalize": True},
        "mapped": {
            "vectors": table[:50],
            "token_mapping": generator.integers(0, 50, len(table)),
            "weights": generator.random(len(table)).astype(np.float32),
        },
    }
    theirs = model2vec.StaticModel(**{"vectors": table, "tokenizer": tokenizer, **kinds.get(kind, {})})
    theirs.save_pretrained(tmp_path)
    if kind in ("sentence_transformers", "nested"):
        place = tmp_path / ("0_StaticEmbedding" if kind == "nested" else "")
        place.mkdir(exist_ok=True)
        save_file({"embedding.weight": table}, tmp_path / "model.safetensors")
        if kind == "nested":
            for name in ("model.safetensors", "tokenizer.json"):
                (tmp_path / name).rename(place / name)
    ours, wanted = StaticModel.read(tmp_path).vectors(TEXTS), theirs.encode(TEXTS, max_length=None)
    lengths = np.linalg.norm(ours, axis=1, keepdims=True)
    ours = np.where(lengths, ours / np.maximum(lengths, 1e-30), 0) if kind == "normalised" else ours
    some = slice(0, -1)  # a token's name written in a text is text to dq
    assert np.allclose(ours[some], wanted[some], rtol=0, atol=2e-3 if kind == "float16" else 2e-5)
    assert np.abs(wanted).max() > 0.1 and not wanted[:2].any()


@pytest.mark.parametrize("kind", ["BPE", "Unigram"])
def test_vectors_are_those_of_model2vec_whatever_the_tokenizer(kind: str, tmp_path: Path) -> None:
    models, trainers = tokenizers.models, tokenizers.trainers
    tokenizer = tokenizers.Tokenizer(models.BPE() if kind == "BPE" else models.Unigram())
    trainer: Any
    if kind == "BPE":  # as GPT-2's, which the faster library encodes
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    else:
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=300, show_progress=False, special_tokens=["<unk>"], unk_token="<unk>"
        )
    tokenizer.train_from_iterator([README], trainer)
    table = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 7)).astype(np.float32)
    theirs = model2vec.StaticModel(table, tokenizer)
    theirs.save_pretrained(tmp_path)
    ours = StaticModel.read(tmp_path)
    assert ours.encoder.is_fast == (kind == "BPE") and (ours.unknown is None) == (kind == "BPE")
    wanted = theirs.encode(TEXTS, max_length=None)
    assert np.allclose(ours.vectors(TEXTS), wanted, rtol=0, atol=2e-5) and np.abs(wanted[-2]).max() > 0.05


def test_all_of_a_text_counts(model: Path) -> None:
    """model2vec takes the first 512 tokens: texts that only begin alike would be copies."""
    beginning = "the documents of a corpus are read and judged by rules " * 60
    texts = [beginning, beginning + "models train on tokens of several seeds " * 600]
    theirs, ours = model2vec.StaticModel.from_pretrained(model).encode(texts), StaticModel.read(model).vectors(texts)
    assert np.array_equal(theirs[0], theirs[1]) and not np.allclose(ours[0], ours[1], atol=1e-2)


def test_texts_of_files_are_compared_by_a_model(model: Path, tmp_path: Path) -> None:
    words = ["The documents of a corpus are judged by rules.", "of rules by the documents judged are. A corpus"]
    others = ["", "  \n", "Tokens of several seeds train models!", "Memory and disk, foretold"]
    path = write_jsonl(
        tmp_path / "in.jsonl", [{"id": str(n), "text": text} for n, text in enumerate([*words, *others])]
    )
    config = SemanticConfig(static_model=str(model), threshold=0.999)
    done = semdedup_files([str(path)], tmp_path / "out", config)
    table = removed(tmp_path / "out")
    assert table["id"].to_list() + table["kept_id"].to_list() in (["0", "1"], ["1", "0"])  # the same words
    assert not table["exact"][0] and table["cosine"][0] > 0.999999
    assert done.zero_vectors == 2


def test_another_model_is_other_settings(model: Path, trained: tuple[Array, Any], tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "in.jsonl", rows(vectors())[:20])
    config = SemanticConfig(static_model=str(model), max_removed_fraction=1)
    semdedup_files([str(path)], tmp_path / "out", config)
    moved = tmp_path / "moved"
    shutil.copytree(model, moved)
    semdedup_files([str(path)], tmp_path / "out", config.model_copy(update={"static_model": str(moved)}))
    model2vec.StaticModel(-trained[0] + 0.1, trained[1]).save_pretrained(moved)
    with pytest.raises(WorkspaceError, match="made of other inputs or settings"):
        semdedup_files([str(path)], tmp_path / "out", config.model_copy(update={"static_model": str(moved)}))


def test_a_folder_that_holds_no_model_is_one_line(model: Path, tmp_path: Path) -> None:
    faults = {
        "nothing": (None, "no folder with model.safetensors and tokenizer.json"),
        "tensors": (b"garbage", "not of a static embedding model"),
        "tokenizer": (b"{}", "not of a static embedding model"),
    }
    for name, (content, message) in faults.items():
        folder = tmp_path / name
        if content is not None:
            shutil.copytree(model, folder)
            (folder / ("model.safetensors" if name == "tensors" else "tokenizer.json")).write_bytes(content)
        with pytest.raises(InputError, match=message) as error:
            StaticModel.read(folder)
        assert "\n" not in str(error.value) and str(folder) in str(error.value)
        assert error.value.field == "static_model"


def test_tensors_that_do_not_fit_the_tokenizer_are_refused(
    model: Path, trained: tuple[Array, Any], tmp_path: Path
) -> None:
    table = trained[0]
    shutil.copytree(model, tmp_path / "model")
    wrong: dict[str, dict[str, Array]] = {
        "too few for its tokens": {"embeddings": table[:-1]},
        "no finite numbers": {"embeddings": np.where(table == table[3, 3], np.nan, table)},
        "no tensor `embeddings`, but other": {"other": table},
        "of shape": {"embeddings": table[0]},
        "too few": {"embeddings": table, "mapping": np.full(len(table), len(table))},
        "vectors of 5 tokens": {"embeddings": table, "weights": np.ones(5, np.float32)},
    }
    for message, tensors in wrong.items():
        save_file(
            {name: np.ascontiguousarray(one) for name, one in tensors.items()}, tmp_path / "model/model.safetensors"
        )
        with pytest.raises(InputError, match=message):
            StaticModel.read(tmp_path / "model")


# From the command line


def test_the_command_says_what_went_and_why(file: Path, tmp_path: Path) -> None:
    arguments = ("semdedup", file, "--vectors", "embedding", "--threshold", "0.9", "--max-removed-fraction", "1")
    done = run_dq(*arguments, "-o", tmp_path / "out")
    assert done.returncode == 0 and "near: cosine of 0.9 or more between their vectors, of 12" in done.stdout
    assert max(map(len, done.stdout.splitlines()[:6])) <= 80
    assert json.loads(run_dq(*arguments, "-o", tmp_path / "out", "--json").stdout)["removed"] == len(
        removed(tmp_path / "out")
    )
    assert "0 unproven" in run_dq("audit", "semdedup", tmp_path / "out").stdout
    pairs = run_dq("inspect", "duplicates", tmp_path / "out", "--limit", "2").stdout
    assert pairs.startswith("cosine 0.9") and "shingles" not in pairs
    gone = removed(tmp_path / "out").row(0, named=True)
    history = run_dq("inspect", "document", tmp_path / "out", gone["id"]).stdout
    assert f"of {gone['kept_id']} (" in history and f"{gone['cosine']:.4f}" in history
    wrong = run_dq("audit", "duplicates", tmp_path / "out")
    assert wrong.returncode == 1 and "`dq audit semdedup`" in wrong.stderr


def test_a_dry_run_writes_nothing_and_foretells(file: Path, tmp_path: Path) -> None:
    done = run_dq("semdedup", file, "--vectors", "embedding", "--dry-run", "--json", cwd=tmp_path)
    forecast = json.loads(done.stdout)
    assert forecast["documents"] == COUNT and 0 < forecast["seconds"] < 60
    assert 4e8 < forecast["memory_bytes"] < 8e8 and [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "give one of --vectors FIELD and --static-model FOLDER"),
        (("--vectors", "embedding", "--static-model", "m"), 2, "give one of"),
        (("--vectors", "embedding", "--threshold", "0"), 1, "--threshold: "),
        (("--vectors", "embedding", "--threshold", "1.01"), 1, "--threshold: "),
        (("--vectors", "none"), 1, "--vectors: document d000 of source web: field `none` is missing"),
        (("--static-model", "none"), 1, "--static-model: none: no folder with"),
    ],
)
def test_wrong_options_are_one_line(
    options: tuple[str, ...], code: int, message: str, file: Path, tmp_path: Path
) -> None:
    done = run_dq("semdedup", file, "-o", tmp_path / "out", *options, cwd=tmp_path)
    assert done.returncode == code and message in done.stderr


def test_vectors_come_from_one_place() -> None:
    with pytest.raises(ConfigError, match="one of `vectors`"):
        SemanticConfig()
    with pytest.raises(ConfigError, match="`config` takes a SemanticConfig"):
        semdedup_files(["x"], Path("y"), None)  # type: ignore[arg-type]
