"""A card whose kernel is gone: what it shows keeps its name, and what needs Python says so."""

from __future__ import annotations

import os

import pytest
from mapview import MapView
from playwright.sync_api import expect

MAKE = """import numpy as np
from attnwidget import AttentionWidget
given = np.random.RandomState(0).dirichlet(np.ones(4), (2, 3, 3))  # layers, heads, queries
w = AttentionWidget.from_arrays(given, list("abc"), list("wxyz"), layer=1)"""
NEEDS = "is not saved here: it needs a running kernel"


def busy(root):
    return root.locator(".aw-busy")


def click(view, query, key):
    """Click without waiting for an answer."""
    x, y = view.at(query, key)
    view.over.click(position={"x": x, "y": y})


@pytest.fixture
def saved(lab):
    """Open the notebook again with a kernel that knows none of its widgets."""
    notebook = lab.notebook([MAKE, "w"])
    shown = float(notebook.run_cell("print(given[1, 0, 2, 3])"))
    again = lab.reopen(notebook, kernel=False)
    return MapView(again), shown


def test_a_layer_that_is_not_saved_is_not_named(saved):
    view, shown = saved
    view.root.get_by_label("layer", exact=True).select_option("0")
    expect(busy(view.root)).to_have_text(f"layer 0 {NEEDS}")
    expect(view.root.get_by_label("layer", exact=True)).to_have_value("1")
    expect(view.root).to_have_attribute("data-layer", "1")
    assert view.value(2, 3) == pytest.approx(shown, abs=6e-5)


def test_a_click_is_a_preview_and_the_grid_says_that_it_is_not_saved(saved):
    view, _ = saved
    click(view, 2, 3)
    expect(busy(view.root)).to_have_text(
        "There is no Python here: edits are a preview and are not kept"
    )
    expect(view.root.get_by_role("alert")).to_be_hidden()
    view.masked(1, 12)
    view.root.get_by_role("radio", name="Grid").click()
    expect(view.root.locator(".aw-grid-error")).to_have_text(f"This {NEEDS}")
    expect(view.root.locator(".aw-heads-grid")).to_have_attribute("aria-busy", "false")


def test_a_kernel_that_ends_while_the_card_is_open(lab):
    notebook = lab.notebook([MAKE, "w"])
    view = MapView(notebook)
    head = view.root.bounding_box(), view.map.bounding_box()
    notebook.shutdown_kernel()
    click(view, 1, 0)
    expect(busy(view.root)).to_contain_text("There is no Python here")
    # The words take no room.
    assert (view.root.bounding_box(), view.map.bounding_box()) == head


def test_a_kernel_that_works_has_not_answered_yet(lab, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    notebook = lab.notebook([MAKE, f"w.observe(lambda _: open({str(gate)!r}).read(), 'mask')", "w"])
    view = MapView(notebook)
    click(view, 1, 0)
    expect(busy(view.root)).to_have_text("Python has not answered yet")
    gate.write_text("go on")
    view.settled()
    expect(busy(view.root)).to_be_hidden()
