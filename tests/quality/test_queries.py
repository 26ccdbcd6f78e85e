"""Questions about thresholds: sweeps, attribution, solving, quantiles, YAML."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq.errors import BudgetError, ConfigError
from dq.quality import QuantileRule, Rule, RuleSet, attribution, by_source, judge_texts, load_rules, solve, sweep

TABLE = pl.DataFrame({"x": [1, 2, 3, 4, None], "y": [9, 9, 0, 9, 9], "tokens": [10, 20, 30, 40, 50]})
RULES = RuleSet(
    name="test", rules=(Rule(signal="x", minimum=3, reason="x_low"), Rule(signal="y", minimum=5, reason="y_low"))
)


def test_a_sweep_keeps_less_as_a_minimum_rises() -> None:
    found = sweep(TABLE, RULES, "x_low", values=[1, 2, 4, 5], weight="tokens")
    assert found["kept_documents"].to_list() == [4, 3, 2, 1]
    assert found["kept_weight"].to_list() == [120, 110, 90, 50]
    assert found["kept_fraction"].to_list() == [0.8, 110 / 150, 0.6, 50 / 150]


def test_attribution_counts_alone_first_and_together() -> None:
    table = pl.DataFrame({"x": [1, 1, 9, 9], "y": [0, 9, 0, 9], "tokens": [1, 2, 4, 8]})
    found = attribution(table, RULES, weight="tokens")
    assert found["reason"].to_list() == ["x_low", "y_low", "(any)"]
    assert found["drops"].to_list() == [2, 2, 3]
    assert found["drops_alone"].to_list() == [1, 1, 2]
    assert found["first"].to_list() == [2, 1, 3]
    assert found["drops_tokens"].to_list() == [3, 5, 7]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(1, 9)), min_size=1, max_size=30),
    st.floats(0, 1),
    st.booleans(),
)
def test_solve_keeps_the_target_and_no_stricter_threshold_would(
    rows: list[tuple[int, bool, int]], share: float, is_minimum: bool
) -> None:
    table = pl.DataFrame({"x": [r[0] for r in rows], "y": [9 * r[1] for r in rows], "tokens": [r[2] for r in rows]})
    rule = Rule(signal="x", minimum=5, reason="r") if is_minimum else Rule(signal="x", maximum=5, reason="r")
    rules = RuleSet(name="t", rules=(rule, RULES.rules[1]))
    available = float(table.filter(pl.col("y") >= 5)["tokens"].sum())
    target = share * available
    found = solve(table, rules, "r", target=target, weight="tokens")
    moved = RuleSet(name="t", rules=(found.rule, RULES.rules[1]))
    kept = table.filter(moved.judge(table)["keep"])
    assert kept["tokens"].sum() == found.kept_weight >= target
    assert kept.height == found.kept_documents
    if not kept.height:
        return
    stricter = kept.filter(pl.col("x") != (kept["x"].min() if is_minimum else kept["x"].max()))
    assert stricter.height == 0 or stricter["tokens"].sum() < target


def test_solve_says_when_the_other_rules_keep_too_little() -> None:
    with pytest.raises(BudgetError, match="keep only 120 tokens of 130"):
        solve(TABLE, RULES, "x_low", target=130, weight="tokens")


def test_a_rule_with_two_bounds_or_an_unknown_reason_cannot_be_moved() -> None:
    rules = RuleSet(name="t", rules=(Rule(signal="x", minimum=1, maximum=2, reason="r"),))
    with pytest.raises(ConfigError, match="two bounds"):
        sweep(TABLE, rules, "r", values=[1])
    with pytest.raises(ConfigError, match="its reasons: r"):
        sweep(TABLE, rules, "s", values=[1])


def test_a_quantile_rule_keeps_the_best_share_of_each_source() -> None:
    table = pl.DataFrame({"x": [*range(10), *range(100, 110)], "source": ["a"] * 10 + ["b"] * 10})
    rule = QuantileRule(signal="x", keep_fraction=0.2, reason="not_best")
    keep = RuleSet(name="t", rules=(rule,)).judge(table)["keep"]
    assert table.filter(keep)["x"].to_list() == [8, 9, 108, 109]
    lowest = rule.model_copy(update={"best": "lowest", "per": None})
    keep = RuleSet(name="t", rules=(lowest,)).judge(table)["keep"]
    assert table.filter(keep)["x"].to_list() == [0, 1, 2, 3]


def test_a_verdict_is_summed_up_by_source_and_reason() -> None:
    verdict = RULES.judge(TABLE)
    found = by_source(verdict, pl.Series(["a", "a", "b", "b", "b"]))
    assert found["source"].to_list() == ["a", "b"]
    assert found["kept"].to_list() == [0, 2]
    assert found["reasons"].to_list() == [
        [{"reason": "x_low", "dropped": 2}],
        [{"reason": "y_low", "dropped": 1}],
    ]


def test_rules_are_read_from_yaml_and_faults_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "name: mine\nrules:\n"
        "  - {signal: word_count, minimum: 50, reason: too_few_words}\n"
        "  - {signal: word_count, keep_fraction: 0.2, best: highest, per: source, reason: not_best}\n"
    )
    rules = load_rules(path)
    assert [type(rule).__name__ for rule in rules.rules] == ["Rule", "QuantileRule"]
    path.write_text("name: mine\nrules:\n  - {signal: word_cuont, minimum: 50, reason: r}\n")
    with pytest.raises(ConfigError, match="did you mean `word_count`"):
        load_rules(path)
    path.write_text("name: mine\nrules:\n  - signal: word_count\n    minimun: 50\n    reason: r\n")
    with pytest.raises(ConfigError, match=r"rules\.yaml:4: unknown key"):
        load_rules(path)


def test_a_fixed_quantile_rule_judges_parts_as_the_quantile_judges_the_whole() -> None:
    scores = pl.DataFrame({"x": [*range(10), None, *range(100, 109)], "source": ["a"] * 11 + ["b"] * 9})
    for options in ({"best": "highest"}, {"best": "lowest"}, {"best": "highest", "per": None}):
        rule = QuantileRule.model_validate({"signal": "x", "keep_fraction": 0.3, "reason": "r", **options})
        rules = RuleSet(name="t", rules=(rule,))
        fixed = rules.fixed(scores)
        assert fixed.is_fixed and not rules.is_fixed
        assert RuleSet.model_validate_json(fixed.model_dump_json()) == fixed
        parts = [fixed.judge(scores.slice(at, 3)) for at in range(0, len(scores), 3)]
        assert pl.concat(parts).equals(rules.judge(scores))
    other = pl.DataFrame({"x": [1], "source": ["unseen"]})
    assert rules.fixed(other).judge(other)["keep"].to_list() == [True]


def test_batches_are_not_ranked_as_if_they_were_the_corpus() -> None:
    rule = QuantileRule(signal="word_count", keep_fraction=0.3, reason="r", per=None)
    with pytest.raises(ConfigError, match="ranks the documents of a whole corpus"):
        judge_texts(["one", "two words"], RuleSet(name="t", rules=(rule,)))
