"""What can be chosen in the BertViz documents, in a plain Chromium: filters, layers, neurons."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from offline import OPACITIES, framed, maps, neurons, offline, told, words
from playwright.sync_api import expect

from attnwidget.bertviz.document import document, document_encoder_decoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab import Desk
    from playwright.sync_api import Page


@pytest.fixture
def page(desk: Desk) -> Iterator[Page]:
    """Yield a page that may ask for nothing."""
    with offline(desk) as page:
        yield page


SENTENCES = {
    "Sentence A -> Sentence A": (slice(0, 2), slice(0, 2)),
    "Sentence B -> Sentence B": (slice(2, 5), slice(2, 5)),
    "Sentence A -> Sentence B": (slice(0, 2), slice(2, 5)),
    "Sentence B -> Sentence A": (slice(2, 5), slice(0, 2)),
    "All": (slice(0, 5), slice(0, 5)),
}


@pytest.mark.parametrize("kind", ["head", "model"])
def test_the_filter_of_two_sentences_draws_each_part(page, kind):
    weights = maps(2, 3, 5)
    page.set_content(document(kind, weights, words(5), layer=1, sentence_b_start=2))
    lines = page.locator("#attention line" if kind == "head" else "line")
    for name, (rows, columns) in SENTENCES.items():
        page.locator("#filter").select_option(label=name)
        wanted = np.array(weights[1] / 3 if kind == "head" else weights)[..., rows, columns]
        drawn = np.array(lines.evaluate_all(OPACITIES)).reshape(wanted.shape)
        assert np.abs(drawn - wanted).max() <= 5e-5
    if kind == "head":
        page.locator("#filter").select_option(label="Sentence A -> Sentence B")
        assert page.locator("#left text").all_text_contents() == words(5)[:2]
        assert page.locator("#right text").all_text_contents() == words(5)[2:]


def test_heads_that_are_on_at_first(page):
    weights = maps(1, 3, 4)
    page.set_content(document("head", weights, words(4), heads=[1]))
    drawn = np.array(page.locator("#attention line").evaluate_all(OPACITIES)).reshape(3, 4, 4)
    assert np.abs(drawn[1] - weights[0][1]).max() <= 5e-5
    assert not drawn[[0, 2]].any()


def translation():
    """Two layers of encoder, three of decoder, cross attention in the layers 0 and 2."""
    draw = np.random.default_rng(5)
    shapes = {"encoder": (2, 4, 5, 5), "decoder": (3, 4, 3, 3), "cross": (2, 4, 3, 5)}
    return {k: draw.dirichlet(np.ones(s[-1]), s[:-1]) for k, s in shapes.items()}


TRANSLATED = {
    "encoder_tokens": words(5),
    "decoder_tokens": ["x", "y", "z"],
    "layers": {"cross": [0, 2]},
}


def test_an_encoder_decoders_layer_menu_offers_what_each_attention_has(page):
    given = translation()
    page.set_content(document_encoder_decoder("head", **given, **TRANSLATED, layer=2))
    layer, filters = page.locator("#layer"), page.locator("#filter")
    enabled = page.locator("#layer option:enabled")
    expect(filters.locator("option:checked")).to_have_text("Decoder")
    # Each with the layer that the one before it leaves, or the nearest that it has.
    for name, has, shown in (
        ("Decoder", [0, 1, 2], 2),
        ("Encoder", [0, 1], 1),
        ("Cross", [0, 2], 0),
        ("Decoder", [0, 1, 2], 0),
    ):
        filters.select_option(label=name)
        assert enabled.all_text_contents() == [str(number) for number in has]
        expect(layer).to_have_value(str(shown))
        wanted = given[name.lower()][has.index(shown)] / 4
        drawn = page.locator("#attention line").evaluate_all(OPACITIES)
        assert np.abs(np.array(drawn).reshape(wanted.shape) - wanted).max() <= 5e-5
    filters.select_option(label="Cross")
    layer.select_option("2")
    drawn = np.array(page.locator("#attention line").evaluate_all(OPACITIES)).reshape(4, 3, 5)
    assert np.abs(drawn - given["cross"][1] / 4).max() <= 5e-5
    assert page.locator("#right text").all_text_contents() == words(5)


def test_an_encoder_decoders_model_view_labels_the_layers_that_there_are(page):
    given = translation()
    page.set_content(document_encoder_decoder("model", **given, **TRANSLATED))
    for name, rows in (("Encoder", [0, 1]), ("Decoder", [0, 1, 2]), ("Cross", [0, 2])):
        page.locator("#filter").select_option(label=name)
        assert page.locator("svg > text").all_text_contents() == [
            "Heads", "0", "1", "2", "3", "Layers", "0", "1", "2",
        ]  # fmt: skip
        for number, weights in zip(rows, given[name.lower()], strict=True):
            box = page.locator(f"g:has(> #attn_background_{number}_3) line")
            drawn = np.array(box.evaluate_all(OPACITIES)).reshape(weights[3].shape)
            assert np.abs(drawn - weights[3]).max() <= 5e-5
    assert page.locator("g:has(> #attn_background_1_3) line").count() == 0


def test_neuron_view_draws_queries_keys_and_what_they_make(page):
    text = neurons(words(6), include_layers=[1, 2], layer=2, head=3)
    page.set_content(text)
    given = told(text)["attention"]["all"]
    layer = page.locator("#layer")
    assert layer.locator("option").all_text_contents() == ["1", "2"]
    expect(layer.locator("option:checked")).to_have_text("2")
    lines = page.locator("#collapsed line")
    for at, number in ((1, "2"), (0, "1")):
        layer.select_option(label=number)
        drawn = np.array(lines.evaluate_all(OPACITIES)).reshape(6, 6)
        assert np.abs(drawn - given["attn"][at][3]).max() <= 1e-9

    values = "all => all.map(one => +one.dataset.value)"
    page.locator("#collapsed #leftText g").nth(4).locator("rect").last.click()
    page.locator("#expanded #leftText text").nth(4).hover()
    q, k = np.array(given["queries"][0][3]), np.array(given["keys"][0][3])
    shown = {
        "#queries .element": q,
        "#keys .element": k,
        "#product .element": q[4] * k,
        ".dotproduct": k @ q[4] / np.sqrt(8),
    }
    for name, wanted in shown.items():
        got = page.locator(f"#expanded {name}").evaluate_all(values)
        assert np.abs(np.array(got).reshape(wanted.shape) - wanted).max() <= 1e-9
    # The softmax of what it shows is the weight that it shows, as far as numbers are rounded.
    scores = np.exp(k @ q[4] / np.sqrt(8))
    assert np.abs(scores / scores.sum() - given["attn"][0][3][4]).max() <= 1e-3


def test_neuron_view_of_two_sentences(page):
    text = neurons(words(6), sentence_b_start=2)
    page.set_content(text)
    page.locator("#filter").select_option(label="Sentence B -> Sentence A")
    drawn = np.array(page.locator("#collapsed line").evaluate_all(OPACITIES)).reshape(4, 2)
    whole = np.array(told(text)["attention"]["all"]["attn"])
    assert np.abs(drawn - whole[0, 0, 2:, :2]).max() <= 1e-9
    assert page.locator("#collapsed #leftText text").all_text_contents() == words(6)[2:]
    assert page.locator("#collapsed #rightText text").all_text_contents() == words(6)[:2]


@pytest.mark.parametrize("width", [500, 1100])
def test_a_narrow_frame_shows_all_columns_of_the_neuron_view_smaller(page, width):
    page.set_viewport_size({"width": width, "height": 700})
    frame = framed(page, neurons(words(6)))
    style, shrunk = "style", re.compile(r"zoom: 0\.")
    expect(frame.locator("body")).not_to_have_attribute(style, shrunk)
    frame.locator("#collapsed #leftText g").nth(2).locator("rect").last.click()
    inner = frame.locator("html").evaluate("() => innerWidth")
    if width < 1000:
        expect(frame.locator("body")).to_have_attribute(style, shrunk)
    right = "all => Math.max(...all.map(rect => rect.getBoundingClientRect().right))"
    last = frame.locator("#expanded #rightText rect.highlight").evaluate_all(right)
    assert 0.95 * min(inner, 1020) < last <= inner
