"""A lesson by touch alone, on a laptop and in a narrow card, light and dark.

A finger taps, rests, drags and swipes; the answers come from Python's side.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from mapview import MapView
from playwright.sync_api import expect
from stepsview import StepsView, ask

CELL = """from attnwidget import AttentionWidget
w = AttentionWidget("The cat sat on the mat", n_heads=2, d_k=3, init="normal", seed=3)
w"""
LINES = "print('a line\\n' * 12)"
FOLD = ".aw-experiments > summary"
SCROLLED = """el => {
  let node = el;
  while (node && node.scrollTop === 0) node = node.parentElement;
  return node ? node.scrollTop : 0;
}"""
# Where an element can be touched: nothing of the page covers this point of it.
IS_ON_TOP = """(element, [x, y]) => {
  const top = document.elementFromPoint(x, y);
  return element.contains(top) || top?.contains(element);
}"""


@pytest.fixture(params=[("light", None), ("dark", 326)], ids=["light-1366", "dark-326"])
def card(request, lab):
    theme, width = request.param
    notebook = lab.notebook([CELL, *[LINES] * 5], viewport=(1366, 680), theme=theme, touch=True)
    if width:
        notebook.set_room(width)
    return MapView(notebook)


class Hand:
    """One finger, moved by the browser's own touch input."""

    def __init__(self, view: MapView) -> None:
        self.view, self.root = view, view.root
        self.page = view.notebook.page
        self.session = self.page.context.new_cdp_session(self.page)

    def touch(self, kind, *points):
        for point in points or [None]:
            at = [{"x": point[0], "y": point[1]}] if point else []
            self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    def tap(self, name, role="button"):
        """Tap a control that has this name."""
        control = self.root.get_by_role(role, name=name, exact=isinstance(name, str))
        control.tap()
        return control

    def at(self, element, x, y):
        """Return a point on the page, brought to where a finger reaches it."""
        element.evaluate("element => element.scrollIntoView({ block: 'center' })")
        box = element.bounding_box()
        assert box
        point = box["x"] + x, box["y"] + y
        assert element.evaluate(IS_ON_TOP, point), f"{element} is covered at {point}"
        return point

    def cell(self, query, key):
        return self.at(self.view.over, *self.view.at(query, key))

    def swipe_up(self, start):
        """Swipe from a point, and wait until the page has moved with the finger."""
        before = self.root.evaluate(SCROLLED)
        x, y = start
        self.touch("touchStart", start)
        self.touch("touchMove", *[(x, y - 12 * step) for step in range(1, 16)])
        self.touch("touchEnd")
        self.page.wait_for_function(
            f"before => ({SCROLLED})(document.querySelector('.aw-root')) > before + 60", arg=before
        )

    def open_view(self, name):
        narrow = self.root.get_by_role("combobox", name="view")
        if narrow.is_visible():  # the list of a select is the browser's own
            narrow.select_option(name.lower())
        else:
            self.tap(name, "radio")
        expect(self.root).to_have_attribute("data-view", name.lower())


def test_a_lesson_by_touch_alone(card):
    notebook, hand = card.notebook, Hand(card)
    read_mask_and_paint(hand, card, notebook)
    presets_and_their_menus(hand, card, notebook)
    settings(hand, card, notebook)
    numbers_of_steps(hand, notebook)
    lines_and_neuron(hand, notebook)


def read_mask_and_paint(hand, card, notebook):
    page = notebook.page
    # The first tap reads a cell, the second tap masks it.
    page.touchscreen.tap(*hand.cell(2, 4))
    expect(card.root.locator(".aw-pair")).to_have_text("sat→the")
    notebook.run_until("print(w.selection, int(w.mask.sum()))", "(2, 4) 0")
    page.touchscreen.tap(*hand.cell(2, 4))
    notebook.run_until("print(w.mask[2, 4], int(w.mask.sum()))", "True 1")
    hand.tap("undo (Ctrl+Z)")
    notebook.run_until("print(int(w.mask.sum()))", "0")
    # A finger that rests for 300 ms and then moves paints.
    start = hand.cell(1, 1)
    hand.touch("touchStart", start)
    expect(card.root.get_by_role("button", name="unpin")).to_be_attached()
    size = float(card.map.get_attribute("data-cell"))
    hand.touch("touchMove", *[(start[0], start[1] + size * step) for step in (1, 2, 3)])
    hand.touch("touchEnd")
    notebook.run_until("print(w.mask.sum(0).tolist())", "[0, 4, 0, 0, 0, 0]")
    # One stroke is one step of undo.
    hand.tap("undo (Ctrl+Z)")
    notebook.run_until("print(int(w.mask.sum()))", "0")
    hand.swipe_up(hand.cell(4, 2))
    assert notebook.run_cell("print(int(w.mask.sum()))") == "0"


