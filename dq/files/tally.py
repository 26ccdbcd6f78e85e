"""What happened to the documents of a piece, or of all pieces: counts that add up, kept as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa

from dq.corpus.quarantine import RowCounts
from dq.errors import WorkspaceError
from dq.store import read_json, write_json_atomic
from dq.text import SPACELESS_SCRIPTS

BY_SOURCE = {
    "source": pl.String,
    "documents": pl.Int64,
    "bytes": pl.Int64,
    "kept": pl.Int64,
    "kept_bytes": pl.Int64,
}


@dataclass
class Tally:
    """Documents by source and by reason."""

    documents: Counter[str] = field(default_factory=Counter)
    """By source."""
    bytes: Counter[str] = field(default_factory=Counter)
    """UTF-8 of their texts, by source."""
    kept: Counter[str] = field(default_factory=Counter)
    kept_bytes: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    """By reason: documents that a rule drops."""
    alone: Counter[str] = field(default_factory=Counter)
    """By reason: documents that only this rule drops."""
    scripts: Counter[str] = field(default_factory=Counter)
    """By script without spaces: documents that are mostly in it."""
    kept_scripts: Counter[str] = field(default_factory=Counter)
    unjudged: dict[str, list[str]] = field(default_factory=dict)
    """By script: the reasons of the rules that did not judge them, or the signals that are not made for them."""
    languages: Counter[str] = field(default_factory=Counter)
    """By language, of rules that read it; "" where it is unknown."""
    kept_languages: Counter[str] = field(default_factory=Counter)
    rows: RowCounts = field(default_factory=RowCounts)

    @classmethod
    def sum(cls, paths: Iterable[Path]) -> Tally:
        """The tallies of some pieces, added up."""
        total = cls()
        for path in paths:
            found = read_json(path)
            try:
                total.rows.merge(RowCounts.from_dict(found.pop("rows")))
                total.unjudged |= found.pop("unjudged")
                for name, counts in found.items():
                    getattr(total, name).update(counts)
            except (KeyError, TypeError, ValueError, AttributeError):
                raise WorkspaceError(f"{path}: not the counts of a piece; delete it and run again") from None
        return total

    def by_source(self) -> pl.DataFrame:
        """One row a source, by name: the columns of `BY_SOURCE`, bytes those of texts in UTF-8."""
        counters = (self.documents, self.bytes, self.kept, self.kept_bytes)
        rows = [[source, *(counter[source] for counter in counters)] for source in sorted(self.documents)]
        return pl.DataFrame(rows, schema=BY_SOURCE, orient="row")

    def write(self, path: Path) -> None:
        """Write it whole, or not at all."""
        write_json_atomic(path, {**vars(self), "rows": self.rows.to_dict()})

    def count_documents(self, table: pa.Table) -> None:
        """Count documents (columns of DOCUMENT_SCHEMA)."""
        _count(self.documents, self.bytes, table)

    def count_kept(self, table: pa.Table) -> None:
        """Count documents that every rule accepts."""
        _count(self.kept, self.kept_bytes, table)

    def count_reasons(self, reasons: pl.Series) -> None:
        """Count the rules that drop documents, given the list of reasons of each."""
        for counter, rows in ((self.dropped, reasons), (self.alone, reasons.filter(reasons.list.len() == 1))):
            if len(rows):
                counter.update(dict(rows.explode().value_counts().iter_rows()))

    def count_scripts(self, verdicts: pl.DataFrame) -> None:
        """Count documents that rules did not judge for their script, given the verdicts on all."""
        of_scripts = verdicts.filter(pl.col("script").is_not_null())
        for script, keep, unjudged in of_scripts.select("script", "keep", "not_judged").iter_rows():
            self.scripts[script] += 1
            self.kept_scripts[script] += keep
            self.unjudged[script] = unjudged

    def count_languages(self, languages: pl.Series, keep: pl.Series) -> None:
        """Count documents by language, and those that every rule accepts."""
        for counter, rows in ((self.languages, languages), (self.kept_languages, languages.filter(keep))):
            counter.update(dict(rows.fill_null("").value_counts().iter_rows()))

    def count_unfit(self, scores: pl.DataFrame, told_by: Mapping[str, str]) -> None:
        """Count documents in scripts that signals are not made for.

        Args:
            scores: of all documents, the signals that tell it among them.
            told_by: of each signal that is not made for all scripts the one that is above 0 where it does not fit.
        """
        tellers = [*dict.fromkeys(told_by.values())]
        if not tellers:
            return
        found = scores.select(pl.col(tellers).fill_null(0)).with_columns(script=pl.max_horizontal(tellers))
        for (number,), group in found.filter(pl.col("script") > 0).group_by("script"):
            script = SPACELESS_SCRIPTS[int(str(number)) - 1]
            self.scripts[script] += len(group)
            above = {name for name in tellers if (group[name] > 0).any()}
            self.unjudged[script] = [name for name, teller in told_by.items() if teller in above]


def _count(documents: Counter[str], sizes: Counter[str], table: pa.Table) -> None:
    columns = {"source": pl.Series(table.column("source")), "bytes": pl.Series(table.column("text")).str.len_bytes()}
    by_source = pl.DataFrame(columns).group_by("source").agg(pl.len(), pl.col("bytes").sum())
    for source, count, size in by_source.iter_rows():
        documents[source] += count
        sizes[source] += size
