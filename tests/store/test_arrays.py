"""Arrays on disk are those that NumPy reads, and what is none is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dq.store.arrays import load_array, save_array


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("shape", [(0,), (0, 2), (1,), (5, 3)])
@pytest.mark.parametrize("dtype", ["<i8", "<u4", "<f4", "?", [("a", "<u8"), ("b", "<i4")]])
def test_an_array_is_read_as_numpy_reads_it(
    tmp_path: Path, dtype: object, shape: tuple[int, ...], mapped: bool
) -> None:
    path = tmp_path / "a.npy"
    values = np.zeros(shape, dtype)  # type: ignore[call-overload]
    for column in [values[name] for name in values.dtype.names or ()] or [values]:
        column[...] = np.arange(values.size).reshape(shape)
    save_array(path, values)
    found, expected = load_array(path, mapped=mapped), np.load(path)
    assert (found.dtype, found.shape, found.tolist()) == (expected.dtype, expected.shape, values.tolist())


def test_columns_that_numpy_wrote_one_after_another_keep_their_places(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(np.arange(6).reshape(2, 3)))
    assert [load_array(tmp_path / "a.npy", mapped=mapped).tolist() for mapped in (False, True)] == [
        [[0, 1, 2], [3, 4, 5]]
    ] * 2


def test_what_is_no_array_of_numbers_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    save_array(tmp_path / "short.npy", np.arange(100))
    (tmp_path / "short.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:-8])
    header = (tmp_path / "short.npy").read_bytes().replace(b"(100,), }    ", b"(10000000000000,), }")
    (tmp_path / "huge.npy").write_bytes(header)
    (tmp_path / "text.npy").write_text("no array at all, but a text")
    reasons = {"objects": "objects", "short": "cut short", "huge": "cut short", "text": r"not a \.npy"}
    for name, reason in reasons.items():
        for mapped in (False, True):
            with pytest.raises(ValueError, match=reason):
                load_array(tmp_path / f"{name}.npy", mapped=mapped)
