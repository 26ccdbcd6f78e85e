"""What a file holds, by its first bytes: JSON lines, a JSON array, Parquet, or something that is named with its remedy.

Names say which files of a folder are read; what is in them says how. A download that failed, a pointer of Git LFS or
text of another encoding would else be "12 of 12 rows are unreadable", which helps nobody.
"""

from __future__ import annotations

import re

from dq.corpus.formats.arrow import FILE_MAGIC, STREAM_MAGIC, ArrowIpc
from dq.corpus.formats.base import Format
from dq.corpus.formats.compression import COMPRESSIONS, FAULTS, PACKED_ENDINGS, compression_of, decompressed
from dq.corpus.formats.delimited import Delimited
from dq.corpus.formats.json_values import JsonValues, is_json_values
from dq.corpus.formats.jsonl import BOM, JsonLines
from dq.corpus.formats.parquet import MAGIC as PARQUET
from dq.corpus.formats.parquet import Parquet
from dq.corpus.formats.records import BEGINS as RECORD
from dq.corpus.formats.warc import Warc
from dq.corpus.formats.whole_files import HtmlPage, PlainText
from dq.corpus.places import File
from dq.errors import InputError

HEAD_BYTES = 4096
TAR = (257, b"ustar")
FETCH = "replace the file"
UNPACK = "unpack it, and name the files in it"
CONVERT = "write it as Parquet or as JSON lines"
UTF8 = "write it as UTF-8, for example with `iconv -f {} -t UTF-8`"

FOREIGN = (
    (b"version https://git-lfs.github.com/", "a Git LFS pointer and not the file itself", "run `git lfs pull`"),
    (b"/annex/objects/", "a git-annex pointer and not the file itself", "run `git annex get`"),
    (b"PK\x03\x04", "a zip archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"\x04\x22\x4d\x18", "LZ4", "unpack it with `lz4 -d`"),
    (b"\xff\x06\x00\x00sNaPpY", "Snappy", "unpack it"),
    (b"\x5d\x00\x00", "LZMA", "unpack it with `xz -d --format=lzma`"),
    (b"PARE", "encrypted Parquet", "write it without encryption"),
    (b"FEA1", "Feather of its first version", CONVERT),
    (b"ORC", "ORC", CONVERT),
    (b"Obj\x01", "Avro", CONVERT),
    (b"SQLite format 3\x00", "an SQLite database", CONVERT),
    (b"\x89HDF", "HDF5", CONVERT),
    (b"\x93NUMPY", "a NumPy array", CONVERT),
    (b"%PDF-", "PDF", CONVERT),
    (b"\x00\x00\xfe\xff", "UTF-32", UTF8.format("UTF-32")),
    (b"\xff\xfe\x00\x00", "UTF-32", UTF8.format("UTF-32")),
    (b"\xff\xfe", "UTF-16", UTF8.format("UTF-16")),
    (b"\xfe\xff", "UTF-16", UTF8.format("UTF-16")),
)
"""First bytes, what they are of, and what to do. Longer ones before their own beginnings."""
UTF16 = re.compile(rb"\xff\xfe(?!\0\0)|\xfe\xff")
BINARY = ((PARQUET, Parquet()), (FILE_MAGIC, ArrowIpc()), (STREAM_MAGIC, ArrowIpc()))
BARE_UTF = {"UTF-32LE": b"{\0\0\0", "UTF-32BE": b"\0\0\0{", "UTF-16LE": b"{\0", "UTF-16BE": b"\0{"}
MARKUP = (
    ((b"<!doctype html", b"<html", b"<head", b"<body"), "an HTML page, such as a server sends in place of a file"),
    ((b"<",), "XML, such as a server sends in place of a file"),
)


def recognised(file: File) -> Format:  # type: ignore[type-arg]
    """The format of what a file holds.

    A file fault is the exception of who found it; one that unpacking finds is left to whoever reads it all.

    Raises:
        InputError: it holds what dq does not read; says what, and what to do.
    """
    head = _head(file)
    whole = _whole_file(file)
    if isinstance(whole, HtmlPage) and UTF16.match(head):
        return whole  # a page says by a mark of byte order what it is written in
    if what := _foreign(head, may_be_markup=whole is not None):
        raise InputError(f"{file.name}: holds {what[0]}; {what[1]}, or leave it out of the input")
    binary = next((one for magic, one in BINARY if head.startswith(magic)), None)
    if (found := binary or whole) is not None:
        return found
    if RECORD.match(head):
        return Warc()
    if file.magic and not head and _has(file, Warc.endings):
        return Warc()  # its first member is damaged, others may not be
    text = head.lstrip(BOM + b" \t\r\n")
    if _has(file, Delimited.endings) and text and not text.startswith(b"{"):
        return Delimited()
    if text and not text.startswith((b"{", b"[")) and (named := _named(file)):
        raise InputError(f"{file.name}: holds no {named}, as its name says; {FETCH}, or leave it out of the input")
    return JsonValues() if is_json_values(text) else JsonLines()


def _whole_file(file: File) -> Format | None:  # type: ignore[type-arg]
    """The format of one document a file that its name says."""
    return next((one for one in (PlainText(), HtmlPage()) if _has(file, one.endings)), None)


def _named(file: File) -> str:
    """What a file is by its name, and not by its bytes."""
    packed = next((one.name for one in COMPRESSIONS if file.name.lower().endswith(one.endings)), "")
    if packed and compression_of(file) is None:
        return packed
    kinds = {"Parquet": Parquet.endings, "WARC": Warc.endings, "Arrow": ArrowIpc.endings}
    return next((name for name, endings in kinds.items() if _has(file, endings)), "")


def _has(file: File, endings: tuple[str, ...]) -> bool:
    """Whether the name has one of them, before that of a compression."""
    name = file.name.lower()
    packed = next((ending for ending in PACKED_ENDINGS if name.endswith(ending)), "")
    return name.removesuffix(packed).endswith(endings)


def _head(file: File) -> bytes:
    stored = file.head(HEAD_BYTES)
    if compression_of(file) is None:
        return stored
    try:
        with decompressed(file) as plain:
            return plain.read(HEAD_BYTES)
    except FAULTS:
        return b""


def _foreign(head: bytes, *, may_be_markup: bool) -> tuple[str, str] | None:
    """What a file is that dq does not read, and the remedy."""
    if head.startswith(b"{") and b"\0" not in head:
        return None  # as nearly all are: an object, of no wider encoding
    for magic, what, remedy in FOREIGN:
        if head.startswith(magic):
            return what, remedy
    if head[TAR[0] :].startswith(TAR[1]):
        return "a tar archive", UNPACK
    for encoding, begin in BARE_UTF.items():
        if head.startswith(begin):
            return encoding, UTF8.format(encoding)
    if head and not head.strip(b"\0"):
        return "nothing but zeros", FETCH
    text = b"" if may_be_markup else head.lstrip(BOM + b" \t\r\n").lower()
    return next(((what, FETCH) for begins, what in MARKUP if text.startswith(begins)), None)
