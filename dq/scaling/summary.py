"""A fit in plain words: how well the law describes the runs, what they determine, and what they do not."""

from __future__ import annotations

from collections.abc import Sequence

from dq.scaling.fit import Fit
from dq.scaling.identified import Identification, Identified


def summary(found: Fit, identified: Sequence[Identification]) -> tuple[str, ...]:
    """Sentences for people who will not read the tables.

    Args:
        found: the fit.
        identified: what `Fit.identified` said of its parameters.
    """
    sentences = [
        f"{found.law} explains {found.r2:.1%} of the variance of the loss of {found.n_runs:,} runs, which lie within "
        f"{100 * found.noise:.2g} % of it (one standard deviation)"
    ]
    sure = [_range(one) for one in identified if one.verdict is Identified.YES]
    if sure:
        sentences.append(f"The runs determine {', '.join(sure)}")
    weak = [_range(one) for one in identified if one.verdict is Identified.WEAKLY]
    if weak:
        sentences.append(f"Only roughly: {', '.join(weak)}; quote none of these without its interval")
    sentences += [f"{one.words[0].upper()}{one.words[1:]}" for one in identified if one.verdict is Identified.NO]
    if "E" in found.fitted:
        sentences.append(
            "E is what this form leaves over, and another form leaves another: decide nothing by the loss above E"
        )
    return tuple(sentences)


def _range(one: Identification) -> str:
    return f"{one.interval.name} ({one.interval.low:.4g} to {one.interval.high:.4g})"
