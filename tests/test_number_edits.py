"""Numbers set one by one in the page, and the way back through masks and numbers alike."""

from __future__ import annotations

import numpy as np
import pytest
from byhand import commands, follows, number, state, unchanged, unpack
from models import DECODERS, ENCODERS, tokenizer
from recording import RecordingComm

from attnwidget import AttentionWidget

SIZES = {"d_model": 5, "d_k": 4, "d_v": 3}
ARRAYS = ("embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V")


def opened(n_heads=1, **settings):
    w = AttentionWidget("a b c d", key_tokens="u v x y z t", n_heads=n_heads, **SIZES, **settings)
    w.comm = RecordingComm()
    return w


@pytest.mark.parametrize("n_heads", [1, 2])
@pytest.mark.parametrize("name", ARRAYS)
def test_a_number_from_the_page(name, n_heads):
    w = opened(n_heads)
    at = (1, 2) if getattr(w, name).ndim == 2 else (1, 0, 2)
    wanted = {n: getattr(w, n).copy() for n in ARRAYS}
    wanted[name][at] = -2.5
    if name in ("embeddings", "W_q"):
        wanted["Q"] = wanted["embeddings"] @ wanted["W_q"]
    if name in ("key_embeddings", "W_k"):
        wanted["K"] = wanted["key_embeddings"] @ wanted["W_k"]
    if name in ("key_embeddings", "W_v"):
        wanted["V"] = wanted["key_embeddings"] @ wanted["W_v"]
    w.set_state(commands(w.mask.shape, number(w, name, at, -2.5)))
    assert not w.error
    for n, array in wanted.items():
        np.testing.assert_allclose(getattr(w, n), array, atol=1e-12, err_msg=n)
    follows(w)
    (sent,) = w.comm.states()
    assert sent["_change"]["acks"] == {"p": 1}
    assert sent["_change"]["by"] == "p"
    assert name in sent
    for map_name in {"attention", "output"} & set(sent):
        np.testing.assert_allclose(unpack(sent[map_name]), getattr(w, map_name), atol=1e-5)
    start = int(np.ravel_multi_index(at, getattr(w, name).shape))
    assert w.overridden == {name: [start, 1]}
    assert w.history == (1, 0)


def test_what_was_set_by_hand_is_marked_as_runs():
    w = opened()
    W = w.W_q.copy()
    W[0, 1:3] = 9  # cells 1 and 2
    W[4, 3] = 9  # the last of twenty
    w.W_q = W
    V = w.V.copy()
    V[0] = 7
    w.V = V
    assert w.overridden == {"W_q": [1, 2, 19, 1], "V": [0, 3]}
    w.V = V * 1  # the same again
    assert w.overridden == {"W_q": [1, 2, 19, 1], "V": [0, 3]}
    fresh = opened()
    w.W_q = fresh.W_q  # as it was drawn: no longer by hand
    assert w.overridden == {"V": [0, 3]}
    w.key_embeddings = np.zeros((6, 5))  # V is made from it
    assert w.overridden == {"key_embeddings": [0, 30]}


def test_given_arrays_are_not_by_hand():
    W = np.arange(20.0).reshape(5, 4)
    w = AttentionWidget("a b c", W_q=W)
    assert w.overridden == {}
    w.set_state(commands(w.mask.shape, number(w, "W_q", (0, 0), 3.0)))
    assert w.overridden == {"W_q": [0, 1]}
    assert w.reset()
    np.testing.assert_array_equal(w.W_q, W)


