"""The steps show what an edit changes: a flash, the difference, and what is made of a number."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect
from stepsview import WIDGET, flow, reset


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([WIDGET, "w"])


@pytest.fixture
def view(opened):
    return reset(opened)


@pytest.mark.parametrize(
    ("name", "lit"),
    [
        ("embeddings", {"Q": "row", "K": "row", "V": "row"}),
        ("W_k", {"K": "col"}),
        ("Q", {"scores": "row"}),
        ("K", {"scores": "col"}),
        ("V", {"output": "col"}),
        ("scores", {"attention": "row"}),
        ("mask", {"attention": "row"}),
        ("attention", {"output": "row"}),
        ("output", {}),
    ],
)
def test_what_is_made_of_a_number_is_lit(view, name, lit):
    row, col = (2, 1)
    view.hover(name, row, col)
    uses = {each: view.grid(each).locator(".aw-use") for each in view.names()}
    assert {each for each, frames in uses.items() if frames.count()} == set(lit)
    for each, axis in lit.items():
        # Each key is a row of K and a column of the scores.
        index = row if (name, each) == ("K", "scores") or axis == "row" else col
        at = (index, 0) if axis == "row" else (0, index)
        x, y, width, height = view.cell(each, *at)
        grid, box = view.grid(each).bounding_box(), uses[each].bounding_box()
        assert 0 <= grid["x"] + x - box["x"] <= 2
        assert 0 <= grid["y"] + y - box["y"] <= 2
        # The whole row or column: the other side is as long as the matrix.
        assert abs(box["height" if axis == "row" else "width"] - (height, width)[axis == "col"]) < 4
        assert box["width" if axis == "row" else "height"] > 2 * (width, height)[axis == "col"] - 4


def flashed(view):
    """Return how many cells of each matrix the last edit has lit up."""
    counts = {name: view.grid(name).get_attribute("data-flashed") for name in view.names()}
    return {name: int(count) for name, count in counts.items() if count and count != "0"}


def test_cells_that_an_edit_changes_flash_once(view):
    view.click("mask", 4, 1)
    # The row of the query has other weights and another output.
    assert flashed(view) == {"mask": 1, "attention": 6, "output": 2}
    view.drag("W_v", 2, 1, 80)
    assert flashed(view) == {"W_v": 1, "V": 6, "output": 6}
    expect(view.root.locator(".aw-flash")).to_have_count(0)
    view.hover("V", 2, 1)
    expect(view.root.locator(".aw-flash")).to_have_count(0)


def test_nothing_flashes_for_those_who_want_no_motion(view, opened):
    opened.page.emulate_media(reduced_motion="reduce")
    view.click("mask", 2, 1)
    assert flashed(view) == {}
    view.settled()
    opened.page.emulate_media(reduced_motion="no-preference")


def test_the_difference_to_the_state_before_an_edit(view, opened):
    delta = view.root.locator('[data-tool="difference"]')
    before = flow()
    view.click("mask", 4, 1)
    mask = np.zeros((6, 6), bool)
    mask[4, 1] = True
    after = flow(mask=mask)
    delta.click()
    expect(delta).to_have_attribute("aria-pressed", "true")
    for name in view.names():
        largest = np.abs(after[name] - before[name]).max()
        section = view.root.locator(f'[data-name="{name}"]')
        if largest:
            digits = 4 if largest < 0.1 else 2
            expect(section.locator(".aw-matrix-scale")).to_have_text(f"±{largest:.{digits}f}")
        else:
            expect(section.locator(".aw-note:visible")).to_have_text("no change")
    view.hover("attention", 4, 1)
    was = before["attention"][4, 1]
    assert view.lines()[-1] == f"before {was:.2f}, now 0: Δ = −{was:.2f}"
    # The largest decrease has the blue end of the scale; a cell without a change is neutral.
    expect(view.root.locator(".aw-flash")).to_have_count(0)
    canvas = view.grid("attention").locator("canvas")
    colors = []
    for row in (4, 3):
        x, y, _, _ = view.cell("attention", row, 1)
        red, _, blue, _ = opened.pixel(canvas, x + 3, y + 3)
        colors.append(blue - red)
    assert colors[0] > 40
    assert abs(colors[1]) < 5
    # The panel keeps the number that the pointer was on, so that its buttons keep their places.
    place = delta.bounding_box()
    delta.hover()
    expect(view.panel).to_have_attribute("data-cell", "attention,4,1")
    assert delta.bounding_box() == place
    delta.click()
    expect(delta).to_have_attribute("aria-pressed", "false")
    expect(view.root.locator('[data-name="attention"] .aw-note:visible')).to_have_text(
        "softmax by row"
    )
