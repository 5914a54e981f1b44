"""The card as a guest: the notebook's keys, its scrolling, its layouts, a finger, a lost kernel."""

from __future__ import annotations

import numpy as np
import pytest
from mapview import MapView
from playwright.sync_api import expect
from stepsview import StepsView, ask

MAKE = "from attnwidget import AttentionWidget, causal_mask\n"
WIDGET = MAKE + "w = AttentionWidget('The cat sat on the mat', view='steps')"


@pytest.fixture(scope="module")
def opened(module_lab):
    notebook = module_lab.notebook([WIDGET, "w", "'after'"])
    StepsView(notebook).root.locator(".aw-experiments > summary").click()
    return notebook


@pytest.fixture
def view(opened):
    opened.run_cell("w.reset(); w.mask = None; w.view = 'steps'; w.temperature = 1; w.error = ''")
    view = StepsView(opened)
    expect(view.root).to_have_attribute("data-view", "steps")
    view.settled()
    return view


CELLS = """() => {
  const { widgets, activeCellIndex } = jupyterapp.shell.currentWidget.content;
  const text = ({ model }) => `${model.type} ${model.sharedModel.source}`;
  return [activeCellIndex, ...widgets.map(text)];
}"""


@pytest.mark.parametrize(
    "selector",
    [
        ".aw-mistakes select",
        '[data-name="W_q"] .aw-grid',
        '[data-name="mask"] .aw-grid',
        '.aw-segmented [data-value="steps"]',
        ".aw-presets button",
        '[aria-label="temperature"]',
        '[aria-label="sentence"]',
        ".aw-copy",
    ],
)
def test_the_notebooks_own_keys_stay_out_of_the_card(view, opened, selector):
    before = opened.page.evaluate(CELLS)
    view.root.locator(selector).first.focus()
    for key in ("x", "m", "d", "d", "j", "b", "ArrowUp", "1"):
        opened.page.keyboard.press(key)
    opened.page.keyboard.press("Escape")
    assert opened.page.evaluate(CELLS)[1:] == before[1:]
    expect(view.root).to_be_visible()


def test_arrow_keys_move_the_slider(view, opened):
    view.root.get_by_label("temperature", exact=True).focus()
    opened.page.keyboard.press("ArrowRight")
    opened.run_until("print(round(w.temperature, 6))", "1.05")


def test_the_arithmetic_is_seen_wherever_its_number_is(view, opened):
    opened.page.set_viewport_size({"width": 1100, "height": 560})
    try:
        for name in ("W_q", "attention", "output"):
            view.hover(name, 0, 0)
            expect(view.panel).to_be_in_viewport(ratio=0.9)
    finally:
        opened.page.set_viewport_size({"width": 1100, "height": 900})


def test_a_drag_outlives_another_layout_and_ends_with_its_button(view, opened):
    view.drag("W_q", 1, 1, 20, release=False)
    view.root.evaluate("root => { root.parentElement.style.width = '700px' }")
    expect(view.root.locator(".aw-chart")).to_have_attribute("data-wide", "false")
    opened.page.mouse.move(5, 5)
    opened.page.mouse.up()
    view.root.evaluate("root => { root.parentElement.style.width = '' }")
    expect(view.root.locator(".aw-chart")).to_have_attribute("data-wide", "true")
    view.settled()
    page = view.value("W_q", 1, 1)
    assert ask(opened, "w.W_q[1, 1]") == pytest.approx(page, abs=1e-6)
    # No button is down: the pointer passes over it and nothing changes.
    x, y = view.at("W_q", 1, 1)
    opened.page.mouse.move(x, y)
    opened.page.mouse.move(x + 14, y)
    assert view.value("W_q", 1, 1) == page


def test_escape_breaks_a_drag_off(view, opened):
    before = ask(opened, "w.W_k[0, 0]")
    view.drag("W_k", 0, 0, 60, release=False)
    assert view.panel.get_attribute("data-value") != str(before)
    opened.page.keyboard.press("Escape")
    opened.page.mouse.up()
    assert view.value("W_k", 0, 0) == pytest.approx(before, abs=1e-6)
    assert ask(opened, "w.overridden") == {}


def test_a_swipe_that_scrolls_changes_nothing(view, opened):
    before = ask(opened, "w.W_q.tolist()")
    x, y = view.at("W_q", 1, 1)
    grid = view.grid("W_q")
    point = {"pointerId": 1, "pointerType": "touch", "button": 0, "clientY": y, "bubbles": True}
    # The events of a finger that drifts before the page takes the gesture over.
    grid.evaluate(
        """(grid, [point, x]) => {
          grid.setPointerCapture = () => {};
          for (const [kind, by] of [['down', 0], ['move', 6], ['move', 9], ['cancel', 9]]) {
            grid.dispatchEvent(new PointerEvent(`pointer${kind}`, { ...point, clientX: x + by }));
          }
          delete grid.setPointerCapture;
        }""",
        [point, x],
    )
    view.settled()
    np.testing.assert_array_equal(ask(opened, "w.W_q.tolist()"), before)
    assert view.value("W_q", 1, 1) == pytest.approx(before[1][1], abs=1e-6)


