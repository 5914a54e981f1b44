"""How much of a large map goes to a page: refused or stated, and weights without a page."""

from __future__ import annotations

import re
import tracemalloc

import ipywidgets.widgets.widget as jupyter
import numpy as np
import pytest
import torch
import transformers as tf
from models import DECODERS, ENCODERS, build, tokenizer
from recording import RecordingComm

import attnwidget.session.size as size
from attnwidget import AttentionWidget

TEXT = "the cat sat on the mat"


@pytest.fixture
def sent(monkeypatch):
    """Every comm that is opened for a widget, with the bytes that it was opened with."""
    comms = []

    def create_comm(**opened):
        comm = RecordingComm()
        comm.comm_id = f"comm {len(comms)}"
        comm.data, comm.buffers = opened["data"], opened["buffers"]
        comms.append(comm)
        return comm

    monkeypatch.setattr(jupyter.comm, "create_comm", create_comm)

    def of_widgets():
        # A layout is a widget of its own: it has no tokens.
        return [comm for comm in comms if "tokens" in comm.data["state"]]

    return of_widgets


def long_decoder(n):
    settings = {"n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": n}
    return build(tf.GPT2Model, tf.GPT2Config, **settings, bos_token_id=1, eos_token_id=1)


def long_widget(n, **settings):
    ids = torch.arange(n)[None] % 30 + 2
    return AttentionWidget.from_model(long_decoder(n), inputs={"input_ids": ids}, **settings)


def test_above_eight_million_cells_a_page_has_to_be_asked_for(sent):
    n = 2829  # 2,828² is below
    with pytest.raises(ValueError, match="large") as refused:
        long_widget(n)
    assert sent() == []
    said = str(refused.value)
    assert "2,829 × 2,829 tokens" in said
    assert "8,003,241 cells" in said
    stated = float(re.search(r"would get ([\d,.]+) MB", said)[1])
    w = long_widget(n, large=True)
    # What the error promises: nothing is sent, and weights are there.
    assert sent() == []
    assert w.comm is None
    part = w.weights(1, 1, rows=slice(0, 4))
    np.testing.assert_allclose(part.sum(axis=1), 1, atol=1e-5)
    assert part.shape == (4, n)
    assert sent() == []
    w._repr_mimebundle_()
    (comm,) = sent()
    got = sum(memoryview(buffer).nbytes for buffer in comm.buffers)
    assert got / 1e6 == pytest.approx(stated, rel=0.01)
    w.close()


def test_a_widget_that_was_never_displayed_is_closed(sent, monkeypatch):
    monkeypatch.setattr("attnwidget.widget.mirror.LARGEST", 20)
    w = AttentionWidget.from_model(DECODERS["gpt2"](), tokenizer(), TEXT)
    w.toggle(3, 1)
    w.close()
    assert sent() == []


@pytest.mark.parametrize("value", [1, "yes", None])
def test_large_is_true_or_false(value):
    with pytest.raises(TypeError, match="large: got"):
        AttentionWidget.from_model(DECODERS["gpt2"](), tokenizer(), TEXT, large=value)


def test_above_a_million_cells_the_notice_states_what_a_page_gets():
    w = long_widget(1001)
    w.comm = RecordingComm()
    w.send_state()
    stated = float(re.search(r"The page gets (\d+) MB for this map", w.notice)[1])
    assert w.comm.bytes() / 1e6 == pytest.approx(stated, abs=0.6)
    assert "The page gets" not in long_widget(1000).notice


@pytest.fixture
def pair(monkeypatch):
    """An encoder-decoder of maps of 6 × 6, 4 × 4 and 4 × 6 cells where 20 are the most."""
    monkeypatch.setattr(size, "LARGEST", 20)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 4}
    model = build(tf.T5Model, tf.T5Config, **sizes, decoder_start_token_id=0)

    def make(**settings):
        text = (TEXT, "a dog saw")
        return AttentionWidget.from_model(model, tokenizer(), text, stack="decoder", **settings)

    return make


@pytest.mark.parametrize("stack", ["encoder", "cross", "encoder · rollout"])
def test_a_larger_stack_is_refused_with_the_state_as_it_was(pair, stack):
    w = pair(head=2)
    w.toggle(2, 1)
    before = w.shown, np.array(w.attention), w.history, w.revision
    with pytest.raises(ValueError, match=r"large: got \d × 6 tokens"):
        w.stack = stack
    assert (w.stack, w.layer, w.head) == ("decoder", 0, 2)
    assert (w.shown, w.history, w.revision) == (before[0], *before[2:])
    np.testing.assert_array_equal(w.attention, before[1])
    w.set_state({"stack": stack})
    assert "large: got" in w.error
    assert w.stack == "decoder"


def test_a_larger_stack_is_shown_where_large_was_asked_for(pair):
    w = pair(large=True)
    w.stack = "encoder"
    assert w.attention.shape == (6, 6)


def test_a_writing_ends_before_its_map_is_too_large(monkeypatch):
    monkeypatch.setattr(size, "LARGEST", 50)
    model = build(
        tf.GPT2LMHeadModel, tf.GPT2Config, n_layer=2, n_head=2, n_embd=16, n_positions=32,
        bos_token_id=1, eos_token_id=1,
    )  # fmt: skip
    options = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False}
    w = AttentionWidget.from_model(model, tokenizer(), TEXT, generate=options)
    assert w.attention.shape == (7, 7)
    assert "The generation ended here" in w.notice
    assert (w.generation.state, len(w.generation.tokens)) == ("full", 2)
    whole = AttentionWidget.from_model(model, tokenizer(), TEXT, generate=options, large=True)
    assert whole.attention.shape == (13, 13)
    np.testing.assert_allclose(w.weights(1, 0), whole.weights(1, 0)[:7, :7], atol=1e-6)
    assert "The generation ended" not in whole.notice
    with pytest.raises(ValueError, match="large: got 8 × 8 tokens"):
        AttentionWidget.from_model(model, tokenizer(), f"{TEXT} a dog", generate=options)


# Weights of some rows and columns

PICKS = [slice(2, 5), [4, 0, 4], 3, -1, slice(None, None, -2), np.array([1, 2])]
MODELS = {**ENCODERS, **DECODERS}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("head", [None, 2])
def test_rows_and_columns_are_those_of_the_whole(name, head):
    w = AttentionWidget.from_model(MODELS[name](), tokenizer(), TEXT)
    whole = w.store.now.source.weights(1)
    whole = whole if head is None else whole[head]
    for rows in (None, *PICKS):
        for cols in (None, *PICKS):
            want = whole if rows is None else whole[..., np.arange(6)[rows], :]
            want = want if cols is None else want[..., np.arange(6)[cols]]
            got = w.weights(1, head, rows=rows, cols=cols)
            np.testing.assert_allclose(got, want, atol=1e-6)
            assert got.shape == want.shape


@pytest.mark.parametrize("axis", ["rows", "cols"])
@pytest.mark.parametrize("wrong", [6, -7, [0, 9], "x", 1.5])
def test_a_position_that_is_not_there_is_refused(axis, wrong):
    w = AttentionWidget.from_model(DECODERS["gpt2"](), tokenizer(), TEXT)
    with pytest.raises(ValueError, match=f"{axis}: got"):
        w.weights(1, 2, **{axis: wrong})


def test_a_few_rows_take_the_memory_of_a_few_rows():
    n = 1200
    w = long_widget(n)
    tracemalloc.start()
    try:
        w.weights(1, 0, rows=slice(0, 4))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A map is 5.8 MB of float32; four rows are 19 kB, Q, K and V of a head 38 kB each.
    assert peak < 1_000_000
