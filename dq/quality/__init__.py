"""Signals (text to numbers), rules (numbers to verdicts) and the published rule sets, without torch or configuration.

``score(texts)`` gives a table of signals; ``presets.gopher_quality().judge(table)`` gives verdicts with reasons.
"""

from __future__ import annotations

from dq.quality import presets
from dq.quality.cleaners import CLEANERS, C4Lines, FixText, MaskPii
from dq.quality.queries import Solution, attribution, by_source, solve, sweep
from dq.quality.rule_kinds import FixedQuantileRule, LabelRule, QuantileRule, Rule, RuleByLabel
from dq.quality.rules import VERDICT, RuleSet, a_rule_set, load_rules
from dq.quality.scorers.base import Scorer
from dq.quality.scorers.fasttext import FastTextModel, LanguageLabels
from dq.quality.scorers.learned import LearnedOptions, QualityModel, Trained, train_quality
from dq.quality.scorers.ngram import NgramModel, NgramOptions, train_ngram
from dq.quality.scorers.word_list import WordList
from dq.quality.scoring import judge_texts, schema, score
from dq.quality.signals import DEFAULT_SIGNALS, Signal, all_signals, check_signals, signal

__all__ = [
    "CLEANERS",
    "DEFAULT_SIGNALS",
    "VERDICT",
    "C4Lines",
    "FastTextModel",
    "FixText",
    "FixedQuantileRule",
    "LabelRule",
    "LanguageLabels",
    "LearnedOptions",
    "MaskPii",
    "NgramModel",
    "NgramOptions",
    "QualityModel",
    "QuantileRule",
    "Rule",
    "RuleByLabel",
    "RuleSet",
    "Scorer",
    "Signal",
    "Solution",
    "Trained",
    "WordList",
    "a_rule_set",
    "all_signals",
    "attribution",
    "by_source",
    "check_signals",
    "judge_texts",
    "load_rules",
    "presets",
    "schema",
    "score",
    "signal",
    "solve",
    "sweep",
    "train_ngram",
    "train_quality",
]
