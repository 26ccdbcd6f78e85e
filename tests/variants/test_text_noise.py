"""Noise in text: exact to a place of each text, nested, the same whatever the batch, and a pool of its own."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.errors import ConfigError
from dq.jobs import run_job
from dq.stages.base import View
from dq.stages.read import Documents
from dq.stages.tokens import TokenPool
from dq.store import Workspace
from dq.text import Cleaner
from dq.variants import (
    Boilerplate,
    Characters,
    Curated,
    NearDuplicates,
    Repeated,
    StreamConfig,
    TokenNoise,
    Variant,
    Words,
    open_universe,
    rewrite_texts,
    variant_inputs,
)
from tests.jobs.workspaces import small_job

FEW = settings(max_examples=25, deadline=None)
TEXTS = st.lists(st.text(st.characters(max_codepoint=0x3FFFF, exclude_categories=["Cs"]), max_size=60), max_size=8)
KINDS: list[Any] = [
    *(partial(Characters, form=form) for form in ("keyboard", "ocr", "case", "diacritics")),
    Words,
    Boilerplate,
]


def rewritten(cleaner: Cleaner, texts: list[str]) -> list[str]:
    found: list[str] = cleaner.clean(texts).texts.to_pylist()
    return found


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(TEXTS, st.floats(0, 1))
def test_a_text_is_rewritten_alike_whatever_the_batch_and_not_at_all_by_a_dose_of_nothing(
    kind: Any, texts: list[str], dose: float
) -> None:
    cleaner = kind(dose=dose).cleaner
    assert rewritten(kind(dose=0.0).cleaner, texts) == texts
    done = rewritten(cleaner, texts)
    assert done == [rewritten(cleaner, [text])[0] for text in texts]
    assert cleaner.clean(texts).changed == sum(one != other for one, other in zip(done, texts, strict=True))


@pytest.mark.parametrize("form", ["keyboard", "case", "diacritics"])
@FEW
@given(st.text("abcdefghijklmnopqrstuvwxyzABCXYZ .,\né", max_size=200), st.floats(0, 1), st.floats(0, 1))
def test_letters_are_other_letters_exact_to_one_and_nested(form: Any, text: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    cleaned = [Characters(dose=dose, form=form).cleaner.clean([text]) for dose in (small, large)]
    few, many = (
        {at for at, (a, b) in enumerate(zip(text, done.texts[0].as_py(), strict=True)) if a != b} for done in cleaned
    )
    n = cleaned[0].counts["of"]
    assert len(few) == cleaned[0].counts["changed"] == np.rint(small * n) and few <= many
    assert len(many) == np.rint(large * n)


def test_letters_become_what_their_form_says() -> None:
    def all_of(form: Any, text: str) -> str:
        return rewritten(Characters(dose=1.0, form=form).cleaner, [text])[0]

    assert all_of("case", "aB é 1") == "Ab É 1"
    assert all_of("diacritics", "éà 日") == "ea 日"
    assert all_of("ocr", "mw") == "rnvv"
    assert set(all_of("keyboard", "a" * 50)) == set("qwsz") and all_of("keyboard", "Q")[0] in "WA"


@FEW
@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=2, max_size=60), st.floats(0, 1))
def test_words_are_replaced_by_words_of_the_same_text_between_the_same_blanks(words: list[str], dose: float) -> None:
    blanks = [" ", "\n", "  "]
    text = "".join(word + blanks[at % 3] for at, word in enumerate(words))
    done = Words(dose=dose).cleaner.clean([text])
    new = done.texts[0].as_py()
    assert len(new.split()) == len(words) and set(new.split()) <= set(words)
    assert "".join(new[at] for at in range(len(new)) if new[at].isspace()) == "".join(
        blanks[at % 3] for at in range(len(words))
    )
    assert done.counts == {"changed": np.rint(dose * len(words)), "of": len(words)}


@FEW
@given(st.lists(st.text("ab c", max_size=40), min_size=1, max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_boilerplate_stands_between_lines_that_stay_and_is_nested(lines: list[str], one: float, other: float) -> None:
    text, mine = "\n".join(lines), ("##", "#########", "#" * 30)
    taken = []
    for dose in sorted((one, other)):
        done = Boilerplate(dose=dose, lines=mine).cleaner.clean([text])
        new = done.texts[0].as_py().split("\n")
        assert [line for line in new if line not in mine] == lines
        inserted = sum(len(line) + 1 for line in new if line in mine)
        assert done.counts == {"changed": inserted, "of": len(text)}
        assert abs(inserted - dose * len(text)) <= 16.5
        taken.append(sorted(line for line in new if line in mine))
    assert all(taken[0].count(line) <= taken[1].count(line) for line in mine)


def test_text_is_rewritten_before_tokens() -> None:
    with pytest.raises(ConfigError, match="make characters the base of token_noise"):
        Characters(dose=0.1, base=TokenNoise(dose=0.1))
    TokenNoise(dose=0.1, base=Characters(dose=0.1, base=Repeated(epochs=2)))


# --- in a workspace -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("noise")
    return run_job(small_job(folder), Workspace(folder / "workspace")).workspace


def test_rewritten_text_is_a_version_with_a_pool_that_streams_read(workspace: Workspace) -> None:
    typos = Characters(dose=0.2, base=Boilerplate(dose=0.1, base=Curated()))
    near = NearDuplicates(dose=0.4, edited=0.2)
    view = View.of(workspace)
    rewrite_texts(view, [typos, near, TokenNoise(dose=0.5)])
    made = {path.name: path.stat().st_mtime_ns for path in (workspace.root / "tokens").iterdir()}
    assert sorted(name.partition("_")[0] for name in made) == ["characters", "original", "words"]
    rewrite_texts(view, [near, typos])
    assert {path.name: path.stat().st_mtime_ns for path in (workspace.root / "tokens").iterdir()} == made

    universe, pool = open_universe(workspace), view.open(TokenPool)
    shares = universe.raw_shares()
    for spec, doses in (
        (typos, {"characters": 0.2, "boilerplate": 0.1}),
        (near, {"near_duplicates": 0.4, "words": 0.2}),
    ):
        variant = Variant("v", spec, 8192, shares, variant_inputs(workspace, spec, StreamConfig()), 64, StreamConfig())
        manifest = variant.manifest(universe, [0])
        assert {one.kind: one.measured for one in manifest.noise} == pytest.approx(doses, abs=0.02)
        stream = variant.stream(universe, pool, seed=0, vocabulary_size=512)
        assert stream.windows(0, 128).shape == (128, 65) and stream.unique_tokens(8192) == manifest.unique_tokens[0]
        for at, part in itertools.islice(enumerate(stream.order.parts.tolist()), 0, 60):
            layers = variant.parts(universe)[part].texts
            whole = (universe.pool(layers) if layers else pool).tokens(int(stream.order.documents[at]))
            begin, n = int(stream.order.pieces.begins[at]), int(stream.order.pieces.lengths[at])
            start = int(stream.order.starts[at])
            np.testing.assert_array_equal(stream.row.tokens(start, start + n), whole[begin : begin + n])
    version = next(name for name in made if name.startswith("characters"))
    clean, noisy = view.open(Documents, "trained"), view.open(Documents, version)
    assert clean.documents["id"].equals(noisy.documents["id"])
    assert clean.text_of(0) != noisy.text_of(0)
