"""A comparison follows its two widgets: edits, heads, tokens, the page, and the end."""

from __future__ import annotations

import numpy as np
from compared import CAT, DOG, IN_A, IN_B, ROWS, bert, state, texts, weights
from models import FAMILIES, tokenizer

from attnwidget import AttentionWidget
from attnwidget.session.pair import Side


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
    c = AttentionWidget.compare(a, b, stack="rollout", layer=1)
    np.testing.assert_allclose(c.difference.sum(axis=1), 0, atol=1e-6)
    c.stack = "self"
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


def test_a_page_may_choose_several_at_once():
    _, _, c = texts()
    c.set_state({"layer": 2, "head": 3})
    assert c.shown == ("self", 2, 3)
    np.testing.assert_allclose(c.a[np.ix_(IN_A, IN_A)], weights(bert(), CAT)[2, 3], atol=1e-6)
    before = state(c)
    c.set_state({"layer": 1, "head": 4})
    assert "head: got 4" in c.error
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