def test_the_way_back_through_masks_numbers_and_settings():
    w = opened()
    seen = [state(w)]

    def step(act):
        act()
        seen.append(state(w))

    step(lambda: w.toggle(0, 3))
    step(lambda: w.set_state(commands(w.mask.shape, number(w, "Q", (0, 0), 4.0))))
    step(lambda: setattr(w, "presets", "causal"))
    step(lambda: setattr(w, "tokens", "a b"))
    step(lambda: setattr(w, "d_k", 2))
    step(lambda: w.set_state(commands(w.mask.shape, {"on": [6, 1], "seq": 2}, client="q")))
    step(lambda: setattr(w, "temperature", 0))
    last = {**number(w, "W_v", (4, 2), 1.5), "seq": 3}
    step(lambda: w.set_state(commands(w.mask.shape, last, client="q")))
    step(w.reset)
    step(lambda: setattr(w, "key_tokens", None))
    watched = ("tokens", "key_tokens", "mask", "presets", "d_k", "temperature", "overridden")
    watched += ARRAYS
    count = len(seen) - 1
    assert w.history == (count, 0)
    for k in reversed(range(count)):
        assert w.undo()
        unchanged(w, {n: seen[k][n] for n in watched})
        np.testing.assert_allclose(w.output, seen[k]["output"], atol=1e-14)
        assert w.history == (k, count - k)
    assert not w.undo()
    for k in range(count):
        assert w.redo()
        unchanged(w, {n: seen[k + 1][n] for n in watched})
        np.testing.assert_allclose(w.attention, seen[k + 1]["attention"], atol=1e-14)
    assert not w.redo()
    w.undo()
    w.toggle(1, 0)
    assert not w.redo(), "another edit ends what could be redone"


def test_undo_from_the_page_spans_both():
    w = opened()
    W = w.W_k
    w.set_state(commands(w.mask.shape, number(w, "W_k", (0, 0), 9.0)))
    w.toggle(2, 2)
    w.set_state(commands(w.mask.shape, {"do": "undo", "seq": 2}))
    assert not w.mask.any()
    assert w.W_k[0, 0] == 9
    w.set_state(commands(w.mask.shape, {"do": "undo", "seq": 3}))
    np.testing.assert_array_equal(w.W_k, W)
    w.set_state(commands(w.mask.shape, {"do": "redo", "seq": 4}))
    assert w.W_k[0, 0] == 9
    w.set_state(commands(w.mask.shape, {"do": "undo", "seq": 5}, {"do": "undo", "seq": 6}))
    assert w.history == (0, 2)
    assert w.get_state("_change")["_change"]["acks"] == {"p": 6}


def test_one_drag_undoes_at_once_and_a_number_that_is_there_is_no_edit():
    w = opened()
    Q = w.Q
    drag = [{**number(w, "Q", (3, 1), float(v)), "stroke": 5} for v in (1, 2, 3)]
    w.set_state(commands(w.mask.shape, *drag))
    assert w.Q[3, 1] == 3
    assert w.history == (1, 0)
    w.set_state(commands(w.mask.shape, *drag, {**number(w, "Q", (3, 1), 3.0), "stroke": 6}))
    assert w.history == (1, 0)
    assert w.get_state("_change")["_change"]["acks"] == {"p": 4}
    w.undo()
    np.testing.assert_array_equal(w.Q, Q)


def test_a_slider_undoes_at_once():
    w = opened()
    for temperature in (0.9, 0.8, 0.5, 0):
        w.temperature = temperature
    assert w.history == (1, 0)
    w.undo()
    assert w.temperature == 1
    follows(w)


@pytest.mark.parametrize("where", ["python", "page"])
def test_reset_takes_back_numbers_and_nothing_else(where):
    w = opened(seed=3)
    fresh = state(w)
    for name in ARRAYS:
        changed = getattr(w, name).copy()
        changed[0, 1] += 1
        setattr(w, name, changed)
    w.toggle(0, 0)
    w.temperature = 2.0
    edited = state(w)
    if where == "page":
        w.set_state(commands(w.mask.shape, {"do": "reset"}))
    else:
        assert w.reset()
    unchanged(w, {name: fresh[name] for name in ARRAYS})
    assert w.overridden == {}
    assert w.mask[0, 0]
    follows(w, temperature=2.0)
    assert not w.reset()
    assert w.undo()
    unchanged(w, {name: edited[name] for name in (*ARRAYS, "overridden", "attention")})


