"""The heatmap in a real JupyterLab: clicks reach Python, Python reaches the page."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mapview import MapView
from playwright.sync_api import expect
from stepsview import ask

MAKE = "from attnwidget import AttentionWidget, causal_mask\n"
SENTENCE = MAKE + "w = AttentionWidget('The cat sat on the mat', d_k=3)"


# Nothing sticks out of the card: neither its text nor the map.
FITS = """() => {
  const card = document.querySelector('.aw-root');
  const map = card.querySelector('.aw-base').getBoundingClientRect();
  return card.scrollWidth <= card.clientWidth
    && map.right <= card.getBoundingClientRect().right;
}"""


def expected(mask):
    """Attention of the lab's numbers by torch; rows without a key are zero."""
    X = np.random.RandomState(0).rand(6, 4)
    rng = np.random.RandomState(0)
    W_q, W_k = rng.rand(4, 3), rng.rand(4, 3)
    scores = torch.tensor(X @ W_q) @ torch.tensor(X @ W_k).T / 3**0.5
    hidden = torch.tensor(np.array(mask))
    return torch.softmax(scores.masked_fill(hidden, -torch.inf), -1).nan_to_num(0).numpy()


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([SENTENCE, "w"])


@pytest.fixture
def view(opened):
    """The shared widget, with nothing masked and nothing selected."""
    view = MapView(opened)
    opened.run_cell("w.mask = None; w.selection = None; w.color_scale = 'unit'")
    view.masked(0, 36)
    return view


def test_every_cell_shows_python_s_number(view):
    want = expected(np.zeros((6, 6), bool))
    got = [[view.value(q, k) for k in range(6)] for q in range(6)]
    np.testing.assert_allclose(got, want, atol=5.1e-5)


def test_a_click_reaches_python_and_the_pixels(view, opened):
    before = view.pixel(2, 4)
    view.click(2, 4)
    opened.run_until("print(w.mask[2, 4], int(w.mask.sum()))", "True 1")
    mask = np.zeros((6, 6), bool)
    mask[2, 4] = True
    np.testing.assert_allclose(ask(opened, "w.attention.tolist()"), expected(mask), atol=1e-12)
    assert view.pixel(2, 4) != before
    np.testing.assert_allclose([view.value(2, k) for k in range(6)], expected(mask)[2], atol=5.1e-5)
    view.masked(1, 36)
    view.click(2, 4)
    opened.run_until("print(int(w.mask.sum()))", "0")
    assert view.pixel(2, 4) == before


def test_the_page_follows_python(view, opened):
    opened.run_cell("w.mask = causal_mask(6)")
    view.masked(15, 36)
    preset = view.root.get_by_role("button", name="causal")
    expect(preset).to_have_attribute("aria-pressed", "true")
    assert view.value(0, 0) == 1.0
    assert view.pixel(0, 3) == view.pixel(1, 5)
    opened.run_cell("w.toggle(3, 1)")
    view.masked(16, 36)
    opened.run_cell("w.title = 'A title'; w.selection = (3, 0)")
    expect(view.root.locator(".aw-title")).to_have_text("A title")
    expect(view.root.locator(".aw-pair")).to_have_text("on→The")
    opened.run_cell("w.title = ''")


def test_undo_spans_the_page_and_python(view, opened):
    view.click(1, 2)
    opened.run_cell("w.toggle(4, 4)")
    view.masked(2, 36)
    view.root.get_by_label("undo (Ctrl+Z)").click()
    view.masked(1, 36)
    view.settled()
    assert ask(opened, "w.mask[1, 2].item() and not w.mask[4, 4].item()")
    opened.run_cell("w.undo()")
    view.masked(0, 36)
    view.root.get_by_label("redo (Ctrl+Shift+Z)").click()
    view.masked(1, 36)
    view.settled()
    opened.run_until("print(w.mask[1, 2])", "True")


def test_a_drag_paints_one_stroke(view, opened):
    view.drag((1, 0), (1, 4), (3, 4))
    opened.run_until("print(int(w.mask.sum()))", "7")
    assert ask(opened, "w.mask[1, :5].tolist()") == [True] * 5
    assert ask(opened, "w.mask[1:4, 4].tolist()") == [True] * 3
    view.root.get_by_label("undo (Ctrl+Z)").click()
    view.masked(0, 36)
    opened.run_until("print(int(w.mask.sum()))", "0")


