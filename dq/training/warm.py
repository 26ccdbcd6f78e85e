"""What every worker that trains on a CPU would do first, done once for all of them when this module is imported.

Torch imports its compiler when the first optimiser is made, 2 s and 66 MB, and numba what it rests on when the first
kernel is loaded. The process that workers are forked from imports this (`Executor.prepare`). It is not for workers with
a GPU: the compiler may ask for GPUs while it is imported, and a process that has asked for them must not be forked.
"""

from __future__ import annotations

import torch._dynamo  # noqa: F401

from dq.text import content_keys

content_keys(["a text"])
