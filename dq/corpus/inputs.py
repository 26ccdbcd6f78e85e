"""The files that an input names, whatever their place and format.

The one expander: a path, a pattern, a folder or a sample means the same files in every command and in `input:`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from dq.arguments import many, path
from dq.corpus.addresses import KNOWN_SCHEMES, is_address, redacted, scheme_of
from dq.corpus.config import InputSpec
from dq.corpus.formats import ENDINGS, KNOWN_KINDS, Format, format_of
from dq.corpus.formats.compression import FAULTS
from dq.corpus.places import PLACES, File, Found, Place
from dq.corpus.places.base import opened_together
from dq.corpus.places.patterns import WILD
from dq.corpus.samples import SampleFile, SampleFormat
from dq.corpus.sources import source_names, stem
from dq.errors import ConfigError, InputError, cause_of
from dq.executors import QUIET, Step, run_in_threads

FILE_FAULTS = (*FAULTS, pa.ArrowException)
"""What the readers' libraries raise where a file as a whole is at fault."""
HASHING_THREADS = 16  # each reads 1.4 GB/s where the disk does
SMALL_BYTES = 1 << 20  # of files below it on average one thread is faster: they would wait for each other
IN_IDENTITY = ("path", "sample", "source", "text_field", "id_field", "source_field")
"""What a record always holds of an entry; what else there is to say only where it is said."""

Entry: TypeAlias = InputSpec | str | os.PathLike[str]


@dataclass(frozen=True)
class InputFile:
    """A file of the input: where it is, how it is read, what its fields and the rows without a source are called."""

    file: File
    format: Format[Any]
    spec: InputSpec
    source: str

    @property
    def name(self) -> str:
        """What ids, quarantines and records call it."""
        return self.file.name


@dataclass(frozen=True)
class Inputs:
    """What is read, and the names of files that lie in the folders of the input and are not."""

    files: tuple[InputFile, ...]
    left_out: tuple[str, ...]


def find_inputs(inputs: Sequence[Entry] | Inputs) -> Inputs:
    """Every file of the inputs, in the order given, sorted within a pattern or folder; what was found stays as it is.

    A file that two entries name is read once, unless they give its documents other sources or its fields other names.

    Args:
        inputs: what is read; a text is a path, pattern or folder whose fields have their usual names, and such files
            of one folder are one entry.

    Raises:
        InputError: an entry names nothing, or a file of a format or place that dq does not read.
    """
    if isinstance(inputs, Inputs):
        return inputs
    specs = input_specs(many(inputs, name="inputs", of="paths"))
    if not specs:
        raise ConfigError("`inputs` is empty; name a file, a pattern or a folder", field="inputs")
    named = [spec for spec in specs if spec.path is not None]
    names = dict(
        zip((spec.path for spec in named), source_names([spec.path for spec in named if spec.path]), strict=True)
    )
    found: dict[Any, InputFile] = {}
    left_out: dict[str, None] = {}
    for spec in specs:
        fields = spec.model_dump(exclude={"path", "source_from"})
        files, others = _expand(spec, names.get(spec.path, spec.sample or ""))
        for one in files:
            found.setdefault((one.file, tuple(fields.values())), one)
        left_out |= dict.fromkeys(others)
    return Inputs(tuple(found.values()), tuple(left_out))


def input_specs(inputs: Sequence[Entry], **fields: Any) -> list[InputSpec]:
    """Paths as entries of an input: files of one folder, as a shell writes them for a pattern, are one entry.

    Args:
        inputs: paths, and entries, which stay as they are.
        fields: of the entries that paths become.
    """
    specs: dict[Any, InputSpec | list[str]] = {}
    for number, one in enumerate(inputs):
        if isinstance(one, InputSpec):
            specs[number] = one
            continue
        name = os.fspath(path(one, name="inputs")) if isinstance(one, os.PathLike) else one
        folder = _folder_of_file(name)
        key = number if folder is None else folder
        together = specs.setdefault(key, [])
        assert isinstance(together, list)
        together.append(name)
    return [
        one if isinstance(one, InputSpec) else InputSpec(path=one[0] if len(one) == 1 else tuple(one), **fields)
        for one in specs.values()
    ]


