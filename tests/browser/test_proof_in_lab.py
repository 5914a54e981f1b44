"""A layer whose weights are not the model's own is drawn with a warning, in a real JupyterLab."""

from __future__ import annotations

import pytest
from mapview import MapView
from playwright.sync_api import expect

# The scores of layer 1 are doubled where a capture cannot know: in the attention function itself.
WRONG = """
import torch
from transformers import AttentionInterface, AttentionMaskInterface, GPT2Config, GPT2Model
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from attnwidget import AttentionWidget

def doubled(module, query, key, value, mask, **options):
    query = query * 2 if module.layer_idx == 1 else query
    return sdpa_attention_forward(module, query, key, value, mask, **options)

AttentionInterface.register("doubled", doubled)
AttentionMaskInterface.register("doubled", sdpa_mask)
torch.manual_seed(0)
config = GPT2Config(n_layer=3, n_head=4, n_embd=32, vocab_size=40, n_positions=64,
                    initializer_range=0.5, bos_token_id=0, eos_token_id=0)
model = GPT2Model(config).eval()
model.set_attn_implementation("doubled")
w = AttentionWidget.from_model(model, inputs={"input_ids": torch.tensor([[5, 7, 2, 9, 11]])})
"""


@pytest.fixture
def opened(module_lab):
    return module_lab.notebook([WRONG, "w"])


def test_a_layer_that_failed_the_proof_is_drawn_with_a_warning(opened):
    view = MapView(opened)
    notice = view.root.locator(".aw-notice")
    expect(view.root).to_have_attribute("data-proved", "true")
    expect(notice).to_contain_text("Wrong weights: layer 1.")
    expect(notice).to_have_class("aw-notice aw-warning")
    options = view.root.locator(".aw-pick-layer option")
    expect(options).to_have_text(["layer 0", "layer 1 ⚠", "layer 2"])
    frame = "element => getComputedStyle(element).outlineStyle"
    body = view.root.locator(".aw-body")
    assert body.evaluate(frame) == "none"

    view.root.locator(".aw-pick-layer").select_option("1")
    expect(view.root).to_have_attribute("data-proved", "false")
    assert body.evaluate(frame) == "dashed"

    opened.run_cell("w.view = 'grid'")
    names = view.root.locator(".aw-layer-name")
    expect(names).to_have_text(["head", "layer 0", "layer 1 ⚠", "layer 2"])

    opened.run_cell("w.layer = 2")
    expect(view.root).to_have_attribute("data-proved", "true")
