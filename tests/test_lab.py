"""The toy sentence: tokens, sizes, the lab's own numbers, and what follows from what."""

from __future__ import annotations

import numpy as np
import pytest

from attnwidget.sources.lab import LabSource
from attnwidget.sources.text import split


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("The cat sat on the mat", ["The", "cat", "sat", "on", "the", "mat"]),
        ("Wait, what?!", ["Wait", ",", "what", "?", "!"]),
        ("don't  stop\n\tnow.", ["don't", "stop", "now", "."]),
        ("<b>x</b>", ["<", "b", ">", "x", "<", "/", "b", ">"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("cafe\u0301 ok", ["cafe\u0301", "ok"]),
        ("hi 👩\u200d👧 👍🏽 🇫🇷!", ["hi", "👩\u200d👧", "👍🏽", "🇫🇷", "!"]),
        ("שלום עולם", ["שלום", "עולם"]),
        ("a_b x2", ["a_b", "x2"]),
    ],
)
def test_split(sentence, tokens):
    assert list(split(sentence)) == tokens


def test_the_lab_prints_these_numbers():
    # What the course lab's cells print with seed 0 (embeddings and weights seeded apart).
    source = LabSource.create("The cat sat on the mat")
    np.random.seed(0)
    X = np.random.rand(6, 4)
    np.random.seed(0)
    W_q, W_k, W_v = (np.random.rand(4, 4) for _ in range(3))
    np.testing.assert_array_equal(source.embeddings, X)
    for got, want in [(source.Q, X @ W_q), (source.K, X @ W_k), (source.V, X @ W_v)]:
        np.testing.assert_allclose(got, want, rtol=1e-15)
    scores = source.Q @ source.K.T / 2
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        weights[0], [0.1339, 0.1215, 0.1660, 0.0580, 0.1380, 0.3825], atol=5e-5
    )
    np.testing.assert_allclose((weights @ source.V)[0], [1.4139, 1.5410, 1.2170, 1.0376], atol=5e-5)


def test_sizes_follow_from_arrays():
    rng = np.random.default_rng(1)
    X, W_k, W_v = rng.normal(size=(3, 5)), rng.normal(size=(5, 2)), rng.normal(size=(5, 7))
    source = LabSource.create("a b c", embeddings=X, W_k=W_k, W_v=W_v)
    assert source.Q.shape == (3, 2)
    np.testing.assert_allclose(source.K, X @ W_k)
    np.testing.assert_allclose(source.V, X @ W_v)
    assert source.scale == pytest.approx(2**-0.5)


def test_heads_lead():
    source = LabSource.create("a b c", d_model=6, n_heads=2, d_v=5)
    assert source.Q.shape == (2, 3, 3)
    assert source.V.shape == (2, 3, 5)
    for h in range(2):
        np.testing.assert_allclose(source.Q[h], source.embeddings @ source.W_q[h])


def test_the_keys_have_a_generator_of_their_own():
    source = LabSource.create("a b", key_tokens="x y z", seed=5, d_model=3)
    np.testing.assert_array_equal(source.embeddings, np.random.RandomState(5).rand(2, 3))
    np.testing.assert_array_equal(source.key_embeddings, np.random.RandomState([5, 1]).rand(3, 3))
    assert LabSource.create("a b").key_embeddings is None


def test_what_is_set_stays_until_its_inputs_are_set():
    source = LabSource.create("a b c", d_k=2)
    Q = np.arange(6.0).reshape(3, 2)
    source = source.replace("Q", Q, 0, 0)
    source = source.replace("W_k", np.ones((4, 2)), 0, 0)
    np.testing.assert_array_equal(source.Q, Q)
    np.testing.assert_allclose(source.K, source.embeddings @ np.ones((4, 2)))
    source = source.replace("W_q", np.ones((4, 2)), 0, 0)
    np.testing.assert_allclose(source.Q, source.embeddings @ np.ones((4, 2)))
    source = source.replace("V", np.ones((3, 5)), 0, 0)
    labelled = source.replace("tokens", "x y z", 0, 0)
    np.testing.assert_array_equal(labelled.V, np.ones((3, 5)))
    longer = source.replace("tokens", "x y z t", 0, 0)
    np.testing.assert_array_equal(longer.V[:3], np.ones((3, 5)))  # positions that still exist
    np.testing.assert_allclose(longer.V[3], longer.embeddings[3] @ longer.W_v)


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({"embeddings": np.ones((2, 4))}, r"embeddings: got shape \(2, 4\), want 3 rows"),
        ({"embeddings": np.ones(3)}, r"embeddings: got shape \(3,\)"),
        ({"embeddings": [[1, 2], [3]]}, "embeddings"),
        ({"embeddings": np.ones((3, 5)), "d_model": 4}, "embeddings: its d_model is 5, want 4"),
        ({"W_q": np.ones((4, 2)), "W_k": np.ones((4, 3))}, "W_k: its d_k is 3, want 2"),
        ({"W_q": np.ones((2, 4, 2)), "n_heads": 3}, "W_q: its n_heads is 2, want 3"),
        (
            {"W_q": np.ones((2, 4, 2)), "K": np.ones((3, 2))},
            r"K: got shape \(3, 2\), want \(2, 3, 2\)",
        ),
        ({"Q": np.full((3, 4), np.nan)}, "Q: 12 of 12 values are NaN"),
        ({"V": [["a"] * 4] * 3}, "V: got dtype <U1"),
        ({"K": np.ones((3, 4), dtype=complex)}, "K: got dtype complex128"),
        ({"d_k": 0}, "d_k: got 0, want at least 1"),
        ({"d_model": 2.5}, "d_model: got 2.5, want a whole number"),
        ({"scale": np.inf}, "scale"),
        ({"seed": -1}, "seed: got -1"),
    ],
)
def test_bad_input_names_the_argument(keywords, says):
    with pytest.raises((TypeError, ValueError), match=says):
        LabSource.create("a b c", **keywords)


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("[CLS] The cat [SEP] [PAD][PAD]", ["[CLS]", "The", "cat", "[SEP]", "[PAD]", "[PAD]"]),
        ("<s>a b</s> <pad> <unk>", ["<s>", "a", "b", "</s>", "<pad>", "<unk>"]),
        ("stop<|endoftext|>", ["stop", "<|endoftext|>"]),
        ("a [b] < c > [PAD", ["a", "[", "b", "]", "<", "c", ">", "[", "PAD"]),
    ],
)
def test_a_special_token_is_one_token(sentence, tokens):
    assert list(split(sentence)) == tokens
    assert list(split(" ".join(tokens))) == tokens  # as a page types it
