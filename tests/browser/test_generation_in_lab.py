"""A text that is generated in a running cell: the stop button, the newest row, the text."""

from __future__ import annotations

import re

import pytest
from mapview import MapView
from playwright.sync_api import expect
from test_axe import AXE, breaches
from test_positions import Places
from test_writing_in_lab import ENDLESS, LOAD, REVERSE, RUN

RUNNING = "e = write(480)\nafter = 'the cell went on'"
MANY_ROWS = re.compile(r"^([3-9]\d|\d{3})$")

# For each size of the map: whether the cell runs, and how far the map's end is below the window.
RECORD = """() => {
  globalThis.grown = [];
  globalThis.recorder?.disconnect();
  const panel = jupyterapp.shell.currentWidget;
  globalThis.recorder = new MutationObserver(() => {
    const map = panel.node.querySelector('.aw-root .aw-map');
    const windowed = panel.node.querySelector('.jp-WindowedPanel-outer');
    if (!map || grown.at(-1)?.rows === map.ariaRowCount) return;
    grown.push({
      rows: map.ariaRowCount,
      isBusy: panel.content.widgets.some(cell => cell.model.executionState === 'running'),
      below: map.getBoundingClientRect().bottom - windowed.getBoundingClientRect().bottom,
      scrolled: windowed.scrollTop,
    });
  });
  recorder.observe(document.body, { subtree: true, attributeFilter: ['aria-rowcount'] });
}"""
# Whether a part of a canvas, in CSS pixels, has a pixel of the accent colour.
HAS_ACCENT = """(canvas, [x, y, width, height]) => {
  const accent = getComputedStyle(canvas).getPropertyValue('--aw-accent').trim();
  const wanted = [1, 3, 5].map(at => parseInt(accent.slice(at, at + 2), 16));
  const scale = canvas.width / canvas.getBoundingClientRect().width;
  const box = [x, y, width, height].map(number => Math.round(number * scale));
  const { data } = canvas.getContext('2d').getImageData(...box);
  for (let at = 0; at < data.length; at += 4) {
    if (wanted.every((part, i) => Math.abs(data[at + i] - part) < 12) && data[at + 3] > 200)
      return true;
  }
  return false;
}"""


def generating(lab, code, **options):
    """A notebook whose cell generates, and its card, when the map has some rows."""
    notebook = lab.notebook([code], run=False, **options)
    notebook.run_cell(LOAD, timeout=90_000)
    notebook.page.evaluate(RECORD)
    notebook.page.evaluate(RUN, 0)
    view = MapView(notebook)
    expect(view.map).to_have_attribute("aria-rowcount", MANY_ROWS)
    return notebook, view


def state_of(view, state):
    expect(view.root.locator(".aw-generated")).to_have_attribute("data-state", state)


def test_the_button_stops_a_running_cell_and_keeps_the_rows(lab):
    notebook, view = generating(lab, RUNNING)
    stop = view.root.get_by_role("button", name="stop", exact=True)
    expect(stop).to_have_attribute("aria-disabled", "false")
    stop.click()
    state_of(view, "stopped")
    expect(view.root.get_by_role("button", name="stop", exact=True)).to_have_count(0)
    told = notebook.run_cell(
        "g = e.generation\nprint(g.state, len(g.tokens), len(e.tokens), after)"
    )
    state, tokens, rows, after = told.split(maxsplit=3)
    assert (state, after) == ("stopped", "the cell went on")
    assert int(rows) == int(tokens) + 4  # five tokens of the prompt, and the last is not read
    assert 30 <= int(rows) < 480
    expect(view.root.locator(".aw-generated-bar")).to_contain_text(f"stopped after{tokens} tokens")
    expect(view.map).to_have_attribute("aria-rowcount", rows)


