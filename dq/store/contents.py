"""What lies in a stage's folder: which files dq wrote, whether they are as they were left, and what kills left behind.

A finished stage lists its files in its record, each with its size and a digest of its ends: what was truncated,
replaced or swapped is told on one line before anything is made of it. Only what dq itself wrote is ever deleted.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from dq.errors import WorkspaceError
from dq.store.files import PARTIAL, remove_partials

RECORD, STARTED, LOCK = "stage.json", "started.json", ".lock"
EDITED = "README.md"  # a card that people add to: changed or gone, the folder is whole, and the card theirs
END_BYTES = 1 << 16  # of each end of a file; what holds a table's columns and counts is at its end

# The names that stages give to files and folders. A file of a user that has such a name is known by the listing alone.
_NUMBERED = r"\d{5}\.[a-z0-9.]+|joined"
_NAMED = (
    r"(set-\d{3}|overlap-[\w.-]+|entries|withheld|exclusions|pairs|copies|empty|frozen|fates|verdicts|selection|lengths"
    r"|whole|matches|items)\.parquet|(stage|started|record|audit|learned|planted|tokenizer|filter|manifest|croissant)\.json"
    r"|README\.md|quarantined\.jsonl|tokens\.bin|model\.safetensors|\.lock"
)
_INNER = r"(\.pieces|\.ranked|buckets|signatures|work)(/[\w.-]+)?"
_OWN = re.compile(rf"{_NUMBERED}|{_NAMED}|{_INNER}")
_OWN_BESIDE_A_LISTING = re.compile(rf"{_NAMED}|{_INNER}")


def digest(path: Path) -> str:
    """Size, and SHA-256 of both ends, of a file."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        found = hashlib.sha256(file.read(END_BYTES))
        if size > END_BYTES:
            file.seek(max(END_BYTES, size - END_BYTES))
            found.update(file.read(END_BYTES))
    return f"{size}:{found.hexdigest()[:16]}"


def listing(folder: Path) -> dict[str, str]:
    """The digest of every file that a stage leaves in its folder, by name."""
    names = [path.relative_to(folder).as_posix() for path in _files(folder)]
    passing = (RECORD, STARTED)
    kept = [name for name in names if name not in passing and not name.startswith(".") and "/." not in name]
    return {name: digest(folder / name) for name in sorted(kept)}


def check(folder: Path, listed: Mapping[str, str], *, stage: str) -> None:
    """Refuse files that are not as the stage left them.

    Raises:
        WorkspaceError: one is gone, or is another one.
    """
    remedy = f"; delete {folder} and run the command that made it again (stage `{stage}`)"
    for name, known in listed.items():
        if name == EDITED:
            continue
        try:
            found = digest(folder / name)
        except OSError as error:
            raise WorkspaceError(f"{folder / name}: cannot be read: {error.strerror}{remedy}") from None
        if found != known:
            raise WorkspaceError(f"{folder / name}: not as it was left ({_difference(found, known)}){remedy}")


def _difference(found: str, known: str) -> str:
    sizes = [int(one.partition(":")[0]) for one in (found, known)]
    return "other contents" if sizes[0] == sizes[1] else f"{sizes[0]:,} bytes instead of {sizes[1]:,}"


def clear(folder: Path, *, listed: Mapping[str, str] | None, keep: Collection[str] = ()) -> None:
    """Delete what a stage left in its folder, but for the mark that it has begun.

    Args:
        folder: of the stage.
        listed: its files, where it has finished.
        keep: names that stay, unless they are not as they were left.
    """
    # The record goes first: killed while the files go, the folder must not look finished.
    (folder / RECORD).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.name == STARTED or (path.name in keep and _intact(path, listed or {})):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def remove_own(folder: Path) -> None:
    """Delete what a stage has begun to write in its folder, its lock aside; what is not dq's own stays."""
    for path in [*_files(folder)]:
        own = _OWN.fullmatch(path.relative_to(folder).as_posix()) or PARTIAL.fullmatch(path.name)
        if own and path.name != LOCK and not path.is_symlink():
            path.unlink()
    for path in folder.iterdir():
        if _OWN.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            with suppress(OSError):  # a file of the user lies in it
                path.rmdir()


def _intact(place: Path, listed: Mapping[str, str]) -> bool:
    known = {name: one for name, one in listed.items() if name.startswith(f"{place.name}/")}
    try:
        return all(digest(place.parent / name) == one for name, one in known.items())
    except OSError:
        return False


def refuse_foreign(folder: Path, *, listed: Mapping[str, str] | None) -> None:
    """Refuse what is not dq's own in a folder that is to be written anew.

    Raises:
        WorkspaceError: which file or link.
    """
    own = _OWN_BESIDE_A_LISTING if listed else _OWN
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        known = name in (listed or ()) or own.fullmatch(name) or PARTIAL.fullmatch(path.name)
        edited = name == EDITED and listed is not None and not path.is_symlink() and digest(path) != listed.get(name)
        if path.is_symlink() or not known or edited:
            what = "a link" if path.is_symlink() else "edited" if edited else "not a file of dq"
            raise WorkspaceError(f"{path}: {what}, in a folder that is to be written anew; move it to another place")


def refuse_links(folder: Path) -> None:
    """Refuse a stage's folder that is a link, or lies in one: what it leads to is the user's.

    Raises:
        WorkspaceError: which.
    """
    inside = (folder.parent.parent / "workspace.json").exists()
    for place in (folder, folder.parent) if inside else (folder,):
        if place.is_symlink():
            raise WorkspaceError(
                f"{place}: a link to {place.readlink()}, and dq writes into folders of its own only; remove the link"
            )


def sweep(folder: Path) -> None:
    """Remove what killed writers left in a folder and below it; the caller holds its lock."""
    remove_partials(folder)
    for started in folder.rglob(STARTED):
        if started.with_name(RECORD).exists():  # killed between the two
            started.unlink()


def _files(folder: Path) -> Iterator[Path]:
    """Files and links below a folder; folders that are links are not entered."""
    for place, names, files in os.walk(folder):
        linked: Iterable[str] = (name for name in names if os.path.islink(os.path.join(place, name)))  # noqa: PTH114, PTH118
        yield from (Path(place, name) for name in (*files, *linked))
