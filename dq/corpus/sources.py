"""What the documents of an entry of the input are called where their rows name no source.

An entry is one source, however many files it means: a corpus in a thousand shards is one corpus. Its name is that of
the file without its endings, of the folder, or of what a pattern's files begin with; entries that would share a name
get as many of the folders above them as tell them apart.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dq.corpus.addresses import is_address, redacted
from dq.corpus.names import spelled
from dq.corpus.places.patterns import WILD


def stem(name: str) -> str:
    """A file's name without folders and endings."""
    title = name.rpartition("/")[2]
    return title.partition(".")[0] or title


def source_names(entries: Sequence[str | tuple[str, ...]]) -> list[str]:
    """A name for each entry, which is a path, a pattern, a folder, or several of them."""
    ways = {entry: _way_of_addresses(entry) if _lies_elsewhere(entry) else _way(entry) for entry in entries}
    lengths = dict.fromkeys(ways, 1)
    while True:
        names = {entry: "/".join(way[-lengths[entry] :]) for entry, way in ways.items()}
        count = Counter(names.values())
        alike = [entry for entry, name in names.items() if count[name] > 1 and lengths[entry] < len(ways[entry])]
        if not alike:
            return [spelled(names[entry]) or "documents" for entry in entries]
        for entry in alike:
            lengths[entry] += 1


def _way(entry: str | tuple[str, ...]) -> tuple[str, ...]:
    """The folders on the way to what an entry means, and its name."""
    if isinstance(entry, tuple) and len(entry) > 1:
        return _names(os.path.commonpath([os.path.abspath(os.path.dirname(one)) for one in entry]))  # noqa: PTH100, PTH120
    path = entry if isinstance(entry, str) else entry[0]
    if Path(path).is_dir():
        return _names(path)
    folder, last = os.path.split(path)
    if os.path.lexists(path) or not WILD.search(path):
        return (*_names(folder), stem(last))
    if not WILD.search(folder) or Path(folder).is_dir():
        begin = WILD.split(last)[0].rstrip("0123456789-_. ")
        return (*_names(folder), begin) if begin else _names(folder)
    while WILD.search(folder) and not Path(folder).is_dir():
        folder = os.path.dirname(folder)  # noqa: PTH120
    return _names(folder)


def _lies_elsewhere(entry: str | tuple[str, ...]) -> bool:
    first = entry if isinstance(entry, str) else entry[0]
    return is_address(first) and not os.path.lexists(first)


def _way_of_addresses(entry: str | tuple[str, ...]) -> tuple[str, ...]:
    """The same where nothing tells a folder from a file but its name."""
    path = entry if isinstance(entry, str) else entry[0] if len(entry) == 1 else os.path.commonpath(entry)
    *folders, last = redacted(path).partition(":")[2].strip("/").split("/")
    while WILD.search("/".join(folders)):
        *folders, last = folders
    begin = WILD.split(last)[0].rstrip("0123456789-_. ") if WILD.search(last) else stem(last)
    return (*folders, begin) if begin else tuple(folders)


def _names(folder: str) -> tuple[str, ...]:
    return Path(os.path.abspath(folder)).parts[1:]  # noqa: PTH100