def test_a_slider_moved_fast_never_jumps_back(view, opened):
    seen = view.root.evaluate(
        """async root => {
          const slider = root.querySelector('[aria-label="temperature"]');
          const cell = root.querySelector('.aw-field-temperature output');
          const seen = [];
          for (let T = 1; T <= 3.001; T += 0.05) {
            slider.value = T;
            slider.dispatchEvent(new Event('input', { bubbles: true }));
            await new Promise(requestAnimationFrame);
            seen.push(Number(cell.textContent));
          }
          return seen;
        }"""
    )
    assert seen == sorted(seen)
    view.settled()
    opened.run_until("print(w.temperature)", "3.0")
    scores = np.array(ask(opened, "w.scores.tolist()"))
    want = np.exp(scores / 3) / np.exp(scores / 3).sum(axis=1, keepdims=True)
    assert view.value("attention", 2, 5) == pytest.approx(want[2, 5], abs=1e-6)


def test_an_error_goes_when_something_else_is_taken(view, opened):
    opened.run_cell("w.error = 'refused'")
    expect(view.root.get_by_role("alert")).to_contain_text("refused")
    view.type("Q", 0, 0, "1.5")
    expect(view.root.get_by_role("alert")).to_be_hidden()
    opened.run_until("print(repr(w.error))", "''")


def test_what_is_typed_is_left_alone_while_python_works(view, opened):
    box = view.root.get_by_label("sentence", exact=True)
    box.fill("half a sent")
    opened.run_cell("w.title = 'changed meanwhile'; w.toggle(0, 0)")
    expect(view.root.locator(".aw-title")).to_have_text("changed meanwhile")
    expect(box).to_have_value("half a sent")
    box.press("Escape")
    expect(box).to_have_value("The cat sat on the mat")


def test_two_cards_in_a_row_share_the_room(lab):
    cell = MAKE + (
        "from ipywidgets import HBox\na, b = AttentionWidget('a b c'), AttentionWidget('d e f')\n"
        "HBox([a, b])"
    )
    notebook = lab.notebook([cell])
    widths = [MapView(notebook, i).root.bounding_box()["width"] for i in (0, 1)]
    assert min(widths) > 250
    MapView(notebook, 1).click(0, 1)
    notebook.run_until("print(b.mask[0, 1], a.mask.any())", "True False")


def test_the_cards_of_a_page_share_one_unpacked_module(lab):
    cell = MAKE + "a, b = AttentionWidget('a b c'), AttentionWidget('d e f')"
    notebook = lab.notebook([cell, "a", "b"], fresh=True)
    MapView(notebook, 0), MapView(notebook, 1)
    modules = notebook.page.evaluate(
        "() => Object.getOwnPropertySymbols(globalThis)"
        ".filter(key => key.description.startsWith('attnwidget ')).length"
    )
    assert modules == 1
    MapView(notebook, 1).click(0, 1)
    notebook.run_until("print(b.mask[0, 1], a.mask.any())", "True False")


def test_without_a_kernel_an_experiment_says_so_and_nothing_is_wrong(lab):
    notebook = lab.notebook([WIDGET, "w"])
    before = ask(notebook, "w.attention.tolist()")
    view = StepsView(lab.reopen(notebook, kernel=False))
    view.root.locator(".aw-experiments > summary").click()
    view.root.get_by_label("positions", exact=True).select_option("rotary")
    expect(view.root.locator(".aw-busy")).to_contain_text("needs a running kernel")
    note = view.root.locator('[data-name="Q"] .aw-note')
    expect(note).to_have_text("X W_q")  # the numbers are still those without positions
    got = [[view.value("attention", q, k) for k in range(6)] for q in range(6)]
    np.testing.assert_allclose(got, before, atol=1e-6)


@pytest.mark.parametrize(
    ("background", "theme"),
    [
        ("oklch(0.2 0 0)", "dark"),
        ("color(srgb 1 1 1)", "light"),  # the page of marimo
        ("color(srgb 0.1 0.1 0.1)", "dark"),
        ("color(display-p3 1 1 1)", "light"),
        ("lab(10 0 0)", "dark"),
        ("rgb(250 250 250 / 90%)", "light"),
    ],
)
def test_the_background_of_a_host_counts_in_every_notation(view, opened, background, theme):
    # The host says nothing of its theme: only its background shows it.
    opened.page.evaluate("() => { delete document.body.dataset.jpThemeLight; }")
    try:
        view.root.evaluate(
            """(root, background) => {
              root.parentElement.style.background = background;
              document.body.classList.toggle('other');
            }""",
            background,
        )
        expect(view.root).to_have_attribute("data-theme", theme)
    finally:
        view.root.evaluate("root => { root.parentElement.style.background = ''; }")
        opened.page.evaluate("() => { document.body.dataset.jpThemeLight = 'true'; }")
        expect(view.root).to_have_attribute("data-theme", "light")
