"""The grid of a sentence: every head with the mask and the mistake that the other views draw."""

from __future__ import annotations

import numpy as np
import pytest
from mapview import MapView
from playwright.sync_api import expect
from stepsview import ask

N, D_K = 6, 3
CELL = """from attnwidget import AttentionWidget
w = AttentionWidget("The cat sat on the mat", n_heads=2, d_k=3, init="normal", seed=3, view="grid")
w"""
# The green channel of a thumbnail: in viridis it is 1 for a weight of 0, and 231 at the maximum.
GREEN = """canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return [...data].filter((_, at) => at % 4 === 1);
}"""


# The heads are drawn again at each answer, so the thumbnail is looked for each time.
NEAR = """([root, head, value]) => {
  const thumb = root.querySelector(`.aw-thumb[data-head="${head}"]`);
  return thumb !== null && Math.abs(thumb.dataset.value - value) < 1e-5;
}"""

# The panel beside the grid says the largest weight of its head in two or three digits.
LARGEST = """([root, value]) => {
  const facts = [...root.querySelectorAll('.aw-grid-large .aw-facts > div')];
  const fact = facts.find(each => each.textContent.startsWith('largest'));
  return fact !== undefined && Math.abs(fact.querySelector('b').textContent - value) < 0.006;
}"""


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([CELL])


def softmax(scores, axis=-1):
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def previous_token(maps):
    """The mean weight of the key before the query, (h,)."""
    rows = np.arange(1, N)
    return maps[:, rows, rows - 1].mean(axis=-1)


def test_the_mask_and_the_mistake_are_in_every_head(opened):
    view = MapView(opened)
    Q, K = (np.array(ask(opened, f"w.{name}.tolist()")) for name in "QK")
    hidden = np.triu(np.ones((N, N), bool), 1)
    scores = Q @ K.swapaxes(1, 2) / D_K**0.5
    states = {
        "w.mask = None": softmax(scores),
        "w.presets = 'causal'": softmax(np.where(hidden, -np.inf, scores)),
        "w.mistake = 'wrong-axis'": softmax(np.where(hidden, -np.inf, scores), axis=-2),
    }
    view.root.get_by_label("statistic", exact=True).select_option("previous-token")
    for change, want in states.items():
        opened.run_cell(change)
        for head in range(2):
            thumb = view.root.locator(f'.aw-thumb[data-head="{head}"]')
            value = previous_token(want)[head]
            opened.page.wait_for_function(NEAR, arg=[view.root.element_handle(), head, value])
            if head == 0:
                # The large map beside the grid has the numbers of the same head.
                opened.page.wait_for_function(
                    LARGEST, arg=[view.root.element_handle(), want[0].max()]
                )
            green = np.array(thumb.locator("canvas").evaluate(GREEN)).reshape(N, N)
            strongest = np.unravel_index(want[head].argmax(), (N, N))
            assert green[strongest] == pytest.approx(231, abs=2)
            assert (green[want[head] == 0] <= 2).all()
            assert (np.diff(green.ravel()[np.argsort(want[head].ravel())]) >= -6).all()
    expect(view.root.locator(".aw-badge")).to_have_text("mistake: wrong-axis")
    expect(view.root.get_by_label("mistake", exact=True)).to_have_value("wrong-axis")
    view.root.get_by_label("undo (Ctrl+Z)").click()
    opened.run_until("print(w.mask.any())", "False")


def test_the_large_map_ends_inside_of_the_card(opened):
    view = MapView(opened)
    large = view.root.locator(".aw-grid-large")
    expect(large).to_be_visible()
    panel, card = large.bounding_box(), view.root.bounding_box()
    assert panel["y"] + panel["height"] <= card["y"] + card["height"]
