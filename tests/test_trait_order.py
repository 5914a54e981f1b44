"""Observers, groups and pages at once: the last value told holds, and nothing is half done."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import traitlets
from byhand import commands
from interacting import recorded, sentence

from attnwidget import AttentionWidget
from attnwidget.wire.commands import CommandLog


class Noted(AttentionWidget):
    note = traitlets.Int(0).tag(sync=True)

    @traitlets.validate("temperature")
    def _not_13(self, proposal):
        if proposal.value == 13:
            raise ValueError("temperature: got 13, want a lucky number")
        return proposal.value


class Follower(traitlets.HasTraits):
    value = traitlets.Any()


def fails(_event):
    raise RuntimeError("of the observer")


def in_a_group(widget, **values):
    with widget.hold_trait_notifications():
        for name, value in values.items():
            setattr(widget, name, value)


# What is told


def test_a_comparison_follows_a_map_whose_observer_sets_another_trait():
    a, b = sentence(), sentence()
    a.observe(lambda _: setattr(a, "cmap", "magma"), "mask")
    c = AttentionWidget.compare(a, b)
    a.toggle(2, 0)
    assert c.masked_a.sum() == 1


def test_a_follower_ends_with_the_value_that_holds():
    w, follower = sentence(), Follower()
    w.observe(lambda _: setattr(w, "presets", "causal"), "tokens")
    traitlets.dlink((w, "attention"), (follower, "value"))
    w.tokens = "u v w"
    np.testing.assert_array_equal(np.asarray(follower.value), w.attention)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_observers_hear_although_a_message_failed(error):
    a, b, heard = sentence(), sentence(), []
    c = AttentionWidget.compare(a, b)

    def send(*_arguments, **_keywords):
        raise error

    a.comm.send = send
    a.observe(heard.append, "mask")
    with pytest.raises(error):
        a.toggle(3, 1)
    assert a.mask.sum() == c.masked_a.sum() == len(heard) == 1


def test_a_change_of_another_thread_does_not_get_into_a_group():
    w, heard = sentence(), []
    begun, waits, done = threading.Event(), threading.Event(), threading.Event()
    w.observe(lambda _: (begun.set(), waits.wait(5)), "mask")
    w.observe(heard.append, "attention")
    thread = threading.Thread(target=lambda: (w.toggle(1, 0), done.set()))
    thread.start()
    assert begun.wait(5)
    with w.hold_trait_notifications():
        waits.set()
        assert done.wait(5)
        w.cmap = "magma"
    thread.join(5)
    assert (w.cmap, len(heard)) == ("magma", 1)


def test_an_observer_of_everything_hears_changes_alone():
    w, heard = sentence(), []
    w.observe(heard.append, traitlets.All, type=traitlets.All)
    w.cmap = "magma"
    assert [event.type for event in heard if event.name == "cmap"] == ["change"]


def test_output_shift_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        sentence().output_shift[0, 0] = 7


# Groups


def test_a_group_is_one_step_also_where_the_history_is_full():
    w = sentence()
    for seed in range(1, 102):
        w.seed = seed
    in_a_group(w, seed=500, init="normal", temperature=3.0)
    assert w.undo()
    assert (w.seed, w.init, w.temperature) == (101, "uniform", 1)


def test_a_group_and_a_slider_are_steps_of_their_own():
    w = sentence()
    w.temperature = 2.0
    in_a_group(w, temperature=3.0, seed=5)
    w.temperature = 4.0
    w.undo()
    assert (w.temperature, w.seed) == (3, 5)
    w.undo()
    assert (w.temperature, w.seed) == (2, 0)


def test_a_value_in_force_replaces_a_refused_value():
    w = sentence()
    with w.hold_trait_notifications():
        w.selection = (9, 9)
        w.selection = None
    assert w.selection is None


def test_a_refused_group_takes_ordinary_traits_back_too():
    w, heard = recorded(Noted("a b c")), []
    w.observe(heard.append, "note")
    with pytest.raises(ValueError, match="layer: got 99"):
        in_a_group(w, note=5, seed=3, layer=99)
    assert (w.note, w.seed, heard) == (0, 0, [])
    w.observe(fails, "note")
    with pytest.raises(RuntimeError):
        in_a_group(w, note=6, seed=3)
    assert (w.note, w.seed) == (6, 3)  # an observer refuses nothing


def test_the_report_of_a_group_is_of_the_state_after_it():
    w = sentence()
    with w.hold_trait_notifications():
        w.toggle(1, 0)
        w.toggle(2, 0)
        w.check(lambda Q, K: Q @ K.T)
    assert w.report.revision == w.revision


def test_observers_of_ordinary_traits_run_without_the_lock():
    a, b = (recorded(Noted("a b c")) for _ in "ab")
    together = threading.Barrier(2, timeout=5)
    a.observe(lambda _: (together.wait(), setattr(b, "seed", 1)), "note")
    b.observe(lambda _: (together.wait(), setattr(a, "seed", 2)), "note")
    threads = [
        threading.Thread(target=w.set_state, args=({"note": 1},), daemon=True) for w in (a, b)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (a.seed, b.seed) == (2, 1)


# Pages


def test_a_validator_s_refusal_is_said_to_the_page():
    w = recorded(Noted("a b c"))
    w.set_state({"temperature": 13.0})
    assert "want a lucky number" in w.error
    assert w.comm.states()[-1]["temperature"] == 1


@pytest.mark.parametrize(
    ("name", "value", "truth"),
    [
        ("scale", None, 2**-0.5),
        ("selection", [9, 9], None),
        ("presets", "causal", {"causal": True}),
    ],
)
def test_a_page_is_told_where_its_value_became_another(name, value, truth):
    w = sentence()
    w.set_state({name: value})
    assert w.comm.states()[-1][name] == truth


def test_edits_are_told_apart_inside_the_lock(monkeypatch):
    # Else a second delivery could do later edits before the first delivery does the earlier edits.
    w, is_free = sentence(), []
    fresh = CommandLog.fresh

    def probed(log, message):
        thread = threading.Thread(target=lambda: is_free.append(w.store.lock.acquire(False)))
        thread.start()
        thread.join()
        return fresh(log, message)

    monkeypatch.setattr(CommandLog, "fresh", probed)
    w.set_state(commands(w.mask.shape, {"on": [0, 1]}))
    assert is_free == [False]
    assert w.mask[0, 0]
