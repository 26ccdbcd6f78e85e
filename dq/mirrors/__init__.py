"""Mirrors: the curves of runs in TensorBoard, trackio or Weights & Biases, beside the ledgers they are read from."""

from dq.mirrors.mirror import Mirror, Point
from dq.mirrors.open import MIRRORS, open_mirrors

__all__ = ["MIRRORS", "Mirror", "Point", "open_mirrors"]
