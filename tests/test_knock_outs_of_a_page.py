"""Knock-outs that a page sends: the run beside the kernel's thread, and what is refused."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from models import DECODERS, tokenizer
from recording import RecordingComm

from attnwidget import AttentionWidget, demo
from attnwidget.widget import mirror
from attnwidget.widget.messages import answer

EDGE = {"layer": 1, "head": 0, "query": 5, "key": 2}
OTHER = {"layer": 1, "head": 0, "query": 4, "key": 1}
WAIT = 60


@pytest.fixture
def w():
    return AttentionWidget.from_model(*demo.induction_model(), "fox bee owl moon fox bee", layer=1)


class Page:
    """A page that sends commands, and waits for the state that it wants to see."""

    def __init__(self, widget, client="page"):
        self.widget, self.client, self.seq = widget, client, 0
        self.waiting = []
        self.changed = threading.Condition()
        widget.observe(self._hear, ["run_state", "knockouts"])

    def _hear(self, _event):
        with self.changed:
            self.changed.notify_all()

    def send(self, **command):
        self.seq += 1
        sent = {"seq": self.seq, **command}
        self.raw({"_commands": {"client": self.client, "commands": [sent]}})

    def raw(self, state):
        update = {"method": "update", "state": state}
        self.widget._handle_msg({"content": {"data": update}, "buffers": []})

    def knock(self, add=(), remove=(), stroke=0):
        self.send(do="knock_out", add=[*add], remove=[*remove], stroke=stroke)

    def wait(self, state):
        with self.changed:
            done = self.changed.wait_for(lambda: self.widget.run_state.state == state, WAIT)
        assert done, self.widget.run_state
        return self.widget

    @property
    def refused(self):
        refusals = self.widget._page.answer()["refused"].get(self.client, {})
        return refusals.get(str(self.seq), "")


@pytest.fixture
def page(w):
    return Page(w)


class Gate:
    """Holds the passes of a model in a layer until it is opened."""

    def __init__(self, module):
        self.reached, self.open = threading.Semaphore(0), threading.Event()
        self.hook = module.register_forward_pre_hook(self._pass)

    def _pass(self, *_):
        self.reached.release()
        assert self.open.wait(WAIT)

    def wait(self):
        assert self.reached.acquire(timeout=WAIT)


def state_of(w):
    arrays = (w.Q, w.K, w.V, w.scores, w.attention, w.mask)
    return [array.tobytes() for array in arrays], w.knockouts


def test_a_click_is_answered_at_once_and_the_run_comes_later(w, page):
    gate = Gate(w.store.now.source.model.transformer.h[0])
    before = w.attention.copy()
    page.knock([EDGE])
    gate.wait()
    assert w.run_state.state == "running"  # and this thread goes on
    assert [edit.as_dict() for edit in w.knockouts] == [{"stack": None, "kind": "remove", **EDGE}]
    assert w.effect is None
    np.testing.assert_array_equal(w.attention, before)
    gate.open.set()
    page.wait("done")
    assert w.attention[5, 2] == 0
    assert w.effect.kl > 1
    assert w.error == ""
    gate.hook.remove()


def test_an_earlier_run_that_was_put_back_is_not_shown_while_the_model_runs(w, page):
    before = state_of(w)
    page.knock([EDGE])
    page.wait("done")
    page.knock(remove=[EDGE])
    page.wait("idle")
    gate = Gate(w.store.now.source.model.transformer.h[1])
    page.knock([OTHER])
    gate.wait()
    assert w.run_state.state == "running"
    assert state_of(w)[0] == before[0]
    gate.open.set()
    page.wait("done")
    gate.hook.remove()


def test_a_short_run_and_its_position_are_in_a_single_answer(w, page, monkeypatch):
    monkeypatch.setattr(mirror, "SHORT_RUN", WAIT)
    w.comm = RecordingComm()
    page.send(do="knock_out", add=[OTHER], remove=[], stroke=0, position=4)
    (answer,) = w.comm.states()
    assert answer["_change"]["acks"] == {"page": 1}
    assert answer["run_state"]["state"] == "done"
    assert (answer["effect_position"], answer["effect"]["position"]) == (4, 4)
    # A knock-out without a position leaves the position as it is.
    page.knock([EDGE])
    assert w.comm.states()[1]["effect"]["position"] == 4


def test_only_the_answer_to_a_knock_out_waits_for_the_run(w, page, monkeypatch):
    gate = Gate(w.store.now.source.model.transformer.h[0])
    w.comm = RecordingComm()
    page.knock([EDGE])
    gate.wait()
    assert w.comm.states()[-1]["run_state"]["state"] == "running"
    monkeypatch.setattr(w.store, "wait_for_run", pytest.fail)
    page.send(do="paint", shape=[6, 6], stroke=1, on=[7, 1], off=[])
    assert w.comm.states()[-1]["_change"]["acks"] == {"page": 2}
    assert w.run_state.state == "running"
    gate.open.set()
    page.wait("done")
    gate.hook.remove()


def test_a_command_done_twice_is_done_once(w, page):
    page.knock([EDGE], stroke=1)
    page.wait("done")
    revision = w.revision
    page.knock([EDGE], stroke=2)
    assert (w.revision, w.history) == (revision, (1, 0))
    page.knock(remove=[EDGE, OTHER])
    page.wait("idle")
    page.knock(remove=[EDGE])
    assert (w.knockouts, w.history) == ((), (2, 0))


def test_a_drag_of_one_stroke_undoes_together(w, page):
    before = state_of(w)
    page.knock([EDGE], stroke=3)
    page.knock([OTHER], stroke=3)
    page.wait("done")
    assert len(w.knockouts) == 2
    page.send(do="undo", shape=[6, 6], on=[], off=[])
    page.wait("idle")
    assert state_of(w) == before


def test_two_quick_clicks_end_in_the_last_state(w, page):
    """The first run is held in a layer; the second click stops it there."""
    model = w.store.now.source.model
    w.knockouts = [{"layer": 1, "query": 3}]
    w.knockouts = []
    finished = []
    hook = model.lm_head.register_forward_hook(lambda *_: finished.append(w.knockouts))
    gate = Gate(model.transformer.h[1])
    page.knock([EDGE])
    gate.wait()
    page.knock([OTHER], remove=[EDGE])
    gate.open.set()
    page.wait("done")
    hook.remove()
    gate.hook.remove()
    # The first run has not come to the end of the model.
    assert len(finished) == 1
    assert [run.knockouts[0].query for run in w.runs] == [3, 4]
    alone = AttentionWidget.from_model(
        *demo.induction_model(), "fox bee owl moon fox bee", layer=1, knockouts=[OTHER]
    )
    np.testing.assert_array_equal(w.attention, alone.attention)
    assert w.effect.kl == alone.effect.kl


def test_undo_during_a_run_stops_it(w, page):
    before = state_of(w)
    gate = Gate(w.store.now.source.model.transformer.h[1])
    page.knock([EDGE])
    gate.wait()
    page.send(do="undo", shape=[6, 6], on=[], off=[])
    assert w.run_state.state == "idle"
    gate.open.set()
    gate.hook.remove()
    page.knock([OTHER])
    page.wait("done")
    w.undo()
    assert state_of(w) == before
    assert len(w.runs) == 1


def test_the_page_stops_a_run_and_does_it_again(w, page):
    gate = Gate(w.store.now.source.model.transformer.h[1])
    page.knock([EDGE])
    gate.wait()
    page.send(do="stop_run")
    assert (w.run_state.state, w.run_state.words) == ("stopped", "The run was stopped.")
    gate.open.set()
    gate.hook.remove()
    page.knock([EDGE])
    page.wait("done")
    assert w.history == (1, 0)
    page.send(do="stop_run")
    assert w.run_state.state == "done"


def test_a_program_that_sets_during_a_page_s_run_waits_for_its_own(w, page):
    gate = Gate(w.store.now.source.model.transformer.h[1])
    page.knock([EDGE])
    gate.wait()
    threading.Timer(0, gate.open.set).start()
    w.knockouts = [OTHER]
    gate.hook.remove()
    assert w.run_state.state == "done"
    assert [run.knockouts for run in w.runs] == [w.knockouts]


def test_another_thread_stops_a_run_that_a_cell_waits_for(w):
    gate = Gate(w.store.now.source.model.transformer.h[1])
    stopped = []

    def stop():
        gate.wait()
        stopped.append(w.stop())
        gate.open.set()

    thread = threading.Thread(target=stop)
    thread.start()
    w.knockouts = [EDGE]
    thread.join()
    gate.hook.remove()
    assert stopped == [True]
    assert w.run_state.state == "stopped"
    assert not w.stop()


def test_a_run_that_fails_is_said_and_the_page_goes_on(w, page):
    def fail(*_):
        raise RuntimeError("out of memory <b>")

    hook = w.store.now.source.model.transformer.h[1].register_forward_pre_hook(fail)
    page.knock([EDGE])
    page.wait("failed")
    hook.remove()
    assert w.run_state.words == "out of memory <b>"
    assert w.get_state()["effect"] is None
    page.knock([EDGE])
    page.wait("done")


HOSTILE = [
    ({"add": [{"layer": 1e308}]}, "layer"),
    ({"add": [{"layer": -1}]}, "layer"),
    ({"add": [{"layer": True}]}, "layer"),
    ({"add": [{"head": "0"}]}, "head"),
    ({"add": [{"query": 10**30}]}, "query"),
    ({"add": [{"key": None, "kind": "__class__"}]}, "kind"),
    ({"add": [{"kind": ["remove"]}]}, "kind"),
    ({"add": [{"stack": 5}]}, "stack"),
    ({"add": [{"stack": "x" * 99_999}]}, "stack"),
    ({"add": [{"__init__": 1}]}, "got '__init__'"),
    ({"add": [[1, 2]]}, "got list"),
    ({"add": "layer"}, "want a list"),
    ({"add": {"layer": 1}}, "want a list"),
    ({"add": [{"layer": 1}] * 1001}, "at most 1,000"),
    ({"add": [{"layer": 1, "query": i % 6, "key": i // 6 % 6, "kind": kind}
              for i in range(36) for kind in ("remove", "zero", "mean", "first")],
      "remove": 3}, "want a list"),
    ({"add": [EDGE], "stroke": -1}, "stroke"),
    ({"add": [EDGE], "stroke": "x"}, "stroke"),
    ({"add": [EDGE], "position": 6}, "effect_position"),
    ({"add": [EDGE], "position": -1}, "effect_position"),
    ({"add": [EDGE], "position": "4"}, "effect_position"),
    ({"add": [EDGE], "position": [4]}, "effect_position"),
    ({"add": [EDGE], "position": True}, "effect_position"),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "words"), HOSTILE)
def test_what_a_page_may_not_send_is_refused_in_words(w, page, parts, words):
    before = w.store.now
    page.send(do="knock_out", **{"add": [], "remove": [], "stroke": 0, **parts})
    assert words in page.refused
    assert len(page.refused) <= 501
    assert w.store.now is before


def test_a_page_without_a_model_is_refused_in_words():
    sentence = AttentionWidget("the cat sat")
    page = Page(sentence)
    page.knock([{"query": 1, "key": 0}])
    assert "no model here that can be run again" in page.refused
    page.send(do="stop_run")
    assert page.refused == ""
    assert sentence.knockouts == ()


def test_a_page_puts_back_what_a_changed_model_had(w, page):
    page.knock([EDGE, OTHER])
    page.wait("done")
    with torch.no_grad():
        w.store.now.source.model.lm_head.weight.add_(1)
    page.knock(remove=[OTHER])
    page.wait("failed")
    assert "its weights have changed" in w.run_state.words
    page.knock([{"layer": 0}])
    assert "its weights have changed" in page.refused
    page.knock(remove=[EDGE])
    page.wait("idle")


def test_the_choices_of_a_page(w, page):
    page.knock([EDGE])
    page.wait("done")
    after = w.attention.copy()
    page.raw({"shown_run": "before"})
    assert w.attention[5, 2] > 0.5
    page.raw({"shown_run": "between"})
    assert "shown_run: got 'between', want one of before, after" in w.error
    page.raw({"shown_run": "after", "effect_position": 4})
    np.testing.assert_array_equal(w.attention, after)
    assert w.effect.position == 4
    for position in (6, -1, "4", 1.5, True, [4]):
        page.raw({"effect_position": position})
        assert "effect_position" in w.error
    assert w.effect.position == 4
    page.raw({"effect": {"kind": "tokens"}})
    assert "effect" in w.error
    assert w.effect.kind == "tokens"


def test_the_grid_the_lines_and_the_map_of_either_run(w):
    w.knockouts = [{"layer": 0, "head": 0, "kind": "zero"}]
    for kind, more in (("grid", {}), ("lines", {"layer": 1})):
        parts = {
            run: answer(w.store.now, {"type": kind, "run": run, **more})[1][0]
            for run in ("before", "after")
        }
        assert bytes(parts["before"]) != bytes(parts["after"])
        shown = answer(w.store.now, {"type": kind, **more})[1][0]
        assert bytes(shown) == bytes(parts["after"])
    content, (data,) = answer(w.store.now, {"type": "map", "run": "after"})
    assert content == {"shown": (1, 0, "self"), "shape": (6, 6)}
    np.testing.assert_allclose(np.frombuffer(data, "<f4").reshape(6, 6), w.attention, atol=1e-6)
    data = answer(w.store.now, {"type": "map", "run": "before"})[1][0]
    w.shown_run = "before"
    np.testing.assert_allclose(np.frombuffer(data, "<f4").reshape(6, 6), w.attention, atol=1e-6)
    with pytest.raises(ValueError, match="run: got 'x'"):
        answer(w.store.now, {"type": "map", "run": "x"})


def test_a_mixture_of_a_page_s_commands_is_no_program_s(w, page):
    gate = Gate(w.store.now.source.model.transformer.h[0])
    knock = {"do": "knock_out", "add": [EDGE], "remove": [], "stroke": 0}
    paint = {"do": "paint", "shape": [6, 6], "stroke": 1, "on": [20, 1], "off": []}
    commands = [{"seq": 1, **paint}, {"seq": 2, **knock}]
    page.raw({"_commands": {"client": "page", "commands": commands}})
    gate.wait()  # beside this thread, which is here
    assert w.run_state.state == "running"
    gate.open.set()
    page.wait("done")
    gate.hook.remove()


def test_a_large_stack_of_commands_is_bounded():
    model = DECODERS["gpt2"]()
    w = AttentionWidget.from_model(model, tokenizer(), "the cat sat on the mat " * 5)
    cells = [{"layer": 1, "query": i // 30, "key": i % 30} for i in range(900)]
    page = Page(w)
    page.knock(cells)
    page.wait("done")
    page.knock([{**cell, "layer": 0} for cell in cells[:200]])
    assert "knockouts: got 1,100, want at most 1,000" in page.refused
    assert len(w.knockouts) == 900
