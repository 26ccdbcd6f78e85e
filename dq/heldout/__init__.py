"""Held-out sets, and the documents that are too near to them to be trained on."""

from dq.heldout.config import HeldoutConfig, NeutralSet
from dq.heldout.sets import HeldoutSet, hold_out, is_held_out

__all__ = ["HeldoutConfig", "HeldoutSet", "NeutralSet", "hold_out", "is_held_out"]
