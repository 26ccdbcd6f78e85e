"""Learning rate, weight decay and warmup where a study states none: rules over width, batch and budget. No torch.

Each rule is somebody's, scaled to go through what was measured at the smallest runs. A study states its own to override
one, and should sweep them where much hangs on the answer: a rate that is right for one corpus can be wrong for another
(arXiv:2512.24503).
"""

from __future__ import annotations

from dq.training.sizes import ModelSize

REFERENCE_RATE = 6e-3
REFERENCE_WIDTH = 64
REFERENCE_TOKENS_PER_STEP = 1_024
REFERENCE_BUDGET_TOKENS = 229_376
WARMUP_FRACTION = 0.02


def learning_rate(size: ModelSize, *, tokens_per_step: int, budget_tokens: int) -> float:
    """Learning rate between warmup and decay.

    6e-3 at the reference, which is measured: at width 64 and this budget 3e-3 ends 0.06 bits per byte higher, and 1e-2
    is unstable (`ablations/LOG.md`). From there it falls as width^-1/2 (the table of DataDecide, arXiv:2504.11393,
    falls from width 64 to 1,024 by 4.2) and as budget^-0.3 (Marin's Delphi runs; others find no fall), and rises as
    the root of the batch (the same, and nanochat). Below width 64 the rate stays: 0.1M was measured at 6e-3 too.
    """
    width = (REFERENCE_WIDTH / max(size.width, REFERENCE_WIDTH)) ** 0.5
    batch = (tokens_per_step / REFERENCE_TOKENS_PER_STEP) ** 0.5
    budget = (REFERENCE_BUDGET_TOKENS / budget_tokens) ** 0.3
    return float(f"{REFERENCE_RATE * width * batch * budget:.2g}")


def weight_decay(*, parameters: int, learning_rate: float, steps: int, budget_tokens: int) -> float:
    """Decoupled weight decay that forgets over the right part of a run.

    AdamW averages its updates over 1 / (rate x decay) steps. The best such time, as a share of the run, is
    1.08 x (tokens a parameter)^-0.527 (Power Lines, arXiv:2505.13738).
    """
    share = 1.08 * (budget_tokens / parameters) ** -0.527
    return float(f"{1 / (learning_rate * steps * share):.2g}")


def warmup_tokens(budget_tokens: int) -> int:
    """Tokens in which the rate rises: a fiftieth of the budget. A study with several budgets takes its smallest."""
    return round(WARMUP_FRACTION * budget_tokens)
