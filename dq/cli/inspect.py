"""`dq inspect`: look at what a step did to documents."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dq.cli import show
from dq.cli.options import AsJson, Limit

if TYPE_CHECKING:
    from dq.inspect.document import DocumentHistory
    from dq.inspect.dropped import DroppedDocument
    from dq.inspect.pairs import Passage, RemovedPair

EXCERPT_CHARS = 400
MAX_ITEMS = 5  # of a document
MAX_PASSAGES = 60  # of a pair
MAX_WORDS = 120  # of one differing passage


def inspect_dropped(
    folder: Annotated[
        Path,
        typer.Argument(help="A folder of --dropped of `dq filter` or `dq decontaminate`, or a workspace of `dq run`."),
    ],
    reason: Annotated[str, typer.Option(help="Of a rule, or contaminated_by_NAME of a benchmark.")],
    limit: Limit = 10,
    as_json: AsJson = False,
) -> None:
    """Show dropped documents and why: the value that a rule judged, the entry of a list, the items of a benchmark.

    Example: dq inspect dropped dropped --reason too_few_words
    """
    from dq.inspect.dropped import dropped_documents

    found = dropped_documents(folder, reason, limit=limit)
    if as_json:
        show.json(found)
        return
    if not found:
        show.line(f"no document was dropped for {reason}")
    for document in found:
        _show_dropped(document)


def inspect_duplicates(
    folder: Annotated[Path, typer.Argument(help="A folder that `dq dedup`, `dq semdedup` or `dq run` made.")],
    source: Annotated[str | None, typer.Option(help="Removed documents of this source only.")] = None,
    below: Annotated[float | None, typer.Option(help="Pairs of a smaller similarity only.")] = None,
    limit: Limit = 10,
    as_json: AsJson = False,
) -> None:
    """Show removed documents beside the kept ones, with the words that differ marked; the least similar first.

    Example: dq inspect duplicates deduplicated --below 0.9
    """
    from dq.inspect.pairs import removed_pairs
    from dq.store import Workspace

    pairs = removed_pairs(Workspace(folder), source=source, below=below, limit=limit)
    if as_json:
        show.json(pairs)
        return
    for pair in pairs:
        _show_pair(pair)
    if not pairs:
        show.line("no removed documents to show")


def inspect_document(
    folder: Annotated[
        Path, typer.Argument(help="A folder that `dq run`, `dq dedup`, `dq semdedup` or `dq filter` made.")
    ],
    document_id: Annotated[str, typer.Argument(metavar="ID", help="Of the document.")],
    as_json: AsJson = False,
) -> None:
    """Show one document's whole history: its rules and values, its duplicates, what became of it.

    Example: dq inspect document deduplicated news-00007
    """
    from dq.inspect.document import document_history

    found = document_history(folder, document_id)
    if as_json:
        show.json(found)
        return
    for history in found:
        _show_history(history)


def _show_history(history: DocumentHistory) -> None:
    show.line((f"{history.id} ({history.source}): {history.fate.replace('_', ' ')}", "bold"))
    for failing in history.failing:
        if failing.signal is None:
            show.line(f"  {failing.reason}: {_entry(failing.entry, failing.address)}")
        else:
            show.line(f"  {failing.reason}: {_value(failing.signal, failing.value)}, accepted is {failing.accepted}")
    if history.near_heldout is not None:
        show.line(f"  too near to the held-out document {history.near_heldout}")
    if history.holds_item is not None:
        show.line(f"  holds item {history.holds_item}")
    if (kept := history.duplicate_of) is not None:
        kind = "exact copy" if kept.exact else "near copy"
        show.line(f"  {kind} of {kept.id} ({kept.source}), similarity {kept.similarity:.4f}")
    for one in history.neighbours:
        kept_or_not = "kept" if one.kept else "not kept"
        show.line(f"  pair with {one.id} ({one.source}), similarity {one.similarity:.4f}, {kept_or_not}")
    if history.version_bytes is not None:
        sizes = ", ".join(f"{name} {size:,} bytes" for name, size in history.version_bytes.items())
        show.line(f"  text versions: {sizes}; {history.tokens:,} tokens")
    for name, value in (history.signals or {}).items():
        show.line(f"  {_value(name, value)}")
    _show_text(history.text)


def _value(signal: str, value: float | str | None) -> str:
    if isinstance(value, str):
        return f"{signal} is {value}"
    return f"{signal} is {'undefined' if value is None or math.isnan(value) else f'{value:g}'}"


def _show_text(text: str) -> None:
    show.block(text[:EXCERPT_CHARS], prefix="  | ")
    if len(text) > EXCERPT_CHARS:
        show.line(f"  … and {len(text) - EXCERPT_CHARS:,} characters")
    show.line()


def _show_dropped(document: DroppedDocument) -> None:
    place = "" if document.file is None else f", {document.file}:{document.row}"
    show.line(f"{document.id} ({document.source}{place})")
    for line in _why(document):
        show.line(f"  {document.reason}: {line}")
    others = [reason for reason in document.reasons if reason != document.reason]
    if others:
        show.line(f"  also: {', '.join(others)}")
    _show_text(document.text)


def _why(document: DroppedDocument) -> list[str]:
    if document.signal is not None:
        return [f"{_value(document.signal, document.value)}, accepted is {document.accepted}"]
    items = [f"{one.coverage:.0%} of item {one.item}, {one.ngrams:,} n-grams" for one in document.items[:MAX_ITEMS]]
    if len(document.items) > MAX_ITEMS:
        items.append(f"and {len(document.items) - MAX_ITEMS:,} more items (--json has all)")
    return items or [_entry(document.entry, document.address)]


def _entry(entry: str | None, address: str | None) -> str:
    where = f" in {address}" if address else ""
    return f"nothing{where} by the lists as they are now" if entry is None else f"{entry}{where}"


def _show_pair(pair: RemovedPair) -> None:
    from dq.inspect.pairs import compare_words

    counts = " (all shingles equal)" if pair.union is None else f" ({pair.intersection:,} of {pair.union:,} shingles)"
    counts = "" if pair.by_meaning else counts
    counts = " (exact copy)" if pair.exact else counts
    show.line((f"{'cosine' if pair.by_meaning else 'similarity'} {pair.similarity:.4f}{counts}", "bold"))
    if pair.kept_text is None:
        show.line(f"removed: {pair.id} ({pair.source})")
        show.line(f"kept: {pair.kept_id} ({pair.kept_source}), in the index, which holds no texts")
        show.line()
        return
    rows: list[tuple[show.Part, show.Part]] = []
    passages = compare_words(pair.text, pair.kept_text)
    for passage in passages[:MAX_PASSAGES]:
        if passage.skipped:
            equal = (f"... {passage.skipped:,} equal words ...", "dim")
            rows.append((equal, equal))
        if passage.removed or passage.kept:
            rows.append(_sides(passage))
    if len(passages) > MAX_PASSAGES:
        rest = (f"... {len(passages) - MAX_PASSAGES:,} more passages ...", "dim")
        rows.append((rest, rest))
    show.side_by_side((f"removed: {pair.id}", f"kept: {pair.kept_id}"), rows)
    show.line()


def _sides(passage: Passage) -> tuple[show.Part, show.Part]:
    """A passage of both texts. Differences are coloured on a terminal, else marked as [-x-] and {+y+}."""
    left, right = _words(passage.removed), _words(passage.kept)
    if passage.equal:
        return left, right
    if not show.at_terminal():
        left, right = f"[-{left}-]" if left else "", f"{{+{right}+}}" if right else ""
    return (left, "red strike"), (right, "green")


def _words(words: tuple[str, ...]) -> str:
    more = f" ... {len(words) - MAX_WORDS:,} more words" if len(words) > MAX_WORDS else ""
    return " ".join(word[:200] for word in words[:MAX_WORDS]) + more
