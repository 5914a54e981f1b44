"""Arrays that a sentence is made with: named as given, replaced, and brought back."""

from __future__ import annotations

import numpy as np
import pytest
from byhand import commands
from recording import RecordingComm

from attnwidget import AttentionWidget

rng = np.random.default_rng(2)
X, W_Q, W_K, W_V = (rng.normal(size=s) for s in ((3, 5), (5, 2), (5, 2), (5, 4)))
Q, K, V = (rng.normal(size=s) for s in ((3, 2), (3, 2), (3, 4)))
GIVEN = {"embeddings": X, "W_q": W_Q, "W_k": W_K, "W_v": W_V}


def has(w, **arrays):
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(w, name), array)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (GIVEN, "given numbers"),
        ({"Q": Q, "K": K, "V": V}, "given numbers"),
        ({"embeddings": X, "Q": Q, "K": K, "W_v": W_V}, "given numbers"),
        ({"embeddings": X}, "seed 7"),
        ({"W_q": W_Q, "W_k": W_K, "W_v": W_V}, "seed 7"),
        ({}, "seed 7"),
    ],
)
def test_the_head_line_names_a_seed_only_where_numbers_are_drawn(given, words):
    w = AttentionWidget("a b c", seed=7, **given)
    assert w.subtitle.endswith(f" · {words}")
    assert set(w.given) == set(given)
    assert w.replaced == ()


def test_key_embeddings_are_drawn_too():
    w = AttentionWidget("a b c", key_tokens="u v", **GIVEN)
    assert w.subtitle.endswith("seed 0")
    keys = rng.normal(size=(2, 5))
    assert AttentionWidget(
        "a b c", key_tokens="u v", key_embeddings=keys, **GIVEN
    ).subtitle.endswith("given numbers")


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        (lambda w: setattr(w, "seed", 3), ("W_q", "W_k", "W_v")),
        (lambda w: setattr(w, "init", "normal"), ("W_q", "W_k", "W_v")),
        (lambda w: setattr(w, "d_k", 3), ("W_q", "W_k")),
        (lambda w: setattr(w, "d_model", 6), ("embeddings", "W_q", "W_k", "W_v")),
        (lambda w: setattr(w, "n_heads", 2), ("W_q", "W_k", "W_v")),
        (lambda w: w.randomise(), ("W_q", "W_k", "W_v")),
    ],
)
def test_a_replaced_array_has_a_name_and_comes_back(change, gone):
    w = AttentionWidget("a b c", **GIVEN)
    attention = w.attention
    change(w)
    assert w.replaced == gone
    assert w.undo()
    has(w, **GIVEN)
    assert w.replaced == ()
    assert w.redo()
    assert w.reset()
    has(w, **GIVEN)
    assert w.replaced == ()
    np.testing.assert_array_equal(w.attention, attention)
    assert not w.reset()


def test_an_array_that_an_input_has_recomputed_comes_back():
    w = AttentionWidget("a b c", Q=Q, K=K, V=V, embeddings=X)
    w.W_q = W_Q
    np.testing.assert_allclose(w.Q, X @ W_Q)
    assert w.replaced == ("Q",)
    assert w.reset()
    has(w, Q=Q)
    assert w.overridden == {}


def test_a_reset_keeps_the_tokens_and_the_rows_that_exist():
    w = AttentionWidget("a b c", **GIVEN)
    w.tokens = "a b c d e"
    w.seed = 9
    assert w.reset()
    has(w, W_q=W_Q, W_k=W_K, W_v=W_V)
    np.testing.assert_array_equal(w.embeddings[:3], X)
    assert w.embeddings.shape == (5, 5)
    assert w.seed == 9
    assert not w.reset()
    w.tokens = "a b c"
    assert w.reset()
    has(w, **GIVEN)
    assert w.given == tuple(GIVEN)


def test_numbers_by_hand_are_taken_back_to_the_given_numbers():
    w = AttentionWidget("a b c", **GIVEN)
    w.W_q = W_Q + 1
    assert w.reset()
    has(w, **GIVEN)


@pytest.mark.parametrize("init", ["uniform", "normal"])
def test_the_menu_of_a_page_draws_weights_also_by_the_init_in_force(init):
    w = AttentionWidget("a b c", seed=4, **GIVEN)
    w.comm = RecordingComm()
    w.set_state(commands(w.mask.shape, {"do": "set", "name": "init", "value": init}))
    drawn = AttentionWidget("a b c", seed=4, init=init, d_model=5, d_k=2, d_v=4)
    has(w, W_q=drawn.W_q, W_k=drawn.W_k, W_v=drawn.W_v, embeddings=X)
    assert w.replaced == ("W_q", "W_k", "W_v")
    assert w.undo()
    has(w, **GIVEN)
    assert not w.undo()


def test_the_trait_set_to_the_same_init_changes_nothing():
    w = AttentionWidget("a b c", **GIVEN)
    w.init = "uni" + "form"
    has(w, **GIVEN)
    assert w.history == (0, 0)
