"""What a page learns: which edits are done, void or refused, and whether it missed a message."""

from __future__ import annotations

import numpy as np
import pytest
from byhand import commands, number, unpack
from interacting import given, page, sentence
from recording import RecordingComm

from attnwidget.session.session import Session
from attnwidget.sources.lab import LabSource
from attnwidget.widget.page_commands import PageCommands

PAINT = {"on": [2, 1]}
REFUSED = {"do": "set", "name": "d_k", "value": 0}
VOID = {"on": [2, 1], "shape": [9, 9]}


def answers(w):
    return [message["_change"] for message in w.comm.states() if "_change" in message]


def test_every_answer_continues_the_one_before():
    w = sentence()
    opened = w.get_state()["_change"]
    assert opened["from"] is None
    w.toggle(0, 1)
    w.set_state(commands(w.mask.shape, PAINT))
    w.layer = 0  # nothing changes
    w.set_state(commands(w.mask.shape, PAINT))
    with w.hold_sync():
        w.toggle(1, 1)
        w.temperature = 2
    revisions = [opened["revision"], *(a["revision"] for a in answers(w))]
    assert [a["from"] for a in answers(w)] == revisions[:-1]
    assert revisions == sorted(revisions)
    assert len(set(revisions)) == 4, "the third answer only says that the edit was done before"


def test_settings_of_one_stroke_undo_together():
    w = sentence()
    first = w.temperature
    strokes = [(1, 1.5), (1, 1.6), (1, 1.7), (2, 0.5), (2, 0.4)]
    ticks = [
        {"do": "set", "name": "temperature", "value": value, "stroke": stroke}
        for stroke, value in strokes
    ]
    w.set_state(commands(w.mask.shape, *ticks))
    seen = [w.temperature]
    while w.undo():
        seen.append(w.temperature)
    assert seen == [0.4, 1.7, first]


def test_a_change_that_is_no_answer_leaves_the_chain_whole():
    w = given()
    w.title = "weights"
    w.layer = 2
    w.comm.sent.clear()
    w.head = 1
    (answer,) = answers(w)
    assert (answer["from"], answer["revision"]) == (w.revision - 1, w.revision)


def test_a_title_of_a_program_says_which_state_it_continues():
    w = sentence()
    w.toggle(2, 1)
    w.title = "masked"
    assert [(a["from"], a["revision"]) for a in answers(w)] == [
        (w.revision - 1, w.revision),
        (w.revision, w.revision),
    ]
    w.comm.sent.clear()
    w.set_state({"title": "by the page"})
    assert not w.comm.sent, "the page has its own title already"


def test_a_page_that_missed_a_message_gets_the_whole_state():
    w = sentence()
    w.toggle(2, 1)
    w.title = "masked"
    w.comm.sent.clear()
    w._handle_custom_msg({"type": "resync"}, [])
    (state,) = w.comm.states()
    assert state["_change"]["from"] is None
    assert state["_change"]["revision"] == state["revision"] == w.revision
    assert state["title"] == "masked"
    assert "error" in state
    np.testing.assert_array_equal(unpack(state["mask"]), w.mask)
    assert not {"_esm", "_css"} & state.keys()
    w.toggle(2, 2)
    assert answers(w)[-1]["from"] == state["revision"]


def test_each_edit_is_done_refused_or_void():
    w = sentence()
    w.set_state(commands(w.mask.shape, PAINT, REFUSED, VOID, {**PAINT, "do": "sideways"}))
    answer = page(w)["_change"]
    assert answer["acks"] == {"p": 4}
    assert list(answer["refused"]) == ["p"]
    assert list(answer["refused"]["p"]) == ["2", "4"]
    assert answer["refused"]["p"]["2"] == w.error
    assert "d_k" in w.error
    assert w.mask.sum() == 1


def test_a_refusal_is_said_until_the_page_has_heard_it():
    w = sentence()
    w.set_state(commands(w.mask.shape, REFUSED))
    words = page(w)["_change"]["refused"]
    w.set_state(commands(w.mask.shape, REFUSED, PAINT))  # the answer was lost
    assert page(w)["_change"]["refused"] == words
    w.set_state(commands(w.mask.shape, {**PAINT, "seq": 1}, client="q"))
    assert page(w)["_change"]["refused"] == words, "another page has not heard it"
    w.set_state(commands(w.mask.shape, {**PAINT, "seq": 3}))
    assert page(w)["_change"]["refused"] == {}


def test_an_edit_that_fails_is_answered_and_costs_no_other(monkeypatch):
    def fail(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(LabSource, "reset", fail)
    w = sentence()
    with pytest.raises(RuntimeError, match="out of memory"):
        w.set_state(commands(w.mask.shape, {"do": "reset"}, PAINT))
    answer = page(w)["_change"]
    assert answer["acks"] == {"p": 2}
    assert answer["refused"] == {"p": {"1": "RuntimeError: out of memory"}}
    assert w.mask.sum() == 1


def test_an_interrupted_edit_has_no_answer_and_is_done_the_next_time(monkeypatch):
    session = Session(LabSource.create("a b c"))
    pages = PageCommands(session)
    sent = commands((3, 3), {"on": [1, 1]}, {"on": [2, 1]})["_commands"]
    do, count = session.do, iter([None, KeyboardInterrupt])

    def interrupted(*arguments, **keywords):
        error = next(count, None)
        if error:
            raise error
        return do(*arguments, **keywords)

    monkeypatch.setattr(session, "do", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pages.take(sent)
    assert pages.answer()["acks"] == {"p": 1}
    pages.take(sent)
    assert pages.answer()["acks"] == {"p": 2}
    assert np.flatnonzero(session.now.maps.mask).tolist() == [1, 2]


def test_an_observer_s_value_error_is_no_refusal():
    w = sentence()

    def wrong(_):
        raise ValueError("observer")

    w.observe(wrong, "mask")
    with pytest.raises(ValueError, match="observer"):
        w.set_state(commands(w.mask.shape, PAINT))
    assert not w.error
    assert page(w)["_change"]["acks"] == {"p": 1}


def test_a_large_map_that_is_opened_late_is_continued_from_its_opening(monkeypatch):
    monkeypatch.setattr("attnwidget.widget.mirror.LARGEST", 5)
    w = given()
    w.toggle(0, 0)
    w.comm = RecordingComm()
    opened = w.get_state()["_change"]
    w.toggle(0, 1)
    assert answers(w)[0]["from"] == opened["revision"]


def test_a_number_that_is_refused_names_its_array():
    w = sentence()
    w.set_state(commands(w.mask.shape, number(w, "Q", (0, 0), 1e300)))
    assert page(w)["_change"]["refused"] == {"p": {"1": w.error}}
    assert w.error.startswith("Q: ")
