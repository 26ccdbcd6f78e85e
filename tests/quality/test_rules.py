"""Rules judge numbers: bounds, nulls, lines, strictness, and the full set of reasons."""

from __future__ import annotations

import polars as pl
import pytest

from dq.errors import ConfigError
from dq.quality import VERDICT, QuantileRule, Rule, RuleSet, all_signals, judge_texts, presets, score


def judge(rule: Rule, **columns: list[float | int | None]) -> list[bool]:
    table = pl.DataFrame({"line_count": [10] * len(next(iter(columns.values()))), **columns})
    return RuleSet(name="test", rules=(rule,)).judge(table)["keep"].to_list()


def test_a_closed_bound_accepts_the_bound_itself() -> None:
    rule = Rule(signal="x", minimum=0.1, maximum=0.3, reason="outside")
    assert judge(rule, x=[0.09, 0.1, 0.3, 0.31]) == [False, True, True, False]


def test_an_open_bound_rejects_the_bound_itself() -> None:
    rule = Rule(signal="x", minimum=0.1, maximum=0.3, open_minimum=True, open_maximum=True, reason="outside")
    assert judge(rule, x=[0.1, 0.11, 0.29, 0.3]) == [False, True, True, False]


def test_a_null_signal_is_not_judged() -> None:
    assert judge(Rule(signal="x", minimum=5, reason="low"), x=[None, 4]) == [True, False]


def test_a_document_of_two_lines_is_not_judged_by_line_rules_unless_strict() -> None:
    rule = Rule(signal="x", maximum=0.5, reason="high", min_lines=3)
    table = pl.DataFrame({"x": [0.9, 0.9], "line_count": [2, 3]})
    rules = RuleSet(name="test", rules=(rule,))
    assert rules.judge(table)["keep"].to_list() == [True, False]
    assert rules.judge(table, strict=True)["keep"].to_list() == [False, False]


def test_every_reason_of_a_document_is_listed_in_rule_order() -> None:
    rules = RuleSet(
        name="test",
        rules=(
            Rule(signal="x", minimum=5, reason="x_low"),
            Rule(signal="y", maximum=1, reason="y_high"),
            Rule(signal="x", maximum=9, reason="x_high"),
        ),
    )
    table = pl.DataFrame({"x": [4, 6, 10], "y": [2, 0, 3]})
    verdict = rules.judge(table)
    assert verdict["reasons"].to_list() == [["x_low", "y_high"], [], ["y_high", "x_high"]]
    assert verdict["keep"].to_list() == [False, True, False]


def test_strict_judges_the_signal_of_the_source() -> None:
    text = " ".join(["The AND Of WITH documents are written here by hand"] * 8)
    verdict = presets.gopher_quality().judge(score([text]))
    strict = judge_texts([text], presets.gopher_quality(), strict=True)
    assert "too_few_stop_words" not in verdict["reasons"][0]
    assert "too_few_stop_words" in strict["reasons"][0]


def test_a_missing_signal_names_itself_and_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"needs the column `word_count`.*dq\.quality\.score"):
        presets.gopher_quality().judge(pl.DataFrame({"x": [1]}))


def test_a_rule_without_bounds_or_accepting_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="neither a minimum nor a maximum"):
        Rule(signal="x", reason="r")
    with pytest.raises(ConfigError, match="accepts nothing"):
        Rule(signal="x", minimum=2, maximum=1, reason="r")


def test_two_rules_may_not_give_the_same_reason() -> None:
    with pytest.raises(ConfigError, match="twice"):
        RuleSet(name="t", rules=(Rule(signal="x", minimum=1, reason="r"), Rule(signal="y", minimum=1, reason="r")))


@pytest.mark.parametrize("name", list(presets.presets()))
def test_every_preset_reads_registered_signals_and_survives_a_round_trip(name: str) -> None:
    rules = presets.preset(name)
    assert set(rules.signals()) <= set(all_signals())
    assert set(rules.signals(strict=True)) <= set(all_signals())
    assert RuleSet.model_validate_json(rules.model_dump_json()) == rules


def test_an_unknown_preset_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="gopher_quality"):
        presets.preset("nope")


def test_empty_input_gives_an_empty_verdict() -> None:
    verdict = presets.fineweb().judge(score([]))
    assert verdict.schema == VERDICT
    assert verdict.height == 0


@pytest.mark.parametrize("groups", [["a", "a", None, None, "", ""], [True, True, False, False, None, None]])
def test_fixed_thresholds_judge_as_the_whole_table_does_whatever_the_groups(groups: list[str | bool | None]) -> None:
    rules = RuleSet(name="half", rules=(QuantileRule(signal="x", reason="lower_half", keep_fraction=0.5),))
    scores = pl.DataFrame({"source": groups, "x": [1.0, 2.0, 3.0, 4.0, 5.0, None]})
    whole = rules.judge(scores)
    assert whole["keep"].to_list()[:2] == [False, True]
    assert rules.fixed(scores).judge(scores).equals(whole)


def test_a_column_without_numbers_is_not_judged() -> None:
    rules = RuleSet(name="mine", rules=(Rule(signal="x", reason="low", minimum=1),))
    with pytest.raises(ConfigError, match="the column `x` holds String"):
        rules.judge(pl.DataFrame({"x": ["1"]}))


def test_a_rule_set_shows_as_a_short_line_and_a_table() -> None:
    rules = presets.fineweb()
    assert repr(rules) == str(rules) == f"RuleSet('fineweb', {len(rules.rules)} rules)"
    frame = rules.to_frame()
    assert frame["reason"].to_list() == [rule.reason for rule in rules.rules]
    assert rules._repr_html_().count("<tr>") == min(len(rules.rules), 30) + 1
    hostile = RuleSet(name="<b>", rules=(Rule(signal="word_count", reason="<script>", minimum=1),))
    assert "<script>" not in hostile._repr_html_() and "<b>&" not in hostile._repr_html_()
