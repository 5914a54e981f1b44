"""The widget's state: what is set, what follows, and what crosses the wire."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from recording import RecordingComm
from torch_reference import check, reference

from attnwidget import AttentionWidget, causal_mask


def test_everything_downstream_follows(w):
    check(w)
    rng = np.random.default_rng(0)
    for name in ("embeddings", "W_q", "W_k", "W_v", "Q", "K", "V"):
        before = w.output
        setattr(w, name, rng.normal(size=getattr(w, name).shape))
        assert not np.allclose(w.output, before), name
        check(w)
    w.mask = causal_mask(6)
    check(w)
    w.scale = 3.0
    check(w)


def test_one_message_for_one_set(w):
    w.embeddings = np.ones((6, 5))
    (state,) = w.comm.states()
    assert {"embeddings", "Q", "K", "V", "scores", "attention", "output"} <= set(state)


def test_a_toggle_sends_one_row_only():
    w = AttentionWidget([f"t{i}" for i in range(96)])
    w.comm = RecordingComm()
    w.toggle(3, 5)
    (state,) = w.comm.states()
    assert set(state) == {"_change", "history", "revision"}
    assert w.comm.bytes() < 96 * 5 + 100  # a row of the mask and one of float32 weights
    check(w)


def test_arrays_come_out_read_only_and_never_change_later(w):
    held = {name: getattr(w, name) for name in ("mask", "attention", "output", "Q", "embeddings")}
    copies = {name: array.copy() for name, array in held.items()}
    for array in held.values():
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1
    w.toggle(2, 4)
    w.embeddings = np.ones((6, 5))
    for name, array in held.items():
        np.testing.assert_array_equal(array, copies[name])


def test_given_arrays_are_neither_kept_nor_changed():
    X = np.ones((3, 4))
    w = AttentionWidget("a b c", embeddings=X)
    X[:] = 7
    assert (w.embeddings == 1).all()
    assert X.flags.writeable


def test_observers_see_one_state(w):
    seen = []

    def observer(event):
        check(w)
        seen.append(event["name"])

    w.observe(observer, ["Q", "attention", "output", "mask"])
    w.W_q = np.ones((5, 3))
    assert seen == ["Q", "attention", "output"]
    seen.clear()
    w.toggle(0, 1)
    assert seen == ["mask", "attention", "output"]


def test_an_observer_may_set(w):
    w.observe(lambda e: setattr(w, "mask", causal_mask(len(w.tokens))), "tokens")
    w.tokens = "one two three"
    np.testing.assert_array_equal(w.mask, np.triu(np.ones((3, 3), bool), 1))
    check(w)


def test_tokens_resize_and_masks_survive(w):
    w.toggle(1, 2)
    w.toggle(5, 0)
    w.tokens = "a b c"
    assert w.tokens == ("a", "b", "c")
    np.testing.assert_array_equal(np.argwhere(w.mask), [[1, 2]])
    assert w.embeddings.shape == (3, 5)
    check(w)
    w.tokens = "a b c d e f g"
    np.testing.assert_array_equal(np.argwhere(w.mask), [[1, 2]])
    check(w)


def unmasked(Q, K, mask=None):
    return torch.softmax(torch.tensor(Q @ K.T / K.shape[1] ** 0.5), -1)


def masked(Q, K, mask=None):
    scores = torch.tensor(Q @ K.T / K.shape[1] ** 0.5)
    if mask is not None:
        scores = scores.masked_fill(torch.tensor(np.broadcast_to(mask, scores.shape) != 0), -1e30)
    return torch.softmax(scores, -1).numpy()


def test_a_students_function_is_checked_on_this_widget(w):
    assert w.check(masked)
    w.mask = causal_mask(6)
    assert w.check(masked)
    result = w.check(unmasked)
    assert not result
    assert result.case == "given"
    want, _ = reference(w.Q, w.K, w.V, w.mask)
    np.testing.assert_allclose(result.difference, unmasked(w.Q, w.K).numpy() - want, atol=1e-12)
    assert w.check(lambda Q, K: masked(Q * K.shape[1] ** 0.5, K)).mistake == "no-scale"


def test_the_lab_s_own_masked_scores_are_named(w):
    def lab_s(Q, K, mask=None):
        scores = Q @ K.T / np.sqrt(Q.shape[1])
        if mask is not None:
            scores += mask * -1e9
        return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    result = w.check(lab_s, mask=np.array([[0, 0, 0, 0, 0, -1]]))
    assert (result.ok, result.mistake) == (False, "mask-sign")


def test_hostile_tokens_are_just_text():
    tokens = [
        "",
        "x" * 300,
        "👩\u200d👧",
        "שלום",
        "<img src=x onerror=alert(1)>",
        "\n",
        "</script>",
    ]
    w = AttentionWidget(tokens)
    assert list(w.tokens) == tokens
    check(w)


def test_every_cell_may_be_masked(w):
    w.mask = np.ones(6)
    assert (w.attention == 0).all()
    assert (w.output == 0).all()


def test_several_heads_share_the_mask():
    w = AttentionWidget("a b c d", n_heads=3, d_model=6)
    w.toggle(0, 2)
    check(w)
    w.head = 2
    assert w.shown == (0, 2, "self")


def test_a_sentence_of_the_lab_has_nothing_to_notice():
    w = AttentionWidget("a b c")
    assert w.notice == ""
    w.toggle(2, 0)
    assert w.notice == ""
