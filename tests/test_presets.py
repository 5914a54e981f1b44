"""Masks with names, alone, together and with edits by hand; through changes of sentence too."""

from __future__ import annotations

import json

import numpy as np
import pytest
from byhand import commands, follows, state, unchanged
from recording import RecordingComm

from attnwidget import AttentionWidget
from attnwidget.maths.presets import DEFAULTS, PRESETS, check_presets, preset_mask

TOKENS = ["Hi", "there", ".", "You", "too", "!"]


def hidden(presets, tokens=TOKENS, keys=None):
    """Cell by cell, from what each preset says."""
    keys = tokens if keys is None else keys
    sentence = {"Hi": 0, "there": 0, ".": 0, "You": 1, "too": 1, "!": 1, "Bye": 1}
    padding = presets.get("padding", ())
    padding = [] if padding is True else padding  # none of these tokens is padding

    def cell(i, j):
        return (
            ("causal" in presets and j > i)
            or j in padding
            or ("window" in presets and not i - presets["window"] <= j <= i + presets["window"])
            or ("prefix" in presets and j > i and j >= presets["prefix"])
            or ("block" in presets and sentence[tokens[i]] != sentence[keys[j]])
        )

    return np.array([[cell(i, j) for j in range(len(keys))] for i in range(len(tokens))])


ALL = [
    {"causal": True},
    {"padding": True},
    {"padding": [1, 4]},
    {"window": 0},
    {"window": 2},
    {"prefix": 0},
    {"prefix": 3},
    {"block": True},
    {"causal": True, "window": 1},
    {"causal": True, "padding": [0]},
    {"padding": True, "window": 2, "block": True},
    {"prefix": 3, "block": True, "padding": True},
]


@pytest.mark.parametrize("presets", ALL)
@pytest.mark.parametrize("way", ["keyword", "trait", "page"])
def test_the_mask_is_the_sum(presets, way):
    w = AttentionWidget(TOKENS, d_v=2, presets=presets if way == "keyword" else None)
    if way == "trait":
        w.presets = presets
    if way == "page":
        on = np.flatnonzero(hidden(presets))
        runs = [n for cell in on for n in (int(cell), 1)]
        w.set_state(commands(w.mask.shape, {"on": runs, "presets": presets}))
    assert w.presets == presets
    np.testing.assert_array_equal(w.mask, hidden(presets))
    follows(w, w.embeddings)


def test_names_alone_stand_for_the_defaults():
    w = AttentionWidget(TOKENS, presets="window")
    assert w.presets == {"window": DEFAULTS["window"]} == {"window": 1}
    w.presets = ["prefix", "causal"]
    assert w.presets == {"causal": True, "prefix": 2}
    w.presets = {"causal": np.True_, "block": False, "window": None}
    assert w.presets == {"causal": True}
    w.presets = None
    assert w.presets == {}
    assert not w.mask.any()


def test_padding_hides_the_pad_tokens_at_the_end():
    w = AttentionWidget("a b c", presets="padding")
    assert not w.mask.any()
    assert w.presets == {"padding": True}
    padded = AttentionWidget(["[PAD]", "a", "[PAD]", "<pad>"], presets="padding")
    assert padded.mask.tolist() == [[0, 0, 1, 1]] * 4


def test_presets_with_a_mask_at_the_start():
    w = AttentionWidget(TOKENS, mask=[0, 1, 0, 0, 0, 0], presets="causal")
    np.testing.assert_array_equal(w.mask, hidden({"causal": True, "padding": [1]}))
    w.presets = {}
    # A cell that both hid was the preset's.
    np.testing.assert_array_equal(w.mask, hidden({"padding": [1]}) & ~hidden({"causal": True}))


@pytest.mark.parametrize("presets", ALL)
def test_what_was_done_by_hand_outlives_presets(presets):
    w = AttentionWidget(TOKENS, presets="causal")
    w.toggle(4, 0)  # hidden by hand
    w.toggle(1, 5)  # freed by hand
    w.presets = presets
    wanted = hidden(presets)
    # Causal hid (1, 5) and it was freed: free it stays. (4, 0) was free and hidden: hidden.
    wanted[1, 5], wanted[4, 0] = False, True
    np.testing.assert_array_equal(w.mask, wanted)
    follows(w, w.embeddings)


@pytest.mark.parametrize("n", [2, 4, 9])
def test_through_a_change_of_sentence(n):
    w = AttentionWidget(TOKENS, presets={"causal": True, "window": 2})
    w.toggle(3, 1)  # hidden by hand
    w.toggle(1, 2)  # freed by hand
    tokens = [f"t{i}" for i in range(n)]
    w.tokens = tokens
    assert w.presets == {"causal": True, "window": 2}
    wanted = hidden(w.presets, tokens)
    for cell, value in (((3, 1), True), ((1, 2), False)):
        if max(cell) < n:
            wanted[cell] = value
    np.testing.assert_array_equal(w.mask, wanted)
    follows(w, w.embeddings)
    assert w.undo()
    wanted = hidden({"causal": True, "window": 2})
    wanted[3, 1], wanted[1, 2] = True, False
    np.testing.assert_array_equal(w.mask, wanted)


