"""Cut repeated passages out of files: read, find, cut, write what is left and what each cut repeats.

The output folder is a workspace with two results: ``kept/NNNNN.parquet`` (id, source, text, meta, cut_bytes; documents
of which nothing is left are not in it) and ``passages.parquet``, a row a piece: document, id, source, begin, end,
kept_document, kept_id, kept_source, kept_begin, cut_begin, cut_end. ``document`` is the place in the order of reading,
begins and ends are bytes of the text as read: ``text[begin:end]`` stands in the kept document from ``kept_begin`` on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dq.arguments import instance, path
from dq.arrays import I64, offsets_of
from dq.cards import CardConfig, Section, Source, named
from dq.corpus import ReadConfig
from dq.corpus.apart import refuse_overlap
from dq.corpus.followed import input_bytes
from dq.corpus.inputs import Entry, find_inputs
from dq.dedup import Passages, Resources, unproven_pieces
from dq.executors import QUIET, LocalExecutor, Progress, Step, require_live_polars, run_in_threads
from dq.files.card import Card, check_card, write_documents_card
from dq.files.made import Made, made_in
from dq.stages.base import Need, Output, View, unreplaced
from dq.stages.duplicates import disk_errors, shard_readers
from dq.stages.passages import FoundPassages, PassageConfig, guard_passages, lost_by_source, passages_of
from dq.stages.read import Documents, ingest
from dq.stages.signals import score_documents
from dq.store import Stage, Workspace, write_parquet, write_table

LEDGER = "passages.parquet"


@dataclass(frozen=True)
class PassagesResult(Made):
    """What cutting repeated passages made.

    ``sources`` has documents, bytes, kept_bytes, cut (documents that lost some) and emptied.

    Attributes:
        options: what was looked for.
        pieces: rows of the ledger.
    """

    options: PassageConfig
    pieces: int


class Rest(Output):
    """What is left of the documents: one Parquet file a corpus shard, and the ledger of what is not."""

    made_by: ClassVar = {"rest": 1}
    needs: ClassVar = {"corpus": Need(Documents), "passages": Need(FoundPassages)}

    @classmethod
    def place(cls, view: View, _of: str, /) -> Path:
        """``kept``."""
        return view.workspace.kept()


def cut_passages(
    inputs: Sequence[Entry],
    out: Path,
    config: PassageConfig | None = None,
    *,
    read: ReadConfig | None = None,
    card: CardConfig | None = None,
    overwrite: bool = False,
    resources: Resources | None = None,
    progress: Progress = QUIET,
) -> PassagesResult:
    """Cut repeated passages out of ``inputs`` into ``out``. The same call goes on after any interruption.

    Args:
        inputs: files, patterns, folders and samples; a text is a path whose fields have their usual names.
        out: a new folder, or one that this function made.
        config: length, boundaries, policy, guard; the defaults without one.
        read: how rows become documents.
        card: licences and languages for the dataset's card of ``kept``; for a finished one it is written anew.
        overwrite: replace what other inputs or settings have made in ``out``.
        resources: threads and memory.
        progress: hears of every step.

    Raises:
        DqError: what is wrong with the input, the options, the disk or the folders, on one line.
    """
    require_live_polars()
    config, resources = config or PassageConfig(), resources or Resources()
    instance(config, PassageConfig, name="config", remedy="dq.stages.passages has it")
    instance(resources, Resources, name="resources", remedy="dq.dedup has it")
    check_card(card)
    out, found = path(out, name="out"), find_inputs(inputs)
    refuse_overlap(found, [out])
    view = View(Workspace(out).create("passages"), replaces=overwrite)
    with view.workspace.lock():
        with progress.step("read", unit="bytes", total=input_bytes(found)) as step:
            may_replace = None if overwrite else unreplaced
            ingest(Documents.place(view, ""), found, read or ReadConfig(), may_replace=may_replace, step=step)
        corpus = view.open(Documents)
        if config.keep.signal:
            score_documents(view, [config.keep.signal], executor=LocalExecutor(resources.threads))
        with progress.step("find passages", unit="documents", total=corpus.count) as step:
            pieces = passages_of(view, config, resources=resources, step=step)
        passages = pieces.passages(corpus.documents)
        sources = lost_by_source(passages, corpus.documents["source"])
        guard_passages(sources, config)
        with progress.step("write", unit="shards", total=len(corpus.shards)) as step:
            _write(view, passages, _Told(config, sources, card), threads=resources.threads, step=step)
    return PassagesResult(**made_in(view, sources, card), options=config, pieces=len(passages.pieces))


def audit_passages(workspace: Workspace) -> pl.DataFrame:
    """The pieces of a finished folder that its texts do not bear out, as of :func:`dq.dedup.unproven_pieces`.

    Raises:
        WorkspaceError: nothing has finished there.
    """
    view = View(workspace.existing())
    corpus = view.open(Documents)
    return unproven_pieces(view.open(FoundPassages).passages(corpus.documents), shard_readers(corpus))


@dataclass(frozen=True)
class _Told:
    """What the card says."""

    options: PassageConfig
    sources: pl.DataFrame
    config: CardConfig | None

    def write(self, stage: Stage) -> None:
        """Write it into the folder of a stage."""
        left = self.sources.with_columns(left=pl.col("documents") - pl.col("emptied")).filter(pl.col("left") > 0)
        card = Card(
            title="without repeated passages",
            summary="Documents without passages that stand in others too. `cut_bytes`: how much was cut out of each.",
            sources=[
                Source(one["source"], {"documents": one["left"], "bytes": one["kept_bytes"]})
                for one in left.iter_rows(named=True)
            ],
            sections=[self._section()],
        )
        write_documents_card(stage, card, self.config)

    def _section(self) -> Section:
        options, policy = self.options, named(str(self.options.keep))
        what = f"a passage of {options.min_bytes:,} bytes or more that several documents have"
        if options.drop_above is None:
            text = (
                f"Of {what}, one keeps it, by the policy {policy}; of the others it was cut, between "
                f"{options.boundaries}. A document of which fewer than {options.min_rest_bytes:,} bytes would be left "
                "was dropped."
            )
        else:
            text = (
                f"Nothing was cut. A document was dropped if more than {options.drop_above:.4g} of its bytes were in "
                f"such: {what}. One that stays keeps each, by the policy {policy}."
            )
        rows = self.sources.select("source", "documents", "cut", "emptied", "bytes", "kept_bytes").rows()
        head = ("source", "documents", "documents cut or dropped", "documents dropped", "bytes", "bytes left")
        return Section("Repeated passages", text, head, rows)


def _write(view: View, passages: Passages, told: _Told, *, threads: int, step: Step) -> None:
    """``kept/`` and the ledger, which belongs to the same stage."""
    stage, ledger, corpus = view.stage(Rest), view.workspace.root / LEDGER, view.open(Documents)
    if stage.done() is not None and ledger.exists():
        told.write(stage)
        return
    stage.start()
    ledger.unlink(missing_ok=True)
    sizes = corpus.sizes
    starts = offsets_of(sizes)

    def write(number: int) -> None:
        output = stage.folder / corpus.shards[number].name
        if not output.exists():
            _write_shard(corpus.shards[number], passages, int(starts[number]), output=output)
        step.advance()

    with disk_errors(stage.folder):
        run_in_threads(write, range(len(corpus.shards)), threads=threads)
        write_parquet(ledger, _ledger(corpus.documents, passages.pieces))
    told.write(stage)
    stage.commit({"pieces": len(passages.pieces)})


def _write_shard(shard: Path, passages: Passages, first: int, *, output: Path) -> None:
    with pq.ParquetFile(shard) as file:
        table = file.read(columns=["id", "source", "text", "meta"])
    rows = slice(first, first + len(table))
    cut: I64 = passages.n_bytes[rows] - passages.rest_bytes[rows]
    rest = passages.rest(table.column("text"), first=first)
    table = table.set_column(table.schema.get_field_index("text"), "text", rest).append_column(
        "cut_bytes", pa.array(cut)
    )
    write_table(output, table.filter(pa.array(~passages.emptied[rows])), repeated=["source"])


def _ledger(documents: pl.DataFrame, pieces: pl.DataFrame) -> pl.DataFrame:
    """The pieces with the ids and sources of both documents."""
    named = {
        prefix + name: documents[name].gather(pieces[prefix + "document"]).alias(prefix + name)
        for prefix in ("", "kept_")
        for name in ("id", "source")
    }
    columns = ("document", "id", "source", "begin", "end", "kept_document", "kept_id", "kept_source", "kept_begin")
    return pieces.with_columns(**named).select(*columns, "cut_begin", "cut_end")
