"""Parameters that many laws have, with the starts that Hoffmann 2022 published for them."""

from __future__ import annotations

from dq.scaling.law import Parameter

# Hoffmann 2022: 5 x 6 x 6 x 5 x 5 = 4,500 starts for E, A, B, alpha and beta.
FLOOR_STARTS = (-1.0, -0.5, 0.0, 0.5, 1.0)
COEFFICIENT_STARTS = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0)
EXPONENT_STARTS = (0.0, 0.5, 1.0, 1.5, 2.0)


def floor(name: str = "E", meaning: str = "what no size and no amount of such text removes") -> Parameter:
    """The loss that remains."""
    return Parameter(name=name, meaning=meaning, starts=FLOOR_STARTS, low=-12.0, high=4.0, is_log=True)


def coefficient(name: str, meaning: str, *, starts: tuple[float, ...] = COEFFICIENT_STARTS) -> Parameter:
    """A factor of a part of the loss."""
    return Parameter(name=name, meaning=meaning, starts=starts, low=-40.0, high=120.0, is_log=True)


def of_fresh_text() -> tuple[Parameter, ...]:
    """Chinchilla's five: E, A, B, alpha, beta."""
    return (
        floor(),
        coefficient("A", "of the part that parameters reduce"),
        coefficient("B", "of the part that tokens reduce"),
        exponent("alpha", "of parameters"),
        exponent("beta", "of tokens"),
    )


def exponent(name: str, meaning: str, *, starts: tuple[float, ...] = EXPONENT_STARTS) -> Parameter:
    """A power at which a part of the loss falls."""
    return Parameter(name=name, meaning=meaning, starts=starts, low=0.0, high=5.0)
