"""Comparisons and settings that are refused: the error, and the unchanged state."""

from __future__ import annotations

import copy
import gc
import sys

import pytest
import torch
from compared import CAT, DOG, bert, state, texts
from models import FAMILIES, tokenizer

from attnwidget import AttentionWidget


@pytest.mark.parametrize(
    ("a", "b", "error", "why"),
    [
        (3, "x", TypeError, "a: got int, want an AttentionWidget"),
        ("x", None, TypeError, "b: got NoneType, want an AttentionWidget"),
        ("x y", "p q", ValueError, r"b: got no query token that a has: a has 2 \('x', 'y'\)"),
    ],
)
def test_what_cannot_be_compared_is_named(a, b, error, why):
    a, b = (AttentionWidget(one) if isinstance(one, str) else one for one in (a, b))
    with pytest.raises(error, match=why):
        AttentionWidget.compare(a, b)


def test_no_layer_in_common_is_named():
    hybrid = AttentionWidget.from_model(FAMILIES["lfm2"](), tokenizer(), CAT)
    with pytest.raises(
        ValueError, match="b: got layers 1, 3, want a layer that a has too; a has layers 0"
    ):
        AttentionWidget.compare(AttentionWidget(CAT), hybrid)


@pytest.mark.parametrize(
    ("shown", "error", "why"),
    [
        ({"layer": 3}, ValueError, r"layer: got 3, want 0\.\.2"),
        ({"layer": "1"}, TypeError, "layer: got '1', want a whole number"),
        ({"head": -1}, ValueError, r"head: got -1, want 0\.\.3"),
        ({"stack": "cross"}, ValueError, "stack: got 'cross', want one of self, mean over heads"),
        ({"align": "words"}, ValueError, "align: got 'words', want one of token, position"),
        ({"cmap": "jet"}, ValueError, "cmap: got 'jet', want one of viridis"),
        ({"color_scale": "row"}, ValueError, "color_scale: got 'row', want one of unit, map"),
        ({"labels": "ab"}, TypeError, "labels: got 'ab', want two names"),
    ],
)
def test_a_wrong_beginning_leaves_nothing_behind(shown, error, why):
    model = bert()
    a, b = (AttentionWidget.from_model(model, tokenizer(), text) for text in (CAT, DOG))
    with pytest.raises(error, match=why):
        AttentionWidget.compare(a, b, **shown)
    assert not a._trait_notifiers.get("revision", {}).get("change")


def test_an_unknown_keyword_is_named_and_no_half_made_widget_complains(monkeypatch):
    complaints = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    a = AttentionWidget("the cat")
    with pytest.raises(TypeError, match="unknown keyword 'lyer'; did you mean 'layer'"):
        AttentionWidget.compare(a, a, lyer=1)
    gc.collect()
    assert not complaints


@pytest.mark.parametrize(
    ("name", "value", "error", "why"),
    [
        ("layer", 3, ValueError, r"layer: got 3, want 0\.\.2"),
        ("head", 4, ValueError, r"head: got 4, want 0\.\.3"),
        ("head", 0.0, TypeError, "head: got 0.0, want a whole number"),
        ("stack", "cross", ValueError, "stack: got 'cross', want one of self"),
        ("align", None, ValueError, "align: got None, want one of token, position"),
        ("cmap", "jet", ValueError, "cmap: got 'jet', want one of viridis"),
        ("color_scale", "row", ValueError, "color_scale: got 'row', want one of unit, map"),
        ("selection", (0, 9), ValueError, r"selection: got 9, want 0\.\.8"),
        ("selection", 3, TypeError, "selection: got 3, want a pair"),
    ],
)
def test_what_is_refused_changes_nothing(name, value, error, why):
    _, _, c = texts(layer=1, head=2)
    before = state(c)
    with pytest.raises(error, match=why):
        setattr(c, name, value)
    assert state(c) == before
    # A page is answered in words.
    c.set_state({name: value})
    assert why.replace("\\", "") in c.error
    assert state(c) == before
    c.set_state({"selection": [1, 2]})
    assert (c.error, c.selection) == ("", (1, 2))


@pytest.mark.parametrize("stack", ["rollout", "mean over layers"])
def test_a_layer_of_nan_stops_what_needs_it(stack):
    broken = copy.deepcopy(bert())
    with torch.no_grad():
        broken.encoder.layer[2].attention.self.query.weight[0, 0] = torch.nan
    a, b = (AttentionWidget.from_model(model, tokenizer(), CAT) for model in (bert(), broken))
    c = AttentionWidget.compare(a, b, layer=1)
    before = state(c)
    with pytest.raises(ValueError, match="NaN"):
        c.stack = stack
    assert state(c) == before
    with pytest.raises(ValueError, match="layer 2, head 0"):
        c.layer = 2
    assert state(c) == before