def presets_and_their_menus(hand, card, notebook):
    hand.tap("causal")
    expected = np.triu(np.ones((6, 6), bool), 1).astype(int).tolist()
    notebook.run_until("print(w.mask.astype(int).tolist())", str(expected))
    hand.tap("causal")
    card.masked(0, 36)
    hand.tap("window")
    hand.root.locator(".aw-parameter", has_text="±1").tap()
    dialog = card.root.get_by_role("dialog", name="keys to either side")
    dialog.get_by_role("button", name="more").tap()
    q, k = np.indices((6, 6))
    expected = (abs(q - k) > 2).astype(int).tolist()
    notebook.run_until("print(w.mask.astype(int).tolist())", str(expected))
    # A tap beside the menu closes it, and masks nothing.
    card.root.locator(".aw-masked-count").tap()
    expect(dialog).to_be_hidden()
    hand.tap("window")
    card.masked(0, 36)
    assert notebook.run_cell("print(w.presets)") == "{}"


def settings(hand, card, notebook):
    hand.tap("scores", "radio")
    notebook.run_until("print(w.quantity)", "scores")
    hand.tap("attention", "radio")
    notebook.run_until("print(w.quantity)", "attention")
    fold = card.root.locator(FOLD)
    fold.tap()
    slider = card.root.get_by_role("slider", name="temperature")
    before = np.array(ask(notebook, "w.scores.tolist()"))
    box = slider.bounding_box()
    slider.tap(position={"x": box["width"] * 0.75, "y": box["height"] / 2})
    notebook.run_until("print(1.9 < w.temperature < 2.6)", "True")
    # The map follows: a softmax of the scores over the temperature, by NumPy.
    e = np.exp(before / ask(notebook, "w.temperature"))
    expected = e / e.sum(-1, keepdims=True)
    assert np.allclose(ask(notebook, "w.attention.tolist()"), expected, atol=1e-6)
    hand.tap("undo (Ctrl+Z)")
    notebook.run_until("print(w.temperature)", "1.0")
    fold.tap()
    expect(slider).to_be_hidden()


def numbers_of_steps(hand, notebook):
    hand.open_view("Steps")
    view = StepsView(notebook)
    start = view.at("Q", 1, 0)
    before = np.array(ask(notebook, "w.Q[0].tolist()"))
    hand.touch("touchStart", start)
    hand.touch("touchMove", *[(start[0] + by, start[1]) for by in (10, 25, 40)])
    hand.touch("touchEnd")
    # A pixel is 0.01.
    expected = round(before[1, 0] + 0.4, 2)
    notebook.run_until(f"print(bool(abs(w.Q[0, 1, 0] - {expected}) < 1e-6))", "True")
    after = np.array(ask(notebook, "w.Q[0].tolist()"))
    assert np.argwhere(~np.isclose(before, after)).tolist() == [[1, 0]]
    hand.tap("undo (Ctrl+Z)")
    notebook.run_until(f"print(bool(abs(w.Q[0, 1, 0] - {before[1, 0]}) < 1e-6))", "True")
    # A swipe over the numbers scrolls, and changes none.
    hand.swipe_up(view.at("V", 2, 0))
    view.settled()
    assert np.allclose(ask(notebook, "w.Q[0].tolist()"), before)
    # The first tap explains a weight, the second tap masks its cell.
    notebook.page.touchscreen.tap(*view.at("attention", 3, 1))
    expect(view.panel).to_have_attribute("data-cell", "attention,3,1")
    assert notebook.run_cell("print(int(w.mask.sum()))") == "0"
    notebook.page.touchscreen.tap(*view.at("attention", 3, 1))
    notebook.run_until("print(w.mask[3, 1], int(w.mask.sum()))", "True 1")
    hand.tap("undo (Ctrl+Z)")
    notebook.run_until("print(int(w.mask.sum()))", "0")


def lines_and_neuron(hand, notebook):
    hand.open_view("Neuron")
    neuron = hand.root.locator(".aw-neuron")
    rows = neuron.get_by_role("listbox", name="keys")
    row = float(neuron.get_attribute("data-row"))
    notebook.page.touchscreen.tap(*hand.at(rows, 30, 4.5 * row))
    expect(neuron).to_have_attribute("data-query", "4")
    hand.open_view("Lines")
    queries = hand.root.get_by_role("listbox", name="queries")
    lines = queries.locator("xpath=..")
    expect(lines).to_have_attribute("data-row", re.compile(r"\d"))
    row = float(lines.get_attribute("data-row"))
    notebook.page.touchscreen.tap(*hand.at(queries, 12, 3.5 * row))
    # The lines of the pinned query are its weights, as a mean of the two heads.
    expect(lines).to_have_attribute("data-query", "3")
    values = [float(value) for value in lines.get_attribute("data-values").split()]
    assert np.allclose(values, ask(notebook, "w.attention.mean(0)[3].tolist()"), atol=1e-5)
