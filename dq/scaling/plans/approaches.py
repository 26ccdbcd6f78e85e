"""IsoFLOP parabolas and the envelope beside laws, each run on the laws' own losses too, which shows its bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dq.compare import RunTable
from dq.errors import FitError
from dq.results import Result
from dq.scaling.plans.envelope import Envelope, envelope
from dq.scaling.plans.isoflop import Isoflop, isoflop
from dq.scaling.plans.optimal import compute_optimal, split_question
from dq.scaling.plans.quantity import Quantity, short
from dq.scaling.plans.reply import Reply
from dq.scaling.plans.surface import RESAMPLES, Surface, least_over_sizes
from dq.scaling.points import FLOPS_PER_PARAMETER_AND_TOKEN, FloatArray, compute_of

REPEATED = 1 + 1e-6
WARNED = {
    "isoFLOP parabolas": "a parabola's vertex is off where loss rises unevenly to both sides, the more the wider the "
    "sizes reach",
    "envelope": "only sizes that were trained can be best, the outermost stand in for those beyond, and the luckiest "
    "run counts",
}


@dataclass(frozen=True, kw_only=True)
class Approach(Result):
    """A way without a law.

    Attributes:
        method: its name.
        found: on the runs.
        on_laws: the same on each law's own losses at the same runs, without noise: what differs there is its bias.
    """

    method: str
    found: Isoflop | Envelope
    on_laws: dict[str, Isoflop | Envelope]


@dataclass(frozen=True, kw_only=True)
class Approaches(Result):
    """The exponent of the best N by compute: by ways without a law, and by laws.

    Attributes:
        ways: that the runs allow.
        laws: exponent by law, over the compute of the runs.
        notes: why a way is missing.
    """

    ways: tuple[Approach, ...]
    laws: dict[str, Quantity]
    notes: tuple[str, ...]
    surfaces: dict[str, Surface]

    def record(self) -> dict[str, Any]:
        """Without the laws, which stand elsewhere."""
        found = super().record()
        del found["surfaces"]
        return {**found, "in_words": self.in_words}

    @property
    def isoflop(self) -> Isoflop | None:
        """The parabolas, if the runs allow them."""
        return next((one.found for one in self.ways if isinstance(one.found, Isoflop)), None)

    @property
    def in_words(self) -> tuple[str, ...]:
        """Sentences: the exponents, then the bias of each way on these runs."""
        all_of = {f"law `{law}`": one for law, one in self.laws.items()}
        all_of |= {one.method: one.found.exponent for one in self.ways}
        exponents = "; ".join(f"{name}: {one.in_words()}" for name, one in all_of.items())
        words = [f"The best N grows as a power of compute, by {exponents}"]
        for way in self.ways:
            for law, found in way.on_laws.items():
                own, given = self.laws[law].value, found.exponent.value
                if own is not None and given is not None:
                    words.append(
                        f"Bias of {way.method} on these runs: from the losses of law `{law}`, without noise, they "
                        f"make {short(given)} of its {short(own)}; {WARNED[way.method]}"
                    )
        return tuple(words)

    def splits(self, flops: float) -> tuple[SplitWithoutLaw, ...]:
        """The best split at a compute by each way."""
        return tuple(self._split(one, flops) for one in self.ways)

    def _split(self, way: Approach, flops: float) -> SplitWithoutLaw:
        n_params = way.found.n_params(flops)
        n_tokens = (
            way.found.n_tokens(flops)
            if isinstance(way.found, Isoflop)
            else flops / (FLOPS_PER_PARAMETER_AND_TOKEN * n_params)
        )
        own = {law: compute_optimal(self.surfaces[law], flops).n_params.value for law in way.on_laws}
        return SplitWithoutLaw(
            method=way.method,
            flops=flops,
            n_params=Quantity.of(n_params),
            n_tokens=Quantity.of(n_tokens),
            bias={
                law: float(found.n_params(flops)[0]) / size
                for law, found in way.on_laws.items()
                if (size := own[law]) is not None
            },
            beyond=flops / max(one.largest_compute for one in self.surfaces.values()),
        )


@dataclass(frozen=True, kw_only=True)
class SplitWithoutLaw(Reply):
    """The best split at a compute by parabolas or by the envelope.

    Attributes:
        method: which.
        flops: training compute.
        n_params: parameters.
        n_tokens: tokens.
        bias: by law, times its own best size that the method finds on its losses at the same runs.
    """

    method: str
    flops: float
    n_params: Quantity
    n_tokens: Quantity
    bias: dict[str, float]

    @property
    def question(self) -> str:
        """As a user would ask it."""
        return split_question(self.flops)

    @property
    def in_words(self) -> str:
        """What to train, and how far the method errs where the truth is known."""
        words = f"{self.method}: {self.n_params.in_words('parameters')} on {self.n_tokens.in_words('tokens')}"
        off = ", ".join(f"{short(times)} times that of `{law}`" for law, times in self.bias.items())
        return f"{words}; on the losses of a law itself at these runs its best size comes out {off}" if off else words


def approaches(surfaces: Sequence[Surface], *, resamples: int = RESAMPLES) -> Approaches:
    """Run both ways on the runs that laws were fitted to, and on the laws' own losses there."""
    table, noise = surfaces[0].fit.table, min(one.fit.noise for one in surfaces)
    own = {one.fit.law: _own_losses(one) for one in surfaces}
    ways: list[Approach] = []
    notes: list[str] = []
    try:
        on_laws: dict[str, Isoflop | Envelope] = {law: isoflop(runs, resamples=0) for law, runs in own.items()}
        ways.append(Approach(method="isoFLOP parabolas", found=isoflop(table, resamples=resamples), on_laws=on_laws))
    except FitError as error:
        notes.append(f"no isoFLOP parabolas: {error}")
    try:
        on_laws = {law: envelope(runs) for law, runs in own.items()}
        found = envelope(table, noise=noise, resamples=resamples)
        ways.append(Approach(method="envelope", found=found, on_laws=on_laws))
    except FitError as error:
        notes.append(f"no envelope: {error}")
    if table.has("epochs") and (again := int((table.frame["epochs"] > REPEATED).sum())):
        notes.append(f"{again:,} runs repeat their text, which is mixed with fresh one here: keep runs of one epoch")
    compute = compute_of(table.frame)
    return Approaches(
        ways=tuple(ways),
        laws={one.fit.law: Quantity.of(_exponent(one, compute)) for one in surfaces},
        notes=tuple(notes),
        surfaces={one.fit.law: one for one in surfaces},
    )


def _own_losses(surface: Surface) -> RunTable:
    table = surface.fit.table
    predicted = surface.fit.predict(table.frame)["loss"]
    return replace(table, frame=table.frame.with_columns(loss=predicted))


def _exponent(surface: Surface, compute: FloatArray) -> FloatArray:
    """Of the law's best N between the least and the most compute, (K,)."""
    surface.require_sizes()
    ends = np.array([compute.min(), compute.max()])

    def best(flops: float) -> FloatArray:
        def loss(n_params: FloatArray) -> FloatArray:
            return surface.loss({"n_params": n_params, "n_tokens": flops / (FLOPS_PER_PARAMETER_AND_TOKEN * n_params)})

        return least_over_sizes(loss)[0]

    low, high = (best(float(one)) for one in ends)
    exponent: FloatArray = np.log(high / low) / np.log(ends[1] / ends[0])
    return exponent
