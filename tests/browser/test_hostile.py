"""Hostile text in a notebook: nothing runs, nothing is asked for, nothing leaves a card's box."""

from __future__ import annotations

import nbformat
import pytest
from harmless import harmless
from hostile import HOSTILE, TITLE
from playwright.sync_api import expect

MAKE = f"""from attnwidget import AttentionWidget
HOSTILE, TITLE, HUGE = {HOSTILE!r}, {TITLE!r}, "y" * 1_000_000
w = AttentionWidget(HOSTILE, title=TITLE, n_heads=2, selection=(2, 3))
c = AttentionWidget.compare(w, AttentionWidget(HOSTILE[2:], n_heads=2), labels=(TITLE, TITLE[9:]))
h = AttentionWidget([HUGE, "b", "c"], title=HUGE[:-9], n_heads=2, selection=(0, 2))"""
# Traits of a saved card that no Python has written.
TAMPERED = {
    "title": "<img src=x onerror=\"globalThis.ran = 'title'\">",
    "subtitle": {"toString": "<b>bold</b>"},
    "notice": "<img src=x onerror=\"globalThis.ran = 'notice'\">",
    "view": "__proto__",
    "presets": {"__proto__": {"polluted": True}, "constructor": {"prototype": {"polluted": True}}},
    "overridden": {"__proto__": [0, 1]},
    "layers": [{"index": "javascript:globalThis.ran=1", "stack": "<b>bold</b>", "n_heads": 1e9}],
    "history": ["<script>globalThis.ran = 'history'</script>", 1e308],
    "selection": [1e9, -1],
}
TRUST = """() => {
  for (const cell of jupyterapp.shell.currentWidget.content.model.cells) cell.trusted = true;
}"""
MODULE = "globalThis.evaluated = true; export default {}"
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([MAKE, "w", "c", "h"])


@pytest.mark.parametrize("name", ["heatmap", "steps", "lines", "neuron", "grid"])
def test_tokens_and_titles_are_text_in_every_view(opened, name):
    opened.run_cell(f"w.view = h.view = {name!r}")
    for i in (0, 2):
        card = opened.widget(i)
        expect(card).to_have_attribute("data-view", name)
        expect(card.locator(".aw-alert")).to_be_hidden()
        harmless(opened.page, card)


def test_a_title_without_enough_room_loses_its_end_and_never_its_start(opened):
    opened.set_room(1000)
    card = opened.widget(0)
    title, row = (card.locator(name).bounding_box() for name in (".aw-title", ".aw-titles"))
    opened.set_room(None)
    assert title["width"] > 300
    assert title["x"] >= row["x"]


def test_a_comparison_is_text(opened):
    opened.run_cell("c.selection = (2, 3)")
    harmless(opened.page, opened.widget(1))


def test_the_saved_state_of_an_untrusted_notebook_can_only_be_drawn(opened, lab):
    saved = opened.save()
    cards = saved.metadata.widgets[STATE]["state"]
    shown, _, module = (
        cards[cell.outputs[0].data[VIEW]["model_id"]]["state"] for cell in saved.cells[1:]
    )
    shown.update(TAMPERED)
    module["_esm"] = MODULE
    path = opened.path.with_name("tampered.ipynb")
    nbformat.write(saved, path)
    again = lab.open(path, start=True, fresh=True)
    # JupyterLab and anywidget evaluate the module of a saved card, without trust. If this line
    # fails, they have mended it, and the README has to say so.
    again.page.wait_for_function("() => globalThis.evaluated === true")
    expect(again.page.locator(".aw-root")).to_have_count(0)
    again.page.evaluate(TRUST)
    root = again.page.locator(".aw-root").first
    expect(root).to_be_visible()
    harmless(again.page, root)
    # A card says that it cannot draw values of a wrong type, and logs the error.
    problems = lab.problems()
    assert [each for each in problems if not each.startswith("console error: TypeError")] == []
    if problems:
        expect(root.locator(".aw-alert").first).to_contain_text("This view failed: ")
