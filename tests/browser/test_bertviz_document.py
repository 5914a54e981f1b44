"""The BertViz document in a plain Chromium, alone and in a frame, with every request refused."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hostile import HOSTILE
from offline import OPACITIES, any_kind, framed, maps, offline, words
from playwright.sync_api import expect

from attnwidget.bertviz.document import document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab import Desk
    from playwright.sync_api import Page


@pytest.fixture
def page(desk: Desk) -> Iterator[Page]:
    """Yield a page that may ask for nothing."""
    with offline(desk) as page:
        yield page


def test_head_view_draws_the_weights_and_its_layer_select_redraws(page):
    weights = maps(3, 4, 6)
    page.set_content(document("head", weights, words(6), layer=1))
    lines = page.locator("#attention line")
    for layer in (1, 2, 0):
        page.locator("#layer").select_option(str(layer))
        drawn = np.array(lines.evaluate_all(OPACITIES)).reshape(4, 6, 6)
        # BertViz divides by the number of heads that are on.
        assert np.abs(drawn - weights[layer] / 4).max() <= 5e-5 / 4
    assert page.locator("#left text").all_text_contents() == words(6)


def test_head_view_starts_at_the_layer_asked_for(page):
    weights = maps(2, 2, 3)
    page.set_content(document("head", weights, words(3), layer=9, layers=[4, 9]))
    expect(page.locator("#layer")).to_have_value("9")
    assert page.locator("#layer option").all_text_contents() == ["4", "9"]
    drawn = np.array(page.locator("#attention line").evaluate_all(OPACITIES)).reshape(2, 3, 3)
    assert np.abs(drawn - weights[1] / 2).max() <= 5e-5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_model_view_draws_every_head_and_a_click_opens_one(page, theme):
    weights = maps(3, 4, 6)
    text = document("model", weights, words(6), layers=[0, 2, 5], layer=2, theme=theme)
    page.set_content(text)
    drawn = np.array(page.locator("line").evaluate_all(OPACITIES)).reshape(3, 4, 6, 6)
    assert np.abs(drawn - np.array(weights)).max() <= 5e-5

    page.locator("#attn_background_1_3").locator("xpath=..").locator("rect").last.click()
    expect(page.locator("text.detail")).to_have_text("Layer 2, Head 3")
    detail = np.array(page.locator(".attn-line-group line").evaluate_all(OPACITIES))
    assert np.abs(detail.reshape(6, 6) - weights[1][3]).max() <= 5e-5
    assert page.locator("text.token").all_text_contents() == words(6) * 2


def test_the_detail_of_a_single_head_is_on_the_page(page):
    page.set_content(document("model", maps(1, 1, 6), words(6)))
    page.mouse.click(400, 300)
    expect(page.locator("text.detail")).to_have_text("Layer 0, Head 0")
    assert page.locator("rect.detail").bounding_box()["x"] >= 0


@pytest.mark.parametrize("kind", ["head", "model", "neuron"])
def test_hostile_tokens_are_text_and_stay_in_their_boxes(page, kind):
    page.set_content(any_kind(kind, HOSTILE, 1, 3))
    if kind == "model":
        page.mouse.click(200, 100)
    texts = page.locator(f"{'#collapsed ' if kind == 'neuron' else ''}g > rect + text")
    expect(texts).to_have_count(2 * len(HOSTILE))
    assert page.locator("img").count() == 0
    said = texts.evaluate_all(
        "all => all.map(t => t.parentNode.querySelector('title')?.textContent ?? t.textContent)"
    )
    assert said == HOSTILE * 2
    assert page.evaluate("() => globalThis.ran") is None
    wide = texts.evaluate_all(
        """all => all.filter(text => text.getComputedTextLength()
             > text.previousElementSibling.getAttribute("width")).length"""
    )
    assert wide == 0


@pytest.mark.parametrize(
    ("kind", "n"),
    [(k, n) for k in ("head", "model") for n in (1, 6, 60)] + [("neuron", 1), ("neuron", 20)],
)
def test_a_frame_of_the_height_that_is_posted_shows_all_of_it(page, kind, n):
    frame = framed(page, any_kind(kind, words(n), 2, 2 if n < 60 else 8))
    scroller = frame.locator("html")
    assert scroller.evaluate("e => e.scrollHeight - innerHeight") == 0
    bottom = frame.locator("svg").evaluate("svg => svg.getBoundingClientRect().bottom")
    height = page.evaluate("frame.clientHeight")
    assert 0 <= height - bottom <= 12
    assert page.evaluate("heights.length") <= 2


@pytest.mark.parametrize("width", [300, 700, 1200])
def test_a_narrow_frame_shows_all_of_the_model_view_smaller(page, width):
    page.set_viewport_size({"width": width, "height": 700})
    frame = framed(page, document("model", maps(2, 12, 6), words(6)))
    right = "all => Math.max(...all.map(line => line.getBoundingClientRect().right))"
    inner = frame.locator("html").evaluate("() => innerWidth")
    assert 0.8 * min(inner, 970) < frame.locator("svg line").evaluate_all(right) <= inner


def color_at(page, x, y):
    """Return the (r, g, b) that is on the screen."""
    shot = base64.b64encode(page.screenshot()).decode()
    return page.evaluate(
        """async ([shot, x, y]) => {
             const image = await createImageBitmap(
               new Blob([Uint8Array.from(atob(shot), c => c.charCodeAt(0))]));
             const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
             canvas.drawImage(image, 0, 0);
             return [...canvas.getImageData(x, y, 1, 1).data].slice(0, 3);
           }""",
        [shot, x, y],
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["head", "model", "neuron"])
def test_what_the_frame_stands_on_shows_through(page, kind, theme):
    text = any_kind(kind, words(6), theme=theme)
    frame = framed(page, text, "rgb(40, 80, 120)", theme)
    box = frame.locator("svg").bounding_box()
    assert color_at(page, 3, 3) == [40, 80, 120]
    assert color_at(page, box["x"] + box["width"] - 8, box["y"] + box["height"] - 2) == [
        40,
        80,
        120,
    ]


def luminance(css):
    r, g, b = (int(part) / 255 for part in css.removeprefix("rgb(").removesuffix(")").split(","))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (r, g, b)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize(("theme", "page_color"), [("light", "rgb(255, 255, 255)"),
                                                   ("dark", "rgb(24, 25, 28)")])  # fmt: skip
@pytest.mark.parametrize("kind", ["head", "model", "neuron"])
def test_a_notebook_cell_shows_it_readable_in_any_theme(page, kind, theme, page_color):
    text = any_kind(kind, words(6), theme=theme)
    page.set_content(f'<body style="margin: 0; background: #777">{text._repr_html_()}')
    frame = page.frame_locator("iframe")
    expect(frame.locator("svg")).to_be_visible()
    assert f"rgb({', '.join(map(str, color_at(page, 900, 5)))})" == page_color
    fills = frame.locator("text").evaluate_all(
        "all => [...new Set(all.map(t => getComputedStyle(t).fill))]"
    )
    paper = luminance(page_color)
    for fill in fills:
        low, high = sorted((luminance(fill), paper))
        assert (high + 0.05) / (low + 0.05) >= 7  # WCAG 2.2, AAA


def test_dropped_layers_are_mentioned(page):
    page.set_content(document("head", maps(4, 4, 60), words(60), layer=3, max_bytes=600_000))
    expect(page.locator("p")).to_have_text(
        re.compile(
            r"^Layers 2 to 3 \(2 of 4\): all could be 0\.7\d+ MB, more than the 0\.6 MB allowed"
        )
    )
    assert page.locator("#layer option").all_text_contents() == ["2", "3"]


def test_a_view_that_fails_says_so(desk):
    context, _ = desk.context()  # not `page`: this one logs an error
    page = context.new_page()
    text = document("head", maps(1, 1, 2), words(2))
    broken = text.replace("const params = ", "throw new Error('no luck'); const params = ")
    frame = framed(page, broken)
    expect(frame.locator("p")).to_have_text(
        "BertViz could not draw this: Uncaught Error: no luck", use_inner_text=True
    )
    context.close()