def test_the_newest_row_stays_in_view_until_the_reader_scrolls_away(lab):
    notebook, view = generating(lab, RUNNING, viewport=(1366, 680))
    notebook.page.wait_for_function("grown.length > 6")
    followed = notebook.page.evaluate("grown")[1:]
    assert all(one["isBusy"] for one in followed)
    assert max(one["below"] for one in followed) <= 1
    assert followed[-1]["scrolled"] > 0  # the map is higher than the window
    # The button has come along.
    stop = view.root.get_by_role("button", name="stop", exact=True)
    expect(stop).to_be_in_viewport()
    notebook.page.mouse.move(700, 400)
    notebook.page.mouse.wheel(0, -400)
    before = "grown.at(-1).below > 100 && grown.at(-1).rows"
    rows = int(notebook.page.wait_for_function(before).json_value())
    notebook.page.wait_for_function("rows => Number(grown.at(-1).rows) > rows + 20", arg=rows)
    grown = [one for one in notebook.page.evaluate("grown") if int(one["rows"]) > rows]
    assert all(one["isBusy"] for one in grown)
    assert {one["scrolled"] for one in grown} == {grown[0]["scrolled"]}
    stop.click()
    state_of(view, "stopped")


def test_the_newest_words_stay_in_view_until_the_reader_scrolls_back_in_the_text(lab):
    notebook, view = generating(lab, RUNNING)
    notebook.set_room(326)
    text = view.root.locator(".aw-generated-text")
    below = "text => text.scrollHeight - text.scrollTop - text.clientHeight"
    assert text.evaluate("text => text.scrollHeight > text.clientHeight")
    assert text.evaluate(below) <= 1
    view.root.get_by_role("button", name="unfold").click()
    longer = "text => text.scrollHeight > text.clientHeight + 40"
    notebook.page.wait_for_function(longer, arg=text.element_handle())
    assert text.evaluate(below) <= 1
    text.evaluate("text => { text.scrollTop = 0 }")
    rows = int(view.map.get_attribute("aria-rowcount"))
    notebook.page.wait_for_function("rows => Number(grown.at(-1).rows) > rows + 10", arg=rows)
    assert text.evaluate("text => text.scrollTop") == 0
    view.root.get_by_role("button", name="stop", exact=True).click()
    state_of(view, "stopped")
    notebook.set_room(None)


def test_the_newest_row_of_the_lines_stays_in_view(lab):
    options = 'generate={"max_new_tokens": 200, "min_new_tokens": 200}, layer=2, view="lines"'
    code = f'e = AttentionWidget.from_model(writer, tokenizer, "the cat sat", {options})'
    notebook = lab.notebook([code], run=False)
    notebook.run_cell(LOAD, timeout=90_000)
    notebook.page.evaluate(RUN, 0)
    root = notebook.widget(0)
    box = root.locator(".aw-lines")
    higher = "box => box.scrollHeight > box.clientHeight + 200"
    notebook.page.wait_for_function(higher, arg=box.element_handle())
    state_of(MapView(notebook), "running")
    below = "box => box.scrollHeight - box.scrollTop - box.clientHeight"
    assert box.evaluate(below) <= 1
    box.evaluate("box => { box.scrollTop = 22 }")
    height = box.evaluate("box => box.scrollHeight")
    longer = "([box, height]) => box.scrollHeight > height + 100"
    notebook.page.wait_for_function(longer, arg=[box.element_handle(), height])
    assert box.evaluate("box => box.scrollTop") == 22
    root.get_by_role("button", name="stop", exact=True).click()
    expect(root.locator(".aw-generated")).to_have_attribute("data-state", "stopped")


def test_controls_keep_their_place_while_the_text_grows(lab):
    _, view = generating(lab, ENDLESS, viewport=(1400, 1600))
    places = Places(view)
    places.note("running", settled=False)
    assert view.root.locator(".aw-generated").get_attribute("data-state") == "running"
    view.root.get_by_role("button", name="stop", exact=True).click()
    state_of(view, "stopped")
    places.note("done")
    view.root.get_by_role("radio", name="Lines").click()
    places.note("lines")
    # The controls of the body and the panel of the effect are under the map, which grows.
    under = ("div.aw-body[", "section.aw-run[")
    assert [line for line in places.moved() if not any(part in line for part in under)] == []
    assert "map" in places.places["done"]