def test_a_label_masks_its_column_and_frees_it(view, opened):
    x, _ = view.at(0, 5)
    top = float(view.map.get_attribute("data-top"))
    view.over.click(position={"x": x, "y": top - 12})
    view.masked(6, 36)
    opened.run_until("print(w.mask[:, 5].all())", "True")
    view.over.click(position={"x": x, "y": top - 12})
    view.masked(0, 36)
    left = float(view.map.get_attribute("data-left"))
    _, y = view.at(2, 0)
    view.over.click(position={"x": left - 14, "y": y})
    opened.run_until(
        "print(w.mask[2].all(), w.attention[2].sum(), w.output[2].sum())", "True 0.0 0.0"
    )
    expect(view.root.locator(".aw-row-sums")).to_contain_text("1 row without a key")


@pytest.mark.parametrize(
    ("preset", "mask"),
    [
        ("causal", np.triu(np.ones((6, 6), bool), 1)),
        ("window", abs(np.subtract.outer(np.arange(6), np.arange(6))) > 1),
        ("prefix", np.triu(np.ones((6, 6), bool), 1) & (np.arange(6) >= 2)),
    ],
)
def test_presets(view, opened, preset, mask):
    view.root.get_by_role("button", name=preset, exact=True).click()
    view.masked(int(mask.sum()), 36)
    view.settled()
    assert ask(opened, "w.mask.tolist()") == mask.tolist()
    np.testing.assert_allclose(ask(opened, "w.attention.tolist()"), expected(mask), atol=1e-12)
    view.root.get_by_label("clear the mask").click()
    view.masked(0, 36)


def test_by_keyboard_alone(view, opened):
    cells = opened.page.locator(".jp-Cell").count()
    view.map.focus()
    press = opened.page.keyboard.press
    press("Control+Home")
    expect(view.readout).to_contain_text("The → The")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        press(key)
    expect(view.readout).to_contain_text("cat → sat")
    press("Space")
    expect(view.readout).to_have_text("cat → sat masked")
    opened.run_until("print(w.mask[1, 2], w.selection)", "True (1, 2)")
    press("ArrowDown")
    press("Shift+ArrowRight")
    press("Shift+ArrowDown")
    press("Space")
    view.masked(5, 36)
    press("Escape")
    press("Control+z")
    view.masked(1, 36)
    press("Control+Shift+z")
    view.masked(5, 36)
    view.settled()
    assert ask(opened, "w.mask[2:4, 2:4].all().item()")
    press("Escape")
    expect(view.map).not_to_be_focused()
    assert opened.page.locator(".jp-Cell").count() == cells


def test_the_grid_is_an_aria_grid(view):
    view.map.focus()
    view.notebook.page.keyboard.press("Control+End")
    expect(view.map).to_have_attribute("aria-rowcount", "6")
    cell = view.map.get_by_role("gridcell")
    expect(cell).to_have_attribute("aria-colindex", "6")
    expect(view.map).to_have_attribute("aria-activedescendant", cell.get_attribute("id"))
    want = expected(np.zeros((6, 6), bool))[5, 5]
    expect(cell).to_have_attribute("aria-label", f"mat → mat {want:.2f}")


def test_the_inspector_s_arithmetic(view):
    view.hover(4, 2)
    X = np.random.RandomState(0).rand(6, 4)
    rng = np.random.RandomState(0)
    Q, K, V = (X @ rng.rand(4, 3) for _ in range(3))
    lines = view.root.locator(".aw-formula > div")
    terms = " + ".join(f"{a:.2f}·{b:.2f}" for a, b in zip(Q[4], K[2], strict=True))
    expect(lines.first).to_have_text(f"q·k = {terms} = {Q[4] @ K[2]:.2f}")
    p = expected(np.zeros((6, 6), bool))[4]
    expect(view.root.locator(".aw-formula b")).to_have_text(f"{p[2]:.3f}")
    without = np.delete(p, 2) @ np.delete(V, 2, axis=0) / np.delete(p, 2).sum()
    moved = np.linalg.norm(p @ V - without)
    expect(view.root.locator(".aw-effect b")).to_have_text(
        f"{moved:.4f}" if moved < 0.1 else f"{moved:.2f}"
    )


def test_colour_scales(view, opened):
    dim = view.pixel(0, 3)
    view.root.get_by_role("radio", name="map", exact=True).click()
    opened.run_until("print(w.color_scale)", "map")
    assert view.pixel(0, 3) != dim
    opened.run_cell("w.color_scale = 'row'")
    expect(view.root.get_by_role("radio", name="row")).to_have_attribute("aria-checked", "true")
    q, k = 0, int(expected(np.zeros((6, 6), bool))[0].argmax())
    assert view.pixel(q, k)[:3] == (0xFD, 0xE7, 0x25)  # the end of viridis


