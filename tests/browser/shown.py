"""What a card shows, read back as arrays: a map's numbers, a thumbnail's order, a token's lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from mapview import MapView
    from numpy.typing import NDArray
    from playwright.sync_api import Locator, Page

# The pointer passes every cell; the page says for each which one it took it for, and its number.
PASS = """async (over, step) => {
  const map = over.closest('.aw-map');
  // A change is laid out in the next frame, and once more where it made the card narrower.
  for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
  const [left, top, size] = ['left', 'top', 'cell'].map(name => Number(map.dataset[name]));
  const [rows, columns] = [Number(map.ariaRowCount), Number(map.ariaColCount)];
  const at = (name, r, c) => {
    const box = over.getBoundingClientRect(); // out of sight, what is beside it may move it
    const [x, y] = [box.left + left + (c + 0.5) * size, box.top + top + (r + 0.5) * size];
    over.dispatchEvent(new PointerEvent(name, { clientX: x, clientY: y }));
  };
  const found = { rows, columns, values: [] };
  for (let cell = 0; cell < rows * columns; cell += step) {
    const [r, c] = [Math.floor(cell / columns), cell % columns];
    at('pointermove', r, c);
    if (map.dataset.hover !== `${r},${c}`) throw new Error(`(${r}, ${c}): ${map.dataset.hover}`);
    found.values.push(Number(map.dataset.value));
  }
  at('pointerleave', -9, -9);
  return found;
}"""
#: The page rounds to four places.
ROUNDED = 5.1e-5
ROW = 22  # pixels from a token to the next in the lines


def numbers(view: MapView) -> NDArray[Any]:
    """Return the number of every cell of the heatmap, (n_q, n_k)."""
    found = view.over.evaluate(PASS, 1)
    return np.array(found["values"]).reshape(found["rows"], found["columns"])


def shows(view: MapView, wanted: NDArray[Any], step: int = 1) -> None:
    """Check the numbers of the heatmap, or each `step`-th, once it is waiting for none."""
    expect(view.root.locator(".aw-busy")).to_be_hidden()
    n_q, n_k = wanted.shape
    expect(view.map).to_have_attribute("aria-rowcount", str(n_q))
    expect(view.map).to_have_attribute("aria-colcount", str(n_k))
    found = view.over.evaluate(PASS, step)
    assert [found["rows"], found["columns"]] == [n_q, n_k]
    np.testing.assert_allclose(found["values"], wanted.ravel()[::step], rtol=0, atol=ROUNDED)


def thumbnail(root: Locator, layer: int, head: int, wanted: NDArray[Any]) -> None:
    """Check that a thumbnail of the grid is as bright as the weights (n_q, n_k) are large."""
    canvas = root.locator(f'.aw-thumb[data-layer="{layer}"][data-head="{head}"] canvas')
    assert canvas.evaluate("c => [c.height, c.width]") == list(wanted.shape)
    data = canvas.evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    # Viridis' green channel rises from 1 to 231 with the weight.
    green = np.array(data).reshape(-1, 4)[:, 1].astype(float)[np.argsort(wanted, axis=None)]
    assert (np.diff(green) >= -6).all()
    assert green[-1] == pytest.approx(231, abs=2)
    assert green[0] < 220


def open_bertviz(root: Locator, name: str) -> None:
    """Choose one of BertViz's views in their menu."""
    root.get_by_role("button", name="BertViz").click()
    root.get_by_role("menuitemradio", name=name).click()


def point(page: Page, root: Locator, token: int, side: str = "left") -> None:
    """Move the pointer onto a token of the lines."""
    box = root.locator(".aw-lines")
    box.scroll_into_view_if_needed()
    bounds = box.bounding_box()
    assert bounds
    x = bounds["x"] + (40 if side == "left" else bounds["width"] - 40)
    page.mouse.move(x, bounds["y"] + 1 + (token + 0.5) * ROW)


def lines(page: Page, root: Locator, query: int) -> NDArray[Any]:
    """Return the mean weight of each key from a query over the heads that are on, (n_k,)."""
    shown = root.locator(".aw-lines-view")
    point(page, root, query)
    expect(shown).to_have_attribute("data-query", str(query))
    return np.array([float(v) for v in (shown.get_attribute("data-values") or "").split()])
