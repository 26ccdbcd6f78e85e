"""Audit the deduplication of a finished workspace, whichever command made it."""

from __future__ import annotations

from dataclasses import dataclass

from dq.corpus import Corpus
from dq.dedup import Audit, Duplicates, Selection, audit_duplicates
from dq.errors import WorkspaceError
from dq.stages.selection import read_selection, shard_readers
from dq.store import Workspace, read_record, write_json_atomic
from dq.variants import VERSION

__all__ = ["Deduplicated", "audit_workspace", "open_deduplicated"]


@dataclass(frozen=True)
class Deduplicated:
    """A corpus, what was found in it, and what was kept."""

    corpus: Corpus
    duplicates: Duplicates
    selection: Selection


def open_deduplicated(workspace: Workspace) -> Deduplicated:
    """Read a workspace whose deduplication has finished.

    Raises:
        WorkspaceError: it has not, or its parts were made from one another's older versions.
    """
    workspace.existing()
    corpus = Corpus(workspace.corpus(VERSION))
    folders = workspace.duplicates(VERSION), workspace.selection(VERSION)
    found, chosen = map(read_record, folders)
    if found.inputs["corpus"] != corpus.record.fingerprint or chosen.inputs["duplicates"] != found.fingerprint:
        raise WorkspaceError(f"{workspace.root}: the selection is older than the corpus; run the job again to finish")
    return Deduplicated(corpus, Duplicates.read(folders[0]), read_selection(folders[1]))


def audit_workspace(workspace: Workspace, *, per_source: int = 500, seed: int = 0) -> Audit:
    """Find the true neighbours of up to ``per_source`` documents a source, and recompute the sampled removals.

    What was found is also written to ``audit.json`` beside the duplicates, with the selection that it is about.
    """
    done = open_deduplicated(workspace)
    audit = audit_duplicates(
        done.duplicates,
        done.selection,
        shard_readers(done.corpus),
        sources=done.corpus.documents["source"],
        per_source=per_source,
        seed=seed,
    )
    about = {"selection": read_record(workspace.selection(VERSION)).fingerprint, "per_source": per_source, "seed": seed}
    write_json_atomic(workspace.duplicates(VERSION) / "audit.json", {**about, **audit.to_dict()})
    return audit
