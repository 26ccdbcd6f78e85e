"""A small real job: two sources, a neutral set, copies, rows that cannot be read."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

from dq.corpus import InputSpec, ReadConfig
from dq.jobs import JobConfig
from dq.stages.heldout import HeldoutConfig, NeutralSet
from dq.stages.tokenizer import TokenizerConfig
from dq.store import Workspace
from tests.jobs.texts import edited, prose, rows, vocabulary, write_jsonl

STAGES = (
    "corpus/original",
    "duplicates/original",
    "fates",
    "heldout",
    "neutral/essays",
    "planted",
    "selection/original",
    "signals/original",
    "tokenizer",
    "tokens/original",
    "verdicts/original",
)


def small_job(folder: Path, documents: int = 160) -> JobConfig:
    """Inputs in ``folder``; an essay is quoted in the corpus, and one row is broken."""
    rng, words = random.Random(99), vocabulary(0)
    essays = [{"id": f"essay-{n}", "text": prose(rng, words, rng.randint(210, 300))} for n in range(40)]
    lines = [*rows(0, documents), {"id": "leak", "text": edited(rng, essays[3]["text"], 8), "source": "web"}]
    path = write_jsonl(folder / "documents.jsonl", lines)
    with path.open("a") as file:
        file.write('{"text": "broken\n')
    neutral = NeutralSet(name="essays", input=(InputSpec(path=str(write_jsonl(folder / "essays.jsonl", essays))),))
    return JobConfig(
        input=(InputSpec(path=str(path)),),
        read=ReadConfig(shard_rows=50),
        heldout=HeldoutConfig(fraction=0.1, neutral=(neutral,), document_bytes=300, max_documents=25),
        tokenizer=TokenizerConfig(vocab_size=400),
    )


def changed(config: JobConfig, **sections: dict[str, Any]) -> JobConfig:
    """The configuration with some fields of some sections changed, validated again."""
    plain = config.model_dump(mode="json")
    for section, fields in sections.items():
        plain[section].update(fields)
    return JobConfig.model_validate_json(json.dumps(plain))


def contents(workspace: Workspace) -> dict[str, str]:
    """SHA-256 of every file but the locks."""
    return {
        path.relative_to(workspace.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(workspace.root.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def touched(workspace: Workspace) -> dict[str, int]:
    """When each stage's record was written, in nanoseconds."""
    return {stage: (workspace.root / stage / "stage.json").stat().st_mtime_ns for stage in STAGES}


def rebuilt(before: dict[str, int], after: dict[str, int]) -> set[str]:
    """The stages that were done again."""
    return {stage for stage in before if before[stage] != after[stage]}
