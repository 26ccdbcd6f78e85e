"""Training on a GPU: `python benchmarks/gpu.py [--sizes 0.3M 6.8M] [--shapes 4x256 64x1024] [--study WORKSPACE]`.

Per size and shape of a step (windows x context): tokens/s of one run, of several runs in processes beside each other
(what a study does with small models), of several as one program (`dq ablate --stack`), and of a plain loop in the
manner of nanoGPT (LayerNorm, GELU, logits in one piece, bf16, compiled) of the same width, layers, context and
vocabulary, all counted with dq's FLOPs a token. Each with its share of the card's peak in dense bf16, where that is
known, and of the rate that the card reaches in one large product. Then the best stack over the best of single runs:
stacks are experimental until a card has shown 1.5 at the size of a study that ships, and go if it shows less. `--study`
trains 4 variants x 8 seeds on a workspace that `dq run` made. Where there is no GPU, the CPU does it, nothing is
compiled, and it says so.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dq.executors import Placement
from dq.store import Workspace
from dq.study import StudyConfig, forecast_study, run_study
from dq.training import RunSpec, TrainingConfig
from dq.training.trial import stack_steps, train_steps

VOCABULARY = 2_048
WARM_UP_STEPS = 4
PEAK_FLOPS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "RTX 4090": 165e12}  # dense bf16
STACKED = "as one program"
SHAPES = ("4x256", "64x1024")  # the default of a study, and one that fills a card


class Block(nn.Module):
    """A layer of nanoGPT without dropout."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        split = (*x_BTD.shape[:2], self.heads, -1)
        q, k, v = (part.view(split).transpose(1, 2) for part in self.qkv(self.ln_1(x_BTD)).chunk(3, dim=-1))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x_BTD = x_BTD + self.out(mixed.transpose(1, 2).reshape(x_BTD.shape))
        out_BTD: Tensor = x_BTD + self.down(functional.gelu(self.up(self.ln_2(x_BTD))))
        return out_BTD


class Gpt(nn.Module):
    """nanoGPT's model with its loss."""

    def __init__(self, spec: RunSpec) -> None:
        super().__init__()
        size, context = spec.model_size, spec.training.context
        self.tokens, self.positions = nn.Embedding(VOCABULARY, size.width), nn.Embedding(context, size.width)
        self.blocks = nn.Sequential(*(Block(size.width, size.heads) for _ in range(size.layers)))
        self.norm = nn.LayerNorm(size.width, bias=False)

    def forward(self, windows_BT: Tensor) -> Tensor:
        ids_BT, targets_BT = windows_BT[:, :-1], windows_BT[:, 1:]
        x_BTD = self.tokens(ids_BT) + self.positions.weight[: ids_BT.shape[1]]
        logits_BTV = functional.linear(self.norm(self.blocks(x_BTD)), self.tokens.weight)
        return functional.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())


def a_spec(size: str, shape: str) -> RunSpec:
    """A run as a study has it, but for the shape of its steps."""
    windows, context = map(int, shape.split("x"))
    return RunSpec(
        size=size,
        seed=0,
        steps=1000,
        vocabulary_size=VOCABULARY,
        bos_id=0,
        stream_fingerprint="",
        heldout_fingerprint="",
        training=TrainingConfig(batch_windows=windows, context=context),
    )


def timed(step: Callable[[], object], *, spec: RunSpec, device: str, steps: int, ready: Any = None) -> float:
    """Tokens a second of a step that is repeated."""
    for _ in range(WARM_UP_STEPS):
        step()
    _wait(device)
    if ready is not None:
        ready.wait()
    started = time.perf_counter()
    for _ in range(steps):
        step()
    _wait(device)
    return steps * spec.training.tokens_per_step / (time.perf_counter() - started)


def our_rate(spec: RunSpec, *, device: str, steps: int, ready: Any = None) -> float:
    """Tokens a second of a run."""
    with train_steps(spec, placement=Placement(device)) as take_step:
        return timed(take_step, spec=spec, device=device, steps=steps, ready=ready)


def stacked_rate(spec: RunSpec, *, device: str, steps: int, runs: int) -> float:
    """Tokens a second of all runs together, as one program."""
    with stack_steps(spec, runs=runs, placement=Placement(device)) as take_step:
        return runs * timed(take_step, spec=spec, device=device, steps=steps)


def rate_beside_others(spec: RunSpec, *, device: str, steps: int, processes: int) -> float:
    """Tokens a second of all runs together, each in a process of its own, begun at one moment."""
    context = multiprocessing.get_context("spawn")
    ready, rates = context.Barrier(processes), context.SimpleQueue()
    begun = {"device": device, "steps": steps, "ready": ready}
    workers = [context.Process(target=_one_of, args=(rates, spec), kwargs=begun) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit(f"{spec.size}: a run beside others has failed")
    return float(sum(rates.get() for _ in workers))


def _one_of(rates: Any, spec: RunSpec, **about: Any) -> None:
    try:
        rates.put(our_rate(spec, **about))
    except BaseException:
        about["ready"].abort()  # or the others would wait for it
        raise


def plain_rate(spec: RunSpec, *, device: str, steps: int) -> float:
    """Tokens a second of nanoGPT's loop."""
    is_gpu = device.startswith("cuda")
    model: Any = Gpt(spec).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    compiled = torch.compile(model) if is_gpu else model
    shape = (spec.training.batch_windows, spec.training.context + 1)
    windows_BT = torch.randint(VOCABULARY, shape, device=device)

    def step() -> None:
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=is_gpu):
            loss = compiled(windows_BT)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return timed(step, spec=spec, device=device, steps=steps)


