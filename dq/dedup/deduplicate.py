"""Deduplicate a list of texts in memory, in one call."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dq.config import checked
from dq.dedup.choosing import select
from dq.dedup.config import DedupConfig, Resources
from dq.dedup.find import find_duplicates
from dq.dedup.policy import Policy
from dq.executors import require_live_polars
from dq.text import Texts, content_keys, text_batch


def deduplicate(
    texts: Texts,
    *,
    threshold: float = 0.8,
    keep: str = "longest",
    ngram: int = 5,
    unit: str = "words",
    normalization: str = "meaning",
    threads: int = 1,
) -> pl.DataFrame:
    """Find verified near-duplicates and say which text to keep of each group.

    Args:
        texts: a list of str, a polars Series or an Arrow array.
        threshold: smallest Jaccard similarity of the sets of n-grams that makes two texts duplicates.
        keep: ``longest``, most visible characters with repeats left out; policies that need other columns
            (:class:`dq.dedup.Policy`) take :func:`dq.dedup.find_duplicates` and :func:`dq.dedup.select`.
        ngram: units in a shingle.
        unit: ``words`` (each letter of a script without spaces is one) or ``characters``.
        normalization: what of a text counts: ``meaning``, ``folded``, ``written`` or ``words``, as of
            :class:`dq.dedup.ShingleConfig`.
        threads: worker threads.

    Returns:
        One row per text: ``kept_index`` (int64, its own row where kept), ``similarity`` (float64, with the kept text; 1
        where kept), ``exact`` (bool: removed, and equal to the kept text but for white space and zero-width marks) and
        ``cluster`` (int64, how many texts share that kept text, itself included).

    Raises:
        InputError: the texts are no list of strings.
        ConfigError: an argument is out of its range.
    """
    require_live_polars()
    about: dict[str, Any] = {"threshold": float(threshold) if type(threshold) is int else threshold, "ngram": ngram}
    about |= {"unit": unit, "normalization": normalization}
    config, resources = checked(DedupConfig, about), checked(Resources, {"threads": threads})
    policy = Policy.parse(keep)
    batch = text_batch(texts)
    found = find_duplicates([batch], config, resources=resources)
    documents = pl.DataFrame(
        {"content_key": content_keys(batch), "n_bytes": np.diff(batch.offsets), "visible_characters": found.visible}
    )
    everything = np.ones(len(batch), np.bool_)
    chosen = select(found, everything, order=policy.ranks(documents), threads=threads)
    return pl.DataFrame(
        {
            "kept_index": chosen.kept_index,
            "similarity": chosen.similarity,
            "exact": chosen.exact,
            "cluster": chosen.cluster_size[chosen.kept_index],
        }
    )
