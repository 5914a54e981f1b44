"""A value that a program may not set: the error names the value, and the widget stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets
from torch_reference import check

from attnwidget import AttentionWidget, causal_mask


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("Q", np.ones((3, 6)), r"Q: got shape \(3, 6\), want \(6, 3\)"),
        ("embeddings", np.ones((5, 5)), r"embeddings: got shape \(5, 5\), want \(6, 5\)"),
        ("embeddings", np.full((6, 5), np.inf), "embeddings: 30 of 30 values are NaN or infinite"),
        ("W_v", np.ones((4, 2)), r"W_v: got shape \(4, 2\), want \(5, any\)"),
        ("mask", np.full(6, 0.5), "0.5"),
        ("mask", np.zeros((6, 5)), r"\(6, 5\)"),
        ("cmap", "jet", "cmap: got 'jet', want one of viridis"),
        ("view", "pie", "view: got 'pie'"),
        ("color_scale", 3, "color_scale: got 3"),
        ("layer", 1, "layer: got 1, want 0"),
        ("head", True, "head: got True, want a whole number"),
        ("selection", (6, 0), "selection: got 6"),
        ("tokens", "", "tokens: got none"),
        ("tokens", 5, "tokens: got int"),
        ("scale", float("nan"), "scale"),
    ],
)
def test_bad_input_leaves_everything_as_it_was(w, name, value, says):
    before = {n: getattr(w, n) for n in w.trait_names(sync=True) if n != "comm"}
    with pytest.raises((TypeError, ValueError), match=says):
        setattr(w, name, value)
    assert w.comm.sent == []
    for trait, old in before.items():
        np.testing.assert_array_equal(
            np.asarray(getattr(w, trait), dtype=object), np.asarray(old, dtype=object)
        )


@pytest.mark.parametrize("name", ["scores", "attention", "output", "locked", "layers", "revision"])
def test_what_is_computed_cannot_be_set(w, name):
    with pytest.raises(traitlets.TraitError, match=name):
        setattr(w, name, getattr(w, name))


def test_an_unknown_keyword_gets_a_hint():
    with pytest.raises(TypeError, match="unknown keyword 'nheads'; did you mean 'n_heads'"):
        AttentionWidget("a b", nheads=2)


def test_a_group_of_bad_values_is_taken_back(w):
    before = w.Q
    with pytest.raises(ValueError, match="Q: got shape"), w.hold_trait_notifications():
        w.Q = np.ones((3, 3))
    np.testing.assert_array_equal(w.Q, before)
    check(w)


@pytest.mark.parametrize("name", ["tokens", "embeddings", "W_q", "Q", "scale", "layer", "view"])
def test_none_is_no_value(w, name):
    if name == "scale":
        w.scale = None  # the default
        assert w.scale == pytest.approx(3**-0.5)
        return
    before = getattr(w, name)
    with pytest.raises((TypeError, ValueError), match=name):
        setattr(w, name, None)
    np.testing.assert_array_equal(getattr(w, name), before)
    check(w)


@pytest.mark.parametrize(
    ("name", "value"),
    [("embeddings", np.full((6, 5), 1e200)), ("Q", np.full((6, 3), 1e20)), ("scale", 1e38)],
)
def test_what_would_overflow_is_refused_by_name(w, name, value):
    before = w.attention
    with pytest.raises(ValueError, match="finite"):
        setattr(w, name, value)
    np.testing.assert_array_equal(w.attention, before)
    check(w)


def test_a_slip_in_a_name_is_no_new_attribute(w):
    with pytest.raises(AttributeError, match="no 'maks'; did you mean 'mask'"):
        w.maks = causal_mask(6)
    with pytest.raises(AttributeError, match="no 'foo'; want a trait"):
        w.foo = 3
    w._my_own_note = "private names are the user's"
