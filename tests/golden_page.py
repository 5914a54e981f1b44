"""What the golden wire is recorded of: what a page sends, and what it gets back."""

from __future__ import annotations

from golden_widgets import COMPUTED, GIVEN, HEADS, SENTENCE, Page, Scripts

SCRIPTS = Scripts()


# Edits of a page


@SCRIPTS.on(COMPUTED, GIVEN)
def page_masks_and_frees(w):
    page = Page(w)
    page.edit(on=[3, 2, 9, 1])
    page.edit(off=[3, 1], on=[0, 1])
    page.edit(on=[0, 1])


@SCRIPTS.on(COMPUTED)
def page_paints_a_stroke(w):
    page = Page(w)
    page.edit(stroke=1, on=[3, 1])
    page.edit(stroke=1, on=[6, 1])
    page.edit(move="undo", off=[3, 1, 6, 1])


@SCRIPTS.on(SENTENCE)
def page_sets_presets(w):
    page = Page(w)
    page.edit(presets={"causal": True}, on=[1, 4, 7, 3, 13, 2, 19, 1])
    page.edit(presets={}, off=[1, 4, 7, 3, 13, 2, 19, 1])


@SCRIPTS.on(COMPUTED, HEADS)
def page_sets_numbers(w):
    page = Page(w)
    at = (1, 2) if w.Q.ndim == 2 else (1, 1, 2)
    for name in ("W_q", "Q"):
        page.number(name, at, -2.5)
    page.number("Q", at, 3, stroke=9)
    page.number("Q", at, 4, stroke=9)
    page.number("Q", at, 4)
    page.edit(move="reset")
    page.edit(move="reset")


@SCRIPTS.on(COMPUTED)
def page_sets_settings(w):
    page = Page(w)
    settings = [("seed", 3), ("temperature", 0.5), ("scale", None), ("tokens", "p q r s")]
    for name, value in [*settings, ("d_k", 6), ("mistake", "no-scale"), ("mistake", None)]:
        page.edit(setting={"name": name, "value": value})


@SCRIPTS.on(COMPUTED)
def page_undoes_and_redoes(w):
    page = Page(w)
    page.edit(on=[3, 1])
    page.number("Q", (2, 1), 5)
    page.edit(move="undo")
    page.edit(move="undo", off=[3, 1])
    page.edit(move="undo")
    page.edit(move="redo", on=[3, 1])
    page.edit(move="redo")


@SCRIPTS.on(COMPUTED, GIVEN)
def page_edits_another_shape(w):
    page = Page(w)
    page.edit(on=[3, 1], shape=[6, 6])
    page.edit(move="undo", shape=[6, 6])


@SCRIPTS.on(COMPUTED)
def page_sends_a_list_at_once_and_again(w):
    page = Page(w)
    page.edit(on=[3, 1])
    page.ops.append({**page.ops[0], "seq": 2, "on": [7, 2]})
    page.ops.append({**page.ops[0], "seq": 3, "on": [], "off": [3, 1]})
    page.send()
    page.send()


@SCRIPTS.on(COMPUTED)
def two_pages(w):
    first, second = Page(w, "p"), Page(w, "q")
    first.edit(on=[3, 1])
    second.edit(on=[4, 1])
    first.edit(move="undo", off=[3, 1])
    second.number("K", (0, 3), 1.5)


@SCRIPTS.on(COMPUTED)
def page_and_python(w):
    page = Page(w)
    with w.hold_sync():
        page.edit(on=[3, 1])
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
def page_is_refused_edits(w):
    page = Page(w)
    page.edit(on=[11, 2])
    page.edit(on=[0])
    page.edit(on=[3, 1])


@SCRIPTS.on(COMPUTED)
def page_is_refused_numbers_and_settings(w):
    page = Page(w)
    page.number("Q", (1, 2), 1e300)
    page.edit(setting={"name": "d_k", "value": 0})
    page.edit(setting={"name": "view", "value": "grid"})
    page.edit(presets={"window": -1})
    page.edit(move="sideways")
    page.number("Q", (1, 2), 0.5)


# Questions


@SCRIPTS.on(GIVEN)
def questions(w):
    for asked in ({"type": "grid"}, {"type": "lines", "layer": 2}, {"type": "lines", "layer": 5}):
        w._handle_custom_msg({**asked, "id": "page:1"}, [])
