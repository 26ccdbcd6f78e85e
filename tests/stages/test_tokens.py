"""The tokenizer and the token pool, on small corpora read from real files."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.corpus import Corpus, InputSpec, ReadConfig
from dq.errors import InputError
from dq.executors import LocalExecutor
from dq.stages.base import View
from dq.stages.encoder import load_tokenizer
from dq.stages.heldout import HeldoutConfig, NeutralSet, hold_out
from dq.stages.read import Documents, ingest
from dq.stages.tokenizer import BOS_ID, Tokenizer, TokenizerConfig, make_tokenizer
from dq.stages.tokens import TokenPool, tokenize_documents
from dq.store import Workspace
from tests.processes import finish, python, until

WORDS = ["the", "river", "over", "under", "market", "signal", "quiet", "garden", "seven", "window", "paper", "stone"]
CONFIG = TokenizerConfig(vocab_size=350)


def prose(seed: int, words: int) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(words))


def view_of(folder: Path, rows: list[dict[str, Any]], *, shard_rows: int = 20, held_out: Sequence[str] = ()) -> View:
    """A workspace with a corpus, and a neutral set that its copies are kept away from."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "neutral.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in held_out or ["none"]))
    view, read = View(Workspace(folder)), ReadConfig(shard_rows=shard_rows)
    ingest(view.workspace.corpus("original"), [InputSpec(path=str(folder / "in.jsonl"))], read)
    neutral = NeutralSet(name="neutral", input=(InputSpec(path=str(folder / "neutral.jsonl")),))
    hold_out(view, HeldoutConfig(fraction=0, neutral=(neutral,)), read, executor=LocalExecutor())
    return view


def rows_of(sources: dict[str, int], *, words: int = 60) -> list[dict[str, Any]]:
    return [
        {"id": f"{source}-{n}", "source": source, "text": f"{source} {n} {prose(n, words)}"}
        for source, count in sources.items()
        for n in range(count)
    ]


def tokenized(view: View, *, workers: int = 1) -> TokenPool:
    return tokenize_documents(view, executor=LocalExecutor(workers))


def copy_of(view: View, folder: Path) -> View:
    """The same workspace in another folder, without the pool."""
    shutil.copytree(view.workspace.root, folder, ignore=shutil.ignore_patterns("tokens"))
    return View(Workspace(folder))


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> View:
    odd = ["", "<|bos|>", "a <|bos|> b <|bos|>", "nul \x00 é 😀 \u2028", "  spaces \n\n\t lines \r\n", "\ufffd"]
    rows = rows_of({"a": 50, "b": 30}) + [{"id": f"odd-{n}", "source": "a", "text": t} for n, t in enumerate(odd)]
    view = view_of(tmp_path_factory.mktemp("tokens"), rows)
    make_tokenizer(view, CONFIG)
    return view


@pytest.fixture(scope="module")
def corpus(view: View) -> Documents:
    return view.open(Documents)


@pytest.fixture(scope="module")
def tokenizer(view: View) -> Path:
    return view.open(Tokenizer).file


@pytest.fixture(scope="module")
def pool(view: View) -> TokenPool:
    return tokenized(view)


def merges(path: Path) -> list[str]:
    return ["".join(pair) for pair in json.loads(path.read_text())["model"]["merges"]]


def test_training_is_deterministic_and_blind_to_order_and_shards(tmp_path: Path) -> None:
    rows = rows_of({"a": 40, "b": 25})
    config = TokenizerConfig(vocab_size=400, bytes_per_source=10_000)  # a draw of about half of each source
    forth = make_tokenizer(view_of(tmp_path / "1", rows), config)
    back = make_tokenizer(view_of(tmp_path / "2", rows[::-1], shard_rows=7), config)
    assert forth.file.read_bytes() == back.file.read_bytes()
    assert forth.record.summary["bytes"]["a"] < 12_000


