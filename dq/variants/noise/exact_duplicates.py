"""What deduplication would have removed."""

from __future__ import annotations

from typing import Literal, final

from dq.variants.noise.copies import Copies


@final
class ExactDuplicates(Copies):
    """Documents, a share of the tokens being exact copies of the rest."""

    kind: Literal["exact_duplicates"] = "exact_duplicates"
