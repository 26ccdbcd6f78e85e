"""What must hold before a run begins or goes on; each fault is one line that says what to do."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dq.errors import TrainingError, WorkspaceError, cause_of
from dq.store import read_parquet
from dq.training.checkpoint import RunState
from dq.training.config import RunSpec
from dq.training.record import LEDGER_SCHEMA, RunFolder, read_spec
from dq.training.stream import HeldoutTokens, TokenStream


def check_inputs(spec: RunSpec, stream: TokenStream, heldout: Sequence[HeldoutTokens]) -> None:
    """The stream is long enough, and held-out sets are there and of the run's vocabulary."""
    if stream.n_tokens < spec.budget_tokens:
        raise TrainingError(
            f"seed {spec.seed}: the stream has {stream.n_tokens:,} tokens and the run needs "
            f"{spec.budget_tokens:,}; lower the budget or repeat the data"
        )
    names = [heldout_set.name for heldout_set in heldout]
    if not names or len(set(names)) != len(names):
        raise TrainingError(f"held-out sets must be there and differ in name, got {names}")
    for heldout_set in heldout:
        if (
            len(heldout_set.tokens)
            and not 0 <= heldout_set.tokens.min() <= heldout_set.tokens.max() < spec.vocabulary_size
        ):
            raise TrainingError(
                f"held-out set {heldout_set.name!r} has token ids outside [0, {spec.vocabulary_size}); "
                "tokenise it with the study's tokenizer"
            )


def check_folder(spec: RunSpec, folder: RunFolder) -> None:
    """A folder that has been begun is this run's."""
    if not folder.config.exists():
        return
    try:
        found = read_spec(folder)
    except (OSError, ValueError, KeyError, TypeError, WorkspaceError) as error:
        raise TrainingError(
            f"{folder.config}: cannot be read ({cause_of(error)}); delete the folder to run again"
        ) from None
    if found != spec:
        fields = [name for name in RunSpec.model_fields if getattr(found, name) != getattr(spec, name)]
        raise TrainingError(
            f"{folder.path} holds another run ({', '.join(fields)} differ); use another folder or delete this one"
        )


def check_ledger(folder: RunFolder, state: RunState) -> None:
    """The ledger so far and the checkpoint are of one run. One that is damaged is written anew from the checkpoint."""
    if not state.step or not folder.ledger.exists():
        return
    try:
        written = read_parquet(folder.ledger)
    except WorkspaceError:
        return
    before = written.filter(pl.col("step") <= state.step) if "step" in written.columns else written
    if not before.equals(pl.DataFrame(state.ledger, schema=LEDGER_SCHEMA)):
        raise TrainingError(
            f"{folder.ledger}: not the ledger of the checkpoint beside it; delete {folder.path} to run again"
        )
