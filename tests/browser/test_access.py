"""Texture beside colour, a zoom of 200 %, and no motion for those who want none."""

from __future__ import annotations

import pytest
from mapview import MapView
from playwright.sync_api import expect
from test_axe import MODEL

CELL = """from attnwidget import AttentionWidget
w = AttentionWidget([f"t{i}" for i in range(64)], d_k=3, presets="causal")
w"""
VIEWS = {
    "w": ("heatmap", "steps", "lines", "neuron"),
    "m": ("heatmap", "steps", "lines", "neuron", "grid"),
}
# The colours in a part of a canvas, of which each is at least a twentieth of the part.
COLORS = """(canvas, [x, y, width, height]) => {
  const scale = canvas.width / canvas.getBoundingClientRect().width;
  const box = [x, y, width, height].map(number => Math.round(number * scale));
  const { data } = canvas.getContext('2d').getImageData(...box);
  const counts = new Map();
  for (let at = 0; at < data.length; at += 4) {
    const tone = data.slice(at, at + 3).map(part => part >> 3).join();
    counts.set(tone, (counts.get(tone) ?? 0) + 1);
  }
  return [...counts.values()].filter(count => count * 80 > data.length).length;
}"""
# What a reader cannot reach: text that is cut off without an ellipsis or a scroll bar, and parts
# that stick out of the card.
CUT = """root => {
  const found = [];
  const card = root.getBoundingClientRect();
  for (const element of root.querySelectorAll('*')) {
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest('.aw-gridrow, .aw-readout, select, svg, [popover]')) continue;
    const style = getComputedStyle(element);
    if (style.clipPath !== 'none') continue;
    const name = `${element.tagName} ${element.className} “${element.textContent.slice(0, 40)}”`;
    const text = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    const isCut = /hidden|clip/.test(style.overflowX) && style.textOverflow !== 'ellipsis';
    if (text && isCut && element.scrollWidth > element.clientWidth + 1) found.push(`cut: ${name}`);
    let scroller = element.parentElement;
    while (scroller !== root && !/auto|scroll/.test(getComputedStyle(scroller).overflowX))
      scroller = scroller.parentElement;
    if (scroller !== root) continue;
    const box = element.getBoundingClientRect();
    if (box.width && (box.right > card.right + 1 || box.left < card.left - 1))
      found.push(`sticks out: ${name}`);
  }
  return found;
}"""


@pytest.mark.parametrize(("width", "small"), [(326, True), (900, False)])
def test_masked_cells_have_a_texture_at_every_size(lab, width, small):
    notebook = lab.notebook([CELL], viewport=(1100, 900))
    notebook.set_room(width)
    view = MapView(notebook)
    expect(view.root).to_have_css("width", f"{width}px")
    cell = float(view.map.get_attribute("data-cell"))
    assert (cell < 6) == small, cell
    x, y = view.at(4, 44)
    side = 16 * cell
    # Above the diagonal every cell is masked: a single colour there would be no texture.
    notebook.page.wait_for_function(
        f"([canvas, area]) => ({COLORS})(canvas, area) >= 2",
        arg=[view.base.element_handle(), [x, y, side, side]],
    )


def test_small_masked_cells_of_a_matrix_have_a_texture(lab):
    notebook = lab.notebook([CELL.replace("presets=", "view='steps', presets=")])
    matrix = notebook.widget().locator('[data-name="attention"]')
    matrix.get_by_role("button", name="show every number").click()
    grid = matrix.locator(".aw-grid")
    expect(grid).to_have_attribute(
        "data-drawn", ",".join(map(str, range(64))) + ";" + ",".join(map(str, range(64)))
    )
    left, top, cw, ch = (
        float(grid.get_attribute(f"data-{n}")) for n in ("left", "top", "cw", "ch")
    )
    assert 3 <= cw < 10
    area = [left + 44 * cw, top + 4 * ch, 16 * cw, 16 * ch]
    notebook.page.wait_for_function(
        f"([canvas, area]) => ({COLORS})(canvas, area) >= 2",
        arg=[grid.locator("canvas").first.element_handle(), area],
    )


def test_a_zoom_of_200_percent_cuts_nothing_off(lab):
    # A laptop of 1366 by 680 at 200 % is a page of half the size with two device pixels each.
    notebook = lab.notebook([MODEL, "w", "m", "c"], viewport=(683, 340), dpr=2)
    cut = {}
    for i, (name, views) in enumerate(VIEWS.items()):
        for view in views:
            notebook.run_cell(f"{name}.view = {view!r}")
            root = notebook.widget(i)
            expect(root).to_have_attribute("data-view", view)
            expect(root).to_have_attribute("data-computing", "false")
            if found := root.evaluate(CUT):
                cut[name, view] = found
    if found := notebook.widget(2).evaluate(CUT):
        cut["comparison"] = found
    assert not cut, "\n".join(f"{at}: {line}" for at, lines in cut.items() for line in lines)
    page = notebook.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert page <= 0


def test_nothing_moves_for_those_who_want_no_motion(lab):
    notebook = lab.notebook([CELL])
    view = MapView(notebook)
    notebook.page.emulate_media(reduced_motion="reduce")
    try:
        notebook.page.evaluate(
            """() => {
              globalThis.moved = [];
              document.addEventListener(
                'animationstart', event => moved.push(event.animationName), { capture: true });
            }"""
        )
        view.click(4, 1)
        view.masked(2017, 4096)
        # The bar of an answer that is awaited.
        view.root.evaluate("root => { root.dataset.computing = 'true'; }")
        notebook.page.evaluate("() => new Promise(requestAnimationFrame)")
        running = view.root.evaluate(
            """root => root.getAnimations({ subtree: true })
              .filter(animation => animation instanceof CSSAnimation)
              .map(animation => animation.animationName)"""
        )
        assert running + notebook.page.evaluate("() => moved") == []
    finally:
        view.root.evaluate("root => { root.dataset.computing = 'false'; }")
        notebook.page.emulate_media(reduced_motion="null")


def test_the_chosen_words_fit_their_lists_in_a_narrow_card(lab):
    notebook = lab.notebook([MODEL, "m"], viewport=(1100, 900))
    notebook.set_room(326)
    root = notebook.widget()
    expect(root).to_have_css("width", "326px")
    lists = root.locator(".aw-head select:visible")
    expect(lists).to_have_count(4)
    # The room beside the word is for the arrow of the list.
    narrow = lists.evaluate_all(
        """lists => lists.filter(list => {
          const context = document.createElement('canvas').getContext('2d');
          context.font = getComputedStyle(list).font;
          const word = context.measureText(list.selectedOptions[0].textContent).width;
          return word + 19 > list.clientWidth;
        }).map(list => list.selectedOptions[0].textContent)"""
    )
    assert narrow == []
