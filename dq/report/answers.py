"""The answer in words: one sentence on top, and a card a variant with its number, its range and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dq.compare import range_of, size_of

DECIDED = ("better", "worse", "equivalent")
MAX_SEEDS = 100  # of a study


@dataclass(frozen=True)
class Card:
    """One variant's answer."""

    variant: str
    outcome: str
    scope: str
    """Where it holds, if not for whole runs."""
    size: str
    range: str
    interval: str
    """The interval that decides, with its confidence and seeds."""
    warning: str
    reason: str
    seeds: int | None
    """Seeds that would decide it, where more seeds would."""
    cost: str
    """What these take, or what helps where seeds do not."""


def headline(comparison: dict[str, Any]) -> str:
    """What the study says, in one sentence or two."""
    names: dict[str, list[str]] = {}
    scope = next((f" {found['scope']}" for found in comparison["variants"] if found.get("scope")), "")
    for found in comparison["variants"]:
        names.setdefault(found["verdict"]["outcome"], []).append(found["variant"])
    baseline, said = comparison["baseline"], []
    if better := names.get("better"):
        said.append(f"{_joined(better)} {_is(better)} better than {baseline}{scope} at this size and budget.")
    else:
        said.append(f"No variant is shown to be better than {baseline}{scope} at this size and budget.")
    if worse := names.get("worse"):
        said.append(f"{_joined(worse)} {_is(worse)} worse{scope}.")
    if equal := names.get("equivalent"):
        said.append(f"{_joined(equal)} {'differs' if len(equal) == 1 else 'differ'} by less than the margin{scope}.")
    if undecided := names.get("undecided"):
        said.append(f"About {_joined(undecided)} these runs cannot tell.")
    return " ".join(said)


def cards(study: dict[str, Any], *, seconds_a_run: float | None) -> list[Card]:
    """A card a variant, in the study's order."""
    return [_card(study, found, seconds_a_run=seconds_a_run) for found in study["comparison"]["variants"]]


def _card(study: dict[str, Any], found: dict[str, Any], *, seconds_a_run: float | None) -> Card:
    neutral, verdict = found["neutral"], found["verdict"]
    interval, decided = verdict["interval"], verdict["outcome"] in DECIDED
    seeds, cost = (None, "") if decided else _next_step(study, neutral, seconds_a_run=seconds_a_run)
    return Card(
        variant=found["variant"],
        outcome=verdict["outcome"],
        scope=found.get("scope", ""),
        size=size_of(neutral["difference"], neutral["baseline_bits_per_byte"]),
        range=range_of(interval["low"], interval["high"]) if interval else verdict["reason"],
        interval=_interval(interval, seeds=len(neutral["seed_pairs"])) if interval else "",
        warning=_warning(found),
        reason=verdict["reason"],
        seeds=seeds,
        cost=cost,
    )


def _warning(found: dict[str, Any]) -> str:
    worse = [f"worse on {_joined(found['worse_on'])}"] if found["worse_on"] else []
    mixture = found.get("mixture", ())
    return "; ".join([*worse, *([f"quality + mixture: {', '.join(mixture)}"] if mixture else [])])


def _interval(interval: dict[str, Any], *, seeds: int) -> str:
    """Such as ``95 % interval [-0.119, +0.068] of 3 seeds, for 3 variants together, spread pooled, 6 df``."""
    bounds = f"{100 * interval['confidence']:g} % interval [{interval['low']:+.3f}, {interval['high']:+.3f}]"
    how = "" if interval["label"] == "paired" else f", {interval['label']}"
    return f"{bounds} of {seeds} seeds{how}"


def _next_step(
    study: dict[str, Any], neutral: dict[str, Any], *, seconds_a_run: float | None
) -> tuple[int | None, str]:
    """What would decide it: the seeds of the study to write down, and what they take here."""
    power = neutral["power"]
    if power is None:
        return None, ""
    needed, seeds = power["seeds_needed"], len(neutral["seed_pairs"])
    if needed is not None and needed <= seeds:
        return None, ""
    if needed is None or needed > MAX_SEEDS:
        return None, f"More seeds alone would hardly decide a margin of {power['margin']:g}: see below."
    runs = (needed - seeds) * (1 + len(study["comparison"]["variants"]))
    price = f", about {duration(runs * seconds_a_run)} of one core here" if seconds_a_run else ""
    low, high = power["seeds_needed_range"]
    likely = f" (likely {low:,} to {f'{high:,} seeds' if high else 'many more seeds'})"
    return needed, f"{runs:,} more runs{likely}{price}"


def duration(seconds: float) -> str:
    """Such as 40 seconds, 25 minutes, 3.5 hours."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 90 * 60 else f"{seconds / 3600:.1f} hours"


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
