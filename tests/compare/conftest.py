"""Made-up final losses with known truth: seeds crossed with documents, both random."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
import pytest

from dq.compare.tables import FloatArray

BASE_BITS_PER_BYTE = 3.0  # far enough above 0 that no simulated loss is negative


def run_frame(variant: str, seed: int, held_out: str, *, n_bytes: Sequence[int], bits: FloatArray) -> pl.DataFrame:
    """The rows of one run on one set; documents are numbered."""
    return pl.DataFrame(
        {
            "variant": variant,
            "seed": seed,
            "set": held_out,
            "document": [f"document {i:04}" for i in range(len(n_bytes))],
            "n_bytes": list(n_bytes),
            "n_tokens": [count // 4 + 1 for count in n_bytes],
            "loss_nats": np.asarray(bits, np.float64) * math.log(2),
        },
        schema_overrides={"seed": pl.Int64, "n_bytes": pl.Int64, "n_tokens": pl.Int64},
    )


def simulate_losses(
    effects: Mapping[str, float | Mapping[str, float]],
    *,
    sizes: Mapping[str, int] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    spreads: tuple[float, float, float] = (0.002, 0.02, 0.01),
    seed: int = 0,
) -> pl.DataFrame:
    """Losses of variants whose true levels differ by ``effects``, bits per byte, on every set or by set.

    ``sizes`` are the documents of each set; ``spreads`` those of seeds, documents and residual, bits per byte.
    """
    generator = np.random.default_rng(seed)
    seeds_spread, documents_spread, residual_spread = spreads
    rows = []
    for name, size in (sizes or {"neutral": 60}).items():
        n_bytes = generator.integers(200, 2_001, size)
        for variant, effect in effects.items():
            shift = effect if isinstance(effect, int | float) else effect.get(name, 0.0)
            level = BASE_BITS_PER_BYTE + shift + generator.normal(0, documents_spread, size)
            for run in seeds:
                noise = generator.normal(0, seeds_spread) + generator.normal(0, residual_spread, size)
                rows.append(run_frame(variant, run, name, n_bytes=n_bytes.tolist(), bits=n_bytes * (level + noise)))
    return pl.concat(rows)


def exact_losses(differences: FloatArray, *, n_bytes: Sequence[int], held_out: str = "neutral") -> pl.DataFrame:
    """Losses of "variant" and "baseline" whose differences, in bits, are the given (seeds, documents)."""
    generator = np.random.default_rng(5)
    base = BASE_BITS_PER_BYTE * np.asarray(n_bytes) + generator.uniform(0, 50, differences.shape)
    return pl.concat(
        run_frame(name, seed, held_out, n_bytes=n_bytes, bits=bits)
        for name, arm in (("variant", base + differences), ("baseline", base))
        for seed, bits in enumerate(arm)
    )


@pytest.fixture(scope="session")
def make_losses() -> Callable[..., pl.DataFrame]:
    """`simulate_losses`: random studies with known effects."""
    return simulate_losses


@pytest.fixture(scope="session")
def losses_of() -> Callable[..., pl.DataFrame]:
    """`exact_losses`: two arms with given differences."""
    return exact_losses
