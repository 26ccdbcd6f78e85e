"""Arrays on disk: whole files written atomically, and maps whose pages are given back when a bound is reached."""

from __future__ import annotations

import functools
import io
import math
import mmap
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from dq.arrays import Array
from dq.errors import WorkspaceError
from dq.store.files import replacing


def release_pages(array: Array) -> None:
    """Give the pages of a mapped .npy file back to the page cache, as `MappedArray.release`; nothing for others."""
    if isinstance(array, np.memmap):
        mapped: Any = array
        mapped._mmap.madvise(mmap.MADV_DONTNEED)


def save_array(path: Path, array: Array) -> None:
    """Write ``path`` (.npy) so that it either holds the whole array or does not exist."""
    save_parts(path, [array], len(array))


def save_parts(path: Path, parts: Iterable[Array], length: int) -> None:
    """Like :func:`save_array`, for an array of ``length`` rows that comes in parts of some rows each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        for number, part in enumerate(parts):
            if number == 0:
                header = {
                    "descr": np.lib.format.dtype_to_descr(part.dtype),
                    "fortran_order": False,
                    "shape": (length, *part.shape[1:]),
                }
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(part).data)


def load_array(path: Path, *, mapped: bool = False) -> Array:
    """Read an array file (.npy), or map it.

    Raises:
        ValueError: it is none of numbers, or cut short.
    """
    with path.open("rb") as file:
        header = _header(file)
        shape, order, dtype = _described(header)
        # Else room would be made for whatever a damaged header says.
        if os.fstat(file.fileno()).st_size < len(header) + math.prod(shape) * dtype.itemsize:
            raise ValueError("a .npy file that is cut short")
        if mapped:
            return np.memmap(file, dtype, "r", len(header), shape, order)
        return np.fromfile(file, dtype, math.prod(shape)).reshape(shape, order=order)


def _header(file: IO[bytes]) -> bytes:
    """What stands before the numbers: the format's name and version, a length, and so many bytes."""
    begin = file.read(10)
    if not begin.startswith(np.lib.format.magic(1, 0)):
        raise ValueError("not a .npy file of version 1.0")
    return begin + file.read(int.from_bytes(begin[8:], "little"))


_PARSER = threading.Lock()


@functools.lru_cache(maxsize=4096)
def _described(header: bytes) -> tuple[tuple[int, ...], Literal["F", "C"], Any]:
    """Shape, order and dtype.

    NumPy reads headers with Python's parser, which in 3.11 now and then fails where two threads are in it at a time; it
    takes most of the time of a small file, and most headers have been seen before.
    """
    with _PARSER:
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(header[8:]))
    if dtype.hasobject:
        raise ValueError("a .npy file of objects")
    return shape, "F" if is_fortran else "C", dtype


_ZEROS = bytes(2**20)


def _reserve(path: Path, size: int) -> None:
    """Make a file with its blocks allocated: writing through a map to a full disk would kill the process."""
    try:
        with path.open("wb") as file:
            if size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:  # macOS has no such call: what is written is allocated
                for start in range(0, size, len(_ZEROS)):
                    file.write(_ZEROS[: size - start])
    except OSError as error:
        path.unlink(missing_ok=True)
        raise WorkspaceError(
            f"{path}: cannot reserve {size / 1e9:.2f} GB of disk: {error.strerror}; free some space and run again"
        ) from None


class MappedArray:
    """A raw array file mapped into memory.

    Pages of the file count as the process's memory while they are mapped: :meth:`release` gives them back to the page
    cache, so a scan of a file of any size stays within a bound.
    """

    def __init__(self, path: Path, dtype: Any, shape: tuple[int, ...], *, create: bool = False) -> None:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
            _reserve(path, size)
        self._map: mmap.mmap | None = None
        if size == 0:
            self.array: Array = np.empty(shape, dtype)
            return
        handle = os.open(path, os.O_RDWR if create else os.O_RDONLY)
        try:
            self._map = mmap.mmap(handle, size, access=mmap.ACCESS_WRITE if create else mmap.ACCESS_READ)
        finally:
            os.close(handle)
        self.array = np.frombuffer(self._map, dtype).reshape(shape)

    def release(self) -> None:
        """Give the pages back; the contents stay in the file."""
        if self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)

    def flush(self) -> None:
        """Write the contents to the file."""
        if self._map is not None:
            self._map.flush()
