"""Encoder, decoder, cross-attention and an image tower, each picked and read in JupyterLab."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from architectures import ARCHITECTURES, DECODER_IDS, IDS
from architectures_eager import eager
from mapview import MapView
from models import WORDS
from playwright.sync_api import expect
from shown import lines, shows, thumbnail

# Random weights, the same here and in the kernel.
LOAD = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from architectures import ARCHITECTURES
from models import tokenizer
from attnwidget import AttentionWidget

def opened(name, **options):
    one = ARCHITECTURES[name]
    return AttentionWidget.from_model(one.make(), tokenizer(), inputs=one.inputs(), **options)

both = opened("t5")
both
"""
IMAGE = "image = opened('clip')\nimage"


def weights(name):
    """transformers' own eager attention, (h, n_q, n_k) by stack and layer."""
    return eager(ARCHITECTURES[name].make(), ARCHITECTURES[name].inputs())


@pytest.fixture(scope="module")
def t5():
    return weights("t5")


@pytest.fixture(scope="module")
def clip():
    return weights("clip")


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([LOAD, IMAGE])


@pytest.fixture
def both(opened):
    opened.run_cell("both.stack = 'encoder'; both.view = 'heatmap'; both.layer = both.head = 0")
    view = MapView(opened)
    expect(view.root).to_have_attribute("data-view", "heatmap")
    return view


def pick(root, what, value):
    root.get_by_label(what, exact=True).select_option(str(value))
    expect(root).to_have_attribute(f"data-{what}", str(value))
    expect(root.locator(".aw-busy")).to_be_hidden()


def options(root, what):
    return root.get_by_label(what, exact=True).locator("option").all_text_contents()


def test_each_stack_has_its_own_layers_heads_and_numbers(both, opened, t5):
    assert options(both.root, "stack")[:3] == ["encoder", "decoder", "cross"]
    for stack, layer, head in (("cross", 2, 3), ("decoder", 1, 0), ("encoder", 1, 2)):
        pick(both.root, "stack", stack)
        n_layers = sum(one == stack for one, _ in t5)
        assert options(both.root, "layer") == [f"layer {i}" for i in range(n_layers)]
        pick(both.root, "layer", layer)
        pick(both.root, "head", head)
        shows(both, t5[stack, layer][head])
        opened.run_until("print(both.shown)", str((layer, head, stack)))


def test_cross_attention_looks_from_the_decoder_at_the_encoder(both):
    pick(both.root, "stack", "cross")
    expect(both.root.locator(".aw-subtitle")).to_contain_text("5 × 7 tokens · 3 layers × 4 heads")
    both.hover(3, 6)
    # The tokenizer's first two numbers are no words.
    pair = [WORDS[DECODER_IDS[3] - 2], WORDS[IDS[6] - 2]]
    expect(both.root.locator(".aw-pair .aw-token")).to_have_text(pair)


def test_a_layer_that_a_stack_lacks_gives_way_to_its_first(both, opened, t5):
    pick(both.root, "stack", "decoder")
    pick(both.root, "layer", 2)
    pick(both.root, "stack", "encoder")
    expect(both.root).to_have_attribute("data-layer", "0")
    shows(both, t5["encoder", 0][0])
    opened.run_until("print(both.shown)", "(0, 0, 'encoder')")


def test_each_stack_has_its_own_mask_and_it_comes_back(both, opened, t5):
    both.what_if()
    both.click(1, 5)
    both.masked(1, 49)
    edited = t5["encoder", 0][0].copy()
    edited[1, 5] = 0
    edited[1] /= edited[1].sum()
    shows(both, edited)
    pick(both.root, "stack", "cross")
    both.masked(0, 35)
    shows(both, t5["cross", 0][0])
    both.click(4, 6)
    both.click(0, 2)
    both.masked(2, 35)
    pick(both.root, "stack", "decoder")
    both.masked(10, 25)  # the future, by the model itself
    pick(both.root, "stack", "encoder")
    both.masked(1, 49)
    shows(both, edited)
    pick(both.root, "stack", "cross")
    both.masked(2, 35)
    for _ in range(3):
        both.root.get_by_label("undo (Ctrl+Z)").click()
    # The first of the three edits was the encoder's: undo goes where it was made.
    expect(both.root).to_have_attribute("data-stack", "encoder")
    both.masked(0, 49)
    shows(both, t5["encoder", 0][0])
    pick(both.root, "stack", "cross")
    both.masked(0, 35)
    for _ in range(3):
        both.root.get_by_label("redo (Ctrl+Shift+Z)").click()
    both.masked(2, 35)
    opened.run_cell("both.stack = 'encoder'")
    both.masked(1, 49)
    opened.run_cell("while both.undo(): pass")


def test_lines_are_those_of_the_stack(both, opened, t5):
    pick(both.root, "stack", "cross")
    both.root.get_by_role("radio", name="Lines").click()
    view = both.root.locator(".aw-lines-view")
    expect(view).to_have_attribute("data-heads", "0,1,2,3")
    got = lines(opened.page, both.root, 4)
    np.testing.assert_allclose(got, t5["cross", 0][:, 4].mean(axis=0), atol=1e-5)
    pick(both.root, "layer", 2)
    opened.page.mouse.move(2, 2)
    got = lines(opened.page, both.root, 1)
    np.testing.assert_allclose(got, t5["cross", 2][:, 1].mean(axis=0), atol=1e-5)
    pick(both.root, "stack", "decoder")
    opened.page.mouse.move(2, 2)
    got = lines(opened.page, both.root, 2)
    np.testing.assert_allclose(got, t5["decoder", 2][:, 2].mean(axis=0), atol=1e-5)


def test_the_grid_has_every_head_of_the_stack(both, t5):
    both.root.get_by_role("radio", name="Grid").click()
    grid = both.root.locator(".aw-heads-grid")
    for stack, count in (("encoder", 8), ("cross", 12), ("decoder", 12)):
        pick(both.root, "stack", stack)
        expect(grid.locator(".aw-thumb")).to_have_count(count)
        n_q, n_k = t5[stack, 0].shape[1:]
        expect(grid.locator(f'canvas[height="{n_q}"][width="{n_k}"]')).to_have_count(count)
        for layer in (0, count // 4 - 1):
            thumbnail(both.root, layer, 3, t5[stack, layer][3])
    grid.locator('.aw-thumb[data-layer="1"][data-head="2"]').click()
    expect(both.root).to_have_attribute("data-view", "heatmap")
    shows(both, t5["decoder", 1][2])


def test_an_image_tower_beside_text(opened, clip):
    image = MapView(opened, 1)
    assert options(image.root, "stack")[:2] == ["self", "vision"]
    pick(image.root, "layer", 2)
    pick(image.root, "head", 3)
    shows(image, clip["self", 2][3])
    pick(image.root, "stack", "vision")
    # The tower has two layers of two heads.
    expect(image.root).to_have_attribute("data-layer", "0")
    expect(image.root).to_have_attribute("data-head", "1")
    shows(image, clip["vision", 0][1])
    image.hover(0, 4)
    expect(image.root.locator(".aw-pair .aw-token")).to_have_text(["CLS", "1,0"])
    image.root.get_by_role("radio", name="Grid").click()
    expect(image.root.locator(".aw-thumb")).to_have_count(4)
    thumbnail(image.root, 1, 0, clip["vision", 1][0])
    pick(image.root, "stack", "self")
    expect(image.root.locator(".aw-thumb")).to_have_count(12)
    thumbnail(image.root, 2, 3, clip["self", 2][3])
