"""How lines end, blanks, characters that show nothing and how accents are written change no signal and no verdict."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.files import filter_files
from dq.quality import LearnedOptions, QualityModel, judge_texts, presets, score

from .fetched import usable_presets
from .test_signals import texts

LINES = (
    "The committee met on Tuesday to discuss the budget, and nobody was surprised.",
    "- first item of the list...",
    "Click here to read our privacy policy and terms of use. [1]",
    "He said: “we cannot go there”! (Or did he?) That is what they have with the people to be of it.",
    "Short line",
    "Déjà vu : les élèves étaient très étonnés — c’était la fête à l’école, où Đặng Thị Phượng et 김하늘 chantaient.",
    "",
    "",
)
VARIANTS: dict[str, Callable[[str], str]] = {
    "windows": lambda text: text.replace("\n", "\r\n"),
    "old mac": lambda text: text.replace("\n", "\r"),
    "next line": lambda text: text.replace("\n", "\x85"),
    "line separator": lambda text: text.replace("\n", "\u2028"),
    "blanks before line ends": lambda text: text.replace("\n", " \t\u00a0 \n"),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "tabs for spaces": lambda text: text.replace(" ", "\t"),
    "a final newline": lambda text: text + "\n",
    "final blanks": lambda text: text + " \r\n\r\n ",
    "soft hyphens": lambda text: text.replace("a", "a\u00ad"),
    "zero-width spaces": lambda text: text.replace(" ", "\u200b "),
    "a byte order mark": lambda text: "\ufeff" + text,
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
}

MODEL = QualityModel(LearnedOptions(bits=8), np.random.default_rng(1).normal(size=256).astype(np.float32), 0.0)


def prose(seed: int) -> str:
    rng = random.Random(seed)
    return "\n".join(rng.choices(LINES, k=rng.randint(1, 40))).strip("\n")


@pytest.mark.parametrize("name", VARIANTS)
def test_signals_and_verdicts_of_every_preset_are_those_of_the_plain_text(name: str) -> None:
    plain = [prose(seed) for seed in range(60)]
    written = [VARIANTS[name](text) for text in plain]
    assert score(written).equals(score(plain))
    assert score(written, ["compression_ratio"]).equals(score(plain, ["compression_ratio"]))
    assert np.array_equal(MODEL.probabilities(written), MODEL.probabilities(plain))
    for preset in usable_presets().values():
        assert judge_texts(written, preset).equals(judge_texts(plain, preset))


@settings(max_examples=60, deadline=None)
@given(texts, st.randoms(use_true_random=False))
def test_line_ends_may_be_mixed_within_a_text(text: str, rng: random.Random) -> None:
    plain = text.replace("\r", " ")
    ends = ("\n", "\r\n", " \n", "\t\r\n", "\u00a0\u2028", "\u2029")
    mixed = "".join(rng.choice(ends) if char == "\n" else char for char in plain)
    assert score([mixed]).equals(score([plain]))


def test_strict_keeps_what_the_source_does() -> None:
    text = "\n\n".join(LINES[:5] * 3)
    windows = VARIANTS["windows"](text)
    found = judge_texts([text, windows], presets.gopher_repetition(), strict=True)
    assert found["duplicate_line_fraction_as_written"][1] > found["duplicate_line_fraction_as_written"][0]


def test_files_with_windows_line_ends_lose_the_same_documents(tmp_path: Path) -> None:
    kept = {}
    for name, end in {"unix": "\n", "windows": "\r\n"}.items():
        pages = [prose(k).replace("\n", end) for k in range(40)]
        table = pl.DataFrame({"id": [str(k) for k in range(40)], "text": pages})
        table.write_parquet(tmp_path / f"{name}.parquet")
        filter_files([str(tmp_path / f"{name}.parquet")], presets.fineweb_quality(), kept=tmp_path / name)
        kept[name] = pl.read_parquet(tmp_path / name / "*.parquet")["id"].to_list()
    assert kept["windows"] == kept["unix"]
    assert 0 < len(kept["unix"]) < 40