@pytest.fixture(scope="module")
def finished(module_lab):
    notebook = module_lab.notebook(["e = write(60)", REVERSE], run=False)
    notebook.run_cell(LOAD, timeout=90_000)
    for cell in range(2):
        notebook.rerun_cell(cell)
    yield notebook
    notebook.set_theme("light")


def top_of_map(view):
    """How far the map is below the top of the card."""
    return view.map.bounding_box()["y"] - view.root.bounding_box()["y"]


def test_the_text_is_folded_after_two_lines(finished):
    view = MapView(finished, 0)
    text = view.root.locator(".aw-generated-text")
    expect(text).to_have_css("height", "44px")
    top = top_of_map(view)
    view.root.get_by_role("button", name="unfold").click()
    unfolded = text.bounding_box()["height"]
    assert unfolded >= 66
    assert text.evaluate("text => text.scrollHeight <= text.clientHeight")
    assert top_of_map(view) == pytest.approx(top + unfolded - 44, abs=1)
    view.root.get_by_role("button", name="fold", exact=True).click()
    expect(text).to_have_css("height", "44px")
    short = MapView(finished, 1).root
    expect(short.get_by_role("button", name="unfold")).to_have_count(0)


def test_each_token_shows_its_probability(finished):
    view = MapView(finished, 1)
    wanted = [float(p) for p in finished.run_cell("print(*r.generation.probabilities)").split()]
    tokens = finished.run_cell("print(*r.generation.tokens)").split()
    assert tokens == ["k", "c", "a", "t", "s", "</s>"]
    spans = view.root.locator(".aw-generated-text > span + span")
    value = view.root.locator(".aw-generated-value")
    for i, (token, probability) in enumerate(zip(tokens, wanted, strict=True)):
        spans.nth(i).hover()
        expect(value).to_have_text(f"“{token}” probability {probability:.3f}")
        width = spans.nth(i).evaluate("span => Number(span.style.getPropertyValue('--p'))")
        assert width == pytest.approx(probability, abs=1e-6)
    finished.page.mouse.move(0, 0)
    expect(value).to_be_empty()
    view.root.locator(".aw-generated-text").focus()
    finished.page.keyboard.press("ArrowRight")
    expect(value).to_contain_text("“k” probability")
    finished.page.keyboard.press("ArrowRight")
    expect(value).to_contain_text("“c” probability")


def test_generated_tokens_have_another_colour_in_the_map_and_in_the_lines(finished):
    view = MapView(finished, 0)
    left, top, cell = (
        float(view.map.get_attribute(f"data-{name}")) for name in ("left", "top", "cell")
    )
    step = 2 if cell < 15 else 1
    rows = {}
    for row in (2 * step, 5 * step, 9 * step):
        box = [20, top + row * cell - 2, left - 26, cell + 4]
        rows[row] = view.base.evaluate(HAS_ACCENT, box)
    assert rows == {row: row >= 5 for row in rows}
    view.root.get_by_role("radio", name="Lines").click()
    lines = view.root.locator(".aw-lines-view")
    expect(lines).to_have_attribute("data-painted", re.compile(r"\d"))
    canvas = lines.locator("canvas")
    left, right = (float(lines.get_attribute(f"data-{name}")) for name in ("left", "right"))
    for x, width in ((4, left - 10), (right + 4, 40)):
        has = [canvas.evaluate(HAS_ACCENT, [x, row * 22, width, 22]) for row in (1, 4, 5, 9)]
        assert has == [False, False, True, True]
    view.root.get_by_role("radio", name="Heatmap").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_text_breaks_no_rule_of_accessibility(finished, theme):
    finished.set_theme(theme)
    expect(finished.widget(0)).to_have_attribute("data-theme", theme)
    finished.page.add_script_tag(content=AXE.read_text())
    assert breaches(finished, 0) + breaches(finished, 1) == []