def _folder_of_file(name: str) -> str | None:
    """The folder that a path names one file of; of what lies elsewhere its name alone says that it does."""
    if path(name, name="inputs").is_file():
        return os.path.dirname(os.path.abspath(name))  # noqa: PTH100, PTH120
    if scheme_of(name) and redacted(name).lower().endswith(ENDINGS) and not WILD.search(redacted(name)):
        return redacted(name).rpartition("/")[0]
    return None


def input_identity(files: Sequence[InputFile], *, step: Step = QUIET) -> list[list[Any]]:
    """What a record holds of its input: names, contents and field names. The step counts files.

    Contents are a SHA-256, or what a place says of them without a reading.

    Raises:
        InputError: a file cannot be read.
    """
    specs = {id(one.spec): one.spec for one in files}  # they are few, and each is spelled once
    said = {number: _said(spec) for number, spec in specs.items()}

    def identity(one: InputFile) -> list[Any]:
        found = [one.name, one.file.contents(), said[id(one.spec)]]
        # The file's own name is what a source was called before entries had names: older results are still found.
        source = [] if one.source == stem(one.name) or one.spec.source else [one.source]
        step.advance(detail=one.name)
        return found + source

    is_small = sum(one.file.size for one in files) < SMALL_BYTES * len(files)
    return run_in_threads(identity, files, threads=1 if is_small else HASHING_THREADS)


def _said(spec: InputSpec) -> dict[str, Any]:
    """What an entry says; the paths of several files say no more than the files' own names."""
    fields = spec.model_dump(mode="json")
    fields["path"] = None if isinstance(spec.path, tuple) else fields["path"]
    return {
        name: value
        for name, value in fields.items()
        if name in IN_IDENTITY or (value != type(spec).model_fields[name].default and name != "source_from")
    }


def _expand(spec: InputSpec, name: str) -> tuple[list[InputFile], Sequence[str]]:
    """The files of an entry, and the names of those that are left out."""
    if spec.sample is not None:
        return [InputFile(SampleFile(spec.sample), SampleFormat(), spec, name)], ()
    entries = spec.path if isinstance(spec.path, tuple) else (str(spec.path),)
    found = [_found(entry) for entry in entries]
    files = [
        InputFile(file, recognised.for_entry(spec), spec, _source(spec, file, name))
        for one in found
        for file, recognised in zip(one.files, _formats_of(one.files), strict=True)
    ]
    return files, [other for one in found for other in one.left_out]


def _source(spec: InputSpec, file: File, name: str) -> str:
    return spec.source or (stem(file.name) if spec.source_from == "file" else name)


def _found(entry: str) -> Found:
    found = _place_of(entry).files(entry, endings=ENDINGS)
    if not found.files:
        if not (is_address(entry) or WILD.search(entry) or os.path.lexists(entry)):
            raise InputError(
                f"{redacted(entry)}: no such file or folder; check the path, which is relative to the current folder"
            )
        others = f"; in it are {', '.join(found.left_out[:3])}" if found.left_out else ""
        where = "address" if is_address(entry) else "path, which is relative to the current folder"
        raise InputError(
            f"{redacted(entry)}: no such file, and no folder with files in it that dq reads ({KNOWN_KINDS}){others}; "
            f"check the {where}"
        )
    return found


def _formats_of(files: Sequence[File]) -> list[Format[Any]]:
    return run_in_threads(_format_of, files, threads=opened_together(files))


def _format_of(file: File) -> Format[Any]:
    try:
        return format_of(file)
    except FILE_FAULTS as error:
        raise unreadable(file.name, error) from None


def _place_of(entry: str) -> Place:
    for place in PLACES:
        if place.matches(entry):
            return place
    raise InputError(
        f"{redacted(entry)}: dq reads no such address, but those of {KNOWN_SCHEMES}; copy the files to this machine, "
        "and name them there"
    )


def unreadable(name: str, error: BaseException) -> InputError:
    """A file fault on one line."""
    return InputError(f"{name}: cannot be read: {cause_of(error)}; replace the file, or leave it out of the input")
