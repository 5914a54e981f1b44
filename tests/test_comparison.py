"""Two widgets compared: eager(B) - eager(A) where both have a cell, whatever is done to either."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from architectures_eager import eager
from compared import BOTH, BOTH_A, BOTH_B, CAT, DOG, IN_A, IN_B, ROWS, bert, texts, weights
from models import N_HEADS, tokenizer

from attnwidget import AttentionWidget


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
    c = AttentionWidget.compare(a, b, stack="cross", layer=2, head=1)
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
    c.stack = "encoder"
    assert c.shown == ("encoder", 0, 1)
    assert c.offered["layer"] == [0, 1]
    assert c.offered["head"] == list(range(N_HEADS))


def test_what_only_one_side_has_is_not_offered():
    a = AttentionWidget.from_model(bert(), tokenizer(), CAT)
    other = ARCHITECTURES["bart"].make()
    b = AttentionWidget.from_model(other, tokenizer(), (CAT, DOG), stack="decoder")
    c = AttentionWidget.compare(a, b)
    # BART's decoder has 2 heads, BERT has 4 and as many layers.
    assert c.offered == {"stack": ["self / decoder"], "layer": [0, 1, 2], "head": [0, 1]}
    assert "A has 4 heads a layer, B 2: offered: the first 2." in c.notice
    b.stack = "encoder"
    assert c.offered == {"stack": ["self / encoder"], "layer": [0, 1], "head": [0, 1, 2, 3]}
    assert "A has 3 layers, B 2: offered: the 2 that both have." in c.notice


def test_derived_stacks_are_compared_too():
    _, _, c = texts(stack="mean over heads", layer=2)
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


def test_no_title_is_the_usual_one():
    a, b = AttentionWidget("a b c"), AttentionWidget("a b d")
    c = AttentionWidget.compare(a, b, title="mine")
    c.title = None
    assert c.title == "Attention compared"
