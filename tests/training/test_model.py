from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from dq.training import SIZES, Llama, find_size, initialise, save_hf
from dq.training.loss import chunked_loss


def make_model(size: str, *, vocabulary_size: int = 96, context: int = 48, seed: int = 0) -> Llama:
    model = Llama(find_size(size), vocabulary_size=vocabulary_size, context=context)
    initialise(model, seed=seed)
    return model


@pytest.mark.parametrize("size", ["0.1M", "0.3M", "1.1M", "15M"])
def test_transformers_loads_the_folder_and_gives_equal_logits_and_loss(size: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = make_model(size)
    with torch.no_grad():
        for parameter in model.parameters():  # norms too must be told apart from ones
            parameter.mul_(1 + 0.3 * torch.rand(parameter.shape, generator=torch.Generator().manual_seed(1)))
    save_hf(model, tmp_path, bos_id=0)
    theirs, report = transformers.LlamaForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]

    ids_BT = torch.randint(0, 96, (3, 48), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        out = theirs(ids_BT, labels=ids_BT)
        torch.testing.assert_close(model(ids_BT), out.logits, rtol=1e-4, atol=1e-5)
        loss = chunked_loss(model.hidden(ids_BT[:, :-1]).flatten(0, 1), model.head_VD, ids_BT[:, 1:].flatten())
    assert loss.item() / (3 * 47) == pytest.approx(out.loss.item(), rel=1e-5)
    assert theirs.config.tie_word_embeddings and theirs.num_parameters() == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("size", ["0.1M", "0.3M", "1.1M", "3.0M"])
def test_the_ladder_counts_the_parameters_the_model_has(size: str) -> None:
    model, counts = make_model(size), SIZES[size].parameters(96)
    assert counts.total == sum(parameter.numel() for parameter in model.parameters())
    assert counts.embedding == model.embed_tokens.weight.numel()
    assert counts.non_embedding == counts.total - counts.embedding


def test_flops_agree_with_torchs_own_counter() -> None:
    size, vocabulary_size, context = SIZES["0.3M"], 96, 48
    model = make_model("0.3M")
    ids_BT = torch.zeros(2, context, dtype=torch.int64)
    # The forward pass; the backward pass has two products for each of its.
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(ids_BT)
    per_token = size.flops_per_token(vocabulary_size=vocabulary_size, context=context)
    attention = 2 * size.layers * context * size.width * 2
    counted = counter.get_total_flops() / (2 * context)
    # Torch has no count for fused attention on a CPU.
    assert per_token / 3 in (counted, counted + attention)


def test_a_token_does_not_see_what_follows_it() -> None:
    model = make_model("0.1M")
    ids_BT = torch.randint(0, 96, (1, 48), generator=torch.Generator().manual_seed(0))
    changed_BT = ids_BT.clone()
    changed_BT[0, 20:] = 5
    with torch.no_grad():
        torch.testing.assert_close(model(ids_BT)[0, :20], model(changed_BT)[0, :20], rtol=1e-5, atol=1e-6)
        assert not torch.allclose(model(ids_BT)[0, 20:], model(changed_BT)[0, 20:])


def test_initial_weights_depend_on_seed_and_size_alone() -> None:
    torch.manual_seed(1)
    first = make_model("0.1M", seed=5).state_dict()
    torch.manual_seed(2)
    again = make_model("0.1M", seed=5, context=16).state_dict()
    other = make_model("0.1M", seed=6).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["embed_tokens.weight"], other["embed_tokens.weight"])


def test_initialising_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    initialise(make_model("0.1M"), seed=1)
    made = torch.get_rng_state()
    torch.set_rng_state(before)
    model = Llama(find_size("0.1M"), vocabulary_size=96, context=48)
    after_constructor = torch.get_rng_state()
    initialise(model, seed=1)
    assert torch.equal(torch.get_rng_state(), after_constructor)
    assert made.shape == before.shape


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 300), vocabulary=st.integers(2, 70), seed=st.integers(0, 100), scale=st.floats(0.1, 3))
def test_the_chunked_loss_and_its_gradients_are_those_of_plain_cross_entropy(
    rows: int, vocabulary: int, seed: int, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    hidden = torch.tensor(rng.normal(size=(rows, 8)), dtype=torch.float32, requires_grad=True)
    head = torch.tensor(rng.normal(size=(vocabulary, 8)), dtype=torch.float32, requires_grad=True)
    targets = torch.tensor(rng.integers(0, vocabulary, rows))

    plain = torch.nn.functional.cross_entropy(hidden @ head.T, targets, reduction="sum")
    expected = torch.autograd.grad(plain * scale, (hidden, head))
    chunked = chunked_loss(hidden, head, targets)
    found = torch.autograd.grad(chunked * scale, (hidden, head))

    torch.testing.assert_close(chunked, plain, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
