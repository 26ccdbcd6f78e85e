"""Training beside `transformers.Trainer`: `python benchmarks/training.py [--device cuda] [--sizes 0.3M 1.1M]`.

The same Llama, batch, optimiser, precision and number of steps; each side has a process with one thread, they take
turns, and the ratio is the median of the rounds. On a CPU rates are per second of processor time, so that a busy
machine changes them little. Beside each stands its share of the machine's own rate for matrix products of the model's
shapes, measured in the same round. Trainer needs `pip install accelerate`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import torch
from torch import Tensor

from dq.executors import Placement
from dq.training import RunSpec, TrainingConfig, find_size
from dq.training.trial import train_steps

VOCABULARY = 2_048
WARM_UP_STEPS = 4
Clock = Callable[[], float]


def a_spec(size: str, *, compiled: bool | None) -> RunSpec:
    """A run as a study has it."""
    return RunSpec(
        size=size,
        seed=0,
        steps=1000,
        vocabulary_size=VOCABULARY,
        bos_id=0,
        stream_fingerprint="",
        heldout_fingerprint="",
        training=TrainingConfig(precision="fp32", compiled=compiled),
    )


def our_rate(spec: RunSpec, *, device: str, steps: int, clock: Clock) -> float:
    """Tokens a second."""
    with train_steps(spec, placement=Placement(device)) as take_step:
        for _ in range(WARM_UP_STEPS):
            take_step()
        _wait(device)
        started = clock()
        for _ in range(steps):
            take_step()
        _wait(device)
        return steps * spec.training.tokens_per_step / (clock() - started)


def trainer_rate(spec: RunSpec, *, device: str, steps: int, clock: Clock) -> float:
    """Tokens a second of `transformers.Trainer`, which logs nothing and saves nothing."""
    import transformers  # noqa: PLC0415

    size, training = spec.model_size, spec.resolved_training
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=size.width,
        intermediate_size=size.feed_forward_width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=training.context,
        tie_word_embeddings=True,
    )
    ids = torch.randint(VOCABULARY, (training.batch_windows * (steps + WARM_UP_STEPS), training.context))
    times: list[float] = []

    class Timed(transformers.TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            times.append(clock())

    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            folder,
            per_device_train_batch_size=training.batch_windows,
            max_steps=steps + WARM_UP_STEPS,
            learning_rate=1e-3,
            weight_decay=training.weight_decay or 0.0,
            adam_beta2=training.beta2,
            max_grad_norm=training.gradient_clip,
            use_cpu=device == "cpu",
            disable_tqdm=True,
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
        )
        transformers.Trainer(
            transformers.LlamaForCausalLM(config),
            arguments,
            train_dataset=[{"input_ids": row, "labels": row} for row in ids],
            callbacks=[Timed()],
        ).train()
    return steps * training.tokens_per_step / (times[-1] - times[WARM_UP_STEPS - 1])


def matrix_rate(spec: RunSpec, *, device: str, clock: Clock) -> float:
    """Floating-point operations a second in products of the shapes of the layers, forward."""
    size, tokens = spec.model_size, spec.training.tokens_per_step
    shapes = [(size.width, size.width)] * 4 + [(size.width, size.feed_forward_width)] * 3
    inputs = [torch.randn(tokens, n, device=device) for n, _ in shapes]
    weights = [torch.randn(n, m, device=device) for n, m in shapes]
    operations = sum(2 * tokens * n * m for n, m in shapes)

    def products() -> Iterator[Tensor]:
        while True:
            for x, weight in zip(inputs, weights, strict=True):
                yield x @ weight

    endless, rounds = products(), 40
    for _ in range(len(shapes) * 4):
        next(endless)
    _wait(device)
    started = clock()
    for _ in range(len(shapes) * rounds):
        next(endless)
    _wait(device)
    return rounds * operations / (clock() - started)


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sizes", nargs="+", default=["0.3M", "1.1M"])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compiled", action="store_true", help="compile the step on a CPU too")
    options = parser.parse_args()
    clock = time.process_time if options.device == "cpu" else time.perf_counter
    process = partial(ProcessPoolExecutor, 1, get_context("spawn"), torch.set_num_threads, (1,))
    with process() as one, process() as other:
        _compare(options, one, other, clock=clock)


def _compare(
    options: argparse.Namespace, one: ProcessPoolExecutor, other: ProcessPoolExecutor, *, clock: Clock
) -> None:
    """Print a line a size; the products are measured here."""
    torch.set_num_threads(1)
    for name in options.sizes:
        spec = a_spec(name, compiled=True if options.compiled else None)
        flops = find_size(name).flops_per_token(vocabulary_size=VOCABULARY, context=spec.training.context)
        ours: list[float] = []
        theirs: list[float] = []
        machine: list[float] = []
        for _ in range(options.rounds):
            for rates, process, measure in ((ours, one, our_rate), (theirs, other, trainer_rate)):
                measuring = process.submit(measure, spec, device=options.device, steps=options.steps, clock=clock)
                rates.append(measuring.result())
            machine.append(matrix_rate(spec, device=options.device, clock=clock))
        ratios = [mine / its for mine, its in zip(ours, theirs, strict=True)]
        share = statistics.median(rate * flops / at_best for rate, at_best in zip(ours, machine, strict=True))
        sys.stdout.write(
            f"{name}: dq {statistics.median(ours):,.0f} tokens/s ({share:.0%} of the machine's matrix rate), "
            f"Trainer {statistics.median(theirs):,.0f}; ratio {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})\n"
        )


if __name__ == "__main__":
    main()
