"""The panel beside the map: it keeps its cell, it can be pinned, and its line of NumPy runs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from mapview import MapView
from playwright.sync_api import expect

SETUP = """import json
import numpy as np
from attnwidget import AttentionWidget
w = AttentionWidget("The cat sat on mats", key_tokens="Le chat est sur", n_heads=2,
                    d_model=6, d_k=4, init="normal", seed=5, head=1)
start = w.mask
"""


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([SETUP, "w"])


@pytest.fixture
def view(opened):
    opened.run_cell(
        "w.mask = start; w.selection = (2, 1); w.quantity = 'attention'; w.mistake = None"
    )
    view = MapView(opened)
    view.masked(0, 20)
    expect(panel(view)).to_have_attribute("data-of", "cell")
    return view


def panel(view):
    return view.root.locator(".aw-inspector")


def cell(view, query, key):
    expect(panel(view)).to_have_attribute("data-cell", f"{query},{key}")


def label(view, *, query=None, key=None):
    """The place of a label, in CSS pixels from the map's corner."""
    x, y = view.at(query or 0, key or 0)
    left, top = (float(view.map.get_attribute(f"data-{n}")) for n in ("left", "top"))
    return {"x": left - 14, "y": y} if key is None else {"x": x, "y": top - 14}


def test_the_panel_keeps_its_cell_on_the_way_to_the_button(view, opened):
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    view.hover(3, 2)
    cell(view, 3, 2)
    button = panel(view).get_by_role("button", name="copy as NumPy")
    button.hover()
    cell(view, 3, 2)
    button.click()
    copied = opened.page.evaluate("navigator.clipboard.readText()")
    got, want = json.loads(
        opened.run_cell(f"print([float({copied}), float(w.attention[1, 3, 2])])")
    )
    assert got == pytest.approx(want, abs=1e-12)
    opened.run_cell("w.selection = (0, 3)")
    cell(view, 0, 3)


@pytest.mark.parametrize("press", [{"modifiers": ["Alt"]}, {"button": "right"}])
def test_a_cell_is_pinned_and_not_masked(view, opened, press):
    x, y = view.at(4, 0)
    view.over.click(position={"x": x, "y": y}, **press)
    cell(view, 4, 0)
    view.hover(1, 1)
    expect(view.map).to_have_attribute("data-hover", "1,1")
    cell(view, 4, 0)
    view.masked(0, 20)
    # JupyterLab's own menu stays closed.
    expect(opened.page.locator(".lm-Menu:visible")).to_have_count(0)
    panel(view).get_by_role("button", name="unpin").click()
    cell(view, 1, 1)
    view.click(2, 2)
    cell(view, 2, 2)
    view.masked(1, 20)


def test_a_label_says_what_a_click_on_it_does(view, opened):
    view.hover(3, 2)
    view.click(1, 2)
    view.over.hover(position=label(view, query=1))
    expect(panel(view)).to_have_attribute("data-of", "label")
    expect(panel(view).locator(".aw-pair")).to_have_text("catas query")
    expect(panel(view).locator(".aw-formula")).to_have_text("A click masks 3 cells of this row.")
    expect(panel(view).get_by_role("button", name="copy as NumPy")).to_be_hidden()
    view.over.click(position=label(view, query=1))
    view.masked(4, 20)
    expect(panel(view).locator(".aw-formula")).to_have_text("A click frees 4 cells: the whole row.")
    view.over.hover(position=label(view, key=3))
    expect(panel(view).locator(".aw-formula")).to_have_text("A click masks 4 cells of this column.")
    view.hover(0, 0)
    cell(view, 0, 0)
    expect(panel(view)).to_have_attribute("data-of", "cell")


@pytest.mark.parametrize("quantity", ["attention", "scores", "value-norm", "output-shift"])
@pytest.mark.parametrize("mistake", [None, "no-scale", "mask-multiplied"])
def test_the_copied_line_gives_the_number_of_the_cell(view, opened, quantity, mistake):
    opened.run_cell(
        f"w.quantity = {quantity!r}; w.mistake = {mistake!r}; w.temperature = 0.5\n"
        "w.mask = (np.arange(20).reshape(5, 4) % 3 == 1)"
    )
    view.masked(7, 20)
    values, lines = [], []
    for query, key in [(0, 0), (1, 2), (4, 3), (0, 1)]:
        values.append(view.value(query, key))
        cell(view, query, key)
        button = panel(view).locator(".aw-copy")
        button.click()
        lines.append(button.get_attribute("data-numpy"))
    got = json.loads(opened.run_cell(f"print([float(n) for n in ({', '.join(lines)},)])"))
    np.testing.assert_allclose(got, values, atol=6e-5)
    opened.run_cell("w.temperature = 1")


def test_the_example_of_a_line(view, opened):
    opened.run_cell("w.quantity = 'scores'")
    view.hover(1, 3)
    cell(view, 1, 3)
    button = panel(view).locator(".aw-copy")
    button.click()
    expect(button).to_have_attribute("data-numpy", "w.Q[1, 1] @ w.K[1, 3] / np.sqrt(w.d_k)")


def test_given_numbers_are_called_given_and_come_back(lab):
    notebook = lab.notebook([
        "import numpy as np\nfrom attnwidget import AttentionWidget\n"
        "w = AttentionWidget('a b c', embeddings=np.ones((3, 2)), W_q=np.eye(2), W_k=np.eye(2), "
        "W_v=np.eye(2), seed=4)\nw"
    ])  # fmt: skip
    root = notebook.widget()
    settings = root.locator(".aw-settings")
    expect(settings).to_contain_text("given embeddings · given weights · no positions")
    expect(settings).not_to_contain_text("seed")
    root.locator(".aw-experiments > summary").click()
    weights = root.get_by_label("weights", exact=True)
    expect(weights).to_have_value("given")
    expect(root.get_by_role("button", name="reset numbers")).to_be_disabled()
    weights.select_option("uniform")
    notice = root.locator(".aw-replaced")
    expect(notice).to_contain_text("The given W_q, W_k, W_v were replaced.")
    expect(settings).to_contain_text("given embeddings · uniform weights, seed 4")
    expect(weights).to_have_value("uniform")
    notice.get_by_role("button", name="Undo").click()
    expect(notice).to_be_hidden()
    expect(weights).to_have_value("given")
    notebook.run_until(
        "print((w.W_q == np.eye(2)).all(), w.given[1:])", "True ('W_q', 'W_k', 'W_v')"
    )
    notebook.run_cell("w.seed = 9; w.toggle(0, 0)")
    expect(notice).to_be_visible()
    root.get_by_role("button", name="reset numbers").click()
    expect(notice).to_be_hidden()
    notebook.run_until("print((w.W_k == np.eye(2)).all(), w.mask.sum(), w.seed)", "True 1 9")
