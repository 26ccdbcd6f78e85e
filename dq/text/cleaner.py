"""The protocol of cleaners: text to a new version of the text. A cleaner rewrites and counts; it never drops.

Implementations are in ``dq.quality.cleaners`` and, where the whole corpus decides, in ``dq.dedup.passages``; whoever
reads shards applies them without importing those packages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from dq.text.buffers import Texts


@dataclass(frozen=True)
class Cleaned:
    """A batch of rewritten texts."""

    texts: Any
    """pyarrow.LargeStringArray, one text for each given, in order."""
    changed: int
    """How many texts differ from what was given."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was rewritten, by kind, such as ``masked_emails``."""


@runtime_checkable
class Cleaner(Protocol):
    """Makes a text version. The same text gives the same result whatever the batch around it."""

    @property
    def name(self) -> str:
        """What it is called in configuration, such as ``c4_lines``."""
        ...

    @property
    def version(self) -> int:
        """Raised whenever the same configuration gives another result than before."""
        ...

    def config(self) -> Mapping[str, Any]:
        """All else that decides the result, JSON-able; with name and version the fingerprint of a text version."""
        ...

    def clean(self, texts: Texts) -> Cleaned:
        """Rewrite a batch of texts."""
        ...


@runtime_checkable
class CorpusCleaner(Protocol):
    """Makes a text version that the whole corpus decides, in two passes: a survey of all shards, then a cleaner."""

    @property
    def name(self) -> str:
        """As of a cleaner."""
        ...

    @property
    def version(self) -> int:
        """As of a cleaner."""
        ...

    def config(self) -> Mapping[str, Any]:
        """What decides the result beside the corpus; the surveyed cleaner's own says what the survey found too."""
        ...

    def survey(self, shards: Sequence[Callable[[], Texts] | Texts]) -> Cleaner:
        """Read every shard once. Order and number of the shards change nothing."""
        ...
