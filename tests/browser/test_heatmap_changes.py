"""The heatmap shows what an edit changes: a flash, ghosts of the bars, and the difference."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from mapview import MapView
from playwright.sync_api import expect

MAKE = """import json
from attnwidget import AttentionWidget
w = AttentionWidget("The cat sat on the mat", key_tokens="Le chat est sur un tapis rouge",
                    n_heads=2, d_model=6, d_k=4, d_v=3, init="normal", seed=5)
"""
SHAPE = (6, 7)
# Every text that is drawn on a canvas from now on.
WRITTEN = """() => {
  const { fillText } = CanvasRenderingContext2D.prototype;
  window.written = [];
  CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {
    window.written.push(text);
    return fillText.call(this, text, ...at);
  };
}"""


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([MAKE, "w"])


@pytest.fixture
def view(opened):
    opened.run_cell(
        "w.mask = None; w.mistake = None; w.temperature = 1; w.seed = 5; w.head = 0\n"
        "w.selection = (2, 1); w.quantity = 'attention'; w.color_scale = 'unit'; w.view = 'heatmap'"
    )
    view = MapView(opened)
    view.masked(0, 42)
    expect(view.root).to_have_attribute("data-view", "heatmap")
    if delta(view).get_attribute("aria-pressed") == "true":
        delta(view).click()
    still(view)
    return view


def delta(view):
    return view.root.locator('[data-tool="difference"]')


def still(view):
    """Wait until the light of the last edit has faded."""
    view.settled()
    view.notebook.page.evaluate("() => new Promise(requestAnimationFrame)")
    expect(view.root.locator(".aw-flash")).to_have_count(0)
    view.map.evaluate("map => { map.dataset.flashed = 'none'; }")


def flashed(view, count):
    """Wait until the last edit has lit up this many cells."""
    expect(view.map).to_have_attribute("data-flashed", str(count))
    still(view)


def weights(opened, mask=None, temperature=1.0, head=0):
    """The attention by torch, from the scores that Python has."""
    values = opened.run_cell("print(json.dumps(w.scores.tolist()))")
    scores = torch.tensor(json.loads(values))[head]
    hidden = torch.zeros(SHAPE, dtype=torch.bool) if mask is None else torch.tensor(mask)
    logits = (scores / temperature).masked_fill(hidden, -torch.inf)
    return torch.softmax(logits, -1).nan_to_num(0).numpy()


def masked(*cells):
    mask = np.zeros(SHAPE, bool)
    for cell in cells:
        mask[cell] = True
    return mask


def test_the_cells_that_an_edit_changes_flash(view, opened):
    view.click(4, 1)
    flashed(view, 7)
    # Every row loses its last key; the cell that was masked by hand stays masked.
    opened.run_cell("w.presets = 'causal'")
    flashed(view, 41)
    opened.run_cell("w.mask = None")
    flashed(view, 42)
    opened.run_cell("w.temperature = 0.5")
    flashed(view, 42)
    opened.run_cell("w.seed = 6")
    flashed(view, 42)
    # The query alone has another row.
    opened.run_cell("Q = w.Q.copy(); Q[0, 3, 2] += 1; w.Q = Q")
    flashed(view, 7)
    # A masked score keeps its number, and only the masked cell changes.
    opened.run_cell("w.quantity = 'scores'")
    view.click(1, 2)
    flashed(view, 1)


def test_a_mistake_flashes_when_its_numbers_come(view, opened):
    opened.run_cell("w.mistake = 'wrong-axis'")
    flashed(view, 42)
    view.click(2, 3)
    # A softmax by column: the weights of the column change when Python has computed them again.
    flashed(view, 6)


def test_a_stroke_lights_up_when_the_pointer_is_lifted(view, opened):
    mouse = opened.page.mouse
    box = view.over.bounding_box()
    for i, cell in enumerate([(1, 1), (2, 1), (3, 1)]):
        x, y = view.at(*cell)
        mouse.move(box["x"] + x, box["y"] + y)
        if i == 0:
            mouse.down()
    view.masked(3, 42)
    view.settled()
    expect(view.map).to_have_attribute("data-flashed", "none")
    mouse.up()
    flashed(view, 21)


def test_the_rows_of_an_earlier_stroke_lose_their_difference(view, opened):
    view.click(0, 0)
    delta(view).click()
    mouse = opened.page.mouse
    box = view.over.bounding_box()
    for row in (1, 2, 3):
        x, y = view.at(row, 1)
        mouse.move(box["x"] + x, box["y"] + y)
        if row == 1:
            mouse.down()
        view.masked(1 + row, 42)
        # Each row is painted in a frame of its own.
        opened.page.evaluate("() => new Promise(requestAnimationFrame)")
    mouse.up()
    still(view)
    neutral = view.pixel(4, 1)
    for row in (1, 2, 3):
        assert view.pixel(row, 1) != neutral
    view.click(5, 1)
    still(view)
    assert view.pixel(5, 1) != neutral
    # Only query 5 differs from the state before the last edit.
    for row in (1, 2, 3):
        for key in (0, 2, 6):
            assert view.pixel(row, key) == neutral


def test_another_map_does_not_flash(view, opened):
    view.click(4, 1)
    flashed(view, 7)
    for command in (
        "w.quantity = 'value-norm'",
        "w.quantity = 'attention'",
        "w.head = 1",
        "w.view = 'steps'",
        "w.view = 'heatmap'",
        "w.head = 0",
        "w.tokens = 'Six other tokens are here now'",
        "w.tokens = 'The cat sat on the mat'",
    ):
        revision = opened.run_cell(f"{command}\nprint(w.revision)")
        expect(view.root).to_have_attribute("data-revision", revision.strip())
        for _ in range(2):
            opened.page.evaluate("() => new Promise(requestAnimationFrame)")
        lit = view.root.locator("[data-flashed]").evaluate_all(
            "all => all.map(a => +a.dataset.flashed)"
        )
        assert not any(count > 0 for count in lit), command
        assert view.root.locator(".aw-flash").count() == 0, command


def test_nothing_flashes_for_those_who_want_no_motion(view, opened):
    opened.page.emulate_media(reduced_motion="reduce")
    view.click(4, 1)
    expect(view.map).to_have_attribute("data-flashed", "0")
    assert view.root.locator(".aw-flash").count() == 0
    opened.page.emulate_media(reduced_motion="no-preference")


def bars(view):
    return view.root.locator(".aw-bar").evaluate_all(
        """bars => bars.map(bar => {
          const [fill, ghost] = ['fill', 'ghost'].map(
            name => bar.querySelector(`.aw-bar-${name}`).getBoundingClientRect());
          return { now: bar.dataset.value, before: bar.dataset.before, title: bar.title,
                   width: fill.width, ghost: ghost.width, left: ghost.left - fill.left };
        })"""
    )


@pytest.mark.parametrize("quantity", ["attention", "value-norm"])
def test_a_bar_keeps_a_ghost_of_its_number_until_the_next_edit(view, opened, quantity):
    opened.run_cell(f"w.quantity = {quantity!r}")
    values = opened.run_cell("print(json.dumps(w.V[0].tolist()))")
    lengths = np.linalg.norm(json.loads(values), axis=1)
    factors = lengths if quantity == "value-norm" else np.ones(7)
    before = weights(opened)[4] * factors
    now = weights(opened, masked((4, 1)))[4] * factors
    view.click(4, 1)
    view.hover(4, 1)
    got = bars(view)
    longest = max(now.max(), before.max())
    unit = max(max(bar["ghost"] for bar in got), max(b["width"] for b in got if b["now"]))
    for key, bar in enumerate(got):
        assert float(bar["before"]) == pytest.approx(before[key], abs=1e-5)
        assert bar["ghost"] == pytest.approx(before[key] / longest * unit, abs=2)
        assert abs(bar["left"]) < 1
        number = float(bar["title"].removeprefix("before the last edit ").replace("−", "-"))
        assert number == pytest.approx(before[key], abs=6e-4)
    ghost = view.root.locator(".aw-bar-ghost").nth(1)
    expect(ghost).to_have_attribute("aria-label", got[1]["title"])
    # The next edit leaves this row alone.
    view.click(2, 2)
    view.hover(4, 1)
    assert {bar["before"] for bar in bars(view)} == {""}
    assert view.root.locator(".aw-bar-ghost:visible").count() == 0
    view.hover(2, 2)
    assert float(bars(view)[2]["before"]) == pytest.approx(
        (weights(opened)[2] * factors)[2], abs=1e-5
    )


def sign(color):
    """1 for red, −1 for blue, 0 for the neutral colour."""
    red, _, blue, _ = color
    return 0 if abs(red - blue) < 12 else 1 if red > blue else -1


def check_difference(view, before, now):
    """Compare the map, the panel and the words of each cell with a difference."""
    largest = np.abs(now - before).max()
    for q, k in np.ndindex(before.shape):
        by = now[q, k] - before[q, k]
        if abs(by) > 0.15 * largest:
            assert sign(view.pixel(q, k)) == np.sign(by), (q, k)
        elif by == 0:
            assert sign(view.pixel(q, k)) == 0, (q, k)
    q, k = np.unravel_index(np.abs(now - before).argmax(), before.shape)
    view.hover(int(q), int(k))
    line = view.root.locator(".aw-formula > div").last
    expect(line).to_contain_text("before ")
    view.notebook.run_cell(f"w.selection = ({q}, {k})")
    cell = view.root.locator(".aw-gridcell")
    expect(view.map).to_have_attribute("data-active", f"{q},{k}")
    words = [line.inner_text(), cell.get_attribute("aria-label")]
    for text in words:
        text = text.split("; ")[-1]
        numbers = [float(t.strip(",:").replace("−", "-")) for t in text.split() if t[-1:] != "Δ"
                   and any(c.isdigit() for c in t)]  # fmt: skip
        want = [before[q, k], now[q, k], now[q, k] - before[q, k]]
        assert numbers == pytest.approx(want, rel=6e-3, abs=6e-3), text


def test_the_map_shows_the_difference_to_the_state_before_an_edit(view, opened):
    opened.page.evaluate(WRITTEN)
    before = weights(opened)
    view.click(4, 1)
    still(view)
    delta(view).click()
    expect(delta(view)).to_have_attribute("aria-pressed", "true")
    now = weights(opened, masked((4, 1)))
    check_difference(view, before, now)
    written = opened.page.evaluate("() => window.written")
    assert "Δ attention: now − before the edit" in written
    assert f"−{before[4, 1]:.2f}" in written
    assert f"+{now[4, 2] - before[4, 2]:.2f}" in written
    expect(view.root.locator(".aw-about")).to_contain_text("Δ: attention now minus before")
    # The next edit is compared with the state before it: the rows of the last edit are neutral.
    view.click(2, 3)
    still(view)
    check_difference(view, now, weights(opened, masked((4, 1), (2, 3))))
    assert sign(view.pixel(4, 1)) == 0
    # Words: the masked cell has its difference.
    label = view.root.locator(".aw-gridcell").get_attribute("aria-label")
    assert label == f"sat → sur masked; before {now[2, 3]:.2f}, now 0: Δ = −{now[2, 3]:.2f}"
    scale = view.root.get_by_role("radiogroup", name="colour scale")
    expect(scale.get_by_role("radio", name="row")).to_be_disabled()
    delta(view).click()
    expect(view.root.get_by_role("radio", name="0–1")).to_have_attribute("aria-checked", "true")
    assert view.root.locator(".aw-gridcell").get_attribute("aria-label") == "sat → sur masked"


@pytest.mark.parametrize("quantity", ["scores", "value-norm", "output-shift"])
def test_the_difference_of_another_quantity(view, opened, quantity):
    opened.run_cell("""
