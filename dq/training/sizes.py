"""The fixed ladder of Llama sizes, their parameter counts and their cost: no torch.

A study compares data, not architectures, so a size is a name and nothing about it can be changed. Heads are 32 wide up
to 10M parameters (at width 64 on a CPU, attention with two heads of 32 is 1.6 times faster than with four of 16,
measured) and wider above. The feed-forward width is 8/3 of the model width, rounded up to a multiple of 8 (Llama's
rule). Embeddings are tied: an untied head would add 39 % to the 0.3M model's parameters (not compared by loss).
"""

from __future__ import annotations

from dataclasses import dataclass

from dq.errors import ConfigError, nearest


@dataclass(frozen=True, kw_only=True)
class ParameterCounts:
    """Parameters of a model; scaling fits depend on which count is used, so both are recorded."""

    total: int
    """All trained parameters; the tied embedding is counted once."""
    embedding: int
    """Parameters of the embedding, which is also the output head."""
    non_embedding: int
    """Parameters of the layers and norms."""


@dataclass(frozen=True, kw_only=True)
class ModelSize:
    """One rung of the ladder."""

    name: str
    """Total parameters at a vocabulary of 2,048, rounded."""
    width: int
    """Width of the residual stream."""
    layers: int
    """Number of layers."""
    heads: int
    """Attention heads; as many for keys and values."""

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads

    @property
    def feed_forward_width(self) -> int:
        """Width of the gated feed-forward layer: 8/3 of the width, rounded up to a multiple of 8."""
        return -(-self.width * 8 // 3 // 8) * 8

    def parameters(self, vocabulary_size: int) -> ParameterCounts:
        """Counts with and without the embedding."""
        embedding = vocabulary_size * self.width
        norms = (2 * self.layers + 1) * self.width
        non_embedding = self._layer_matrices() + norms
        return ParameterCounts(total=embedding + non_embedding, embedding=embedding, non_embedding=non_embedding)

    def flops_per_token(self, *, vocabulary_size: int, context: int) -> int:
        """Floating-point operations to train on one token: three times the forward pass.

        Counts every matrix product: layers, output head, and attention over the whole context (the convention of
        PaLM, arXiv:2204.02311 appendix B, which does not halve the causal part). Look-ups and norms are left out.
        """
        matrices = self._layer_matrices() + vocabulary_size * self.width
        attention = 2 * self.layers * context * self.width
        return 3 * 2 * (matrices + attention)

    def _layer_matrices(self) -> int:
        return self.layers * (4 * self.width**2 + 3 * self.width * self.feed_forward_width)


def _size(name: str, width: int, layers: int, *, heads: int) -> ModelSize:
    return ModelSize(name=name, width=width, layers=layers, heads=heads)


_LADDER = (
    _size("0.1M", 32, 4, heads=1),
    _size("0.3M", 64, 4, heads=2),
    _size("1.1M", 128, 4, heads=4),
    _size("3.0M", 192, 6, heads=6),
    _size("6.8M", 256, 8, heads=8),
    _size("15M", 384, 8, heads=6),
    _size("33M", 512, 10, heads=8),
    _size("87M", 768, 12, heads=12),
    _size("204M", 1024, 16, heads=16),
    _size("456M", 1536, 16, heads=12),
    _size("1.0B", 2048, 20, heads=16),
)

SIZES: dict[str, ModelSize] = {size.name: size for size in _LADDER}
"""The ladder by name, smallest first."""


def find_size(name: str) -> ModelSize:
    """The size of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in SIZES:
        raise ConfigError(nearest(name, SIZES, what="size", hint=False), field="size")
    return SIZES[name]
