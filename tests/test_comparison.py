"""Two widgets compared: eager(B) - eager(A) where both have a cell, whatever is done to either."""

from __future__ import annotations

import copy
import gc
import sys
from functools import cache

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from architectures_eager import eager
from models import FAMILIES, N_HEADS, tokenizer

from attnwidget import AttentionWidget
from attnwidget.session.pair import Side

CAT, DOG = "the cat sat on a mat", "the big dog sat on mat there"
# By hand: where the words of each are among those of both; None where they are not.
ROWS = [
    (0, 0, "the"), (1, None, "cat"), (None, 1, "[UNK]"), (None, 2, "dog"), (2, 3, "sat"),
    (3, 4, "on"), (4, None, "a"), (5, 5, "mat"), (None, 6, "there"),
]  # fmt: skip
IN_A, IN_B = [0, 1, 4, 5, 6, 7], [0, 2, 3, 4, 5, 7, 8]
BOTH_A, BOTH_B, BOTH = [0, 2, 3, 5], [0, 3, 4, 5], [0, 4, 5, 7]


@cache
def bert():
    return FAMILIES["bert"]()


@cache
def weights(model, text: str) -> np.ndarray:
    """Eager weights of a text, (l, h, n, n)."""
    found = eager(model, {"input_ids": tokenizer()(text, return_tensors="pt").input_ids})
    made = np.stack([found[key] for key in sorted(found)])
    made.flags.writeable = False
    return made


def texts(**shown):
    model = bert()
    a, b = (AttentionWidget.from_model(model, tokenizer(), text) for text in (CAT, DOG))
    return a, b, AttentionWidget.compare(a, b, **shown)


def state(c):
    names = ("kind", "layer", "head", "align", "cmap", "color_scale", "selection", "shown", "rows",
             "columns", "changes", "notice", "revision", "peaks")  # fmt: skip
    return {name: getattr(c, name) for name in names} | {"a": c.a.tobytes(), "b": c.b.tobytes()}


# --- what is shown -----------------------------------------------------------------------------


@pytest.mark.parametrize(("layer", "head"), [(0, 0), (2, 3)])
def test_two_texts_of_a_model(layer, head):
    _, _, c = texts(layer=layer, head=head)
    a, b = weights(bert(), CAT)[layer, head], weights(bert(), DOG)[layer, head]
    assert c.rows == c.columns == tuple(ROWS)
    assert c.shown == ("self", layer, head)
    assert c.a.shape == c.b.shape == c.difference.shape == (9, 9)
    np.testing.assert_allclose(c.a[np.ix_(IN_A, IN_A)], a, atol=1e-6)
    np.testing.assert_allclose(c.b[np.ix_(IN_B, IN_B)], b, atol=1e-6)
    assert np.isnan(c.a).sum() == 81 - 36
    assert np.isnan(c.b).sum() == 81 - 49
    want = np.full((9, 9), np.nan)
    want[np.ix_(BOTH, BOTH)] = b[np.ix_(BOTH_B, BOTH_B)] - a[np.ix_(BOTH_A, BOTH_A)]
    np.testing.assert_allclose(c.difference, want, atol=1e-6)
    assert np.nanmax(np.abs(want)) > 0.01
    assert c.notice == "Tokens: 4 in both, 2 only in A, 3 only in B (hatched)."
    assert [name for _, name in c.labels] == [CAT, DOG.replace("big", "[UNK]"), "what changed"]


def test_two_models_of_one_text():
    model, other = bert(), copy.deepcopy(bert())
    with torch.no_grad():
        other.encoder.layer[1].attention.self.query.weight.mul_(-1)
    a, b = (AttentionWidget.from_model(one, tokenizer(), CAT) for one in (model, other))
    c = AttentionWidget.compare(a, b, layer=0)
    np.testing.assert_allclose(c.difference, np.zeros((6, 6)), atol=1e-6)
    c.layer, c.head = 1, 2
    want = weights(other, CAT)[1, 2] - weights(model, CAT)[1, 2]
    assert np.abs(want).max() > 0.1
    np.testing.assert_allclose(c.difference, want, atol=1e-6)
    assert [tuple(pair)[:2] for pair in c.rows] == [(i, i) for i in range(6)]


