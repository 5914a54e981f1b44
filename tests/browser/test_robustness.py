"""A card in JupyterLab whose kernel restarts, whose connection is lost, and which is hidden."""

from __future__ import annotations

import numpy as np
import pytest
from mapview import MapView
from playwright.sync_api import expect
from stepsview import MAKE, flow

CELLS = [
    MAKE + "w = AttentionWidget('The cat sat on the mat', d_k=3, d_v=2)",
    "w",
    "'after'",
]


def row(mask):
    """Return what the middle query of the sentence sees under a mask, by torch."""
    return flow(mask=mask)["attention"][2]


def shows(view, mask):
    """Check the foot of the card and two numbers of it."""
    view.masked(int(mask.sum()), 36)
    view.settled()
    for key in (1, 4):
        assert view.value(2, key) == pytest.approx(row(mask)[key], abs=5.1e-5)


def without(*cells):
    mask = np.zeros((6, 6), bool)
    for cell in cells:
        mask[cell] = True
    return mask


def has(notebook, mask):
    """Wait until Python has this mask."""
    want = [[int(q), int(k)] for q, k in np.argwhere(mask)]
    notebook.run_until("print(__import__('numpy').argwhere(w.mask).tolist())", str(want))


def press(view, query, key):
    """Click without waiting for an answer."""
    x, y = view.at(query, key)
    view.over.click(position={"x": x, "y": y})


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook(CELLS)


@pytest.fixture
def view(opened):
    opened.run_cell("w.mask = None")
    view = MapView(opened)
    view.masked(0, 36)
    view.settled()
    return view


def test_a_connection_that_is_lost_and_comes_back_loses_no_click(view, opened):
    status = opened.page.evaluate(
        """async () => {
          const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
          const lost = new Promise(done => kernel.connectionStatusChanged.connect(
            (_, status) => status !== 'connected' && done(status)));
          kernel._ws.close();
          return lost;
        }"""
    )
    assert status == "connecting"
    press(view, 2, 3)
    view.masked(1, 36)  # the page's own answer
    has(opened, without((2, 3)))
    shows(view, without((2, 3)))
    press(view, 2, 3)
    has(opened, without())
    shows(view, without())


def test_two_browsers_on_a_kernel_show_the_same_and_lose_no_edit(view, opened, module_lab):
    opened.save()
    other = module_lab.open(opened.path, fresh=True)
    theirs = MapView(other)
    theirs.masked(0, 36)
    press(view, 2, 3)
    theirs.masked(1, 36)
    press(theirs, 2, 1)
    view.masked(2, 36)
    # Both at once: neither waits for the answer to the other.
    press(view, 0, 5)
    press(theirs, 5, 0)
    mask = without((2, 3), (2, 1), (0, 5), (5, 0))
    for page in (view, theirs):
        shows(page, mask)
    has(opened, mask)
    # A browser that was away meanwhile gets what it missed.
    other.page.evaluate(
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel._ws.close()"
    )
    press(view, 3, 3)
    mask[3, 3] = True
    for page in (view, theirs):
        shows(page, mask)
    module_lab.leave(other, kernel=True)


def test_a_card_in_a_collapsed_output_and_a_hidden_tab_is_drawn_when_it_is_seen(view, opened):
    # The result of a command may be a widget, which cannot be handed over.
    command = "async command => { await jupyterapp.commands.execute(command); }"
    opened.page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 1; }")
    opened.page.evaluate(command, "notebook:hide-cell-outputs")
    expect(view.root).to_be_hidden()
    opened.run_cell("w.mask = causal_mask(6)")
    opened.page.evaluate(command, "notebook:show-cell-outputs")
    causal = np.triu(np.ones((6, 6), bool), 1)
    shows(view, causal)
    # A cell that is run while its output is collapsed draws where there is no room.
    opened.page.evaluate(command, "notebook:hide-cell-outputs")
    opened.rerun_cell(1)
    opened.page.evaluate(command, "notebook:show-cell-outputs")
    again = MapView(opened)
    shows(again, causal)
    opened.page.evaluate("() => { window.panel = jupyterapp.shell.currentWidget; }")
    opened.page.evaluate(command, "launcher:create")
    expect(again.root).to_be_hidden()
    opened.page.evaluate("() => jupyterapp.shell.activateById(panel.id)")
    shows(again, causal)
    press(again, 5, 0)
    causal[5, 0] = True
    shows(again, causal)


