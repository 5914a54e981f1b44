"""What programs and pages do with traits: set, observe, group, deliver twice, be refused."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import traitlets
from byhand import commands, unchanged
from interacting import WEIGHTS, given, names, page, public, sentence

from attnwidget import AttentionWidget

# One message, and the observers


def test_a_set_is_one_message_and_the_same_value_is_none():
    w, heard = given(), []
    w.observe(lambda event: heard.append((event.name, event.old, event.new)), ["layer", "shown"])
    w.layer = 3
    (sent,) = names(w)
    assert sent >= {"layer", "shown", "attention", "scores", "revision"}
    assert sorted(heard) == [("layer", 0, 3), ("shown", (0, 0, "cross"), (3, 0, "cross"))]
    w.layer = 3
    assert len(names(w)) == 1
    assert len(heard) == 2


@pytest.mark.parametrize("act", ["set", "toggle"])
def test_the_message_is_out_before_an_observer_runs(act):
    w, sent = given(), []
    w.observe(lambda _: sent.append(len(w.comm.sent)), "attention")
    if act == "set":
        w.layer = 3
    else:
        w.toggle(1, 4)
    assert sent == [1]


def test_an_observer_that_sets_another_trait():
    w, heard = given(), []
    w.observe(lambda event: setattr(w, "head", 2), "layer")
    w.observe(lambda event: heard.append((w.layer, event.new)), "head")
    w.layer = 1
    assert heard == [(1, 2)]
    assert w.shown == (1, 2, "cross")
    np.testing.assert_array_equal(w.attention, WEIGHTS[1, 2])
    assert (page(w)["layer"], page(w)["head"], page(w)["shown"]) == (1, 2, (1, 2, "cross"))


def fails(_event):
    raise RuntimeError("of the observer")


def test_an_observer_that_raises_leaves_the_new_state_and_the_message():
    w, heard = given(), []
    w.observe(fails, "attention")
    w.observe(lambda event: heard.append(event.new), "shown")
    with pytest.raises(RuntimeError, match="of the observer"):
        w.layer = 2
    assert heard == [(2, 0, "cross")]
    assert page(w)["layer"] == w.layer == 2
    np.testing.assert_array_equal(w.attention, WEIGHTS[2, 0])


def test_an_observer_that_raises_does_not_keep_the_change_from_others():
    w, heard = given(), []
    w.observe(fails, "attention")
    w.observe(lambda event: heard.append(event.name), "attention")
    with pytest.raises(RuntimeError, match="of the observer"):
        w.toggle(1, 4)
    assert heard == ["attention"]


@pytest.mark.parametrize("sent", ["layer", "_commands"])
def test_an_observer_that_raises_during_a_message_of_the_page_is_heard_of(sent):
    w = given()
    w.observe(fails, "attention")
    with pytest.raises(RuntimeError, match="of the observer"):
        w.set_state({"layer": 2} if sent == "layer" else commands(w.mask.shape, {"on": [0, 1]}))
    assert w.error == ""


def test_an_observer_that_raises_does_not_send_every_array_again():
    w = sentence()
    w.observe(fails, "attention")
    with contextlib.suppress(RuntimeError):
        w.set_state(commands(w.mask.shape, {"on": [0, 1]}))
    assert w.mask[0, 0]
    assert not set().union(*names(w)) & {"Q", "embeddings", "mask", "attention"}


# Refusals


@pytest.mark.parametrize(
    ("name", "value"), [("layer", 9), ("head", -1), ("view", "pie"), ("selection", (2, 0))]
)
def test_a_refusal_changes_nothing(name, value):
    w = given()
    before = public(w)
    with pytest.raises(ValueError, match=name):
        setattr(w, name, value)
    unchanged(w, before)
    assert w.comm.sent == []
    if name != "selection":  # a late one is none
        w.set_state({name: value})
        unchanged(w, {n: before[n] for n in before if n != "error"})
        assert name in w.error
        assert page(w)[name] == before[name]


COMPUTED = [
    ("scores", np.ones((4, 3))),
    ("attention", np.ones((4, 3))),
    ("output", np.ones((4, 2))),
    ("softcap", 3.0),
    ("layers", ()),
    ("given", ("K",)),
    ("shown", (3, 3, "cross")),
    ("history", (9, 9)),
    ("revision", 70),
    ("notice", "mine"),
]


@pytest.mark.parametrize(("name", "value"), COMPUTED)
def test_a_page_cannot_set_what_is_computed(name, value):
    w = sentence()
    before = public(w)
    with pytest.raises(traitlets.TraitError, match=name):
        setattr(w, name, value)
    assert w.comm.sent == []
    w.set_state({name: value})
    unchanged(w, {n: before[n] for n in before if n != "error"})
    assert name in w.error
    assert name in page(w)


@pytest.mark.parametrize("name", ["heed", "maks"])
def test_a_slip_in_a_name_is_refused(name):
    with pytest.raises(AttributeError, match="did you mean"):
        setattr(given(), name, 3)


def test_a_name_that_is_no_trait_is_refused():
    with pytest.raises(AttributeError, match="foo"):
        given().foo = 3


def test_output_shift_is_observed():
    w, heard = sentence(), []
    w.observe(lambda event: heard.append(event.new), "output_shift")
    w.toggle(3, 1)
    assert len(heard) == 1
    np.testing.assert_array_equal(heard[0], w.output_shift)


# Groups


class Noted(AttentionWidget):
    note = traitlets.Unicode().tag(sync=True)


def test_a_group_is_one_change_with_ordinary_traits_in_it():
    w, heard = given(Noted), []
    w.observe(lambda event: heard.append(event.name), ["layer", "head", "note", "shown"])
    with w.hold_trait_notifications():
        w.layer, w.note = 2, "n"
        w.head = 1
        assert (w.layer, w.head, w.note) == (2, 1, "n")
        assert heard == []
        assert w.comm.sent == []
    assert sorted(heard) == ["head", "layer", "note", "shown"]
    assert sum("shown" in sent for sent in names(w)) == 1
    assert (page(w)["layer"], page(w)["head"], page(w)["note"]) == (2, 1, "n")
    np.testing.assert_array_equal(w.attention, WEIGHTS[2, 1])


@pytest.mark.parametrize("error", [ValueError, RuntimeError, KeyboardInterrupt])
def test_a_group_that_raises_is_no_change(error):
    w, heard = given(Noted), []
    before = public(w)
    w.observe(lambda event: heard.append(event.name))
    with pytest.raises(error), w.hold_trait_notifications():  # noqa: PT012
        w.layer, w.note = 2, "n"
        raise error("in the group")
    unchanged(w, before)
    assert w.comm.sent == []
    assert heard == []


def test_hold_sync_gathers_rows_and_names_and_holds_no_observer():
    w, sent = sentence(), []
    w.observe(lambda _: sent.append(len(w.comm.sent)), "mask")
    with w.hold_sync():
        w.toggle(0, 1)
        w.toggle(2, 1)
        w.title = "held"
    (message,) = w.comm.states()
    assert set(message) == {"_change", "history", "revision", "title"}
    assert np.frombuffer(message["_change"]["rows"]["data"], "int32").tolist() == [0, 2]
    assert sent == [0, 0]
    w.toggle(1, 1)
    rows = w.comm.states()[-1]["_change"]["rows"]
    assert np.frombuffer(rows["data"], "int32").tolist() == [1]


@pytest.mark.parametrize("outer", ["hold_sync", "hold_trait_notifications"])
def test_a_group_within_hold_sync_is_one_message(outer):
    w = given()
    inner = {"hold_sync", "hold_trait_notifications"} - {outer}
    with getattr(w, outer)(), getattr(w, inner.pop())():
        w.layer, w.head = 3, 1
    assert len(names(w)) == 1
    assert w.shown == (3, 1, "cross")


# The page


def test_a_value_of_the_page_is_not_echoed_and_what_follows_is_sent():
    w = given()
    w.set_state({"layer": 2})
    (sent,) = names(w)
    assert "layer" not in sent
    assert sent >= {"attention", "shown", "revision"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 7),
        ("temperature", 2.5),
        ("temperature", 2),
        ("scale", 1),
        ("selection", [3, 2]),
        ("presets", {"causal": True, "window": 1}),
    ],
)
def test_a_value_that_is_delivered_twice_changes_once(name, value):
    """Marimo hands every update over twice: as a message, then as the element's value."""
    w, heard = sentence(), []
    w.set_state({name: value})
    before, messages = public(w), len(w.comm.sent)
    w.observe(heard.append, [name, "attention", "history"])
    w.set_state({name: value})
    unchanged(w, before)
    assert len(w.comm.sent) == messages
    assert heard == []


def test_edits_that_are_delivered_twice_are_done_once():
    w = sentence()
    sent = commands(w.mask.shape, {"on": [0, 2]}, {"do": "undo"}, {"on": [4, 1]})
    for _ in range(2):
        w.set_state(sent)
        np.testing.assert_array_equal(np.argwhere(w.mask), [[1, 1]])
        assert w.history == (1, 0)
        assert page(w)["_change"]["acks"] == {"p": 3}
    assert not w.error


def test_a_group_of_the_page_is_taken_whole_or_not_at_all():
    w = given()
    w.set_state({"layer": 3, "head": 77})
    assert w.shown == (0, 0, "cross")
    assert "head" in w.error
    assert (page(w)["layer"], page(w)["head"]) == (0, 0)


def test_a_refused_trait_in_the_same_message_costs_no_edit():
    w = given()
    w.set_state({**commands(w.mask.shape, {"on": [0, 1]}), "layer": 77})
    assert w.mask[0, 0]
    assert w.layer == 0
    assert w.error