def test_by_position_differing_tokens_stand_together():
    _, _, c = texts(align="position")
    a, b = weights(bert(), CAT)[0, 0], weights(bert(), DOG)[0, 0]
    assert [label for _, _, label in c.rows] == [
        "the", "cat / [UNK]", "sat / dog", "on / sat", "a / on", "mat", "there",
    ]  # fmt: skip
    np.testing.assert_allclose(c.difference[:6, :6], b[:6, :6] - a, atol=1e-6)
    assert np.isnan(c.difference[6]).all()
    assert np.isnan(c.difference[:, 6]).all()


def test_texts_without_a_token_in_common_can_be_paired_by_position():
    a, b = (AttentionWidget(text) for text in ("x y", "p q r"))
    c = AttentionWidget.compare(a, b, align="position")
    assert [label for _, _, label in c.columns] == ["x / p", "y / q", "r"]
    with pytest.raises(ValueError, match="b: got no query token that a has"):
        c.align = "token"
    assert c.align == "position"


def test_the_largest_changes_come_first():
    _, _, c = texts()
    sizes = np.nan_to_num(np.abs(c.difference))
    assert sorted(sizes.ravel())[-6:][::-1] == [sizes[at] for at in c.changes]
    assert len(set(c.changes)) == 6
    twice = AttentionWidget.compare(*[AttentionWidget("a b", seed=1)] * 2)
    assert twice.changes == ()
    assert twice.notice == "A and B are equal wherever both have a cell."


def test_where_the_colours_end():
    _, _, c = texts()
    largest = np.nanmax(np.abs(c.difference))
    assert c.peaks == pytest.approx((1, largest))
    c.color_scale = "map"
    assert c.peaks == pytest.approx((max(np.nanmax(c.a), np.nanmax(c.b)), largest))


def test_stacks_of_both_encoder_decoders():
    one = ARCHITECTURES["bart"]
    model, words = one.make(), tokenizer()
    pairs = [("the cat sat on it", "a dog saw"), ("the cat on it", "dog saw the mat")]
    a, b = (AttentionWidget.from_model(model, words, pair) for pair in pairs)
    c = AttentionWidget.compare(a, b, kind="cross", layer=2, head=1)
    fed = [
        {
            "input_ids": words(source, return_tensors="pt").input_ids,
            "decoder_input_ids": torch.tensor([[1, *words(target).input_ids]]),
        }
        for source, target in pairs
    ]
    in_a, in_b = (eager(model, one_fed)["cross", 2][1] for one_fed in fed)
    # Queries: start a | dog saw | the mat; keys: the cat | sat | on it.
    assert [tuple(p)[:2] for p in c.rows] == [
        (0, 0),
        (1, None),
        (2, 1),
        (3, 2),
        (None, 3),
        (None, 4),
    ]
    assert [tuple(p)[:2] for p in c.columns] == [(0, 0), (1, 1), (2, None), (3, 2), (4, 3)]
    want = in_b[np.ix_([0, 1, 2], [0, 1, 2, 3])] - in_a[np.ix_([0, 2, 3], [0, 1, 3, 4])]
    np.testing.assert_allclose(c.difference[np.ix_([0, 2, 3], [0, 1, 3, 4])], want, atol=1e-6)
    assert "Queries: 3 in both, 1 only in A, 2 only in B (hatched)." in c.notice
    # The encoder has no layer 2: the first is shown, and offered are its own.
    c.kind = "encoder"
    assert c.shown == ("encoder", 0, 1)
    assert c.offered["layer"] == [0, 1]
    assert c.offered["head"] == list(range(N_HEADS))


def test_what_only_one_side_has_is_not_offered():
    a = AttentionWidget.from_model(bert(), tokenizer(), CAT)
    other = ARCHITECTURES["bart"].make()
    b = AttentionWidget.from_model(other, tokenizer(), (CAT, DOG), kind="decoder")
    c = AttentionWidget.compare(a, b)
    # BART's decoder has 2 heads, BERT has 4 and as many layers.
    assert c.offered == {"kind": ["self / decoder"], "layer": [0, 1, 2], "head": [0, 1]}
    assert "A has 4 heads a layer, B 2: offered: the first 2." in c.notice
    b.kind = "encoder"
    assert c.offered == {"kind": ["self / encoder"], "layer": [0, 1], "head": [0, 1, 2, 3]}
    assert "A has 3 layers, B 2: offered: the 2 that both have." in c.notice


def test_derived_stacks_are_compared_too():
    _, _, c = texts(kind="mean over heads", layer=2)
    a, b = weights(bert(), CAT)[2].mean(0), weights(bert(), DOG)[2].mean(0)
    want = b[np.ix_(BOTH_B, BOTH_B)] - a[np.ix_(BOTH_A, BOTH_A)]
    np.testing.assert_allclose(c.difference[np.ix_(BOTH, BOTH)], want, atol=1e-6)
    assert c.offered["head"] == [0]


