"""Cross-attention: queries of one sentence, keys and values of another."""

from __future__ import annotations

import numpy as np
import pytest
from byhand import follows, state, unchanged
from recording import RecordingComm

from attnwidget import AttentionWidget

QUERIES, KEYS = "the cat sat down", "le chat s ' est assis là"
SIZES = {"d_model": 6, "d_k": 4, "d_v": 3}


@pytest.fixture
def w():
    return AttentionWidget(QUERIES, key_tokens=KEYS, **SIZES)


def test_keys_and_values_come_from_the_other_sentence(w):
    assert w.attention.shape == (4, 7)
    assert w.output.shape == (4, 3)
    assert w.embeddings.shape == (4, 6)
    assert w.key_embeddings.shape == (7, 6)
    assert w.layers[0].stack == "cross"
    assert not np.isin(w.embeddings, w.key_embeddings).any()
    follows(w, w.embeddings, w.key_embeddings)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_heads": 3},
        {"init": "orthogonal"},
        {"init": "identity", "n_heads": 2},
        {"seed": 11},
        {"scale": 2.0},
        {"temperature": 0},
        {"temperature": 3.0, "n_heads": 2},
    ],
)
def test_settings(settings):
    w = AttentionWidget(QUERIES, key_tokens=KEYS, **SIZES, **settings)
    how = {k: v for k, v in settings.items() if k in ("scale", "temperature")}
    follows(w, w.embeddings, w.key_embeddings, **how)
    later = AttentionWidget(QUERIES, key_tokens=KEYS, **SIZES)
    for name, value in settings.items():
        setattr(later, name, value)
    np.testing.assert_array_equal(later.attention, w.attention)


def test_each_sentence_has_its_own_positions():
    w = AttentionWidget(QUERIES, key_tokens=KEYS, **SIZES, positional="alibi")
    bias = -np.abs(np.subtract.outer(np.arange(4), np.arange(7))) / 256
    np.testing.assert_allclose(w.bias, bias)
    follows(w, w.embeddings, w.key_embeddings, bias=bias)

    w.positional = "sinusoidal"
    column = np.arange(6)
    angle = np.arange(7)[:, None] / 10000 ** (column // 2 * 2 / 6)
    P = np.where(column % 2, np.cos(angle), np.sin(angle))
    follows(w, w.embeddings + P[:4], w.key_embeddings + P)

    w.positional = "rotary"
    for name, X, W in (("Q", w.embeddings, w.W_q), ("K", w.key_embeddings, w.W_k)):
        points = (X @ W).reshape(len(X), 2, 2) @ [1, 1j]
        points = points * np.exp(1j * np.outer(np.arange(len(X)), [1, 0.01]))
        np.testing.assert_allclose(getattr(w, name).reshape(len(X), 2, 2) @ [1, 1j], points)
    np.testing.assert_allclose(w.V, w.key_embeddings @ w.W_v)
    follows(w)


def test_one_sentence_leaves_the_other_s_vectors(w):
    X, X_k = w.embeddings, w.key_embeddings
    w.tokens = "the cat sat down on it"
    np.testing.assert_array_equal(w.key_embeddings, X_k)
    np.testing.assert_array_equal(w.embeddings[:4], X)
    w.key_tokens = "un chat"
    np.testing.assert_array_equal(w.embeddings[:4], X)
    np.testing.assert_array_equal(w.key_embeddings, X_k[:2])
    follows(w, w.embeddings, w.key_embeddings)


def test_key_tokens_come_and_go():
    w = AttentionWidget(QUERIES, **SIZES)
    w.comm = RecordingComm()
    X = w.embeddings
    w.toggle(3, 2)
    w.key_tokens = KEYS
    assert len(w.comm.states()) == 2
    np.testing.assert_array_equal(w.embeddings, X)
    np.testing.assert_array_equal(np.argwhere(w.mask), [[3, 2]])
    follows(w, X, w.key_embeddings)
    w.key_tokens = None
    assert w.key_embeddings is None
    follows(w, X)
    w.undo()
    assert w.attention.shape == (4, 7)
    w.undo()
    assert w.attention.shape == (4, 4)


@pytest.mark.parametrize("keys", [None, "un deux", "a b c d", "a b c d e f g h i"])
@pytest.mark.parametrize("name", ["Q", "K", "V", "key_embeddings", "W_k"])
def test_numbers_by_hand_stay_through_another_key_sentence(w, name, keys):
    changed = getattr(w, name).copy()
    changed[1, 2] = 5.5
    setattr(w, name, changed)
    w.key_tokens = keys
    if name == "key_embeddings" and keys is None:
        assert w.key_embeddings is None
    else:
        assert getattr(w, name)[1, 2] == 5.5
        assert name in w.overridden
    follows(w)


def test_setting_x_makes_q_and_the_keys_own_make_k_and_v(w):
    K, V = w.K, w.V
    w.embeddings = np.ones((4, 6))
    np.testing.assert_array_equal(w.K, K)
    np.testing.assert_array_equal(w.V, V)
    follows(w, np.ones((4, 6)), w.key_embeddings)
    Q = w.Q
    w.key_embeddings = np.arange(42.0).reshape(7, 6) / 42
    np.testing.assert_array_equal(w.Q, Q)
    follows(w, np.ones((4, 6)), np.arange(42.0).reshape(7, 6) / 42)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("key_embeddings", np.ones((4, 6)), r"key_embeddings: got shape \(4, 6\), want \(7, 6\)"),
        ("key_embeddings", None, "key_embeddings"),
        ("K", np.ones((4, 4)), r"K: got shape \(4, 4\), want \(7, 4\)"),
        ("Q", np.ones((7, 4)), r"Q: got shape \(7, 4\), want \(4, 4\)"),
        ("key_tokens", "", "key_tokens: got none"),
        ("key_tokens", 3, "key_tokens: got int"),
        ("mask", np.zeros((7, 4)), r"\(4, 7\)"),
        ("selection", (4, 0), "selection: got 4"),
    ],
)
def test_what_does_not_fit_is_refused(w, name, value, says):
    before = state(w)
    with pytest.raises((TypeError, ValueError), match=says):
        setattr(w, name, value)
    unchanged(w, before)


def test_keys_of_their_own_want_key_tokens():
    with pytest.raises(ValueError, match="key_embeddings: got an array without key_tokens, want"):
        AttentionWidget(QUERIES, key_embeddings=np.ones((7, 4)))
    for keys in (KEYS, QUERIES[::-1]):  # as many as the queries, or more
        with pytest.raises(ValueError, match="key_tokens"):
            AttentionWidget(QUERIES, key_tokens=keys).bertviz()
