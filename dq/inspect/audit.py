"""Audit the deduplication of a finished workspace, whichever command made it."""

from __future__ import annotations

from dq.dedup import Audit, audit_duplicates
from dq.errors import WorkspaceError
from dq.stages.base import View
from dq.stages.duplicates import FoundDuplicates, shard_readers
from dq.stages.read import Documents
from dq.stages.selection import Selected
from dq.store import Workspace, write_json_atomic


def audit_workspace(workspace: Workspace, *, per_source: int = 500, seed: int = 0) -> Audit:
    """Find the true neighbours of up to ``per_source`` documents a source, and recompute the sampled removals.

    What was found is also written to ``audit.json`` beside the duplicates, with the selection that it is about.

    Raises:
        WorkspaceError: the deduplication has not finished.
    """
    view = View.of(workspace)
    if view.open(Selected).by_meaning:
        raise WorkspaceError(f"{workspace.root}: of `dq semdedup`, which `dq audit semdedup` audits")
    corpus, found, selected = view.open(Documents, "deduplicated"), view.open(FoundDuplicates), view.open(Selected)
    audit = audit_duplicates(
        found.duplicates,
        selected.selection,
        shard_readers(corpus),
        sources=corpus.documents["source"],
        per_source=per_source,
        seed=seed,
    )
    about = {"selection": selected.record.fingerprint, "per_source": per_source, "seed": seed}
    write_json_atomic(found.folder / "audit.json", {**about, **audit.to_dict()})
    return audit