def test_names_are_titles_or_what_is_given():
    a, b, c = texts(labels=("before", "after"), title="One word")
    assert c.labels[:2] == (("A", "before"), ("B", "after"))
    assert c.title == "One word"
    a.title = "Cats"
    assert AttentionWidget.compare(a, b).labels[0] == ("A", "Cats")


# --- what is done to either --------------------------------------------------------------------


def test_edits_show_at_once():
    a, b, c = texts()
    heard = []
    c.observe(lambda event: heard.append(event["new"]), "revision")
    before = c.b.copy()
    a.toggle(0, 2)
    row = weights(bert(), CAT)[0, 0][0].copy()
    row[2] = 0
    np.testing.assert_allclose(c.a[0, IN_A], row / row.sum(), atol=1e-6)
    assert np.argwhere(c.masked_a).tolist() == [[0, 4]]
    assert not c.masked_b.any()
    np.testing.assert_array_equal(c.b, before)
    assert "A is compared as it is edited: 1 cell masked." in c.notice
    assert len(heard) == 1
    b.Q = np.zeros_like(b.Q)
    np.testing.assert_allclose(c.b[np.ix_(IN_B, IN_B)], np.full((7, 7), 1 / 7), atol=1e-6)
    assert "B is compared as it is edited: numbers set by hand." in c.notice
    # The weights of other heads are as computed, and that is said.
    c.head = 1
    np.testing.assert_allclose(c.a[np.ix_(IN_A, IN_A)], weights(bert(), CAT)[0, 1], atol=1e-6)
    assert not c.masked_a.any()
    assert "A is edited at layer 0, head 0, not in what is compared here." in c.notice
    c.head = 0
    assert a.undo()
    np.testing.assert_allclose(c.a[np.ix_(IN_A, IN_A)], weights(bert(), CAT)[0, 0], atol=1e-6)


def test_the_widgets_choose_their_own_head():
    a, _, c = texts()
    a.layer, a.head = 2, 1
    assert c.shown == ("self", 0, 0)
    np.testing.assert_allclose(c.a[np.ix_(IN_A, IN_A)], weights(bert(), CAT)[0, 0], atol=1e-6)
    c.layer = 1
    assert a.layer == 2


def test_what_a_model_masks_itself_is_masked():
    model = FAMILIES["gpt2"]()
    a, b = (AttentionWidget.from_model(model, tokenizer(), text) for text in (CAT, DOG))
    c = AttentionWidget.compare(a, b)
    np.testing.assert_array_equal(c.masked_a[np.ix_(IN_A, IN_A)], np.triu(np.ones((6, 6)), 1))
    assert c.masked_a.sum() == 15
    assert "edited" not in c.notice


def test_tokens_of_a_widget_may_change():
    a, _, c = texts()
    a.tokens = ["the", "x", "y", "z", "v", "w"]
    assert [pair.label for pair in c.rows if None not in pair] == ["the"]
    # With no token in common there is nothing to show: what was there stays, and is said.
    before = state(c)
    a.tokens = list("uvwxyz")
    assert c.error.startswith("Shown is what was there before: b: got no query token that a has")
    assert state(c) == before
    # It can be looked at in all its layers, and what was said stays.
    c.layer = 1
    at = [i for i, pair in enumerate(c.rows) if pair.a is not None]
    assert [c.rows[i].label for i in at] == ["the", "x", "y", "z", "v", "w"]
    np.testing.assert_allclose(c.a[np.ix_(at, at)], weights(bert(), CAT)[1, 0], atol=1e-6)
    assert c.error
    c.layer = 0
    a.tokens = CAT.split()
    assert c.error == ""
    assert c.rows == tuple(ROWS)


def test_given_weights_and_what_is_derived_of_them():
    given = np.random.default_rng(0).dirichlet(np.ones(3), (2, 2, 3))
    a, b = (AttentionWidget.from_arrays(one, ["a", "b", "c"]) for one in (given, given[::-1]))
    c = AttentionWidget.compare(a, b, kind="rollout", layer=1)
    np.testing.assert_allclose(c.difference.sum(axis=1), 0, atol=1e-6)
    c.kind = "self"
    assert c.shown == ("self", 1, 0)
    np.testing.assert_allclose(c.difference, (given[0] - given[1])[0], atol=1e-6)


