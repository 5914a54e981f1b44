"""Weights computed elsewhere: shown as they came, masked with what is known of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import traitlets
from byhand import state, unchanged
from recording import RecordingComm

from attnwidget import AttentionWidget

Q_TOKENS, K_TOKENS = "a b c", "v w x y z"


def weights(*shape, seed=0):
    raw = np.random.default_rng(seed).random(shape) ** 3 + 1e-3
    return raw / raw.sum(-1, keepdims=True)


def renormalised(rows, mask):
    """What is left of each row keeps the row's sum; a row with nothing left is zero."""
    out = np.zeros_like(rows)
    for i, row in enumerate(rows):
        left = sum(value for value, gone in zip(row, mask[i], strict=True) if not gone)
        for j, gone in enumerate(mask[i]):
            if not gone and left > 0:
                out[i, j] = row[j] / left * row.sum()
    return out


@pytest.mark.parametrize("lead", [(), (2,), (4, 2)])
@pytest.mark.parametrize(("n_q", "n_k"), [(3, 3), (3, 5), (1, 5)])
def test_shapes(lead, n_q, n_k):
    given = weights(*lead, n_q, n_k)
    keys = None if n_q == n_k else [f"k{j}" for j in range(n_k)]
    w = AttentionWidget.from_arrays(given, [f"q{i}" for i in range(n_q)], keys)
    stacked = given.reshape((1,) * (4 - given.ndim) + given.shape)
    assert [layer.n_heads for layer in w.layers] == [stacked.shape[1]] * stacked.shape[0]
    for layer in range(stacked.shape[0]):
        for head in range(stacked.shape[1]):
            w.layer, w.head = layer, head
            np.testing.assert_array_equal(w.attention, stacked[layer, head])
            np.testing.assert_allclose(np.exp(w.scores), stacked[layer, head], rtol=1e-12)
            assert w.shown[:2] == (layer, head)
    assert w.output is None
    assert w.Q is None
    assert w.overridden is None
    assert w.notice == ""


GIVEN = weights(2, 3, 5)


@pytest.mark.parametrize(
    ("came", "within"),
    [
        (GIVEN.tolist(), 0),
        (torch.tensor(GIVEN), 0),
        (torch.tensor(GIVEN, requires_grad=True) * 1, 0),
        (torch.tensor(GIVEN, dtype=torch.float32), 1e-7),
        (torch.tensor(GIVEN, dtype=torch.bfloat16), 4e-3),
        (GIVEN.astype(np.float16), 1e-3),
        (np.asfortranarray(GIVEN)[:, ::1], 0),
    ],
    ids=["lists", "torch", "on a graph", "float32", "bfloat16", "float16", "another order"],
)
def test_kinds_of_arrays(came, within):
    w = AttentionWidget.from_arrays(came, Q_TOKENS, K_TOKENS, head=1)
    np.testing.assert_allclose(w.attention, GIVEN[1], atol=within)
    assert w.notice == ""
    assert not w.attention.flags.writeable


def test_the_caller_s_array_is_its_own():
    given = weights(3, 5)
    w = AttentionWidget.from_arrays(given, Q_TOKENS, K_TOKENS)
    w.toggle(0, 0)
    first = given.copy()
    given[:] = 0
    np.testing.assert_allclose(w.attention[1:], first[1:])
    w.undo()
    np.testing.assert_array_equal(w.attention, first)


def test_rows_that_do_not_sum_to_one_are_said_and_kept():
    given = weights(3, 5)
    given[0] *= 0.9  # a sink outside the map
    given[2] = 0
    w = AttentionWidget.from_arrays(given, Q_TOKENS, K_TOKENS)
    np.testing.assert_array_equal(w.attention, given)
    assert "2 of 3 rows do not sum to 1 (row 2 sums to 0)" in w.notice
    np.testing.assert_allclose(w.row_mass, [0.9, 1, 0])
    mask = np.zeros((3, 5), bool)
    mask[0, [1, 3]] = mask[1] = True
    w.mask = mask
    np.testing.assert_allclose(w.attention, renormalised(given, mask), atol=1e-15)
    assert w.attention[0].sum() == pytest.approx(0.9)
    w.mask = None
    np.testing.assert_array_equal(w.attention, given)
    stack = np.stack([weights(2, 3, 5), weights(2, 3, 5)])
    stack[1, 0, 2] *= 2
    assert "1 of 12 rows do not sum to 1 (row 2 of layer 1, head 0 sums to 2)" in (
        AttentionWidget.from_arrays(stack, Q_TOKENS, K_TOKENS).notice
    )


