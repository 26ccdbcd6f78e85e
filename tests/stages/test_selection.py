"""The configuration of deduplication in jobs."""

from __future__ import annotations

import pydantic
import pytest

from dq.config import fingerprint
from dq.dedup import DedupConfig
from dq.stages.selection import DeduplicationConfig


def test_fingerprints_of_finished_workspaces_do_not_move() -> None:
    config = DeduplicationConfig.model_validate({"keep": "prefer:web, news"})
    assert fingerprint(config) == "372a74ca09a6cb792c234785d7bd009374a68a8e85091dc6a91cb585aa51b62a"
    assert config.method == DedupConfig()


def test_a_policy_by_an_unknown_signal_is_refused_at_once() -> None:
    with pytest.raises(pydantic.ValidationError, match="unknown signal `word_cont`"):
        DeduplicationConfig.model_validate({"keep": "best:word_cont"})
