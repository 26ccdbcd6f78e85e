"""Choose of duplicates which documents are kept: for all documents at once, or for those that may have one."""

from __future__ import annotations

import numpy as np

from dq.arrays import I64, Bools
from dq.dedup.config import exact_threshold
from dq.dedup.duplicates import Duplicates
from dq.dedup.greedy import select_all
from dq.dedup.kernels.verify import Bound
from dq.dedup.selection import Chosen, Selection
from dq.errors import ConfigError
from dq.executors import require_live_polars


def select(
    duplicates: Duplicates,
    eligible: Bools,
    *,
    order: I64,
    threshold: float | None = None,
    threads: int = 1,
) -> Selection:
    """Choose what is kept among the eligible documents.

    Args:
        duplicates: copies, pairs and large buckets of the corpus.
        eligible: bool (documents,): others neither are kept nor remove anything.
        order: int64 (documents,), a distinct rank each, the smallest first (:meth:`dq.dedup.Policy.ranks`).
        threshold: a stricter similarity than the duplicates were found with.
        threads: for the search of the most similar kept document.

    Raises:
        ConfigError: arrays of another length, or a threshold below that of the duplicates.
    """
    if len(eligible) != duplicates.documents or len(order) != duplicates.documents:
        raise ConfigError(
            f"{duplicates.documents} documents, but {len(eligible)} eligible flags and {len(order)} ranks"
        )
    chosen = choose(duplicates, eligible, order=order[duplicates.involved], threshold=threshold, threads=threads)
    return chosen.between(0, duplicates.documents)


def choose(
    duplicates: Duplicates,
    eligible: Bools,
    *,
    order: I64,
    threshold: float | None = None,
    threads: int = 1,
) -> Chosen:
    """The same, in memory for what may have a duplicate: ``order`` is of `Duplicates.involved` alone."""
    rows = duplicates.involved
    found = select_among(duplicates, rows, eligible=eligible[rows], order=order, threshold=threshold, threads=threads)
    return Chosen(np.concatenate([rows, duplicates.frozen["document"].to_numpy()]), found, eligible)


def select_among(
    duplicates: Duplicates,
    rows: I64,
    *,
    eligible: Bools,
    order: I64,
    threshold: float | None = None,
    threads: int = 1,
) -> Selection:
    """The same among some documents, whose duplicates are all among them.

    Args:
        duplicates: of these documents alone, or of all of which any has one.
        rows: numbers of documents, ascending.
        eligible: bool (rows,).
        order: int64 (rows,).
        threshold: as above.
        threads: as above.

    Returns:
        A selection in which documents are numbered by their places in ``rows``, those of an index after them.
    """
    require_live_polars()
    bound = _bound(duplicates, threshold)
    return select_all(duplicates.among(rows), eligible, order=order, bound=bound, threads=threads)


def _bound(duplicates: Duplicates, threshold: float | None) -> Bound:
    config = duplicates.config
    if threshold is not None and not config.threshold <= threshold <= 1:
        raise ConfigError(
            f"pairs are verified from {config.threshold} up, so nothing is known at {threshold}: "
            "find the duplicates again with that threshold"
        )
    exact = config.exact_threshold if threshold is None else exact_threshold(threshold)
    return Bound(*exact.as_integer_ratio())
