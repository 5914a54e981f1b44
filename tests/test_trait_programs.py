"""What programs do with a widget's traits: link, subclass, list, add, pickle, set from threads."""

from __future__ import annotations

import pickle
import threading

import ipywidgets
import pytest
import traitlets
from byhand import unchanged
from interacting import WEIGHTS, given, page, public, sentence

from attnwidget import AttentionWidget

# Links


def test_traits_of_two_widgets_a_slider_and_one_widget_are_linked():
    a, b, slider = given(), given(), ipywidgets.IntSlider()
    traitlets.link((a, "layer"), (b, "layer"))
    traitlets.link((a, "layer"), (a, "head"))  # of one widget
    traitlets.dlink((a, "layer"), (slider, "value"))
    b.layer = 2
    assert (a.shown, b.shown, slider.value) == ((2, 2, "cross"), (2, 0, "cross"), 2)
    a.head = 1
    assert (a.shown, b.layer, slider.value) == ((1, 1, "cross"), 1, 1)
    slider.value = 0
    assert a.layer == 1


def test_a_trait_is_linked_in_the_page():
    w, slider = given(), ipywidgets.IntSlider()
    link = ipywidgets.jslink((w, "layer"), (slider, "value"))
    assert link.source == (w, "layer")
    w.set_state({"layer": 2})  # what the page sends when the slider moves
    assert w.shown == (2, 0, "cross")


# Subclasses


class Mine(AttentionWidget):
    mine = traitlets.Int(4).tag(sync=True)

    def __init__(self, *arguments, **keywords):
        self._heard = []
        super().__init__(*arguments, **keywords)

    @traitlets.observe("mine", "head")
    def _hear(self, event):
        self._heard.append((event.name, event.new))

    @traitlets.validate("head")
    def _even(self, proposal):
        return proposal["value"] // 2 * 2


def test_a_users_subclass_observes_and_validates():
    w = sentence(Mine, n_heads=4)
    w._heard.clear()
    w.head = 3
    w.mine = 7
    assert w._heard == [("head", 2), ("mine", 7)]
    assert w.shown == (0, 2, "cross")
    assert (page(w)["head"], page(w)["mine"]) == (2, 7)
    w._heard.clear()
    with w.hold_trait_notifications():
        w.head, w.mine = 1, 8
    assert w.head == 0
    assert sorted(w._heard) == [("head", 0), ("mine", 8)]


def test_the_validator_of_a_subclass_does_not_replace_the_check():
    w = sentence(Mine, n_heads=4)
    before = public(w)
    w._heard.clear()
    with pytest.raises(ValueError, match=r"head: got 98, want 0\.\.3"):
        w.head = 99
    unchanged(w, before)
    assert w._heard == []


class Tagged(AttentionWidget):
    tag = traitlets.Int(4).tag(sync=True)


class Counted(AttentionWidget):
    _count = 0

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self._count += 1


def opened(cls, way):
    if way == "from_arrays":
        return cls.from_arrays(WEIGHTS, "u v", "a b c d e")
    return cls.from_outputs(tuple(WEIGHTS[:, None]), "u v", "a b c d e")


@pytest.mark.parametrize("way", ["from_arrays", "from_outputs"])
def test_other_constructors_make_the_subclass(way):
    w = opened(Tagged, way)
    assert type(w) is Tagged
    assert w.tag == 4


@pytest.mark.parametrize("way", ["from_arrays", "from_outputs"])
def test_other_constructors_run_the_init_of_a_subclass(way):
    assert opened(Counted, way)._count == 1


# What traitlets and ipywidgets ask of a trait


def test_traits_are_listed_read_and_packed():
    w = given()
    w.layer = 2
    assert {"layer", "attention", "shown"} <= set(w.traits(sync=True))
    assert w.trait_values(sync=True)["layer"] == 2
    assert w.has_trait("layer")
    assert w.trait_metadata("layer", "sync")
    packed = w.get_state()
    assert packed["layer"] == 2
    assert packed["attention"]["shape"] == [2, 5]
    assert packed["attention"]["data"].nbytes == 4 * 2 * 5
    assert w.get_state(drop_defaults=True)["layer"] == 2
    w.layout.width = "3px"
    assert w.layout.width == "3px"


def test_traits_are_added_to_one_widget():
    w = given()
    w.add_traits(more=traitlets.Int(1).tag(sync=True))
    w.layer = 3
    w.more = 2
    assert (w.shown, w.more) == ((3, 0, "cross"), 2)
    assert (page(w)["layer"], page(w)["more"]) == (3, 2)
    assert not given().has_trait("more")


def test_an_observer_is_removed():
    w, heard = given(), []
    w.observe(heard.append, "layer")
    w.layer = 1
    w.unobserve(heard.append, "layer")
    w.layer = 0
    assert [event.new for event in heard] == [1]


def test_a_widget_works_without_a_comm():
    w = given()
    comm = w.comm
    w.close()
    w.layer = 2
    w.toggle(1, 4)
    with w.hold_trait_notifications():
        w.head = 1
    assert w.shown == (2, 1, "cross")
    assert w.mask[1, 4]
    assert comm.sent == []


def test_a_widget_is_not_pickled():
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError), match="pickle"):
        pickle.dumps(given())


# Threads


def test_two_joined_widgets_that_two_threads_set_do_not_wait_for_each_other():
    a, b = given(), given()
    both, waited = threading.Barrier(2), []

    def pass_on_to(other):
        def observer(_event):
            both.wait(5)  # now each thread is in an observer of its own widget
            # A further thread sets the other widget, because a deadlock must not stop the run.
            setting = threading.Thread(target=setattr, args=(other, "title", "joined"))
            setting.start()
            setting.join(1)
            waited.append(setting.is_alive())

        return observer

    a.observe(pass_on_to(b), "layer")
    b.observe(pass_on_to(a), "layer")
    threads = [threading.Thread(target=setattr, args=(w, "layer", 1)) for w in (a, b)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waited == [False, False]
    assert a.title == b.title == "joined"


def test_a_set_of_another_thread_while_a_held_message_is_packed_is_not_lost():
    packing, failed = threading.Event(), []

    def hold():
        try:
            with w.hold_sync():
                w.slow, w.title = 1, "held"
        except RuntimeError as error:
            failed.append(error)

    def set_head():
        packing.wait(5)
        w.head = 2

    holder, setter = threading.Thread(target=hold), threading.Thread(target=set_head)

    def pack(value, _widget):
        if threading.current_thread() is holder:
            packing.set()
            setter.join(0.5)  # it ends at once, or waits until the message is sent
        return value

    class Slow(AttentionWidget):
        slow = traitlets.Int().tag(sync=True, to_json=pack)

    w = given(Slow)
    for thread in (setter, holder):
        thread.start()
    for thread in (setter, holder):
        thread.join()
    assert failed == []
    assert (page(w)["slow"], page(w)["title"], page(w)["head"]) == (1, "held", 2)
