"""Tokens of every script: Hebrew and Arabic, Chinese and Japanese, emoji, spaces, hostile marks."""

from __future__ import annotations

import re

import pytest
from mapview import MapView
from playwright.sync_api import expect

OVERRIDE = "\u202e"
TOKENS = ["שלום!", "مرحبا", "日本語", "👩\u200d👧", "e\u0301x", OVERRIDE + "abc", "  ", "\n"]
LONG = "נסיון" * 12
CELL = f"""from attnwidget import AttentionWidget
w = AttentionWidget({TOKENS!r}, n_heads=2, d_k=3, selection=(0, 1))
c = AttentionWidget.compare(w, AttentionWidget({[*TOKENS[:4], LONG]!r}, n_heads=2))"""
# Every text that is drawn on a canvas, and its direction.
RECORD = """() => {
  globalThis.drawn = [];
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    const own = this.direction;
    drawn.push([text, own === 'inherit' ? getComputedStyle(this.canvas).direction : own]);
    return fillText.call(this, text, ...rest);
  };
}"""
# The left edges of these parts of the text of an element, on the screen.
EDGES = """(element, parts) => {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const edges = {};
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const part of parts) {
      const at = node.data.indexOf(part);
      if (at < 0 || part in edges) continue;
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, at + part.length);
      edges[part] = range.getBoundingClientRect().left;
    }
  }
  return parts.map(part => edges[part]);
}"""
VIEWS = ("heatmap", "steps", "lines", "neuron", "grid")


@pytest.fixture(scope="module")
def opened(module_lab):
    notebook = module_lab.notebook([CELL, "w", "c"])
    notebook.page.evaluate(RECORD)
    return notebook


def show(opened, name):
    """Show a view, and return its card and the texts that it draws with their directions."""
    root = opened.widget(0)
    other = "steps" if name == "lines" else "lines"
    opened.run_cell(f"w.view = {other!r}")
    expect(root).to_have_attribute("data-view", other)
    opened.page.evaluate("() => { drawn.length = 0; }")
    opened.run_cell(f"w.view = {name!r}")
    expect(root).to_have_attribute("data-view", name)
    # The views draw in the next frame; the grid draws when Python has answered.
    opened.page.wait_for_function("() => drawn.some(([text]) => text.startsWith('שלום'))")
    return root, dict(opened.page.evaluate("() => drawn"))


@pytest.mark.parametrize("name", VIEWS)
def test_labels_are_drawn_in_the_direction_of_their_letters(opened, name):
    _, drawn = show(opened, name)
    assert drawn["שלום!"] == drawn["مرحبا"] == "rtl"
    others = {text: way for text, way in drawn.items() if not re.search("[\u0590-\u08ff]", text)}
    assert {"日本語", "👩\u200d👧", "e\u0301x", "␣␣", "⏎", "·abc"} <= set(others)
    assert set(others.values()) == {"ltr"}


@pytest.mark.parametrize("name", VIEWS)
def test_a_mark_of_a_token_reorders_nothing(opened, name):
    root, drawn = show(opened, name)
    assert OVERRIDE not in "".join(drawn)
    shown = root.evaluate("root => root.innerText + root.outerHTML")
    assert OVERRIDE not in shown


def test_an_arrow_between_tokens_points_from_the_query_to_the_key(opened):
    query, key = "שלום", "مرحبا"
    edges = []
    for name, selector in (("steps", ".aw-of"), ("neuron", ".aw-formula strong")):
        root, _ = show(opened, name)
        element = root.locator(selector).first
        expect(element).to_contain_text(key)
        edges.append(element.evaluate(EDGES, [query, "→", key]))
    comparison = opened.widget(1)
    change = comparison.locator(".aw-compare-changes button span", has_text=query).first
    words = change.text_content()
    first, last = (re.sub("[\u2068\u2069!]", "", part.strip()) for part in words.split("→"))
    edges.append(change.evaluate(EDGES, [first, "→", last]) if first != last else [1, 2, 3])
    for places in edges:
        assert places == sorted(places), edges


def test_a_page_from_right_to_left_leaves_the_card_as_it_is(opened):
    opened.run_cell("w.view = 'heatmap'")
    view = MapView(opened)
    expect(view.root).to_have_attribute("data-view", "heatmap")
    corner = (
        "e => e.getBoundingClientRect().left - e.closest('.aw-root').getBoundingClientRect().left"
    )
    before = view.map.evaluate(corner)
    opened.page.evaluate("() => { document.documentElement.dir = 'rtl'; }")
    try:
        expect(view.root).to_have_css("direction", "ltr")
        assert view.map.evaluate(corner) == pytest.approx(before, abs=1)
    finally:
        opened.page.evaluate("() => { document.documentElement.dir = ''; }")