def test_a_failure_in_python_is_read_in_the_page(view, opened):
    opened.run_cell("w.set_state({'head': 3})")
    alert = view.root.get_by_role("alert")
    expect(alert).to_contain_text("head: got 3, want 0..0")
    alert.get_by_role("button", name="dismiss").click()
    expect(alert).to_be_hidden()
    opened.run_until("print(repr(w.error))", "''")


def test_another_sentence_another_map(view, opened):
    opened.run_cell("w.toggle(1, 2); w.tokens = 'Only three words'")
    view.masked(1, 9)
    expect(view.map).to_have_attribute("aria-colcount", "3")
    opened.run_cell("w.tokens = 'The cat sat on the mat'")
    view.masked(1, 36)


def test_light_and_dark_follow_the_host(lab):
    notebook = lab.notebook([SENTENCE, "w"], fresh=True, viewport=(1000, 900))
    view = MapView(notebook)
    light = notebook.screen_pixel(view.root, 200, 20)
    notebook.set_theme("dark")
    expect(view.root).to_have_attribute("data-theme", "dark")
    dark = notebook.screen_pixel(view.root, 200, 20)
    assert min(light[:3]) > 200
    assert max(dark[:3]) < 60
    # JupyterLab hides the page for a moment while it changes: the map is alive after it.
    view.click(2, 3)
    view.masked(1, 36)


def test_a_map_out_of_sight_comes_back_alive(view, opened):
    parent = view.root.locator("xpath=..")
    parent.evaluate("el => { el.style.display = 'none' }")
    opened.run_cell("w.toggle(2, 2)")
    view.masked(1, 36)
    view.over.dispatch_event("pointermove", {"clientX": 5, "clientY": 5})
    parent.evaluate("el => { el.style.display = '' }")
    view.click(2, 3)
    view.masked(2, 36)
    assert view.pixel(2, 2) == view.pixel(2, 3)


def test_many_edits_in_one_message(view, opened):
    opened.run_cell("with w.hold_sync():\n    for i in range(3): w.toggle(i, i)")
    view.masked(3, 36)
    opened.run_cell("with w.hold_sync():\n    w.undo()\n    w.undo()\n    w.toggle(5, 0)")
    view.masked(2, 36)
    assert view.value(5, 0) == 0
    assert view.value(0, 0) == 0


@pytest.mark.parametrize("width", [1400, 760, 500])
def test_it_fits_wherever_it_stands(view, opened, width):
    page = opened.page
    page.set_viewport_size({"width": width, "height": 900})
    try:
        page.wait_for_function(FITS)
        view.click(3, 3)
        view.masked(1, 36)
    finally:
        page.set_viewport_size({"width": 1100, "height": 900})


def test_two_views_of_one_widget_stay_in_step(lab):
    notebook = lab.notebook([SENTENCE, "w", "w"])
    first, second = MapView(notebook, 0), MapView(notebook, 1)
    before = second.pixel(0, 1)
    first.click(0, 1)
    second.masked(1, 36)
    assert second.pixel(0, 1) != before
    second.click(5, 5)
    first.masked(2, 36)


def test_a_cell_run_again_shows_what_is_masked(lab):
    notebook = lab.notebook([SENTENCE, "w"])
    MapView(notebook).click(4, 0)
    notebook.rerun_cell(1)
    view = MapView(notebook)
    view.masked(1, 36)
    view.click(4, 1)
    notebook.run_until("print(int(w.mask.sum()))", "2")


def test_a_saved_notebook_draws_and_answers_without_a_kernel(lab):
    notebook = lab.notebook([SENTENCE, "w.toggle(0, 0)\nw"])
    MapView(notebook).click(2, 3)
    MapView(notebook).masked(2, 36)
    view = MapView(lab.reopen(notebook, kernel=False))
    view.masked(2, 36)
    before = view.pixel(4, 4)
    x, y = view.at(4, 4)
    view.over.click(position={"x": x, "y": y})
    view.masked(3, 36)
    assert view.pixel(4, 4) != before
    mask = np.zeros((6, 6), bool)
    mask[0, 0] = mask[2, 3] = mask[4, 4] = True
    np.testing.assert_allclose([view.value(4, k) for k in range(6)], expected(mask)[4], atol=5.1e-5)
    view.root.get_by_label("undo (Ctrl+Z)").click()
    view.masked(2, 36)
    assert view.pixel(4, 4) == before


def test_a_page_loaded_again_on_a_running_kernel_has_everything(lab):
    notebook = lab.notebook([SENTENCE, "w"])
    MapView(notebook).click(2, 3)
    again = lab.reopen(notebook, kernel=True)
    view = MapView(again)
    view.masked(1, 36)
    view.root.get_by_label("undo (Ctrl+Z)").click()  # made on a page that is gone
    view.masked(0, 36)
    again.run_until("print(int(w.mask.sum()))", "0")