def test_randomise_shows_its_seed():
    w = opened(seed=3)
    w.toggle(0, 0)
    Q = w.Q
    seed = w.randomise()
    assert seed == w.seed != 3
    np.testing.assert_array_equal(w.embeddings, np.random.RandomState(seed).rand(4, 5))
    follows(w, w.embeddings, w.key_embeddings)
    assert w.mask[0, 0]
    assert w.undo()
    assert w.seed == 3
    np.testing.assert_array_equal(w.Q, Q)


MALFORMED = [
    ({"name": "scores"}, "scores: it can't be edited"),
    ({"name": ["Q"]}, "it can't be edited"),
    ({"at": [4, 0]}, r"Q: there is no cell \(4, 0\) in shape \(4, 4\)"),
    ({"at": [-1, 0]}, "Q: got -1"),
    ({"at": [0]}, r"Q: there is no cell \(0,\)"),
    ({"at": [0.5, 0]}, "Q: got 0.5, want a whole number"),
    ({"at": ["0", 0]}, "Q: got '0', want a whole number"),
    ({"at": None}, "can't be read"),
    ({"array_shape": 4}, "can't be read"),
    ({"value": "1"}, r"Q: got '1' at \(0, 0\), want a finite number"),
    ({"value": None}, "Q: got None"),
    ({"value": True}, "Q: got True"),
    ({"value": [1]}, r"Q: got \[1\]"),
    ({"value": float("nan")}, "got nan, want a finite number"),
    ({"value": float("inf")}, "got inf, want a finite number"),
    ({"value": 10**400}, "got inf, want a finite number"),
    ({"value": 1e200}, r"Q: it reaches 1e\+200, want finite"),
]


@pytest.mark.parametrize(("wrong", "says"), MALFORMED)
def test_a_number_that_cannot_be_is_said_and_every_number_sent_back(wrong, says):
    w = opened()
    w.toggle(1, 1)
    before = {name: getattr(w, name) for name in (*ARRAYS, "overridden", "history", "presets")}
    w.comm.sent.clear()
    w.set_state(commands(w.mask.shape, number(w, "Q", (0, 0), 1.0, wrong)))
    with pytest.raises(ValueError, match=says):
        raise ValueError(w.error)
    unchanged(w, before)
    page = {}
    for sent in w.comm.states():
        page |= sent
    assert page["error"] == w.error
    for name in (*ARRAYS, "scores", "mask", "attention", "output"):
        np.testing.assert_allclose(unpack(page[name]), getattr(w, name), atol=1e-5, err_msg=name)
    assert page["_change"]["acks"] == {"p": 1}, "it is not sent again"


def test_a_wrong_edit_costs_no_other():
    w = opened()
    w.set_state(
        commands(
            w.mask.shape,
            {"on": [0, 1]},
            number(w, "Q", (0, 0), "?"),
            {"on": [99, 1]},
            {"do": "backwards"},
            number(w, "K", (0, 0), 2.0),
        )
    )
    assert "Q: got '?'" in w.error
    assert w.mask[0, 0]
    assert w.K[0, 0] == 2
    assert w.history == (2, 0)


@pytest.mark.parametrize(
    "message",
    [
        *(5, None, {"commands": 5}, {"commands": [5]}, {"commands": [{}]}),
        *({"commands": [{"seq": "x"}]}, {"commands": [{"seq": 1e400}]}, {"commands": [{"seq": 1}]}),
        {"commands": [{"seq": 1, "do": "paint"}]},
        {"commands": [{"seq": 1, "do": "paint", "shape": 3}]},
        {"commands": [{"seq": 1, "do": ["paint"], "shape": [4, 4]}]},
    ],
)
def test_a_message_that_is_none_is_said(message):
    w = opened()
    before = {n: v for n, v in state(w).items() if n not in ("error", "_commands", "_change")}
    w.set_state({"_commands": message})
    assert w.error
    unchanged(w, {n: v for n, v in before.items() if n != "revision"})
    w.set_state(commands(w.mask.shape, {"on": [0, 1]}, client="another"))
    assert w.mask[0, 0]


