"""What a plan is asked, checked: a number that answers nothing is refused, and says what it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dq.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What is asked; each question is answered whose numbers are there.

    Attributes:
        flops: training compute: how to split it, what twice as much buys; with ``unique_tokens``, how often to repeat.
        sizes: parameters, with ``loss``: tokens that reach it; with ``n_tokens``: what they reach, and tokens at the
            other sizes that do as well as the first; with ``unique_tokens`` and ``epochs``: what these are worth.
        n_tokens: training tokens, with ``sizes``.
        unique_tokens: of a pool that is to be repeated.
        epochs: how often.
        loss: nats; with ``inference_tokens``: the cheapest model over its life.
        inference_tokens: read and written in its life.
        noise_exponent: assumed, where no run has noise.
    """

    flops: float | None = None
    sizes: tuple[float, ...] = ()
    n_tokens: tuple[float, ...] = ()
    unique_tokens: float | None = None
    epochs: tuple[float, ...] = ()
    loss: float | None = None
    inference_tokens: float | None = None
    noise_exponent: float | None = None

    def __post_init__(self) -> None:
        numbers = {name: value if isinstance(value, tuple) else (value,) for name, value in vars(self).items()}
        for name, values in numbers.items():
            if wrong := [one for one in values if one is not None and not 0 < one < float("inf")]:
                raise ConfigError(f"`{name}` must be above 0 (got {wrong[0]:g})", field=name)
        if wrong := [one for one in self.epochs if one <= 1]:
            raise ConfigError(
                f"`epochs` must be above 1 (got {wrong[0]:g}): one epoch is no repetition", field="epochs"
            )
        for name, lacks in self._idle():
            raise ConfigError(f"`{name}` asks nothing on its own: give {lacks} too", field=name)

    def targets(self) -> list[dict[str, float]]:
        """Runs whose loss is asked for."""
        seen = [{"n_params": n, "n_tokens": d} for n in self.sizes for d in self.n_tokens]
        if self.unique_tokens is None:
            return seen
        return [{**one, "n_unique": min(self.unique_tokens, one["n_tokens"])} for one in seen]

    def _idle(self) -> Iterator[tuple[str, str]]:
        """What is given and takes part in no question, and what it would take."""
        if self.inference_tokens and not self.loss:
            yield "inference_tokens", "a target loss"
        if self.noise_exponent and not self.epochs:
            yield "noise_exponent", "epochs, a size and the unique tokens of a pool"
        if self.epochs and not (self.unique_tokens and self.sizes):
            yield "epochs", "a size (parameters) and the unique tokens of a pool"
        if self.unique_tokens and not (self.flops or (self.sizes and (self.epochs or self.n_tokens or self.loss))):
            yield "unique_tokens", "compute, or a size (parameters) with epochs, with training tokens or a target loss"
        if self.n_tokens and not self.sizes:
            yield "n_tokens", "sizes (parameters)"
        if self.loss and not (self.sizes or self.inference_tokens):
            yield "loss", "sizes (parameters) or tokens of use"
        if self.sizes and not (self.n_tokens or self.loss or self.epochs):
            yield "sizes", "training tokens, a target loss, or the unique tokens of a pool and epochs"