def test_hostile_tokens_are_text(lab):
    tokens = [
        "<img src=x onerror='window.hacked=1'>", "", "\n", "x" * 300, "שלום",
        "👩\u200d👧", "</script>",
    ]  # fmt: skip
    notebook = lab.notebook([MAKE + f"w = AttentionWidget({tokens!r})\nw"])
    view = MapView(notebook)
    for i in range(len(tokens)):
        view.hover(i, len(tokens) - 1 - i)
        name = view.root.locator(".aw-pair .aw-token").first
        expect(name).to_have_attribute("title", {"": "∅", "\n": "⏎"}.get(tokens[i], tokens[i]))
    assert notebook.page.evaluate("window.hacked") is None
    assert view.root.locator("img").count() == 0


def test_512_tokens_draw_and_answer(lab):
    cell = MAKE + "w = AttentionWidget([f't{i}' for i in range(512)], d_model=8)\nw"
    notebook = lab.notebook([cell])
    view = MapView(notebook)
    view.masked(0, 512 * 512)
    view.map.focus()
    notebook.page.keyboard.press("Control+End")
    notebook.page.keyboard.press("Space")
    view.masked(1, 512 * 512)
    view.settled()
    notebook.run_until(
        "print(w.mask[511, 511], abs(w.attention[511].sum() - 1) < 1e-5)", "True True"
    )


def test_several_heads_are_picked_in_the_page(lab):
    notebook = lab.notebook([MAKE + "w = AttentionWidget('a b c d', d_model=6, n_heads=3)\nw"])
    view = MapView(notebook)
    want = ask(notebook, "w.attention.tolist()")
    assert view.value(1, 2) == pytest.approx(want[0][1][2], abs=5.1e-5)
    view.root.get_by_label("head", exact=True).select_option("2")
    expect(view.root).to_have_attribute("data-head", "2")
    assert view.value(1, 2) == pytest.approx(want[2][1][2], abs=5.1e-5)
    notebook.run_until("print(w.head)", "2")


def test_above_16_tokens_colours_are_the_square_root_up_to_the_map_s_maximum(lab):
    cell = MAKE + (
        "import numpy as np\n"
        "p = np.full((17, 17), 1 / 17)\n"
        "p[:2] = 0\n"
        "p[0, :3], p[1, :3] = [0.64, 0.16, 0.2], [0.32, 0.36, 0.32]\n"
        "w = AttentionWidget.from_arrays(p, [f't{i}' for i in range(17)])\n"
        "few = AttentionWidget([f't{i}' for i in range(16)])"
    )
    notebook = lab.notebook([cell, "w", "few"])
    view, few = MapView(notebook), MapView(notebook, 1)

    def checked(name):
        return view.root.get_by_role("radio", name=name, exact=True)

    expect(checked("√ map")).to_have_attribute("aria-checked", "true")
    assert view.pixel(0, 0)[:3] == (0xFD, 0xE7, 0x25)  # the end of viridis
    quarter = view.pixel(0, 1)
    checked("map").click()
    notebook.run_until("print(w.color_scale)", "map")
    expect(checked("map")).to_have_attribute("aria-checked", "true")
    assert view.pixel(1, 0) == quarter  # half of the maximum: the square root of a quarter
    unit = few.root.get_by_role("radio", name="0–1")
    expect(unit).to_have_attribute("aria-checked", "true")
    notebook.run_cell("few.tokens = [f't{i}' for i in range(17)]")
    expect(unit).to_have_attribute("aria-checked", "false")
    notebook.run_until("print(few.color_scale)", "auto")


# Whether the corner of each small map of a causal mask has the colour of masked cells.
SMALL = """count => {
  const maps = [...document.querySelectorAll('.aw-heads canvas')];
  const corner = map => [...map.getContext('2d').getImageData(3, 0, 1, 1).data].join();
  return maps.length === count && maps.every(map => corner(map) === '235,235,238,255');
}"""


def test_the_small_maps_have_their_colours_when_they_are_first_shown(lab):
    cell = MAKE + "w = AttentionWidget('a b c d', d_model=6, n_heads=3, presets='causal')\nw"
    # A display of a module that is loaded is made before it is in the page.
    notebook = lab.notebook([cell, "w", "w"], fresh=True)
    for i in range(3):
        MapView(notebook, i).masked(6, 16)
    notebook.page.wait_for_function(SMALL, arg=9, timeout=5_000)
