"""What every worker of a job would do first, done once for all of them when this module is imported.

Compiled kernels are loaded, numba imports what they rest on, and tables of characters are built: a second of a worker's
time. The process that workers are forked from imports this (`Executor.prepare`), so nothing here may start a thread,
which a fork would lose: polars is not asked.
"""

from __future__ import annotations

from dq.dedup.known import folded_words, known_shingles, marks_of
from dq.dedup.shingles import shingle
from dq.quality.measure import measure
from dq.text import text_batch

_TEXT = text_batch(["A text of a few words, for all kernels. It has a second sentence."])
measure(_TEXT)
known_shingles(_TEXT, [1], marks_of([shingle(_TEXT, folded_words(1)).hashes]))
