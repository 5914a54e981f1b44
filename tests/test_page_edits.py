"""The edits of a page: their history, their refusals, and the messages that follow them."""

from __future__ import annotations

import numpy as np
import pytest
from byhand import commands
from recording import RecordingComm
from torch_reference import check

from attnwidget import causal_mask


def test_undo_and_redo_span_python_and_the_browser(w):
    w.mask = causal_mask(6)
    first = w.mask
    w.set_state(commands((6, 6), {"seq": 1, "stroke": 1, "on": [6, 1]}))
    assert w.mask[1, 0]
    assert w.undo()
    np.testing.assert_array_equal(w.mask, first)
    w.set_state(commands((6, 6), {"seq": 2, "stroke": 2, "do": "undo"}))
    assert not w.mask.any()
    assert w.history == (0, 2)
    assert w.redo()
    assert w.redo()
    assert not w.redo()
    assert w.mask[1, 0]
    check(w)


def test_a_stroke_undoes_at_once_and_a_resent_edit_counts_once(w):
    sent = [{"stroke": 9, "on": [i, 1]} for i in (1, 2, 3)]
    w.set_state(commands((6, 6), *sent[:2]))
    w.set_state(commands((6, 6), *sent))
    assert w.mask.sum() == 3
    assert w.history == (1, 0)
    w.set_state(commands((6, 6), *sent))
    assert w.history == (1, 0)
    assert w.get_state("_change")["_change"]["acks"] == {"p": 3}


@pytest.mark.parametrize(
    "sent", [{"on": [35, 2]}, {"on": [-1, 1]}, {"on": [0]}, {"off": [0]}, {"on": 0}]
)
def test_a_wrong_edit_is_said_and_changes_nothing(w, sent):
    w.set_state(commands((6, 6), sent))
    assert w.error
    assert not w.mask.any()


def test_a_wrong_state_from_the_browser_is_taken_back(w):
    w.set_state({"head": 7})
    assert w.error == "head: got 7, want 0..0"
    assert w.head == 0
    assert w.comm.states()[-1]["head"] == 0


@pytest.mark.parametrize(
    "sent", [{"view": "pie"}, {"layer": 7}, {"head": None}, {"cmap": None}, {"color_scale": 1}]
)
def test_what_the_browser_may_not_set_is_as_it_was(w, sent):
    (name,) = sent
    before = getattr(w, name)
    w.set_state(sent)
    assert getattr(w, name) == before
    assert name in w.error


def test_a_late_selection_is_none(w):
    w.set_state({"selection": [9, 9]})
    assert w.selection is None
    assert not w.error


def test_a_click_on_a_map_that_is_gone_changes_nothing(w):
    w.tokens = "eight tokens are more than six of them"
    w.set_state(commands((6, 6), {"seq": 1, "on": [28, 1]}))
    assert not w.mask.any()
    assert not w.error
    assert w.get_state("_change")["_change"]["acks"] == {"p": 1}


def page_after(w):
    """The maps as a page has them that got every message: whole arrays, then rows on top."""
    page = {}
    for state in w.comm.states():
        page |= {k: unpack(v) for k, v in state.items() if k in ("mask", "attention", "output")}
        if change := state.get("_change"):
            for name in ("mask", "attention", "output"):
                page[name][unpack(change["rows"])] = unpack(change[name])
    return page


def unpack(packed):
    return np.frombuffer(packed["data"], packed["dtype"]).reshape(packed["shape"]).copy()


def several_toggles(w):
    for cell in [(0, 0), (1, 1), (2, 2)]:
        w.toggle(*cell)


def toggle_then_inputs(w):
    w.toggle(0, 0)
    w.embeddings = np.arange(30.0).reshape(6, 5) / 30


def inputs_then_toggle(w):
    w.Q = np.arange(18.0).reshape(6, 3) / 18
    w.toggle(4, 4)


@pytest.mark.parametrize("change", [several_toggles, toggle_then_inputs, inputs_then_toggle])
def test_one_message_of_many_changes_leaves_the_page_right(w, change):
    w.send_state()
    with w.hold_sync():
        change(w)
    page = page_after(w)
    np.testing.assert_array_equal(page["mask"], w.mask)
    np.testing.assert_allclose(page["attention"], w.attention, atol=1e-6)
    np.testing.assert_allclose(page["output"], w.output, atol=1e-5)


def test_an_observer_that_raises_leaves_nothing_half_sent(w):
    def fails(_):
        raise RuntimeError("mine")

    w.send_state()
    w.observe(fails, ["Q", "mask"])
    with pytest.raises(RuntimeError, match="mine"):
        w.embeddings = np.ones((6, 5))
    with pytest.raises(RuntimeError, match="mine"):
        w.toggle(1, 1)
    np.testing.assert_allclose(page_after(w)["attention"], w.attention, atol=1e-6)
    assert w.history == (2, 0)
    w.comm = RecordingComm()
    with pytest.raises(RuntimeError, match="mine"):
        w.set_state(commands((6, 6), {"seq": 1, "on": [0, 1]}, {"seq": 2, "on": [1, 1]}))
    assert w.mask[0, :2].all()
    assert not w.error  # nothing was refused
    (state,) = w.comm.states()
    assert set(state) == {"_change", "history", "revision"}