TRAIN = """
import sys
from dq.stages.base import View
from dq.stages.tokenizer import TokenizerConfig, make_tokenizer
from dq.store import Workspace
make_tokenizer(View(Workspace(sys.argv[1])), TokenizerConfig(vocab_size=350))
"""


def test_training_is_the_same_in_another_process_with_threads(tmp_path: Path, view: View, tokenizer: Path) -> None:
    other = copy_of(view, tmp_path / "other")
    shutil.rmtree(other.workspace.tokenizer())
    done = finish(TRAIN, other.workspace.root, PYTHONHASHSEED="3", TOKENIZERS_PARALLELISM="true")
    assert done.returncode == 0, done.stderr
    assert other.open(Tokenizer).file.read_bytes() == tokenizer.read_bytes()


def test_a_finished_tokenizer_is_not_trained_again_and_a_changed_size_is(tmp_path: Path, view: View) -> None:
    other = copy_of(view, tmp_path / "other")
    before = other.open(Tokenizer).file.stat().st_mtime_ns
    assert make_tokenizer(other, CONFIG).file.stat().st_mtime_ns == before
    assert make_tokenizer(other, TokenizerConfig(vocab_size=300)).vocabulary_size == 300


def test_the_vocabulary_has_bos_all_bytes_and_the_size_asked_for(tokenizer: Path) -> None:
    loaded = load_tokenizer(tokenizer)
    assert loaded.get_vocab_size() == 350
    assert loaded.token_to_id("<|bos|>") == BOS_ID
    assert len(set(loaded.encode("".join(map(chr, range(256)))).ids)) >= 190


def test_bos_written_in_a_document_is_text(tokenizer: Path, corpus: Corpus, pool: TokenPool) -> None:
    loaded = load_tokenizer(tokenizer)
    ids = loaded.encode("a <|bos|> b").ids
    assert BOS_ID not in ids
    assert loaded.decode(ids) == "a <|bos|> b"
    for document in range(len(corpus.documents)):
        tokens = pool.tokens(document)
        assert tokens[0] == BOS_ID
        assert BOS_ID not in tokens[1:]