def test_padding_by_position_forgets_tokens_that_are_gone():
    w = AttentionWidget(TOKENS, presets={"padding": [1, 4, 5]})
    w.tokens = "a b c d e"
    assert w.presets == {"padding": [1, 4]}
    w.presets = {**w.presets, "causal": True}  # as a page does it: what is there, and one more
    w.tokens = "a"
    assert w.presets == {"causal": True}
    assert not w.mask.any()
    w.undo()
    assert w.presets == {"causal": True, "padding": [1, 4]}


def test_padding_moves_with_the_end():
    w = AttentionWidget("a b [PAD]", presets="padding")
    w.tokens = "a b c <pad>"
    np.testing.assert_array_equal(w.mask, [[0, 0, 0, 1]] * 4)
    w.tokens = "a b c d"
    assert not w.mask.any()


@pytest.mark.parametrize(
    ("tokens", "keys"),
    [("a b c", [2]), ("a b c", [1, 2]), ("a [PAD] [PAD]", True), ("[PAD] b c", [2])],
)
def test_keys_at_the_end_that_no_query_sees_are_padding(tokens, keys):
    mask = np.zeros((3, 3), bool)
    mask[:, [1, 2] if keys is True else keys] = True
    assert AttentionWidget(tokens, mask=mask).presets == {"padding": keys}


def test_a_key_in_the_middle_is_masked_by_hand():
    assert AttentionWidget("a b c", mask=[0, 1, 0]).presets == {}


@pytest.mark.parametrize(
    "presets",
    [
        p
        for p in ALL
        if len(p) == 1 and p not in ({"padding": True}, {"padding": [1, 4]}, {"prefix": 0})
    ],
)
def test_a_mask_that_is_a_preset_is_recognised(presets):
    w = AttentionWidget(TOKENS)
    w.mask = hidden(presets)
    assert w.presets == presets
    assert AttentionWidget(TOKENS, mask=hidden(presets)).presets == presets
    other = hidden(presets)
    other[2, 0] ^= True
    w.mask = other
    assert w.presets == {}
    w.mask = hidden(presets).astype(float) * -1e9
    assert w.presets == presets
    w.mask = None
    assert w.presets == {}


def test_the_same_mask_by_another_name():
    w = AttentionWidget(TOKENS, mask=hidden({"prefix": 0}))
    assert w.presets == {"causal": True}


def test_a_toggle_leaves_the_presets_in_force():
    w = AttentionWidget(TOKENS, presets="causal")
    w.toggle(0, 1)
    assert w.presets == {"causal": True}
    assert not w.mask[0, 1]
    assert w.mask[0, 2]


def test_undo_and_redo_of_presets():
    w = AttentionWidget(TOKENS)
    w.comm = RecordingComm()
    w.presets = "causal"
    assert len(w.comm.states()) == 1
    w.set_state(commands(w.mask.shape, {"off": [1, 1], "presets": {"causal": True}}))
    w.presets = {"window": 1, "causal": True}
    assert w.history == (3, 0)
    w.undo()
    assert w.presets == {"causal": True}
    assert not w.mask[0, 1]
    w.undo()
    np.testing.assert_array_equal(w.mask, hidden({"causal": True}))
    w.undo()
    assert w.presets == {}
    assert not w.mask.any()
    for _ in range(3):
        assert w.redo()
    wanted = hidden({"window": 1, "causal": True})
    wanted[0, 1] = False
    np.testing.assert_array_equal(w.mask, wanted)


def test_presets_are_set_as_a_whole():
    w = AttentionWidget(TOKENS, presets="causal")
    with pytest.raises(TypeError, match="item assignment"):
        w.presets["window"] = 1
    assert json.loads(json.dumps(w.get_state("presets"))) == {"presets": {"causal": True}}


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (5, "presets"),
        ({"triangle": True}, "triangle"),
        ({"window": "2"}, "window"),
        ({"window": 1.5}, "window"),
        ({"prefix": -1}, "prefix"),
        ({"padding": "end"}, "padding"),
        ({"padding": [6]}, "padding"),
        ({"padding": [0.5]}, "padding"),
        ({"causal": 1}, "causal"),
        ([["causal"]], "causal"),
    ],
)
def test_presets_that_cannot_be_are_said_and_nothing_changes(sent, says):
    w = AttentionWidget(TOKENS, presets="block")
    w.comm = RecordingComm()
    before = state(w)
    with pytest.raises((TypeError, ValueError), match=says):
        w.presets = sent
    with pytest.raises((TypeError, ValueError), match=says):
        AttentionWidget(TOKENS, presets=sent)
    unchanged(w, before)
    w.set_state(commands(w.mask.shape, {"on": [0, 1], "presets": sent}, {"on": [1, 1]}))
    assert says in w.error
    assert not w.mask[0, 0]
    assert w.mask[0, 1], "the edit beside it counts"
    assert w.presets == {"block": True}


@pytest.mark.parametrize("name", PRESETS)
def test_non_square(name):
    queries, keys = ["Hi", ".", "You", "too"], ["Hi", "there", ".", "Bye", "!", "!", "!"]
    presets = check_presets(name, len(keys))
    w = AttentionWidget(queries, key_tokens=keys, presets=presets)
    assert w.mask.shape == (4, 7)
    np.testing.assert_array_equal(w.mask, hidden(presets, queries, keys))
    np.testing.assert_array_equal(preset_mask(presets, queries, keys), w.mask)
    follows(w, w.embeddings, w.key_embeddings)