def test_close_stops_following():
    a, b, c = texts()
    before, revision = c.a.copy(), c.revision
    c.close()
    a.toggle(1, 1)
    b.toggle(1, 1)
    assert c.revision == revision
    np.testing.assert_array_equal(c.a, before)
    c.close()
    # Another comparison of the same two still follows.
    other = AttentionWidget.compare(a, b)
    a.toggle(0, 2)
    assert other.masked_a[0, 4]


def test_one_widget_beside_itself_is_heard_once():
    a = AttentionWidget("the cat sat")
    c = AttentionWidget.compare(a, a)
    revision = c.revision
    a.toggle(0, 1)
    assert c.revision == revision + 1
    assert c.masked_a[0, 1] == c.masked_b[0, 1] == True  # noqa: E712
    np.testing.assert_array_equal(c.difference, np.zeros((3, 3)))
    c.close()
    a.toggle(0, 1)
    assert c.masked_a[0, 1]


def test_all_heads_of_a_sentence_at_once():
    a, b = (AttentionWidget("the cat sat", n_heads=2, seed=seed) for seed in (1, 2))
    c = AttentionWidget.compare(a, b)
    c.head = 1
    np.testing.assert_allclose(c.difference, (b.attention - a.attention)[1], atol=1e-6)
    a.toggle(2, 0)
    assert c.masked_a[2, 0]
    assert c.a[2, 0] == 0


# --- refusals ----------------------------------------------------------------------------------


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
        ({"kind": "cross"}, ValueError, "kind: got 'cross', want one of self, mean over heads"),
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
        ("kind", "cross", ValueError, "kind: got 'cross', want one of self"),
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


def test_a_page_may_choose_several_at_once():
    _, _, c = texts()
    c.set_state({"layer": 2, "head": 3})
    assert c.shown == ("self", 2, 3)
    np.testing.assert_allclose(c.a[np.ix_(IN_A, IN_A)], weights(bert(), CAT)[2, 3], atol=1e-6)
    before = state(c)
    c.set_state({"layer": 1, "head": 4})
    assert "head: got 4" in c.error
    assert state(c) == before


@pytest.mark.parametrize("kind", ["rollout", "mean over layers"])
def test_a_layer_of_nan_stops_what_needs_it(kind):
    broken = copy.deepcopy(bert())
    with torch.no_grad():
        broken.encoder.layer[2].attention.self.query.weight[0, 0] = torch.nan
    a, b = (AttentionWidget.from_model(model, tokenizer(), CAT) for model in (bert(), broken))
    c = AttentionWidget.compare(a, b, layer=1)
    before = state(c)
    with pytest.raises(ValueError, match="NaN"):
        c.kind = kind
    assert state(c) == before
    with pytest.raises(ValueError, match="layer 2, head 0"):
        c.layer = 2
    assert state(c) == before


def test_a_selection_outside_the_new_map_is_none():
    a, _, c = texts(align="position")
    c.selection = (6, 6)
    c.selection = (2, 2)
    c.align = "token"
    assert c.selection == (2, 2)
    c.selection = (8, 8)
    c.align = "position"
    assert c.selection is None
    assert a.selection is None


def test_no_title_is_the_usual_one():
    a, b = AttentionWidget("a b c"), AttentionWidget("a b d")
    c = AttentionWidget.compare(a, b, title="mine")
    c.title = None
    assert c.title == "Attention compared"


def test_a_comparison_that_no_page_displays_computes_when_it_is_read(monkeypatch):
    a, b = AttentionWidget("the cat sat on"), AttentionWidget("the dog sat", seed=3)
    c = AttentionWidget.compare(a, b)
    computed = []
    maps = Side.maps
    monkeypatch.setattr(Side, "maps", lambda *args: computed.append(args) or maps(*args))

    def display(on):
        c._handle_custom_msg({"type": "displayed", "page": "p", "on": on}, [])

    a.toggle(1, 2)
    assert len(computed) == 2  # one map of each side
    display(True)
    display(False)
    for key in range(3):
        a.toggle(3, key)
    assert len(computed) == 2
    row, column = (
        next(i for i, pair in enumerate(axis) if pair[0] == 3) for axis in (c.rows, c.columns)
    )
    assert c.a[row, column] == 1  # its only key is left
    assert len(computed) == 4
    a.toggle(0, 1)
    display(True)
    assert len(computed) == 6
    b.toggle(1, 1)
    assert len(computed) == 8
