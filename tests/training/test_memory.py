"""Out of memory is one line with the setting to change, whatever a device calls it; other errors stay as they are."""

from __future__ import annotations

import pytest
import torch

from dq.errors import TrainingError
from dq.training import TrainingConfig
from dq.training.memory import memory_told


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nand more"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        MemoryError("Unable to allocate 5 GiB for an array"),
    ],
)
def test_it_names_the_next_smaller_micro_batch(error: Exception) -> None:
    with (
        pytest.raises(
            TrainingError, match=r"^run: out of memory with 12 windows a pass; set `microbatch_windows` to 6 "
        ),
        memory_told("run", TrainingConfig(batch_windows=12), processes=1),
    ):
        raise error


@pytest.mark.parametrize(
    ("batch", "microbatch", "processes", "now", "then"),
    [(12, 6, 1, 6, 3), (12, 4, 1, 4, 2), (12, 3, 1, 3, 1), (10, None, 1, 10, 5), (12, None, 3, 4, 2), (8, 8, 2, 4, 2)],
)
def test_it_divides_a_step(batch: int, microbatch: int | None, processes: int, now: int, then: int) -> None:
    config = TrainingConfig(batch_windows=batch, microbatch_windows=microbatch)
    with (
        pytest.raises(TrainingError, match=rf"with {now} windows a pass; set `microbatch_windows` to {then} ") as told,
        memory_told("run", config, processes=processes),
    ):
        raise MemoryError
    assert told.value.field == "microbatch_windows"
    TrainingConfig(batch_windows=batch, microbatch_windows=then)


def test_where_one_window_is_too_many_the_model_is() -> None:
    config = TrainingConfig(microbatch_windows=1)
    with pytest.raises(TrainingError, match="one window a pass; choose a smaller `size`"):  # noqa: SIM117
        with memory_told("run", config, processes=1):
            raise MemoryError


def test_other_errors_are_raised_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shape"), memory_told("run", TrainingConfig(), processes=1):
        raise RuntimeError("shape mismatch")