def test_bos_in_every_training_document_makes_no_second_bos(tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": "<|bos|> <|bos|><|bos|> hello"} for n in range(300)]
    loaded = load_tokenizer(make_tokenizer(view_of(tmp_path, rows), CONFIG).file)
    for text in ("<|bos|>", "<|bos|><|bos|>", " <|bos|>"):
        ids = loaded.encode(text).ids
        assert BOS_ID not in ids
        assert loaded.decode(ids) == text


def test_every_document_comes_back_from_its_tokens(tokenizer: Path, corpus: Corpus, pool: TokenPool) -> None:
    loaded = load_tokenizer(tokenizer)
    for document in range(len(corpus.documents)):
        assert loaded.decode(pool.tokens(document)[1:].tolist(), skip_special_tokens=False) == corpus.text_of(document)


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_comes_back_from_its_tokens(text: str, tokenizer: Path) -> None:
    loaded = load_tokenizer(tokenizer)
    ids = loaded.encode(text).ids
    assert loaded.decode(ids, skip_special_tokens=False) == text
    assert BOS_ID not in ids


def test_held_out_text_never_shapes_the_tokenizer(tmp_path: Path) -> None:
    secret = "zyxqjwvk"
    rows = rows_of({"a": 40, "b": 40})
    for n in range(0, 80, 4):
        rows[n]["text"] = f"{secret} " * 200
    without = make_tokenizer(view_of(tmp_path / "without", rows, held_out=[f"{secret} " * 200]), CONFIG)
    with_it = make_tokenizer(view_of(tmp_path / "with", rows), CONFIG)
    pieces = {secret[i : i + 3] for i in range(len(secret) - 2)}
    assert any(piece in merge for merge in merges(with_it.file) for piece in pieces)
    assert not any(piece in merge for merge in merges(without.file) for piece in pieces)
    trained_on = sum(len(row["text"]) for n, row in enumerate(rows) if n % 4)
    assert sum(without.record.summary["bytes"].values()) <= trained_on


def test_every_source_gives_equal_bytes_to_one_document(tmp_path: Path) -> None:
    rows = rows_of({"large": 400, "middle": 60, "small": 20})
    view = view_of(tmp_path, rows)
    longest = int(view.open(Documents).documents["n_bytes"].max())  # type: ignore[arg-type]
    given = make_tokenizer(view, CONFIG).record.summary["bytes"]
    small = sum(len(row["text"].encode()) for row in rows if row["source"] == "small")
    assert given.keys() == {"large", "middle", "small"}
    assert given["small"] == small
    assert all(small <= n_bytes < small + longest for n_bytes in given.values())
    config = TokenizerConfig(vocab_size=400, bytes_per_source=10_000)
    limited = make_tokenizer(view, config).record.summary["bytes"]
    assert all(min(small, 10_000) <= n_bytes < 10_000 + longest for n_bytes in limited.values())


@pytest.mark.parametrize("left", ["nothing", "empty documents"])
def test_a_source_without_training_text_is_left_out_by_name_and_nothing_at_all_stops(tmp_path: Path, left: str) -> None:
    rows = rows_of({"a": 5, "b": 5})
    for n, row in enumerate(rows[5:]):
        row["text"] = "" if left == "empty documents" else prose(100 + n, 60)
    held_out = [row["text"] for row in rows[5:]] if left == "nothing" else []
    view = view_of(tmp_path, rows, held_out=held_out)
    assert make_tokenizer(view, CONFIG).left_out == ("b",)
    everything = view_of(tmp_path / "all", rows, held_out=[row["text"] for row in rows if row["text"]])
    with pytest.raises(InputError, match=r"^no training text is left of any source"):
        make_tokenizer(everything, CONFIG)


def test_lengths_and_offsets_say_where_every_document_lies(corpus: Corpus, tokenizer: Path, pool: TokenPool) -> None:
    loaded = load_tokenizer(tokenizer)
    expected = [[BOS_ID, *loaded.encode(corpus.text_of(n)).ids] for n in range(len(corpus.documents))]
    assert pool.lengths.dtype == pool.offsets.dtype == np.int64
    assert pool.lengths.tolist() == [len(ids) for ids in expected]
    assert pool.offsets.tolist() == [0, *np.cumsum(pool.lengths).tolist()]
    assert [pool.tokens(n).tolist() for n in range(len(expected))] == expected
    assert pool.tokens(0).dtype == np.uint16
    assert (pool.folder / "tokens.bin").stat().st_size == 2 * pool.offsets[-1]
    assert pool.record.summary == {"documents": len(expected), "tokens": sum(map(len, expected)), "dtype": "<u2"}
    assert sorted(path.name for path in pool.folder.iterdir()) == ["lengths.parquet", "stage.json", "tokens.bin"]


def test_a_vocabulary_of_all_65536_ids_fits_the_pool() -> None:
    assert TokenizerConfig(vocab_size=65_536).vocab_size - 1 == np.iinfo(np.uint16).max


def test_one_and_two_workers_write_the_same_bytes(tmp_path: Path, view: View, pool: TokenPool) -> None:
    assert len(view.open(Documents).shards) > 2
    other = tokenized(copy_of(view, tmp_path / "other"), workers=2)
    for path in pool.folder.iterdir():
        assert (other.folder / path.name).read_bytes() == path.read_bytes()


def test_a_shard_cut_into_parts_has_the_same_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of(tmp_path / "whole", rows_of({"a": 40}, words=50), shard_rows=30)
    make_tokenizer(view, CONFIG)
    other, whole = copy_of(view, tmp_path / "parts"), tokenized(view)
    monkeypatch.setattr("dq.stages.tokens.PART_BYTES", int(view.open(Documents).documents["n_bytes"].sum()) // 10)
    parts = tokenized(other, workers=2)
    assert (parts.folder / "tokens.bin").read_bytes() == (whole.folder / "tokens.bin").read_bytes()
    assert parts.lengths.tolist() == whole.lengths.tolist()


TOKENIZE = """
import sys
from dq.executors import LocalExecutor
from dq.stages.base import View
from dq.stages.tokens import tokenize_documents
from dq.store import Workspace
if __name__ == "__main__":
    tokenize_documents(View(Workspace(sys.argv[1])), executor=LocalExecutor())
"""

KILL_AT_REMOVAL = """
import os, signal, sys
left = 2
def die_at_the_last(event, arguments):
    global left
    if event == "os.remove" and str(arguments[0]).endswith((".part", ".lengths")):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die_at_the_last)
"""


def test_a_pool_killed_while_its_parts_are_cleared_is_completed(tmp_path: Path, view: View, pool: TokenPool) -> None:
    other = copy_of(view, tmp_path / "other")
    with python(KILL_AT_REMOVAL + TOKENIZE, other.workspace.root) as process:
        assert process.wait(60) == -signal.SIGKILL
    assert (other.workspace.tokens("original") / "tokens.bin").exists()
    again = tokenized(other)
    for path in pool.folder.iterdir():
        assert (again.folder / path.name).read_bytes() == path.read_bytes()


def test_a_pool_killed_between_shards_keeps_the_finished_ones(tmp_path: Path) -> None:
    view = view_of(tmp_path / "killed", rows_of({"a": 200}, words=300), shard_rows=5)
    make_tokenizer(view, CONFIG)
    other, folder = copy_of(view, tmp_path / "whole"), view.workspace.tokens("original")
    with python(TOKENIZE, view.workspace.root) as process:
        until((folder / "00001.lengths").exists)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert (folder / "00000.part").exists()
    assert not (folder / "stage.json").exists()
    resumed, whole = tokenized(view), tokenized(other)
    for path in whole.folder.iterdir():
        assert (resumed.folder / path.name).read_bytes() == path.read_bytes()


def test_a_run_of_letters_without_an_end_is_trained_on_and_encoded_in_linear_time(tmp_path: Path) -> None:
    view = view_of(tmp_path, [{"id": "run", "text": prose(1, 400) + " " + "y" * 500_000}])
    tokenizer = load_tokenizer(make_tokenizer(view, CONFIG).file)
    seconds = []
    for size in (50_000, 400_000):
        start = time.process_time()
        assert tokenizer.decode(tokenizer.encode("z" * size).ids) == "z" * size
        seconds.append(time.process_time() - start)
    assert seconds[1] < 24 * seconds[0] + 0.5  # eight times the text; quadratic work would take 64 times


def test_ordinary_text_is_cut_as_byte_level_alone_cuts_it(tmp_path: Path) -> None:
    view = view_of(tmp_path, [{"id": "a", "text": prose(2, 400)}])
    ours = load_tokenizer(make_tokenizer(view, CONFIG).file).pre_tokenizer
    whole = pytest.importorskip("tokenizers").pre_tokenizers.ByteLevel(add_prefix_space=False)
    text = "Ordinary words, here's 12 of them.\n\n\tAnd  then — more 漢字! " + "=" * 400 + " " + "long" * 120
    assert ours.pre_tokenize_str(text) == whole.pre_tokenize_str(text)
    assert len(ours.pre_tokenize_str("y" * 1_001)) == 3


def test_texts_with_long_runs_are_trained_on_as_the_rule_of_the_file_cuts_them(tmp_path: Path) -> None:
    runs = ["ab" * 800, "1" * 1300, " \t" * 400, "é" * 499, "=-" * 250, "don't " + "x" * 501 + "'s y"]
    rows = [{"text": f"{prose(n, 30)} {run}{prose(n, 5)}\n{run} {run}"} for n, run in enumerate(runs)]
    made = make_tokenizer(view_of(tmp_path, rows), TokenizerConfig(vocab_size=330))
    library = load_tokenizer(made.file)
    content = library.to_str()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<|bos|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    library.train_from_iterator([row["text"] for row in rows], trainer)
    assert library.to_str() == content