def product_rate(device: str) -> float:
    """Floating-point operations a second in one large product."""
    is_gpu = device.startswith("cuda")
    n, dtype = (8192, torch.bfloat16) if is_gpu else (512, torch.float32)
    one, other = torch.randn(n, n, device=device, dtype=dtype), torch.randn(n, n, device=device, dtype=dtype)
    for _ in range(3):
        one @ other
    _wait(device)
    started = time.perf_counter()
    for _ in range(20):
        one @ other
    _wait(device)
    return 20 * 2 * n**3 / (time.perf_counter() - started)


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def study_rate(folder: Path, *, device: str, seeds: int, budget_tokens: int) -> str:
    """What a study of four variants takes."""
    config = StudyConfig.model_validate({
        "name": "benchmark-gpu",
        "budget_tokens": budget_tokens,
        "seeds": seeds,
        "margin_bits_per_byte": 0.02,
        "controls": None,
        "variants": {
            "raw": {"kind": "raw"},
            "curated": {"kind": "curated"},
            "half": {"kind": "token_noise", "dose": 0.5},
            "all": {"kind": "token_noise", "dose": 1.0},
        },
    })  # fmt: skip
    expected = forecast_study(config, Workspace(folder), device=device)
    started = time.perf_counter()
    run_study(config, Workspace(folder), device=device)
    seconds = time.perf_counter() - started
    runs = expected.runs - expected.runs_done
    return (
        f"study of 4 variants x {seeds} seeds, {config.size}, {config.budget_tokens:,} tokens a run: {seconds:.0f} s, "
        f"{expected.tokens / seconds:,.0f} tokens/s in all, evaluation and starts counted; {runs} runs, "
        f"{expected.at_a_time} at a time, {expected.seconds:.0f} s had been foretold"
    )


def rates_of(
    spec: RunSpec, *, device: str, steps: int, rounds: int, beside: list[int], stacks: list[int]
) -> dict[str, list[float]]:
    """Tokens a second of every side, which take turns."""
    sides: dict[str, Callable[[], float]] = {
        "one run": partial(our_rate, spec, device=device, steps=steps),
        "plain loop": partial(plain_rate, spec, device=device, steps=steps),
    }
    for count in beside:
        together = partial(rate_beside_others, spec, device=device, steps=steps, processes=count)
        sides[f"{count} beside each other"] = together
    for count in stacks:
        sides[f"{count} {STACKED}"] = partial(stacked_rate, spec, device=device, steps=steps, runs=count)
    found: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, measure in sides.items():
            found[side].append(measure())
    return found


def stack_verdict(found: dict[str, list[float]]) -> str:
    """The best stack beside the best way to train single runs."""
    rates = {side: statistics.median(values) for side, values in found.items() if side != "plain loop"}
    stacks = [side for side in rates if side.endswith(STACKED)]
    if not stacks:
        return "no stack was measured"
    best, single = max(stacks, key=rates.__getitem__), max(rates.keys() - stacks, key=rates.__getitem__)
    return f"{best} reach {rates[best] / rates[single]:.2f} times the best rate of single runs, {single}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--sizes", nargs="+", help="default: 0.3M 1.1M 6.8M 33M 87M on a GPU, else 0.3M")
    parser.add_argument("--shapes", nargs="+", help="windows x context of a step, such as 64x1024")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=int, nargs="*", default=[2, 4], help="runs in processes beside each other")
    parser.add_argument("--stacks", type=int, nargs="*", default=[4, 8, 16], help="runs as one program")
    parser.add_argument("--study", type=Path, help="a workspace to train 4 variants x 8 seeds in")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--budget-tokens", type=int, default=229_376)
    options = parser.parse_args()
    device, say = options.device, sys.stdout.write
    is_gpu = device.startswith("cuda")
    name = torch.cuda.get_device_name(device) if is_gpu else "the CPU, one thread"
    if not is_gpu:
        torch.set_num_threads(1)
        say("no GPU is measured: nothing here says how fast one is, how many runs should share it, or that it works\n")
    at_best = product_rate(device)
    peak = next((flops for card, flops in PEAK_FLOPS.items() if card in name), None)
    say(f"{name}: {at_best / 1e12:.3g} TFLOP/s in one large product; torch {torch.__version__}\n")
    for size in options.sizes or (["0.3M", "1.1M", "6.8M", "33M", "87M"] if is_gpu else ["0.3M"]):
        for shape in options.shapes or (SHAPES if is_gpu else SHAPES[:1]):
            spec = a_spec(size, shape)
            flops = spec.model_size.flops_per_token(vocabulary_size=VOCABULARY, context=spec.training.context)
            how = {"device": device, "steps": options.steps, "rounds": options.rounds}
            found = rates_of(spec, **how, beside=options.beside, stacks=options.stacks)
            for side, rates in found.items():
                rate = statistics.median(rates)
                of_peak = f", MFU {rate * flops / peak:.1%}" if peak else ""
                say(
                    f"{size} {shape} {side}: {rate:,.0f} tokens/s ({min(rates):,.0f} to {max(rates):,.0f}){of_peak}, "
                    f"{rate * flops / at_best:.1%} of that product\n"
                )
            say(f"{size} {shape}: {stack_verdict(found)}\n")
    if options.study:
        taken = study_rate(options.study, device=device, seeds=options.seeds, budget_tokens=options.budget_tokens)
        say(f"{taken}\n")


if __name__ == "__main__":
    main()
