"""The files that an input names, whatever their place and format, and the pieces that they are worked on in.

The one expander: a path, a pattern, a folder or a sample means the same files in every command and in `input:`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dq.arguments import many, path
from dq.corpus.config import InputSpec
from dq.corpus.documents import DOCUMENT_SCHEMA, Batch, Origin
from dq.corpus.fields import partitions
from dq.corpus.formats import ENDINGS, Format, format_of
from dq.corpus.places import PLACES, File, Place
from dq.corpus.samples import SampleFile, SampleFormat
from dq.errors import ConfigError, InputError, cause_of
from dq.executors import QUIET, Step, run_in_threads

FILE_FAULTS = (OSError, EOFError, zlib.error, pa.ArrowException)
"""What the readers' libraries raise where a file as a whole is at fault."""
HASHING_THREADS = 16  # each reads 1.4 GB/s where the disk does


@dataclass(frozen=True)
class InputFile:
    """A file of the input: where it is, how it is read, and how its fields are named."""

    file: File
    format: Format[Any]
    spec: InputSpec

    @property
    def name(self) -> str:
        """What ids, quarantines and records call it."""
        return self.file.name

    def batches(self, *, max_document_bytes: int, part: Any = None) -> Iterator[Batch]:
        """The documents of the file or of a part of it, in order, in batches; without rows, one empty batch.

        Rows that name no source have the file's name without its endings.

        Raises:
            InputError: the file is missing, truncated or otherwise unreadable as a file, or has no texts.
        """
        title = self.name.rpartition("/")[2]
        origin = Origin(self.name, title.partition(".")[0] or title, self.spec, partitions(self.name))
        any_rows = False
        try:
            for batch in self.format.batches(self.file, origin, max_document_bytes=max_document_bytes, part=part):
                any_rows = True
                yield batch
        except FILE_FAULTS as error:
            raise _unreadable(self.name, error) from None
        if not any_rows:
            yield Batch(DOCUMENT_SCHEMA.empty_table())

    def pieces(self, *, max_bytes: int) -> list[Piece]:
        """The file in pieces of about ``max_bytes``, which depend on the file alone.

        Raises:
            InputError: it cannot be read.
        """
        try:
            return [Piece(self, part) for part in self.format.cut(self.file, max_bytes=max_bytes)]
        except FILE_FAULTS as error:
            raise _unreadable(self.name, error) from None


@dataclass(frozen=True)
class Piece:
    """A part of a file, or a whole one."""

    input: InputFile
    part: Any = None

    def batches(self, *, max_document_bytes: int) -> Iterator[Batch]:
        """Its documents, as `InputFile.batches` gives them."""
        return self.input.batches(max_document_bytes=max_document_bytes, part=self.part)


def input_files(inputs: Sequence[InputSpec | str]) -> list[InputFile]:
    """Every file of the inputs, in the order given, sorted within a pattern or folder.

    A file that two entries name is read once, unless they give its documents other sources or its fields other names.

    Args:
        inputs: what is read; a text is a path, pattern or folder whose fields have their usual names.

    Raises:
        InputError: an entry names nothing, or a file of a format or place that dq does not read.
    """
    specs = [_spec(one) for one in many(inputs, name="inputs", of="paths")]
    if not specs:
        raise ConfigError("`inputs` is empty; name a file, a pattern or a folder", field="inputs")
    found: dict[Any, InputFile] = {}
    for spec in specs:
        fields = (spec.source, spec.text_field, spec.id_field, spec.source_field)
        for one in _expand(spec):
            found.setdefault((one.file, fields), one)
    return list(found.values())


def input_identity(files: Sequence[InputFile], *, step: Step = QUIET) -> list[list[Any]]:
    """What a record holds of its input: names, contents (SHA-256) and field names. The step counts files.

    Raises:
        InputError: a file cannot be read.
    """

    def identity(one: InputFile) -> list[Any]:
        found = [one.name, one.file.sha256(), one.spec]
        step.advance(detail=one.name)
        return found

    return run_in_threads(identity, files, threads=HASHING_THREADS)


def _spec(one: Any) -> InputSpec:
    if isinstance(one, InputSpec):
        return one
    return InputSpec(path=one if isinstance(one, str) else os.fspath(path(one, name="inputs")))


def _expand(spec: InputSpec) -> list[InputFile]:
    if spec.sample is not None:
        return [InputFile(SampleFile(spec.sample), SampleFormat(), spec)]
    assert spec.path is not None
    files = _place_of(spec.path).files(spec.path, endings=ENDINGS)
    if not files:
        raise InputError(
            f"{spec.path}: no such file, and no folder with files in it that dq reads ({', '.join(ENDINGS)}); "
            "check the path, which is relative to the current folder"
        )
    return [InputFile(file, format_of(file.name), spec) for file in files]


def _place_of(entry: str) -> Place:
    for place in PLACES:
        if place.matches(entry):
            return place
    raise InputError(f"{entry}: no place that dq reads from; copy the files to this machine and name them there")


def _unreadable(name: str, error: BaseException) -> InputError:
    """A file fault on one line."""
    return InputError(f"{name}: cannot be read: {cause_of(error)}; replace the file, or leave it out of the input")
