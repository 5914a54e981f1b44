"""The heatmap under a finger: a tap, a second tap, a swipe, a finger that rests and then moves."""

from __future__ import annotations

import pytest
from mapview import MapView
from playwright.sync_api import expect

MAKE = "from attnwidget import AttentionWidget\n"
SENTENCE = MAKE + "w = AttentionWidget('The cat sat on the mat', d_k=3)"
SCROLLED = """el => {
  let node = el;
  while (node && node.scrollTop === 0) node = node.parentElement;
  return node ? node.scrollTop : 0;
}"""


class Finger:
    """One finger on the map, moved by the browser's own touch input."""

    def __init__(self, view: MapView) -> None:
        self.view = view
        self.session = view.notebook.page.context.new_cdp_session(view.notebook.page)

    def place(self, query: int, key: int) -> tuple[float, float]:
        box = self.view.over.bounding_box()
        assert box
        x, y = self.view.at(query, key)
        return box["x"] + x, box["y"] + y

    def tap(self, query: int, key: int) -> None:
        self.view.notebook.page.touchscreen.tap(*self.place(query, key))

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        for x, y in points or [(None, None)]:
            at = [] if x is None else [{"x": x, "y": y}]
            self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})


@pytest.fixture
def finger(lab):
    cells = [SENTENCE, "w", *["print('a line\\n' * 12)"] * 4]
    notebook = lab.notebook(cells, touch=True, viewport=(700, 700))
    view = MapView(notebook)
    view.masked(0, 36)
    return Finger(view)


def test_a_tap_reads_and_a_second_tap_masks(finger):
    view = finger.view
    finger.tap(2, 4)
    expect(view.root.locator(".aw-pair")).to_have_text("sat→the")
    expect(view.readout).to_contain_text("sat → the 0.")
    view.notebook.run_until("print(w.selection, int(w.mask.sum()))", "(2, 4) 0")
    finger.tap(2, 4)
    view.notebook.run_until("print(w.mask[2, 4], int(w.mask.sum()))", "True 1")
    finger.tap(2, 4)
    view.masked(0, 36)
    # A tap on another cell reads that cell.
    finger.tap(3, 1)
    view.notebook.run_until("print(w.selection, int(w.mask.sum()))", "(3, 1) 0")


def test_a_swipe_scrolls_the_page_and_masks_nothing(finger):
    view = finger.view
    before = view.root.evaluate(SCROLLED)
    x, y = finger.place(4, 2)
    finger.touch("touchStart", (x, y))
    finger.touch("touchMove", *[(x, y - 12 * step) for step in range(1, 16)])
    finger.touch("touchEnd")
    view.notebook.page.wait_for_function(
        f"before => ({SCROLLED})(document.querySelector('.aw-root')) > before + 60", arg=before
    )
    assert view.notebook.run_cell("print(int(w.mask.sum()), w.selection)") == "0 None"


def test_a_finger_that_rests_pins_a_cell_and_masks_nothing(finger):
    view = finger.view
    finger.touch("touchStart", finger.place(3, 1))
    expect(view.root.get_by_role("button", name="unpin")).to_be_visible()
    finger.touch("touchEnd")
    expect(view.root.locator(".aw-pair")).to_have_text("on→cat")
    view.masked(0, 36)
    finger.tap(2, 4)
    expect(view.root.locator(".aw-pair")).to_have_text("sat→the")
    view.masked(0, 36)


def test_a_finger_that_rests_and_then_moves_paints(finger):
    view = finger.view
    before = view.root.evaluate(SCROLLED)
    finger.touch("touchStart", finger.place(1, 1))
    expect(view.root.get_by_role("button", name="unpin")).to_be_visible()
    view.masked(0, 36)
    finger.touch("touchMove", finger.place(2, 1), finger.place(4, 1))
    finger.touch("touchEnd")
    view.notebook.run_until("print(w.mask[:, 1].tolist())", str([False, *[True] * 4, False]))
    view.masked(4, 36)
    assert view.root.evaluate(SCROLLED) == before
    view.root.get_by_label("undo (Ctrl+Z)").click()
    view.masked(0, 36)