V = w.V[0]
def quantities():
    return {"scores": w.scores[0], "output-shift": w.output_shift[0],
            "value-norm": w.attention[0] * np.linalg.norm(w.V[0], axis=1)}
import json

import numpy as np
old = quantities()
""")
    opened.run_cell("Q = w.Q.copy(); Q[0] *= 0.5; w.Q = Q; w.quantity = " + repr(quantity))
    still(view)
    delta(view).click()
    source = "print(json.dumps([a[{0}].tolist() for a in (old, quantities())]))"
    before, now = np.array(json.loads(opened.run_cell(source.format(repr(quantity)))))
    check_difference(view, before, now)


def test_the_switch_is_kept_and_says_why_it_is_disabled(view, opened):
    opened.run_cell("w.head = 1")
    expect(view.root).to_have_attribute("data-head", "1")
    expect(delta(view)).to_have_attribute("aria-disabled", "true")
    expect(delta(view)).to_have_attribute(
        "title", "there is no edit yet whose difference could be shown"
    )
    delta(view).click(force=True)
    expect(delta(view)).to_have_attribute("aria-pressed", "false")
    view.click(4, 1)
    still(view)
    expect(delta(view)).to_have_attribute("aria-disabled", "false")
    delta(view).click()
    opened.run_cell("w.view = 'steps'")
    expect(view.root.locator(".aw-steps")).to_be_visible()
    expect(delta(view)).to_have_attribute("aria-pressed", "true")
    opened.run_cell("w.view = 'heatmap'")
    expect(view.map).to_be_visible()
    expect(delta(view)).to_have_attribute("aria-pressed", "true")
    assert sign(view.pixel(4, 1)) == -1
    # The effect before a mistake was switched off is not known.
    opened.run_cell("w.mistake = 'no-scale'")
    still(view)
    opened.run_cell("w.mistake = None; w.quantity = 'output-shift'")
    still(view)
    expect(delta(view)).to_have_attribute("title", "effect before the last edit is not known")
    expect(view.root.locator(".aw-about")).to_contain_text("Effect:")
    opened.run_cell("w.quantity = 'attention'")
    expect(delta(view)).to_have_attribute("aria-pressed", "true")
    delta(view).click()


def test_the_difference_is_neutral_in_the_dark_too(view, opened):
    view.click(4, 1)
    still(view)
    delta(view).click()
    opened.set_theme("dark")
    expect(view.root).to_have_attribute("data-theme", "dark")
    opened.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert view.pixel(0, 0)[:3] == pytest.approx((0x26, 0x27, 0x2D), abs=2)
    assert sign(view.pixel(4, 1)) == -1
    opened.set_theme("light")
    expect(view.root).to_have_attribute("data-theme", "light")
    delta(view).click()
