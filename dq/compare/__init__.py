"""Paired comparisons of trained runs: an interval, a verdict, and what it would take to be surer.

Knows only tables. The table of final losses has one row per variant, seed, held-out set and document: ``variant`` str,
``seed`` int, ``set`` str, ``document`` str (unique within its set), ``n_bytes`` int (UTF-8 bytes scored) and
``loss_nats`` float (summed over the document's tokens). Row order has no meaning; other columns are ignored.

A difference is variant minus baseline in bits per byte: below 0, the variant is better.
"""

from __future__ import annotations

from dq.compare.along import Along, along_budgets
from dq.compare.arms import ArmsComparison, Difference, Documents, Pair, compare_arms
from dq.compare.calibration import Calibration, calibrate_comparisons, false_over_looks
from dq.compare.controls import (
    ControlKind,
    ControlOutcome,
    ControlStatus,
    judge_aa,
    judge_noise_control,
    judge_repeat,
    judge_unigram,
)
from dq.compare.curves import Level, curves, levels, paired_curves
from dq.compare.epochs import EpochsValue, Repeated, ValueOfEpochs, value_of_epochs
from dq.compare.equivalence import Equivalence, TokenEquivalence, token_equivalence, tokens_to_match
from dq.compare.family import Look, plan_looks
from dq.compare.grid import StudyComparison, VariantComparison, compare_study
from dq.compare.groups import BudgetComparison, Cell, GroupComparison, compare_group
from dq.compare.levels import levels_of_losses
from dq.compare.metrics import pass_at_k, signal_to_noise
from dq.compare.noise import Noise, noise_of
from dq.compare.paired import Options, paired
from dq.compare.power import MIN_SEEDS, detectable_at, power_of, seeds_in_words
from dq.compare.proxies import Proxies, Proxy, Range
from dq.compare.r_star import RStar, effective_tokens, fit_r_star
from dq.compare.reference import Reference
from dq.compare.results import Comparison, Interval, MeanSquares, Outcome, Power, Verdict
from dq.compare.run_tables import RunTable, read_runs
from dq.compare.runs import RunsComparison, compare_runs
from dq.compare.spread import ArmSpread, Pool, pooled_df
from dq.compare.summary import summary
from dq.compare.verdict import judge
from dq.compare.words import range_of, size_of, tokens_of

__all__ = [
    "MIN_SEEDS",
    "Along",
    "ArmSpread",
    "ArmsComparison",
    "BudgetComparison",
    "Calibration",
    "Cell",
    "Comparison",
    "ControlKind",
    "ControlOutcome",
    "ControlStatus",
    "Difference",
    "Documents",
    "EpochsValue",
    "Equivalence",
    "GroupComparison",
    "Interval",
    "Level",
    "Look",
    "MeanSquares",
    "Noise",
    "Options",
    "Outcome",
    "Pair",
    "Pool",
    "Power",
    "Proxies",
    "Proxy",
    "RStar",
    "Range",
    "Reference",
    "Repeated",
    "RunTable",
    "RunsComparison",
    "StudyComparison",
    "TokenEquivalence",
    "ValueOfEpochs",
    "VariantComparison",
    "Verdict",
    "along_budgets",
    "calibrate_comparisons",
    "compare_arms",
    "compare_group",
    "compare_runs",
    "compare_study",
    "curves",
    "detectable_at",
    "effective_tokens",
    "false_over_looks",
    "fit_r_star",
    "judge",
    "judge_aa",
    "judge_noise_control",
    "judge_repeat",
    "judge_unigram",
    "levels",
    "levels_of_losses",
    "noise_of",
    "paired",
    "paired_curves",
    "pass_at_k",
    "plan_looks",
    "pooled_df",
    "power_of",
    "range_of",
    "read_runs",
    "seeds_in_words",
    "signal_to_noise",
    "size_of",
    "summary",
    "token_equivalence",
    "tokens_of",
    "tokens_to_match",
    "value_of_epochs",
]
