"""Values set together, and traits of two widgets that are linked."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets
import transformers as tf
from models import DECODERS, build, tokenizer

from attnwidget import AttentionWidget


@pytest.fixture(scope="module")
def t5():
    """A T5 of 2 encoder and 4 decoder layers, 4 heads each."""
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 4}
    return build(tf.T5Model, tf.T5Config, **sizes, num_heads=4, decoder_start_token_id=0)


@pytest.fixture
def w(t5):
    pair = ("the cat sat on the mat", "a dog saw it")
    return AttentionWidget.from_model(t5, tokenizer(), pair)


def together(widget, values):
    with widget.hold_trait_notifications():
        for name, value in values.items():
            setattr(widget, name, value)


@pytest.mark.parametrize("order", [("n_heads", "head"), ("head", "n_heads")])
def test_the_head_is_there_again_after_undo_and_redo(order):
    w = AttentionWidget("a b c")
    values = {"n_heads": 2, "head": 1}
    together(w, {name: values[name] for name in order})
    assert (w.n_heads, w.head, w.shown) == (2, 1, (0, 1, "self"))
    assert w.undo()
    assert (w.n_heads, w.head) == (1, 0)
    assert w.redo()
    assert (w.n_heads, w.head, w.shown) == (2, 1, (0, 1, "self"))


def test_the_head_is_there_again_after_two_single_changes():
    w = AttentionWidget("a b c", n_heads=3)
    w.head = 2
    w.n_heads = 1
    assert w.undo()
    assert (w.n_heads, w.head) == (3, 2)


def test_undo_stays_at_the_layer_and_head_on_screen_where_it_can():
    w = AttentionWidget.from_model(DECODERS["gpt2"](), tokenizer(), "the cat sat")
    w.Q = 2 * w.Q
    w.layer, w.head = 2, 3
    assert w.undo()
    assert w.shown == (2, 3, "self")


@pytest.mark.parametrize("order", [("stack", "layer", "head"), ("head", "layer", "stack")])
@pytest.mark.parametrize("stack", ["cross", "decoder"])
def test_a_stack_and_a_layer_that_only_it_has_are_set_together(w, stack, order):
    values = {"stack": stack, "layer": 3, "head": 2}
    together(w, {name: values[name] for name in order})
    assert w.shown == (3, 2, stack)
    np.testing.assert_allclose(w.attention, w.weights(3, 2, stack=stack), atol=1e-6)


def test_a_derived_stack_and_a_layer_are_set_together(w):
    together(w, {"stack": "decoder · mean over heads", "layer": 2})
    assert w.shown == (2, 0, "decoder · mean over heads")
    np.testing.assert_allclose(w.attention, w.weights(2, stack="decoder").mean(axis=0), atol=1e-6)


def test_words_and_a_head_are_set_together(w):
    together(w, {"merge": "words", "stack": "cross", "layer": 3, "head": 3})
    assert (w.merge, w.shown) == ("words", (3, 3, "cross"))


def test_a_number_set_with_its_stack_is_undone(w):
    before = w.weights(3, 0, stack="decoder")
    together(w, {"stack": "decoder", "layer": 3, "temperature": 0.5})
    assert w.shown == (3, 0, "decoder")
    assert not np.allclose(w.attention, before, atol=1e-3)
    assert w.undo()
    w.stack, w.layer = "decoder", 3
    np.testing.assert_allclose(w.attention, before, atol=1e-6)


@pytest.mark.parametrize(
    "values", [{"stack": "cross", "layer": 4}, {"layer": 1, "stack": "nothing"}, {"layer": 3}]
)
def test_a_group_that_does_not_fit_changes_nothing(w, values):
    with pytest.raises(ValueError, match=r"layer: got|stack: got"):
        together(w, values)
    assert (w.stack, w.layer, w.head, w.shown) == ("encoder", 0, 0, (0, 0, "encoder"))


# Linked traits

ARRAYS = ["Q", "K", "V", "embeddings", "W_q", "mask"]


def pair_of_sentences():
    return AttentionWidget("a b c", d_k=2), AttentionWidget("x y z", d_k=2, seed=1)


def other(array):
    return ~array if array.dtype == bool else array + 1


@pytest.mark.parametrize("name", ARRAYS)
def test_linked_arrays_follow_each_other(name):
    a, b = pair_of_sentences()
    heard = {"a": 0, "b": 0}
    for key, widget in (("a", a), ("b", b)):
        widget.observe(lambda _, key=key: heard.update({key: heard[key] + 1}), name)
    link = traitlets.link((a, name), (b, name))
    np.testing.assert_array_equal(getattr(b, name), getattr(a, name))
    for source, target in ((a, b), (b, a)):
        heard.update(a=0, b=0)
        value = other(np.array(getattr(source, name)))
        setattr(source, name, value)
        for widget in (source, target):
            np.testing.assert_array_equal(getattr(widget, name), value)
        assert heard == {"a": 1, "b": 1}
    link.unlink()
    before = np.array(getattr(b, name))
    setattr(a, name, other(np.array(getattr(a, name))))
    np.testing.assert_array_equal(getattr(b, name), before)


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_is_linked_one_way(name):
    a, b = pair_of_sentences()
    traitlets.dlink((a, name), (b, name))
    value = other(np.array(getattr(a, name)))
    setattr(a, name, value)
    np.testing.assert_array_equal(getattr(b, name), value)
    setattr(b, name, other(value))
    np.testing.assert_array_equal(getattr(a, name), value)


def test_a_click_crosses_a_link():
    a, b = pair_of_sentences()
    traitlets.link((a, "mask"), (b, "mask"))
    a.toggle(2, 1)
    np.testing.assert_array_equal(np.argwhere(b.mask), [[2, 1]])
    b.toggle(0, 2)
    np.testing.assert_array_equal(np.argwhere(a.mask), [[0, 2], [2, 1]])


def test_numbers_of_two_models_are_linked():
    a, b = (
        AttentionWidget.from_model(DECODERS[name](), tokenizer(), "the cat sat on a mat")
        for name in ("gpt2", "llama")
    )
    traitlets.link((a, "V"), (b, "V"))
    value = np.arange(48, dtype=np.float32).reshape(6, 8) / 48
    b.V = value
    np.testing.assert_array_equal(a.V, value)
    np.testing.assert_allclose(a.output, a.weights(0, 0) @ value, atol=1e-6)


def test_a_link_to_an_array_of_another_shape_says_what_does_not_fit():
    a, b = AttentionWidget("a b c"), AttentionWidget("a b c d")
    with pytest.raises(ValueError, match="Q: got shape"):
        traitlets.link((a, "Q"), (b, "Q"))


def test_what_an_observer_hears_compares_element_by_element():
    w = AttentionWidget("a b c")
    heard = []
    w.observe(heard.append, "Q")
    before = np.array(w.Q)
    value = before.copy()
    value[1, 2] += 1
    w.Q = value
    (change,) = heard
    np.testing.assert_array_equal(change["new"] != before, value != before)
    assert type(w.Q) is np.ndarray
    assert not change["new"].flags.writeable