def test_temperature_and_presets():
    given = weights(3, 5)
    w = AttentionWidget.from_arrays(given, Q_TOKENS, K_TOKENS, presets="causal")
    mask = np.arange(5) > np.arange(3)[:, None]
    np.testing.assert_array_equal(w.mask, mask)
    np.testing.assert_allclose(w.attention, renormalised(given, mask))
    w.temperature = 2
    np.testing.assert_allclose(w.attention, renormalised(np.sqrt(given), mask) / np.sqrt(given).sum(
        -1, keepdims=True))  # fmt: skip
    w.temperature = 0
    best = np.where(mask, -1, given)
    np.testing.assert_array_equal(w.attention, best == best.max(-1, keepdims=True))
    w.temperature = 1
    w.presets = None
    np.testing.assert_array_equal(w.attention, given)


def test_large_maps_are_exact_to_float32():
    given = weights(300, 257)
    w = AttentionWidget.from_arrays(given, ["q"] * 300, ["k"] * 257)
    np.testing.assert_array_equal(w.attention, given.astype(np.float32))
    w.toggle(299, 0)
    mask = np.zeros((1, 257), bool)
    mask[0, 0] = True
    np.testing.assert_allclose(w.attention[299:], renormalised(given[299:], mask), atol=1e-7)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (np.ones((5, 3)), r"attention: got shape \(5, 3\), want \(3, 5\), \(h, 3, 5\)"),
        (np.ones((1, 1, 1, 3, 5)), "attention: got shape"),
        (np.ones(5), "attention: got shape"),
        (np.ones((0, 3, 5)), r"attention: got shape \(0, 3, 5\), want at least one head"),
        (np.where(np.eye(3, 5), np.nan, 0), r"attention: 3 of 15 values are NaN .* \(0, 0\)"),
        (np.full((3, 5), np.inf), "attention: 15 of 15 values are NaN or infinite"),
        (np.eye(3, 5) - 0.5, r"attention: got -0.5 at \(0, 1\), want weights of 0 or more"),
        (np.full((3, 5), 1e30), r"attention: got a weight of 1e\+30, want at most"),
        ([[1, 2], [3]], "attention: got rows of different lengths"),
        ("softmax", "attention: got dtype"),
        (None, "attention: got dtype object"),
        (np.ones((3, 5), complex), "attention: got dtype complex128"),
    ],
)
def test_bad_weights_are_refused(bad, says):
    with pytest.raises((TypeError, ValueError), match=says):
        AttentionWidget.from_arrays(bad, Q_TOKENS, K_TOKENS)


def test_too_large_to_draw():
    with pytest.raises(ValueError, match="2100 × 2000 tokens with 4200000 cells, want at most"):
        AttentionWidget.from_arrays(np.zeros((2100, 2000)), ["q"] * 2100, ["k"] * 2000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Q", np.ones((3, 2))),
        ("embeddings", np.ones((3, 2))),
        ("W_q", np.ones((2, 2))),
        ("scale", 1.0),
        ("d_k", 2),
        ("n_heads", 1),
        ("seed", 1),
        ("init", "normal"),
        ("positional", "alibi"),
        ("view", "steps"),
        ("quantity", "output-shift"),
        ("mistake", "no-scale"),
        ("layer", 1),
        ("head", 2),
        ("tokens", "one two"),
        ("key_tokens", None),
        ("attention", weights(3, 5)),
    ],
)
def test_what_is_not_known_cannot_be_set(name, value):
    w = AttentionWidget.from_arrays(GIVEN, Q_TOKENS, K_TOKENS)
    w.comm = RecordingComm()
    before = state(w)
    with pytest.raises((TypeError, ValueError, traitlets.TraitError), match=name):
        setattr(w, name, value)
    unchanged(w, before)
    assert w.comm.sent == []


def test_what_needs_more_than_weights_says_so():
    w = AttentionWidget.from_arrays(GIVEN, Q_TOKENS, K_TOKENS)
    with pytest.raises(ValueError, match="check: it needs Q and K"):
        w.check(lambda Q, K: Q)
    with pytest.raises(ValueError, match="output_shift: it needs V"):
        w.output_shift  # noqa: B018
    with pytest.raises(ValueError, match="seed"):
        w.randomise()
    assert not w.reset()


def test_labels_may_change():
    w = AttentionWidget.from_arrays(GIVEN, Q_TOKENS, K_TOKENS)
    w.toggle(0, 1)
    w.tokens = ["one", "two", "three"]
    w.key_tokens = "five words and no more"
    assert w.mask[0, 1]
    np.testing.assert_array_equal(w.attention[1:], GIVEN[0, 1:])
