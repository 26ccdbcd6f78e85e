"""What happens to rows: documents, or unreadable and listed in a file. Too many of these are an error."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from dq.corpus.batches import Batch
from dq.corpus.config import RowLimits
from dq.corpus.documents import BadRow
from dq.corpus.fields import no_text_field
from dq.errors import InputError
from dq.store.files import replacing

QUARANTINE = "quarantined.jsonl"
MAX_LISTED = 100_000  # rows: a broken file of any size leaves some 20 MB
ENCODING_HINT = "; is it Latin-1? `iconv -f LATIN1 -t UTF-8` rewrites it"


@dataclass
class RowCounts:
    """What happened to the rows of some files."""

    rows_by_file: Counter[str] = field(default_factory=Counter)
    """Documents and unreadable rows."""
    quarantined: Counter[str] = field(default_factory=Counter)
    """Unreadable rows by reason."""
    without_text: dict[str, list[str]] = field(default_factory=dict)
    """The names of the fields of the first row that has no text, by the file that it is in; one is enough."""
    replaced_surrogates: int = 0
    """Documents whose lone surrogates became U+FFFD."""
    left_out: tuple[str, ...] = ()
    """Files that lie in the folders of the input and are not read."""
    passed_over: Counter[str] = field(default_factory=Counter)
    """What files have beside rows, by its kind, such as the images of a crawl."""
    repeated_ids: int = 0
    """Documents that share their id with another of their source, where that was counted."""
    repeated_such: tuple[str, str] = ("", "")
    """Source and id of one of them."""

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> RowCounts:
        """What `to_dict` gave, other keys left out."""
        rows, quarantined = Counter(found["rows_by_file"]), Counter(found["quarantined"])
        replaced, left_out = found["replaced_surrogates"], tuple(found.get("left_out", ()))
        without_text, repeated = dict(found.get("without_text", {})), int(found.get("repeated_ids", 0))
        source, shared = found.get("repeated_such", ("", ""))
        counts = cls(rows, quarantined, without_text, replaced, left_out)
        counts.passed_over = Counter(found.get("passed_over", {}))
        counts.repeated_ids, counts.repeated_such = repeated, (str(source), str(shared))
        return counts

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for records and machines."""
        such = self.repeated_such
        return {
            "rows_by_file": dict(self.rows_by_file),
            "quarantined": dict(sorted(self.quarantined.items())),
            **({"without_text": self.without_text} if self.without_text else {}),
            "replaced_surrogates": self.replaced_surrogates,
            "left_out": list(self.left_out),
            **({"passed_over": dict(sorted(self.passed_over.items()))} if self.passed_over else {}),
            **({"repeated_ids": self.repeated_ids, "repeated_such": list(such)} if self.repeated_ids else {}),
        }

    @property
    def rows(self) -> int:
        """All rows."""
        return self.rows_by_file.total()

    @property
    def documents(self) -> int:
        """Readable rows."""
        return self.rows - self.quarantined.total()

    @property
    def empty_files(self) -> list[str]:
        """Files without a row."""
        return [name for name, rows in self.rows_by_file.items() if not rows]

    def add(self, batch: Batch) -> None:
        """Count the rows of a batch."""
        for name, documents, bad in batch.files:
            self.rows_by_file[name] += documents + bad
        self.quarantined.update(row.reason for row in batch.bad)
        if not self.without_text and (first := next((one for one in batch.unreadable() if one[1].fields), None)):
            self.without_text[first[0]] = list(first[1].fields)
        self.replaced_surrogates += batch.replaced_surrogates
        self.passed_over.update(batch.passed_over)

    def merge(self, other: RowCounts) -> None:
        """Count what was counted elsewhere, too."""
        self.rows_by_file.update(other.rows_by_file)
        self.quarantined.update(other.quarantined)
        self.without_text = self.without_text or other.without_text
        self.replaced_surrogates += other.replaced_surrogates
        self.passed_over.update(other.passed_over)

    def check(self, limits: RowLimits, *, listed_in: Path, text_field: str = "text") -> None:
        """Refuse what is mostly unreadable, or empty.

        Raises:
            InputError: more than ``max_bad_fraction`` of the rows are unreadable, or there are no documents.
        """
        rows, bad = self.rows, self.quarantined.total()
        if rows and self.without_text and self.quarantined["text_missing"] == rows:
            (name, there), *_ = self.without_text.items()
            raise no_text_field(f"{name}: no row has the field `{text_field}`", text_field, there)
        if bad > limits.max_bad_fraction * rows:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.quarantined.most_common())
            hint = ENCODING_HINT if self.quarantined["invalid_utf8"] > bad / 2 else ""
            raise InputError(
                f"{bad:,} of {rows:,} rows are unreadable ({reasons}), more than {limits.max_bad_fraction:g} of them"
                f"{hint}; they are listed in {listed_in}: repair them, or raise `max_bad_fraction`{self._hint()}",
                field="max_bad_fraction",
            )
        if rows == bad:
            raise InputError(f"no documents in {_some(self.empty_files) or 'the input'}; check what the input names")

    def _hint(self) -> str:
        for name, there in self.without_text.items():
            return f"; the first without its text, of {name}, has the fields {', '.join(there)}"
        return ""

    def warnings(self) -> list[str]:
        """What the user should know, a line each."""
        found = row_warnings(self.empty_files, self.replaced_surrogates, self.left_out, passed_over=self.passed_over)
        if self.repeated_ids:
            remedy = "file and row tell dropped ones apart; if another field does, name that for the id"
            found.append(f"{shared_ids(self.repeated_ids, *self.repeated_such)}; {remedy}")
        return found


