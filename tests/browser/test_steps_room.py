"""The steps on the screens that people have: the panel covers nothing, long matrices are short."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect
from stepsview import MAKE, WIDGET, StepsView, ask


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([WIDGET, "w"])


@pytest.fixture
def view(opened):
    opened.run_cell("w.reset(); w.mask = None; w.selection = None")
    view = StepsView(opened)
    expect(view.root.locator(".aw-masked-count")).to_have_text("masked 0 of 36")
    view.settled()
    return view


def overlaps(a, b):
    across = a["x"] < b["x"] + b["width"] and b["x"] < a["x"] + a["width"]
    return across and a["y"] < b["y"] + b["height"] and b["y"] < a["y"] + a["height"]


WIDE = [(1366, 680), (1536, 740)]


# A narrow chart has no room beside it, and no button that puts the panel there.
@pytest.mark.parametrize(
    ("size", "is_beside"),
    [*((size, False) for size in [*WIDE, (683, 340)]), *((size, True) for size in WIDE)],
)
def test_the_panel_covers_neither_the_explained_matrix_nor_the_result(
    view, opened, size, is_beside
):
    opened.page.set_viewport_size({"width": size[0], "height": size[1]})
    dock = view.root.locator('[data-tool="dock"]')
    expect(dock).to_be_visible(visible=size in WIDE)
    if is_beside:
        dock.click()
    for name in view.names():
        view.hover(name, 1, 1)
        panel = view.panel.bounding_box()
        for other in (name, "attention", "output"):
            matrix = view.root.locator(f'[data-name="{other}"]').bounding_box()
            assert not overlaps(panel, matrix), (name, other)
    if is_beside:
        dock.click()
    opened.page.set_viewport_size({"width": 1100, "height": 900})


def test_the_panel_is_folded_and_is_as_high_as_its_text(view):
    view.hover("Q", 1, 1)
    height = view.panel.bounding_box()["height"]
    text = view.panel.locator(".aw-sums").bounding_box()["height"]
    assert height < text + 60
    view.hover("attention", 1, 1)
    assert view.panel.bounding_box()["height"] > height
    fold = view.root.locator('[data-tool="fold"]')
    fold.click()
    assert view.panel.bounding_box()["height"] < 50
    expect(view.panel.locator(".aw-sums")).to_be_hidden()
    expect(view.panel.locator(".aw-explained-value")).to_have_text(re.compile(r"^= \d"))
    fold.click()


def test_attention_is_in_sight_with_the_experiments_on_a_laptop(view, opened):
    opened.page.set_viewport_size({"width": 1366, "height": 680})
    view.root.locator(".aw-experiments").evaluate("e => e.scrollIntoView({ block: 'start' })")
    attention = view.grid("attention").bounding_box()
    assert attention["y"] + attention["height"] < 660
    opened.page.set_viewport_size({"width": 1100, "height": 900})


def test_long_matrices_leave_out_their_middle_until_it_is_opened(lab):
    cell = "w = AttentionWidget([f't{i}' for i in range(20)], d_model=16, d_k=14, view='steps')\nw"
    view = StepsView(lab.notebook([MAKE + cell]))
    drawn = lambda name: view.grid(name).get_attribute("data-drawn")  # noqa: E731
    # The marked query, the middle of the sentence, is drawn too.
    few, inner = "0,1,2,3,,10,,18,19", "0,1,2,3,,12,13"
    assert drawn("Q") == f"{few};{inner}"
    assert drawn("W_q") == f"0,1,2,3,,14,15;{inner}"
    want = np.array(ask(view.notebook, "w.Q.tolist()"))
    assert view.value("Q", 19, 13) == pytest.approx(want[19, 13], abs=1e-5)
    # A click on the gap opens the rows, in every matrix of queries.
    x, y = view.at("Q", 3, 0)
    height = float(view.grid("Q").evaluate("grid => grid.dataset.ch"))
    view.notebook.page.mouse.click(x, y + height)
    every = ",".join(map(str, range(20)))
    expect(view.grid("Q")).to_have_attribute("data-drawn", f"{every};{inner}")
    expect(view.grid("output")).to_have_attribute("data-drawn", re.compile(f"^{every};"))
    assert drawn("K").endswith(f";{inner}")
    assert not drawn("K").startswith(every)
    assert view.value("Q", 7, 13) == pytest.approx(want[7, 13], abs=1e-5)
    view.root.locator('[data-name="Q"]').get_by_role("button").click()
    expect(view.grid("Q")).to_have_attribute("data-drawn", f"{few};{inner}")
    # The arrow keys pass over the gap.
    view.grid("Q").focus()
    view.notebook.page.keyboard.press("Control+Home")
    for _ in range(4):
        view.notebook.page.keyboard.press("ArrowRight")
    expect(view.panel).to_have_attribute("data-cell", "Q,0,12")
