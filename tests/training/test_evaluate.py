from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dq.errors import TrainingError
from dq.training import HeldoutTokens, Llama, evaluate, find_size, initialise
from tests.training.tokens import BOS, VOCABULARY, make_heldout

CONTEXT = 32


@pytest.fixture(scope="module")
def model() -> Llama:
    model = Llama(find_size("0.1M"), vocabulary_size=VOCABULARY, context=CONTEXT)
    initialise(model, seed=0)
    return model


def brute_force(model: Llama, tokens: NDArray[np.int32]) -> float:
    """One document, one chunk at a time, from plain logits."""
    sequence, total = [BOS, *tokens.tolist()], 0.0
    for start in range(0, len(sequence) - 1, CONTEXT):
        chunk = torch.tensor(sequence[start : start + CONTEXT + 1])
        with torch.no_grad():
            log_p = torch.log_softmax(model(chunk[None, :-1])[0].double(), dim=-1)
        total -= sum(log_p[i, target].item() for i, target in enumerate(chunk[1:]))
    return total


def documents_of(heldout: HeldoutTokens) -> list[NDArray[np.int32]]:
    return np.split(heldout.tokens, heldout.offsets[1:-1])


def test_every_token_of_every_document_is_counted_once(model: Llama) -> None:
    heldout = make_heldout("set", documents=40, seed=4)
    losses = evaluate(model, heldout, bos_id=BOS, precision="fp32")
    documents = documents_of(heldout)
    assert {31, 32, 33, 64} <= {len(document) for document in documents}
    assert losses.n_tokens.tolist() == [len(document) for document in documents]
    assert losses.loss_nats.dtype == np.float64
    np.testing.assert_allclose(losses.loss_nats, [brute_force(model, document) for document in documents], rtol=1e-5)


def test_batches_larger_than_one_do_not_change_a_document(model: Llama) -> None:
    heldout = make_heldout("set", documents=400, seed=5)
    whole = evaluate(model, heldout, bos_id=BOS, precision="fp32").loss_nats
    for chosen in (0, 3, 399):
        only = np.zeros(400, dtype=np.bool_)
        only[chosen] = True
        alone = evaluate(model, heldout.select(only), bos_id=BOS, precision="fp32").loss_nats
        np.testing.assert_allclose(alone, whole[chosen], rtol=1e-5)


def reordered(heldout: HeldoutTokens, order: NDArray[np.int64]) -> HeldoutTokens:
    documents = [documents_of(heldout)[i] for i in order]
    lengths = [len(document) for document in documents]
    return HeldoutTokens(
        name=heldout.name,
        documents=[heldout.documents[i] for i in order],
        tokens=np.concatenate(documents),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        n_bytes=heldout.n_bytes[order],
    )


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_documents_changes_no_bit_of_any_loss(model: Llama, seed: int) -> None:
    heldout = make_heldout("set", documents=60, seed=6)
    order = np.random.default_rng(seed).permutation(60)
    losses = evaluate(model, heldout, bos_id=BOS, precision="fp32").loss_nats
    shuffled = evaluate(model, reordered(heldout, order), bos_id=BOS, precision="fp32").loss_nats
    assert (shuffled == losses[order]).all()


@pytest.mark.parametrize(("documents", "chosen"), [(4, 4), (10, 10), (11, 10), (100, 10), (101, 11), (250, 25)])
def test_the_curve_uses_a_tenth_but_at_least_ten(documents: int, chosen: int) -> None:
    assert make_heldout("set", documents=documents, seed=1).curve_documents().sum() == chosen


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_curves_tenth_is_the_same_documents_in_any_order(seed: int) -> None:
    heldout = make_heldout("set", documents=150, seed=1)
    order = np.random.default_rng(seed).permutation(150)
    shuffled = reordered(heldout, order)
    tenth = set(heldout.select(heldout.curve_documents()).documents)
    assert set(shuffled.select(shuffled.curve_documents()).documents) == tenth


def test_a_selection_keeps_each_documents_tokens_and_bytes() -> None:
    heldout = make_heldout("set", documents=30, seed=1)
    chosen = np.arange(30) % 3 == 1
    selected = heldout.select(chosen)
    assert [d.tolist() for d in documents_of(selected)] == [
        d.tolist() for d, keep in zip(documents_of(heldout), chosen, strict=True) if keep
    ]
    assert selected.n_bytes.tolist() == heldout.n_bytes[chosen].tolist()


@pytest.mark.parametrize(
    ("documents", "offsets", "n_bytes", "message"),
    [
        ([], [0], [], "no documents"),
        (["a", "a"], [0, 1, 2], [1, 1], "twice"),
        (["a", "b"], [0, 2], [1, 1], "3 offsets"),
        (["a", "b"], [0, 2, 1], [1, 1], "rise"),
        (["a", "b"], [0, 1, 2], [1, 0], "one byte"),
    ],
)
def test_a_held_out_set_that_does_not_add_up_is_refused(
    documents: list[str], offsets: list[int], n_bytes: list[int], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        HeldoutTokens(
            name="set",
            documents=documents,
            tokens=np.array([1, 2], dtype=np.int32),
            offsets=np.array(offsets, dtype=np.int64),
            n_bytes=np.array(n_bytes, dtype=np.int64),
        )