def shared_ids(documents: int, source: str, example: str) -> str:
    """How many documents share their id, and one such id."""
    such = f"such as source {source}, id {example}"
    return f"{documents:,} documents share their id with another of their source, {such}"


def row_warnings(
    empty_files: Sequence[str],
    replaced_surrogates: int,
    left_out: Sequence[str] = (),
    *,
    passed_over: Mapping[str, int] | None = None,
) -> list[str]:
    """What the user should know of how rows were read, a line each."""
    found = [f"{_some(empty_files)}: empty"] if empty_files else []
    if left_out:
        found.append(f"{len(left_out):,} files in the folders of the input are not read: {_some(left_out)}")
    if passed_over:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in Counter(passed_over).most_common())
        found.append(f"{sum(passed_over.values()):,} records of crawls are no pages and were passed over: {kinds}")
    if replaced_surrogates:
        found.append(f"{replaced_surrogates:,} rows held lone surrogates; they became U+FFFD")
    return found


@contextmanager
def quarantine(path: Path, counts: RowCounts) -> Iterator[Callable[[Batch], None]]:
    """Count rows, and list the first unreadable ones in ``path``, which is there when all have been taken.

    Yields:
        A function that takes a batch.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:

        def take(batch: Batch) -> None:
            room = max(0, MAX_LISTED - counts.quarantined.total())
            counts.add(batch)
            file.writelines(_line(name, row) for name, row in itertools.islice(batch.unreadable(), room))

        yield take


def join_quarantines(parts: Sequence[Path], target: Path) -> None:
    """Several such files as one, in order, its first rows."""
    with replacing(target) as temporary, temporary.open("wb") as output:
        output.writelines(itertools.islice(_lines(parts), MAX_LISTED))


def _lines(parts: Sequence[Path]) -> Iterator[bytes]:
    for part in parts:
        with part.open("rb") as lines:
            yield from lines


def _line(name: str, row: BadRow) -> bytes:
    """File, line (or row, from 1), reason, first bytes; the offset in the file where its format tells."""
    where = {"file": name, "line": row.line} | ({} if row.offset is None else {"offset": row.offset})
    first = row.first_bytes.decode("utf-8", "replace")
    return orjson.dumps({**where, "reason": row.reason, "first_bytes": first}) + b"\n"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
