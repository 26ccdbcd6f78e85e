"""The configuration of deduplication in jobs."""

from __future__ import annotations

import pydantic
import pytest

from dq.config import fingerprint
from dq.dedup import DedupConfig
from dq.stages.selection import DeduplicationConfig


def test_fingerprints_of_finished_workspaces_do_not_move() -> None:
    config = DeduplicationConfig.model_validate({"keep": "prefer:web, news"})
    assert fingerprint(config) == "fcfae802d2e9634ab0497964b3295f0eac5b5bff5a78b6176508179fb1da0d25"
    assert config.method == DedupConfig()


def test_a_policy_by_an_unknown_signal_is_refused_at_once() -> None:
    with pytest.raises(pydantic.ValidationError, match="unknown signal `word_cont`"):
        DeduplicationConfig.model_validate({"keep": "best:word_cont"})