def test_a_number_of_a_matrix_that_is_gone_changes_nothing():
    w = opened()
    late = commands(w.mask.shape, number(w, "Q", (3, 3), 9.0))
    w.d_k = 2
    w.set_state(late)
    assert not w.error
    assert w.overridden == {}
    assert w.history == (1, 0)
    assert w.get_state("_change")["_change"]["acks"] == {"p": 1}


@pytest.mark.parametrize("sent", [{"temperature": -1}, {"scale": "x"}])
def test_a_refused_slider_gets_the_numbers_back(sent):
    w = opened()
    w.set_state(sent)
    (name,) = sent
    assert name in w.error
    page = {}
    for state_ in w.comm.states():
        page |= state_
    assert page[name] == getattr(w, name)
    np.testing.assert_allclose(unpack(page["attention"]), w.attention, atol=1e-6)


def test_numbers_of_a_model_s_head():
    w = AttentionWidget.from_model(ENCODERS["bert"](), tokenizer(), "the cat sat", head=1)
    w.comm = RecordingComm()
    own, other = w.Q, w.attention
    w.set_state(commands(w.mask.shape, number(w, "Q", (0, 2), 3.0)))
    assert w.Q[0, 2] == 3
    follows(w, scale=w.scale)
    w.head = 0
    follows(w, scale=w.scale)
    w.head = 1
    assert w.Q[0, 2] == 3
    gone = number(w, "Q", (0, 0), 1.0, {"name": "W_q", "array_shape": [12, 6]})
    w.set_state(commands(w.mask.shape, {**gone, "seq": 2}))
    assert not w.error, "a matrix that it does not have is as one that is gone"
    before = w.Q
    late = number(w, "Q", (0, 1), 9.0, {"shown": [0, 0, "self"]})
    w.set_state(commands(w.mask.shape, {**late, "seq": 3}))
    np.testing.assert_array_equal(w.Q, before, "it was made on another head, of the same shape")
    assert not w.error
    assert w.reset()
    np.testing.assert_array_equal(w.Q, own)
    np.testing.assert_array_equal(w.attention, other)


def test_masks_by_hand_outlive_a_layer_that_locks_their_cells():
    # Layers 0 and 1 see three tokens back, layer 2 all of them: all of a causal model.
    w = AttentionWidget.from_model(
        DECODERS["gemma3"](), tokenizer(), "the cat sat on the mat", layer=2
    )
    w.comm = RecordingComm()
    causal = np.triu(np.ones((6, 6), bool), 1)
    np.testing.assert_array_equal(w.locked, causal)
    w.presets = {"window": 4}
    w.toggle(5, 0)  # the window hides it: freed by hand
    w.toggle(4, 1)  # hidden by hand; beyond the sight of layer 0
    mask = w.mask
    wanted = causal.copy()
    wanted[4, 1] = True
    np.testing.assert_array_equal(mask, wanted)
    w.layer = 0
    assert w.locked[5, 0]
    assert w.locked[4, 1]
    np.testing.assert_array_equal(w.mask, w.locked)
    with pytest.raises(ValueError, match=r"the model itself masks \(4, 1\)"):
        w.toggle(4, 1)
    w.mask = w.mask  # as it is: what is under the locked cells is not touched
    w.toggle(5, 4)
    w.layer = 2
    wanted[5, 4] = True
    np.testing.assert_array_equal(w.mask, wanted)
    follows(w, scale=w.scale)
    while w.undo():
        assert (w.mask | ~w.locked).all()
    np.testing.assert_array_equal(w.mask, causal)
