"""Kinds x worlds: every kind of variant goes through every property, a new one too, without a line here."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import re
import shutil
import subprocess
import sys
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import dq
from dq.errors import BudgetError
from dq.variants import KINDS, Curated, Kind, Noisy, Part, Raw, Repeated, Universe, Variant, VariantSpec
from dq.variants import describe_kinds as described
from dq.variants.ingredient import ROUNDING_TOKENS
from dq.variants.kind import Composed
from dq.variants.noise.base import Noise, TextRewriting, TokenRewriting
from dq.variants.noise.copies import Copies
from dq.variants.parts import shares_of
from tests.variants.worlds import (
    CONTEXT,
    VOCABULARY,
    all_tokens,
    most_tokens,
    order_of,
    permuted,
    pool,
    simplest,
    specs_of,
    stream_of,
    universe,
    variant,
)

UNITS = ("piece", "document")
FEW = settings(max_examples=12, deadline=None)
ABSTRACT = {Composed, Noise, TokenRewriting, TextRewriting, Copies}
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model_fields["kind"].default)
noise_kinds = pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS if issubclass(kind, TokenRewriting)],
    ids=lambda kind: kind.model_fields["kind"].default,
)


@dataclass(frozen=True)
class Case:
    """A kind with some settings in some world, at a budget that fits."""

    world: Universe
    spec: Kind
    budget: int
    seed: int
    unit: str = "piece"

    @property
    def shares(self) -> dict[str, float]:
        return self.world.raw_shares()

    def at(self, budget: int) -> Variant:
        return variant(self.spec, budget, self.shares, unit=self.unit)

    @property
    def made(self) -> Variant:
        return self.at(self.budget)

    @property
    def once_tokens(self) -> int:
        """Before this position nothing comes a second time."""
        return int(self.budget / max(one.epochs_at(self.budget) for one in self.spec.composition()))


def a_case(data: st.DataObject, kind: type[Kind], documents: int = 80) -> Case:
    seed = data.draw(st.integers(0, 10_000))
    world, spec = universe(seed, documents), data.draw(specs_of(kind))
    most = most_tokens(world, spec, world.raw_shares())
    assume(most > 0)
    budget, unit = max(1, int(data.draw(st.floats(0.05, 1)) * min(most, 20_000))), data.draw(st.sampled_from(UNITS))
    return Case(world, spec, budget, seed, unit)


def longest_in(case: Case, part: Part) -> int:
    """The longest that is drawn of a part: a document, or a piece."""
    longest = int(part.lengths[part.documents].max())
    return longest if case.unit == "document" else min(CONTEXT, longest)


def longest_of(case: Case) -> int:
    """One document or piece of each part, the longest of it."""
    return sum(longest_in(case, part) for part in case.made.parts(case.world))


# --- found ----------------------------------------------------------------------------------------------------------


def subclasses(of: Any) -> set[type[Kind]]:
    return {one for child in of.__subclasses__() for one in (child, *subclasses(child))}


def test_every_class_in_the_folders_is_a_kind_but_the_base_of_noise() -> None:
    defined = {one for one in subclasses(Kind) if one.__module__.startswith("dq.")}
    assert defined == {*KINDS, *ABSTRACT}
    assert {one.__module__.split(".")[2] for one in KINDS} == {"kinds", "noise"}


def test_a_kind_that_does_not_say_what_it_is_made_of_cannot_be_made() -> None:
    class Half(Kind):
        kind: Literal["half"] = "half"

    with pytest.raises(TypeError, match=r"abstract class Half .*composition"):
        Half()  # type: ignore[abstract]
    with pytest.raises(TypeError, match=r"abstract class Half .*composition"):
        pydantic.TypeAdapter(Half).validate_python({"kind": "half"})


def test_one_file_with_one_class_is_all_that_a_new_kind_takes(tmp_path: Path) -> None:
    shutil.copytree(Path(dq.__file__).parent, tmp_path / "dq", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "dq/variants/kinds/newest.py").write_text(
        '"""New."""\n'
        "from typing import Literal, final\n"
        "from dq.variants.kind import Ingredient, Kind\n"
        "@final\n"
        "class Newest(Kind):\n"
        '    """What the rules drop."""\n'
        '    kind: Literal["newest"] = "newest"\n'
        "    def composition(self) -> tuple[Ingredient, ...]:\n"
        '        return (Ingredient("dropped"),)\n'
    )
    (tmp_path / "study.yaml").write_text(
        "budget_tokens: 300_000\nmargin_bits_per_byte: 0.02\nvariants:\n  raw: {kind: raw}\n  new: {kind: newest}\n"
    )
    program = (
        "import dq.variants; from dq.config import load_yaml; from dq.study import StudyConfig\n"
        "new = load_yaml('study.yaml', StudyConfig).variants['new']\n"
        "print(new.composition()[0].of, *new.needs, *(one.meaning for one in dq.variants.describe_kinds()), sep='|')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.stdout.startswith("dropped|tokens|heldout|verdicts|selection|"), done.stderr
    assert "|What the rules drop.|" in done.stdout


@every_kind
def test_a_kind_is_final_and_called_what_it_says(kind: type[Kind]) -> None:
    field = kind.model_fields["kind"]
    assert (field.default,) == typing.get_args(field.annotation)
    assert getattr(kind, "__final__", False)
    found: Any = pydantic.TypeAdapter(VariantSpec).validate_python(simplest(kind).model_dump())
    assert found == simplest(kind) and type(found) is kind


@every_kind
def test_a_kind_is_described_with_its_settings_in_a_line(kind: type[Kind]) -> None:
    one = next(one for one in described() if one.kind == kind.model_fields["kind"].default)
    assert {"kind", *one.fields} == set(kind.model_fields) >= set(simplest(kind).model_dump())
    assert one.meaning.endswith(".") and len(one.meaning) <= 100 and "\n" not in one.meaning
    assert kind.__doc__ not in {Kind.__doc__, *(one.__doc__ for one in ABSTRACT)}


def test_no_kind_gives_the_stream_of_another(tmp_path: Path) -> None:
    world = universe(1)
    shares, tokens = world.raw_shares(), pool(tmp_path, world)
    budget = min(most_tokens(world, simplest(kind), shares) for kind in KINDS)
    streams = {kind: all_tokens(stream_of(world, tokens, variant(simplest(kind), budget, shares))) for kind in KINDS}
    for one, other in itertools.combinations(KINDS, 2):
        assert (streams[one] != streams[other]).any(), f"{one.__name__} is {other.__name__}"


GOLDEN: list[tuple[Kind, str]] = [
    (Raw(), "29f2d3630118ca691df8b3b286c864ad721d8c6d8832afcf50a78b00ad231c07"),
    (Raw(when_short="repeat"), "e5a221393d05ff049a0b42420562060d9235c69110975ea4bf3c42a67296d412"),
    (Curated(), "abad614665a829e399bbba529d163cd032667f06f9c486343a0c214752d0db52"),
    (Repeated(epochs=3), "474b77bfbf29142e89cf1538709e6527fe10808c2732f7a52710d67f155edbe1"),
    (Noisy(dose=0.25), "2d2561278042110b504cbbeae69bfbc28f7976ed21d7751aa179844fddc47359"),
]


@pytest.mark.parametrize(("spec", "fingerprint"), GOLDEN, ids=str)
def test_finished_runs_of_whole_documents_keep_their_fingerprints(spec: Kind, fingerprint: str) -> None:
    whole, cut = (variant(spec, 20_480, {"a": 0.25, "b": 0.75}, unit=unit) for unit in ("document", "piece"))
    assert whole.stream_fingerprint(1) == fingerprint != cut.stream_fingerprint(1)


# --- exact ----------------------------------------------------------------------------------------------------------


@every_kind
@FEW
@given(data=st.data())
def test_budget_shares_and_epochs_are_exact_to_one_document_a_part(kind: type[Kind], data: st.DataObject) -> None:
    case = a_case(data, kind)
    parts, measured = case.made.parts(case.world), case.made.manifest(case.world, [case.seed]).parts
    slack = longest_of(case)
    assert sum(one.tokens for one in measured) == case.budget
    for part, one in zip(parts, measured, strict=True):
        assert part.name == one.part and one.target_tokens == pytest.approx(case.budget * part.share)
        assert abs(one.tokens - part.tokens) <= slack
        assert abs(one.unique_tokens - part.quota) <= slack
        assert one.unique_tokens - part.quota < longest_in(case, part)
        assert one.epochs == (one.tokens / one.unique_tokens if one.unique_tokens else 0)
    for source in case.shares:
        share = sum(part.share for part in parts if part.source == source)
        mine = sum(one.tokens for one in measured if one.part.startswith(f"{source}/"))
        assert abs(mine - case.budget * share) <= slack


@every_kind
@FEW
@given(data=st.data())
def test_only_documents_of_the_composition_are_in_the_stream(kind: type[Kind], data: st.DataObject) -> None:
    case = a_case(data, kind)
    order, parts = order_of(case.world, case.made, seed=case.seed)
    for number, part in enumerate(parts):
        mine = order.documents[order.parts == number]
        members: Any = re.split("[+#]", part.name.partition("/")[2])[0]
        assert case.world.members(members)[mine].all() and (case.world.sources[mine] == part.source).all()
        _, times = np.unique(mine * 10_000 + order.pieces.begins[order.parts == number], return_counts=True)
        assert max(times, default=0) <= math.ceil(part.epochs - 1e-9)
    assert case.world.available[order.documents].all()


@every_kind
@FEW
@given(data=st.data())
def test_the_largest_budget_that_an_error_names_fits_and_a_larger_one_does_not(
    kind: type[Kind], data: st.DataObject
) -> None:
    case = a_case(data, kind)
    assume(all(one.pool_tokens is None for one in case.spec.composition()))  # whose budget does not matter
    with pytest.raises(BudgetError) as caught:
        case.at(10_000_000).parts(case.world)
    found = re.fullmatch(
        r"variant v: (news|web)/(all|kept|dropped)\S* holds ([\d,]+) tokens and ([\d,]+) are needed; "
        r"lower `budget_tokens` to at most ([\d,]+)(, or .+)?",
        str(caught.value),
    )
    assert found, caught.value
    available, needed, largest = (int(found[n].replace(",", "")) for n in (3, 4, 5))
    of: Any = found[2]
    lengths = case.world.lengths_after(case.spec.composition()[0].layers)
    assert int(lengths[case.world.members(of) & (case.world.sources == found[1])].sum()) == available < needed
    assert abs(largest - most_tokens(case.world, case.spec, case.shares)) <= 1
    case.at(largest).parts(case.world)
    # One token of the budget is a fraction of one of the pool, of which a thousandth passes for rounding.
    shares = [
        share * one.fraction / one.epochs
        for one in case.spec.composition()
        for share in shares_of(one, case.world, case.shares).values()
    ]
    with pytest.raises(BudgetError, match=f"to at most {largest:,}"):
        case.at(largest + 1 + math.ceil(ROUNDING_TOKENS / min(one for one in shares if one > 0))).parts(case.world)


# --- one stream -----------------------------------------------------------------------------------------------------


@every_kind
@FEW
@given(data=st.data())
def test_a_smaller_budget_is_a_prefix_and_its_pools_come_first_in_larger_ones(
    kind: type[Kind], data: st.DataObject
) -> None:
    large = a_case(data, kind)
    small = dataclasses.replace(large, budget=max(1, int(large.budget * data.draw(st.floats(0.01, 1)))))
    (one, parts), (other, _) = (order_of(case.world, case.made, seed=case.seed) for case in (small, large))
    through = int(np.searchsorted(one.starts[:-1], small.once_tokens, side="left"))
    assert one.documents[:through].tolist() == other.documents[:through].tolist()
    assert (one.copies[:through] == 0).all()
    for number in range(len(parts)):
        few, many = (order.documents[(order.parts == number) & (order.copies == 0)].tolist() for order in (one, other))
        assert few == many[: len(few)]


@every_kind
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_the_same_seed_is_the_same_stream_whatever_the_order_of_documents_and_shares(
    kind: type[Kind], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    case = a_case(data, kind, documents=60)
    shuffled = permuted(case.world, np.random.default_rng(case.seed).permutation(60))
    turned = variant(case.spec, case.budget, dict(reversed(case.shares.items())), unit=case.unit)
    tokens, others = (pool(tmp_path_factory.mktemp("pool"), world) for world in (case.world, shuffled))
    one = all_tokens(stream_of(case.world, tokens, case.made, seed=case.seed))
    np.testing.assert_array_equal(one, all_tokens(stream_of(shuffled, others, turned, seed=case.seed)))
    assert turned.stream_fingerprint(0) == case.made.stream_fingerprint(0) != case.made.stream_fingerprint(1)


@every_kind
def test_another_seed_is_another_stream(kind: type[Kind], tmp_path: Path) -> None:
    world = universe(1)
    shares, tokens = world.raw_shares(), pool(tmp_path, world)
    made = variant(simplest(kind), most_tokens(world, simplest(kind), shares) // 2, shares)
    streams = [all_tokens(stream_of(world, tokens, made, seed=seed)).tolist() for seed in range(3)]
    assert streams[0] != streams[1] != streams[2] != streams[0]


# --- measured -------------------------------------------------------------------------------------------------------


@every_kind
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_the_manifest_holds_what_the_stream_holds(
    kind: type[Kind], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    case = a_case(data, kind, documents=60)
    world, tokens = case.world, pool(tmp_path_factory.mktemp("pool"), case.world)
    seeds = (case.seed, case.seed + 1)
    manifest = case.made.manifest(world, seeds)
    parts = case.made.parts(world)
    names = [part.name for part in parts]
    assert [(one.seed, one.part) for one in manifest.parts] == [(seed, name) for seed in seeds for name in names]

    rewritten, whole = 0.0, 0
    for seed in seeds:
        stream = stream_of(world, tokens, case.made, seed=seed)
        counted = np.zeros((len(names), 3), int)
        drawn: list[set[int]] = [set() for _ in names]
        seen: list[dict[tuple[int, int], list[int]]] = [{} for _ in names]
        sights: set[tuple[tuple[str, ...], int, int]] = set()
        unique = 0
        for at, (document, part) in enumerate(zip(stream.order.documents.tolist(), stream.order.parts, strict=True)):
            begin, end = stream.order.starts[at : at + 2].tolist()
            first, n_tokens, of_text = int(stream.order.pieces.begins[at]), end - begin, parts[part].texts
            whole_text = (world.pool(of_text) if of_text else tokens).tokens(document)
            here, clean = stream.row.tokens(begin, end), whole_text[first : first + n_tokens]
            length, new = min(case.budget, end) - begin, (document, first) not in seen[part]
            layers = parts[part].layers
            text = (tuple(layer.label for layer in layers), document, first)
            unique, sights = unique + length * (text not in sights), sights | {text}
            counted[part] += length, length * new, new
            drawn[part].add(document)
            assert (here[0] == 0) == (first == 0) and min(here[1:], default=1) > 0 and max(here) < VOCABULARY
            assert seen[part].setdefault((document, first), here.tolist()) == here.tolist(), "the same in every epoch"
            total = parts[part].lengths[document]
            rewrites = sum(int(layer.rewritten_tokens(np.array(total - 1))) for layer in layers)
            assert (here != clean).sum() <= rewrites
            rewritten, whole = rewritten + rewrites * n_tokens / total, whole + n_tokens
        assert [[one.tokens, one.unique_tokens, one.pieces] for one in manifest.parts if one.seed == seed] == (
            counted.tolist()
        )
        assert manifest.unique_tokens[seeds.index(seed)] == unique
        assert [one.documents for one in manifest.parts if one.seed == seed] == [len(one) for one in drawn]
    assert manifest.noise_fraction == pytest.approx(rewritten / whole, abs=1e-12)


# --- noise ----------------------------------------------------------------------------------------------------------


@noise_kinds
@FEW
@given(st.integers(0, 300), st.floats(0.01, 1), st.integers(0, 39))
def test_noise_stays_within_its_dose_and_leaves_what_it_is_given_alone(
    kind: Any, n_tokens: int, dose: float, document: int
) -> None:
    # All tokens differ, and none is of the vocabulary.
    tokens = np.arange(VOCABULARY, VOCABULARY + n_tokens).astype(np.int32)
    noise = kind(dose=dose).rewriter(universe(2, 40), vocabulary_size=VOCABULARY, seed=3)
    noisy = noise(document, tokens)
    assert tokens.tolist() == list(range(VOCABULARY, VOCABULARY + n_tokens))
    assert noisy.shape == tokens.shape and noisy.dtype == np.int32
    assert (noisy != tokens).sum() <= kind(dose=dose).rewritten_tokens(np.array(n_tokens))


@noise_kinds
@pytest.mark.parametrize("dose", [0.1, 0.5, 1.0])
def test_noise_rewrites_nearly_all_that_its_dose_allows(kind: Any, dose: float) -> None:
    tokens = np.arange(1, VOCABULARY).astype(np.int32)
    noise = kind(dose=dose).rewriter(universe(2, 40), vocabulary_size=VOCABULARY, seed=3)
    assert (noise(5, tokens) != tokens).sum() == pytest.approx(dose * len(tokens), rel=0.1)