def test_a_kernel_that_is_restarted_leaves_a_card_that_says_so_and_works(view, opened):
    press(view, 2, 3)
    view.settled()
    opened.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    busy = view.root.locator(".aw-busy")
    press(view, 2, 1)
    expect(busy).to_have_text("There is no Python here: edits are a preview and are not kept")
    mask = without((2, 3), (2, 1))
    view.masked(2, 36)
    assert view.value(2, 4) == pytest.approx(row(mask)[4], abs=5.1e-5)
    view.root.press("Control+z")
    view.masked(1, 36)
    expect(view.root.get_by_role("alert")).to_be_hidden()
    opened.run_all()
    again = MapView(opened)
    press(again, 4, 4)
    shows(again, without((4, 4)))
    has(opened, without((4, 4)))


def test_linked_widgets_show_the_same(lab):
    cell = MAKE + (
        "import ipywidgets, traitlets\n"
        "a, b = (AttentionWidget('a b c', d_k=3) for _ in range(2))\n"
        "both = traitlets.link((a, 'mask'), (b, 'mask'))\n"
        "page = ipywidgets.jslink((a, 'temperature'), (b, 'temperature'))\n"
        "ipywidgets.VBox([a, b])"
    )
    notebook = lab.notebook([cell])
    first, second = MapView(notebook), MapView(notebook, 1)
    for card, cell, masked in ((first, (0, 2), 1), (second, (1, 0), 2)):
        press(card, *cell)
        first.masked(masked, 9)
        second.masked(masked, 9)
    for card in (first, second):
        card.root.locator(".aw-experiments > summary").click()
    for card, other, value in ((first, second, "0.5"), (second, first, "2")):
        card.root.get_by_label("temperature", exact=True).fill(value)
        expect(other.root.get_by_label("temperature", exact=True)).to_have_value(value)
        notebook.run_until(
            "print(a.temperature == b.temperature, a.temperature)", f"True {float(value)}"
        )
        first.settled()
        second.settled()
    same = "print((a.mask == b.mask).all(), a.mask.sum(), abs(a.attention - b.attention).max())"
    notebook.run_until(same, "True 2 0.0")


def test_fifty_widgets_in_a_notebook_answer(lab):
    notebook = lab.notebook(
        [MAKE + "ws = [AttentionWidget('a b c', d_k=3) for _ in range(50)]\ndisplay(*ws)"]
    )
    ready = notebook.page.locator('.aw-root[data-ready="true"]')
    expect(ready).to_have_count(50)
    notebook.run_cell("for w in ws: w.mask = causal_mask(3)")
    counts = notebook.page.locator(".aw-masked-count")
    expect(counts.filter(has_text="masked 3 of 9")).to_have_count(50)
    clear = notebook.page.get_by_label("clear the mask")
    clear.evaluate_all("buttons => buttons.forEach(button => button.click())")
    notebook.run_until("print(sum(w.mask.any() for w in ws))", "0")
    expect(notebook.page.locator('.aw-root[data-pending="0"]')).to_have_count(50)
    expect(counts.filter(has_text="masked 0 of 9")).to_have_count(50)


TRACKER = "@jupyterlab/notebook-extension:tracker"
TALL = "print('line\\n' * 60)"


def test_a_card_that_is_scrolled_out_of_a_windowed_notebook_comes_back(desk, lab):
    desk.server.set(TRACKER, {"windowingMode": "full"})
    try:
        notebook = lab.notebook([*CELLS[:2], *[TALL] * 12], fresh=True)
    finally:
        desk.server.set(TRACKER, {})
    # The active cell stays drawn wherever the notebook is scrolled.
    scroll = """index => {
      const { content } = jupyterapp.shell.currentWidget;
      content.activeCellIndex = index;
      return content.scrollToItem(index);
    }"""
    notebook.page.evaluate(scroll, 1)
    view = MapView(notebook)
    press(view, 2, 3)
    shows(view, without((2, 3)))
    notebook.page.evaluate(scroll, 13)
    expect(view.root).to_be_hidden()
    notebook.run_cell("w.mask = causal_mask(6)")
    notebook.page.evaluate(scroll, 1)
    again = MapView(notebook)
    causal = np.triu(np.ones((6, 6), bool), 1)
    shows(again, causal)
    press(again, 5, 0)
    causal[5, 0] = True
    shows(again, causal)
    has(notebook, causal)
