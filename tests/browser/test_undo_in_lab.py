"""Undo belongs to the card: its keys work from every element and never reach the notebook."""

from __future__ import annotations

import pytest
from mapview import MapView
from playwright.sync_api import expect

CELL = """from attnwidget import AttentionWidget
w = AttentionWidget('The cat sat on the mat', d_k=3)
w"""
SOURCE = """() => jupyterapp.shell.currentWidget.content.widgets[1].model.sharedModel.getSource()"""
# Elements that take the focus, marked so that each can be found again.
FOCUSABLE = """root => {
  const every = [...root.querySelectorAll('button, select, input, summary, [tabindex="0"]')]
    .filter(element => element.checkVisibility() && !element.disabled);
  every.forEach((element, i) => { element.dataset.focusable = i; });
  return every.length;
}"""
REACHED = """() => {
  globalThis.reached = 0;
  document.addEventListener('keydown', event => { if (event.key === 'z') reached += 1; });
}"""


@pytest.fixture(scope="module")
def opened(module_lab):
    notebook = module_lab.notebook([CELL, "pass"])
    MapView(notebook).root.locator(".aw-experiments > summary").click()
    notebook.page.evaluate(REACHED)
    return notebook


@pytest.fixture
def view(opened):
    opened.run_cell("w.view = 'heatmap'; w.mask = None; w.temperature = 1\nwhile w.undo(): pass")
    opened.run_cell("w.mask = None; w.temperature = 1")
    opened.page.evaluate("reached = 0")
    view = MapView(opened)
    expect(view.root).to_have_attribute("data-view", "heatmap")
    view.masked(0, 36)
    return view


def causal(view):
    return view.root.get_by_role("button", name="causal", exact=True)


def test_the_code_of_a_cell_is_not_undone(view, opened):
    editor = opened.page.locator(".jp-CodeCell .cm-content").nth(1)
    editor.click()
    opened.page.keyboard.type("abc = 1")
    typed = opened.page.evaluate(SOURCE)
    assert "abc = 1" in typed
    causal(view).click()
    view.masked(15, 36)
    opened.page.keyboard.press("Control+z")
    view.masked(0, 36)
    # There is nothing left to undo: the key still belongs to the card.
    for key in ("Control+z", "Control+z", "Control+Shift+z", "Control+z", "Control+y"):
        opened.page.keyboard.press(key)
    view.masked(15, 36)
    view.settled()
    opened.run_until("print(int(w.mask.sum()))", "15")
    assert opened.page.evaluate(SOURCE) == typed


@pytest.mark.parametrize("name", ["heatmap", "steps", "lines", "neuron"])
def test_from_every_element(view, opened, name):
    opened.run_cell(f"w.view = {name!r}")
    expect(view.root).to_have_attribute("data-view", name)
    count = view.root.evaluate(FOCUSABLE)
    assert count > 20
    clear = view.root.get_by_label("clear the mask")
    for i in range(count):
        causal(view).evaluate("button => button.click()")
        expect(clear).to_have_attribute("aria-disabled", "false")
        view.root.evaluate(f"root => root.querySelector('[data-focusable=\"{i}\"]').focus()")
        opened.page.keyboard.press("Control+z")
        expect(clear).to_have_attribute("aria-disabled", "true")
    assert opened.page.evaluate("reached") == 0
    view.settled()


def test_text_that_is_not_sent_has_its_own_undo(view, opened):
    causal(view).click()
    view.masked(15, 36)
    box = view.root.get_by_label("sentence", exact=True)
    box.focus()
    box.press("End")
    opened.page.keyboard.type(" now")
    expect(box).to_have_value("The cat sat on the mat now")
    opened.page.keyboard.press("Control+z")
    expect(box).not_to_have_value("The cat sat on the mat now")
    view.masked(15, 36)
    assert opened.page.evaluate("reached") == 0
    box.press("Escape")
    expect(box).to_have_value("The cat sat on the mat")
    # The text is Python's again, so the key is the card's again.
    box.press("Control+z")
    view.masked(0, 36)


def test_a_drag_of_the_slider_is_one_step(view, opened):
    slider = view.root.get_by_label("temperature", exact=True)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    values = []
    for stops in ((0.4, 0.5, 0.6, 0.7), (0.6, 0.5, 0.45)):
        middle = box["y"] + box["height"] / 2
        opened.page.mouse.move(box["x"] + box["width"] * stops[0], middle)
        opened.page.mouse.down()
        for stop in stops[1:]:
            opened.page.mouse.move(box["x"] + box["width"] * stop, middle, steps=3)
            view.settled()
        opened.page.mouse.up()
        view.settled()
        values.append(slider.input_value())
    assert len({"1", *values}) == 3
    undo = view.root.get_by_label("undo (Ctrl+Z)")
    for value in (values[0], "1"):
        undo.click()
        expect(slider).to_have_value(value)
        view.settled()
        opened.run_until("print(w.temperature)", str(float(value)))


def test_ticks_of_arrow_keys_at_once_are_one_step(view, opened):
    slider = view.root.get_by_label("temperature", exact=True)
    slider.focus()
    for _ in range(4):
        opened.page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("1.2")
    view.settled()
    opened.page.keyboard.press("Control+z")
    expect(slider).to_have_value("1")
    view.settled()
    opened.run_until("print(w.temperature)", "1.0")
