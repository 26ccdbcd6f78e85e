"""Learned quality: it separates, it is repeatable, it survives a file, and says how sure it is."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from dq.errors import InputError
from dq.quality import LearnedOptions, QualityModel, Trained, train_quality
from dq.quality.scorers.learned import auc_interval

NOUNS = ["river", "theorem", "harvest", "bridge", "letter", "engine", "garden", "winter", "treaty", "melody"]
SHOUTS = ["click", "buy", "now", "free", "sale", "offer", "deal", "winner", "cheap", "limited"]


def documents(topic: list[str], n: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    filler = ["the", "a", "of", "and", "to", "in", "it", "is", "was", "for"]
    return [" ".join(rng.choices(topic, k=8) + rng.choices(filler, k=30)) + "." for _ in range(n)]


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train_quality(documents(NOUNS, 150, 1), documents(SHOUTS, 150, 2), LearnedOptions(bits=12))


def test_wanted_text_scores_above_other_text(trained: Trained) -> None:
    low, high = trained.model.probabilities(["buy now, free offer of the deal", "the river and the garden in winter"])
    assert low < 0.5 < high
    assert trained.auc > 0.99
    assert trained.auc_low <= trained.auc <= trained.auc_high
    assert trained.heldout_documents > 20
    assert trained.losses_nats[-1] < trained.losses_nats[0]


def test_training_twice_gives_the_same_weights(trained: Trained) -> None:
    again = train_quality(documents(NOUNS, 150, 1), documents(SHOUTS, 150, 2), LearnedOptions(bits=12))
    assert np.array_equal(again.model.weights, trained.model.weights)


def test_text_of_one_kind_on_both_sides_is_not_separable() -> None:
    found = train_quality(documents(NOUNS, 200, 3), documents(NOUNS, 200, 4), LearnedOptions(bits=12))
    assert found.auc_low < 0.5 < found.auc_high


def test_a_model_survives_a_file(trained: Trained, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "quality.safetensors"
    trained.model.save(path)
    loaded = QualityModel.load(path)
    texts = documents(NOUNS + SHOUTS, 20, 5)
    assert np.array_equal(loaded.probabilities(texts), trained.model.probabilities(texts))
    assert loaded.options == trained.model.options
    path.write_bytes(b"not a model at all")
    with pytest.raises(InputError, match="not a quality model"):
        QualityModel.load(path)
    with pytest.raises(InputError, match="no such file"):
        QualityModel.load(tmp_path / "absent")


def test_scoring_in_batches_changes_nothing(trained: Trained) -> None:
    texts = documents(NOUNS, 600, 6)
    alone = np.concatenate([trained.model.probabilities([t]) for t in texts])
    assert np.array_equal(trained.model.probabilities(texts), alone)


def test_too_few_texts_are_an_error_that_names_the_side() -> None:
    with pytest.raises(InputError, match="texts of `have` are too few"):
        train_quality(documents(NOUNS, 100, 1), ["one"])


def test_the_interval_of_the_auc_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    true_auc = 0.7602  # normal scores one standard deviation apart: Phi(1 / sqrt(2))
    covered = 0
    for _ in range(400):
        scores = np.concatenate([rng.normal(1, 1, 60), rng.normal(0, 1, 80)])
        _, low, high = auc_interval(scores, np.repeat([1, 0], [60, 80]))
        covered += low <= true_auc <= high
    assert 0.90 <= covered / 400 <= 0.98


def test_the_auc_of_ties_is_one_half() -> None:
    auc, low, high = auc_interval(np.zeros(10), np.repeat([1, 0], 5))
    assert (auc, low, high) == (0.5, 0.5, 0.5)
