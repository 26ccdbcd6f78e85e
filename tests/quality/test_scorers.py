"""Scorers of any kind are columns beside the signals, for rules and other tools; what they give is checked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import dq
from dq.errors import ConfigError, InputError
from dq.interop.huggingface import Keep, Score
from dq.quality import VERDICT, Rule, RuleSet, Scorer, judge_texts, load_rules, schema, score
from dq.quality.scorers.files import ModelFile, load_models

TEXTS = ["Buy now! Buy!!", "A calm sentence.", "", "zwölf \ud800"]


class Shouting:
    """Somebody's own scorer."""

    names = ("exclamation_mark_fraction", "exclamation_mark_count")

    def scores(self, texts: Iterable[str]) -> dict[str, list[float | None]]:
        counts = [text.count("!") for text in texts]
        shares = [count / len(text) if text else None for count, text in zip(counts, texts, strict=True)]
        return {"exclamation_mark_fraction": shares, "exclamation_mark_count": [float(count) for count in counts]}


CALM = RuleSet(
    name="calm",
    rules=(
        Rule(signal="word_count", minimum=2, reason="too_few_words"),
        Rule(signal="exclamation_mark_fraction", maximum=0.1, reason="too_many_exclamation_marks"),
    ),
)


def test_a_scorer_of_ones_own_gives_columns_beside_the_signals() -> None:
    table = dq.score(TEXTS, ["word_count"], scorers=[Shouting()])
    assert table.schema == {"word_count": pl.Int64, **dict.fromkeys(Shouting.names, pl.Float64)}
    assert table["exclamation_mark_fraction"].to_list() == [3 / 14, 0.0, None, 0.0]
    assert table.schema == schema(["word_count"], scorers=[Shouting()])
    assert dq.score(TEXTS, scorers=[Shouting()]).columns == [*dq.score(TEXTS).columns, *Shouting.names]


def test_signals_may_name_a_scorers_columns_to_order_them() -> None:
    names = ["exclamation_mark_count", "word_count"]
    assert score(TEXTS, names, scorers=[Shouting()]).columns == [*names, "exclamation_mark_fraction"]


def test_rules_judge_a_scorers_columns_in_python_polars_and_datasets(tmp_path: Path) -> None:
    scorers: list[Scorer] = [Shouting()]
    verdicts = judge_texts(TEXTS, CALM, scorers=scorers)
    assert verdicts.columns == [*CALM.signals(), "keep", "reasons", "not_judged", "script"]
    assert verdicts["reasons"].to_list() == [["too_many_exclamation_marks"], [], ["too_few_words"], []]
    frame = pl.DataFrame({"text": TEXTS[:3]})
    lazy = dq.interop.polars.score(frame.lazy(), ["word_count"], scorers=scorers)
    lazy = dq.interop.polars.judge(lazy, CALM, scorers=scorers)
    scores = score(TEXTS[:3], ["word_count"], scorers=scorers)
    expected = frame.hstack(scores).hstack(verdicts[:3].select(*VERDICT))
    assert lazy.collect_schema() == expected.schema
    assert_frame_equal(lazy.collect(), expected)
    assert Keep(CALM, scorers=scorers)({"text": TEXTS}) == [False, True, False, True]
    assert list(Score(["word_count"], scorers=scorers)({"text": TEXTS})) == ["word_count", *Shouting.names]
    rule = f"{{signal: {Shouting.names[0]}, maximum: 0.1, reason: loud}}"
    (tmp_path / "calm.yaml").write_text(f"name: calm\nrules:\n  - {rule}\n")
    assert load_rules(tmp_path / "calm.yaml", models=Shouting.names).signals() == Shouting.names[:1]


def test_rules_without_the_scorer_they_need_say_so() -> None:
    with pytest.raises(ConfigError, match="unknown signal `exclamation_mark_fraction`"):
        judge_texts(TEXTS, CALM)


class Wrong:
    def __init__(self, names: object, values: object = (1.0,)) -> None:
        self.names, self.values = names, values

    def scores(self, texts: pl.Series) -> dict[str, object]:
        return {"x": self.values}


@pytest.mark.parametrize(
    ("scorers", "message"),
    [
        ([Wrong(("word_count",))], "`word_count` is a signal"),
        ([Wrong(("x",)), Wrong(("x",))], "two scorers give `x`"),
        ([Wrong("x")], r"a tuple: \('x',\)"),
        ([Wrong(("x", "y"))], r"Wrong\.scores gave none of `y` for 1 text"),
        ([Wrong(("x",), [1.0, 2.0])], r"Wrong\.scores gave 2 values of `x` for 1 text"),
        ([Wrong(("x",), ["high"])], r"Wrong\.scores gave no numbers in `x`"),
    ],
)
def test_a_scorer_that_does_not_fit_is_named_with_what_is_wrong(scorers: list[Scorer], message: str) -> None:
    with pytest.raises((ConfigError, InputError), match=message):
        score(["a"], ["word_count"], scorers=scorers)


@pytest.mark.parametrize("text", ["x.safetensors", "a b=x.safetensors", "name=", "id=x.safetensors"])
def test_a_models_file_that_cannot_be_named_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        ModelFile.parse(text)
    assert error.value.field == "model"


def test_only_models_that_are_asked_for_are_loaded() -> None:
    assert load_models([ModelFile.parse("like_rivers=absent.safetensors")], ["word_count"]) == []
    with pytest.raises(InputError, match="no such file"):
        load_models([ModelFile.parse("like_rivers=absent.safetensors")], ["like_rivers"])


def test_slow_signals_come_only_when_asked_for() -> None:
    table = score(["ab" * 500, "", "xq"], ["compression_ratio"])
    assert table["compression_ratio"][0] > 20
    assert table["compression_ratio"][1] is None
    assert table["compression_ratio"][2] < 1
    assert "compression_ratio" not in score(["a"]).columns
