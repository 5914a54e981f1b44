"""What the golden wire is recorded of: what a page sends, and what it gets back."""

from __future__ import annotations

from golden_widgets import COMPUTED, GIVEN, HEADS, SENTENCE, Page, Scripts

SCRIPTS = Scripts()


# Commands of a page


@SCRIPTS.on(COMPUTED, GIVEN)
def page_masks_and_frees(w):
    page = Page(w)
    page.paint(on=[3, 2, 9, 1])
    page.paint(off=[3, 1], on=[0, 1])
    page.paint(on=[0, 1])


@SCRIPTS.on(COMPUTED)
def page_paints_a_stroke(w):
    page = Page(w)
    page.paint(stroke=1, on=[3, 1])
    page.paint(stroke=1, on=[6, 1])
    page.do("undo", off=[3, 1, 6, 1])


@SCRIPTS.on(SENTENCE)
def page_sets_presets(w):
    page = Page(w)
    page.paint(presets={"causal": True}, on=[1, 4, 7, 3, 13, 2, 19, 1])
    page.paint(presets={}, off=[1, 4, 7, 3, 13, 2, 19, 1])


@SCRIPTS.on(COMPUTED, HEADS)
def page_sets_numbers(w):
    page = Page(w)
    at = (1, 2) if w.Q.ndim == 2 else (1, 1, 2)
    for name in ("W_q", "Q"):
        page.number(name, at, -2.5)
    page.number("Q", at, 3, stroke=9)
    page.number("Q", at, 4, stroke=9)
    page.number("Q", at, 4)
    page.do("reset")
    page.do("reset")


@SCRIPTS.on(COMPUTED)
def page_sets_settings(w):
    page = Page(w)
    settings = [("seed", 3), ("temperature", 0.5), ("scale", None), ("tokens", "p q r s")]
    for name, value in [*settings, ("d_k", 6), ("mistake", "no-scale"), ("mistake", None)]:
        page.do("set", name=name, value=value)


@SCRIPTS.on(COMPUTED)
def page_undoes_and_redoes(w):
    page = Page(w)
    page.paint(on=[3, 1])
    page.number("Q", (2, 1), 5)
    page.do("undo")
    page.do("undo", off=[3, 1])
    page.do("undo")
    page.do("redo", on=[3, 1])
    page.do("redo")


@SCRIPTS.on(COMPUTED, GIVEN)
def page_commands_on_another_shape(w):
    page = Page(w)
    page.paint(on=[3, 1], shape=[6, 6])
    page.do("undo", shape=[6, 6])


@SCRIPTS.on(COMPUTED)
def page_sends_a_list_at_once_and_again(w):
    page = Page(w)
    page.paint(on=[3, 1])
    page.commands.append({**page.commands[0], "seq": 2, "on": [7, 2]})
    page.commands.append({**page.commands[0], "seq": 3, "on": [], "off": [3, 1]})
    page.send()
    page.send()


@SCRIPTS.on(COMPUTED)
def two_pages(w):
    first, second = Page(w, "p"), Page(w, "q")
    first.paint(on=[3, 1])
    second.paint(on=[4, 1])
    first.do("undo", off=[3, 1])
    second.number("K", (0, 3), 1.5)


@SCRIPTS.on(COMPUTED)
def page_and_python(w):
    page = Page(w)
    with w.hold_sync():
        page.paint(on=[3, 1])
        w.toggle(3, 2)
    w.undo()


# Traits that a page sets


@SCRIPTS.on(GIVEN)
def page_sets_traits(w):
    page = Page(w)
    page.send(layer=2)
    page.send(head=1, view="grid")
    page.send(selection=[3, 2])
    page.send(selection=[3, 3])  # of a map that is gone
    page.send(title="Cats", cmap="blues")


@SCRIPTS.on(COMPUTED)
def page_sets_factors(w):
    page = Page(w)
    page.send(temperature=0.5)
    page.send(scale=0.25)
    page.send(mistake="no-scale")
    page.send(report=None)


# What a page is refused


@SCRIPTS.on(GIVEN)
def page_is_refused_traits(w):
    page = Page(w)
    page.send(layer=7)
    page.send(layer=2, head=7)
    page.send(view="steps")
    page.send(attention=None)
    page.send(layer=1)  # and the error is past


@SCRIPTS.on(COMPUTED)
def page_is_refused_factors(w):
    page = Page(w)
    page.send(temperature=-1)
    page.send(scale="wide")
    page.send(temperature=2.0)


@SCRIPTS.on(COMPUTED)
def page_is_refused_commands(w):
    page = Page(w)
    page.paint(on=[11, 2])
    page.paint(on=[0])
    page.paint(on=[3, 1])


@SCRIPTS.on(COMPUTED)
def page_is_refused_numbers_and_settings(w):
    page = Page(w)
    page.number("Q", (1, 2), 1e300)
    page.do("set", name="d_k", value=0)
    page.do("set", name="view", value="grid")
    page.paint(presets={"window": -1})
    page.do("sideways")
    page.number("Q", (1, 2), 0.5)


# Questions


@SCRIPTS.on(GIVEN)
def questions(w):
    for asked in ({"type": "grid"}, {"type": "lines", "layer": 2}, {"type": "lines", "layer": 5}):
        w._handle_custom_msg({**asked, "id": "page:1"}, [])
