"""High contrast: the user's own colours replace those of the page, and the card stays readable."""

from __future__ import annotations

import pytest
from mapview import MapView
from playwright.sync_api import expect

CELL = """from attnwidget import AttentionWidget
w = AttentionWidget("The cat sat on the mat", n_heads=2, d_k=3, presets="causal")
w"""
# The contrast (WCAG) of the background with the ink that differs most, in a part of a canvas.
CONTRAST = r"""(canvas, [x, y, width, height]) => {
  const probe = document.body.appendChild(document.createElement('i'));
  probe.style.cssText = 'color: Canvas; forced-color-adjust: none';
  const paper = getComputedStyle(probe).color.match(/[\d.]+/g).map(Number);
  probe.remove();
  const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const scale = canvas.width / canvas.getBoundingClientRect().width;
  const box = [x, y, width, height].map(number => Math.round(number * scale));
  const { data } = canvas.getContext('2d').getImageData(...box);
  let best = 1;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] < 250) continue;
    const [a, b] = [light(paper), light(data.slice(at, at + 3))];
    best = Math.max(best, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return best;
}"""
COLOR = "(element, name) => getComputedStyle(element)[name]"


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([CELL])


@pytest.fixture(params=["light", "dark"])
def view(request, opened):
    """The card, drawn before the colours are forced."""
    opened.run_cell("w.view = 'heatmap'; w.selection = (3, 1)")
    view = MapView(opened)
    expect(view.root).to_have_attribute("data-view", "heatmap")
    # A light page has dark forced colours as well: the colours of the user win.
    opened.page.emulate_media(forced_colors="active", color_scheme=request.param)
    expect(view.root).to_have_attribute("data-theme", request.param)
    yield view
    opened.page.emulate_media(forced_colors="null", color_scheme="null")
    expect(view.root).to_have_attribute("data-theme", "light")


def test_labels_of_the_map_can_be_read(view):
    left, top = (float(view.map.get_attribute(f"data-{side}")) for side in ("left", "top"))
    size = 6 * float(view.map.get_attribute("data-cell"))
    for area in ([22, top, left - 30, size], [left, 24, size, top - 30]):
        view.notebook.page.wait_for_function(
            f"([canvas, area]) => ({CONTRAST})(canvas, area) > 7",
            arg=[view.base.element_handle(), area],
        )


def test_masked_cells_are_hatched_and_bars_have_colours(view):
    paper = view.root.evaluate(COLOR, "backgroundColor")
    # A cell above the diagonal is masked: its hatch is seen on the colour of the page.
    x, y = view.at(0, 4)
    cell = float(view.map.get_attribute("data-cell"))
    area = [x - cell / 3, y - cell / 3, cell * 2 / 3, cell * 2 / 3]
    view.notebook.page.wait_for_function(
        f"([canvas, area]) => ({CONTRAST})(canvas, area) > 2.5",
        arg=[view.base.element_handle(), area],
    )
    bars = view.root.locator(".aw-bar:not(.aw-bar-masked) .aw-bar-fill:visible")
    assert bars.count() == 4
    for bar in bars.all():
        assert bar.evaluate(COLOR, "backgroundColor") not in (paper, "rgba(0, 0, 0, 0)")


def test_a_choice_that_is_on_differs_from_the_others(view):
    radios = view.root.locator(".aw-segmented button:visible")
    backgrounds = {
        state: {
            radio.evaluate(COLOR, "backgroundColor")
            for radio in radios.all()
            if radio.get_attribute("aria-checked") == state
        }
        for state in ("true", "false")
    }
    assert backgrounds["true"]
    assert backgrounds["true"].isdisjoint(backgrounds["false"])


@pytest.mark.parametrize("name", ["steps", "neuron", "lines"])
def test_labels_of_the_other_views_can_be_read(view, opened, name):
    opened.run_cell(f"w.view = {name!r}")
    canvas = {
        "steps": '[data-name="attention"] .aw-grid > canvas:not(.aw-flash)',
        "neuron": ".aw-neuron .aw-lines canvas",
        "lines": ".aw-lines canvas",
    }[name]
    element = view.root.locator(canvas).first
    expect(element).to_be_visible()
    # The names of the queries are at the left of each picture.
    width = {"steps": 24, "neuron": 110, "lines": 40}[name]
    view.notebook.page.wait_for_function(
        f"canvas => ({CONTRAST})(canvas, [0, 0, {width}, 120]) > 7", arg=element.element_handle()
    )
