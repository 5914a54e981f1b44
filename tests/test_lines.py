"""The strongest keys of every query: none that matters is missing, the rest is accounted for."""

from __future__ import annotations

import numpy as np
import pytest
from models import ENCODERS, tokenizer
from recording import RecordingComm

from attnwidget import AttentionWidget
from attnwidget.maths.strongest import ALL_KEYS, STRONGEST, Lines
from attnwidget.wire.answers import lines_message


def weights(h, n_q, n_k, seed=0):
    p = np.random.default_rng(seed).random((h, n_q, n_k)) ** 6
    return (p / p.sum(axis=-1, keepdims=True)).astype(np.float32)


def test_small_maps_are_all_there():
    p = weights(2, 3, 5)
    lines = Lines.of(p)
    np.testing.assert_array_equal(lines.weights, p)
    np.testing.assert_array_equal(lines.keys[1, 2], np.arange(5))
    np.testing.assert_allclose(lines.rest, 0, atol=1e-6)


@pytest.mark.parametrize("n_k", [ALL_KEYS + 1, 300])
def test_of_many_keys_the_strongest_are_there(n_k):
    p = weights(2, 4, n_k)
    lines = Lines.of(p)
    assert lines.keys.shape == (2, 4, STRONGEST)
    for h in range(2):
        for q in range(4):
            want = sorted(sorted(range(n_k), key=lambda k: -p[h, q, k])[:STRONGEST])
            assert lines.keys[h, q].tolist() == want
            np.testing.assert_array_equal(lines.weights[h, q], p[h, q, want])
            left = sum(float(p[h, q, k]) for k in range(n_k) if k not in set(want))
            assert lines.rest[h, q] == pytest.approx(left, abs=1e-6)


@pytest.mark.parametrize(("n_k", "key_bytes"), [(65_536, 2), (65_537, 4), (131_074, 4)])
def test_a_key_of_a_long_context_is_sent_whole(n_k, key_bytes):
    p = np.zeros((1, 2, n_k), np.float32)
    p[0, 1, n_k - 1] = 1
    lines = Lines.of(p)
    content, buffers = lines_message(lines)
    assert content.get("key_bytes", 2) == key_bytes
    keys = np.frombuffer(buffers[2], f"<u{key_bytes}").reshape(content["shape"])
    weights = np.frombuffer(buffers[0], "<u2").reshape(content["shape"])
    assert keys[0, 1, weights[0, 1] == 65535].tolist() == [n_k - 1]
    np.testing.assert_array_equal(keys, lines.keys)


def test_a_page_asks_for_a_layer_and_gets_its_heads():
    w = AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), "the cat sat on the mat")
    sent = []
    w.send = lambda content, buffers=None: sent.append((content, buffers))
    w._handle_custom_msg({"type": "lines", "id": "p:1", "layer": 1}, [])
    ((content, buffers),) = sent
    h, n, k = content["shape"]
    assert len(buffers) == 2  # all keys are there: none is named
    steps = np.frombuffer(buffers[0], "<u2").reshape(h, n, k)
    got = steps / 65535 * content["peak"]
    w.layer = 1
    for head in range(h):
        w.head = head
        np.testing.assert_allclose(got[head], w.attention, atol=0.5 / 65535)
    w._handle_custom_msg({"type": "lines", "id": "p:2", "layer": 9}, [])
    assert "layer: got 9" in sent[1][0]["error"]


@pytest.fixture
def made():
    model, words = ENCODERS["bert"](), tokenizer()

    def make(**settings):
        return AttentionWidget.from_model(model, words, "the cat sat on the mat", **settings)

    return make


def test_what_a_page_asks_at_once_comes_with_the_first_state(made):
    w = made(view="lines", layer=1)
    sent = []
    w.send = lambda content, buffers=None: sent.append((content, buffers))
    early = w.get_state()["_early_answer"]
    assert early["asked"] == {"type": "lines", "layer": 1, "stack": "self"}
    w._handle_custom_msg({**early["asked"], "id": "p:1"}, [])
    ((content, buffers),) = sent
    assert {"id": "p:1", **early["answer"]} == content
    assert [bytes(part) for part in early["buffers"]] == [bytes(part) for part in buffers]


def test_only_what_is_still_so_is_answered_early(made, monkeypatch):
    assert made().get_state()["_early_answer"] is None
    w = made(view="lines")
    w.comm = RecordingComm()
    w.layer = 1
    (sent,) = w.comm.states()
    assert sent["_early_answer"] is None
    assert w.get_state()["_early_answer"] is None
    w.layer = 0
    assert w.get_state()["_early_answer"] is None
    monkeypatch.setattr("attnwidget.widget.messages._EARLY_BYTES", 10)
    assert made(view="lines").get_state()["_early_answer"] is None
    # A sentence's maps are on the page.
    assert AttentionWidget("a b", view="lines").get_state()["_early_answer"] is None
