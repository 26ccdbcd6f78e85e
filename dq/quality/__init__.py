"""Signals (text to numbers), rules (numbers to verdicts) and the published rule sets, without torch or configuration.

``score(texts)`` gives a table of signals; ``presets.gopher_quality().judge(table)`` gives verdicts with reasons.
"""

from __future__ import annotations

from dq.quality import presets
from dq.quality.registry import Signal, all_signals, signal
from dq.quality.rules import Rule, RuleSet
from dq.quality.signals import DEFAULT_SIGNALS, score

__all__ = ["DEFAULT_SIGNALS", "Rule", "RuleSet", "Signal", "all_signals", "presets", "score", "signal"]
