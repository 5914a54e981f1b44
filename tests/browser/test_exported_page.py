"""The toy lab in a file: opened from disk with the network off, all of it works without Python."""

from __future__ import annotations

import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from exported import Exported, view
from hostile import HOSTILE
from mapview import MapView
from playwright.sync_api import expect
from shown import ROUNDED, numbers, shows
from stepsview import StepsView, flow, read

from attnwidget import AttentionWidget, causal_mask

SENTENCE = "The cat sat on the mat"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    widget = AttentionWidget(SENTENCE, d_k=3, d_v=2)
    return widget.save_html(tmp_path_factory.mktemp("page") / "attention.html")


@pytest.fixture
def opened(lab, file):
    opened = Exported(lab, file)
    yield opened
    assert opened.from_outside() == []


def without(*cells):
    mask = np.zeros((6, 6), bool)
    for cell in cells:
        mask[cell] = True
    return mask


def status(opened):
    return opened.widget().locator(".aw-busy")


def test_a_click_masks_and_is_kept(opened):
    card = MapView(opened)
    shows(card, flow()["attention"])
    card.click(1, 3)
    card.masked(1, 36)
    shows(card, flow(mask=without((1, 3)))["attention"])
    card.drag((2, 0), (2, 1), (2, 2))
    card.masked(4, 36)
    # The edits are the page's own: nothing is said to be a preview, nothing waits.
    expect(status(opened)).to_be_hidden()
    expect(card.root.get_by_role("alert")).to_be_hidden()
    opened.page.keyboard.press("Control+z")
    card.masked(1, 36)  # the drag was one step


def test_undo_redo_and_clear_are_the_pages_own_history(opened):
    card = MapView(opened)
    undo, redo, clear = (
        card.root.get_by_label(name) for name in ("undo (Ctrl+Z)", "redo (", "clear the mask")
    )
    card.click(0, 1)
    card.click(4, 2)
    opened.page.keyboard.press("Control+z")
    card.masked(1, 36)
    undo.click()
    card.masked(0, 36)
    shows(card, flow()["attention"])
    expect(undo).to_have_attribute("aria-disabled", "true")
    redo.click()
    redo.click()
    card.masked(2, 36)
    shows(card, flow(mask=without((0, 1), (4, 2)))["attention"])
    clear.click()
    card.masked(0, 36)
    opened.page.keyboard.press("Control+z")
    card.masked(2, 36)


def test_presets_are_the_masks_of_python(opened):
    card = MapView(opened)
    card.root.get_by_role("button", name="causal", exact=True).click()
    card.masked(15, 36)
    shows(card, flow(mask=causal_mask(6))["attention"])
    card.root.get_by_role("button", name="window", exact=True).click()
    i, j = np.indices((6, 6))
    shows(card, flow(mask=causal_mask(6) | (abs(i - j) > 1))["attention"])
    card.root.get_by_role("button", name="causal", exact=True).click()
    shows(card, flow(mask=abs(i - j) > 1)["attention"])


def test_a_number_is_dragged_and_typed_and_everything_follows(opened):
    view(opened.widget(), "Steps")
    steps = StepsView(opened)
    before = read(steps, "W_q")
    steps.drag("W_q", 1, 2, 60)
    W_q = read(steps, "W_q")
    assert W_q[1, 2] > before[1, 2] + 0.05
    for name in ("Q", "scores", "attention", "output"):
        np.testing.assert_allclose(read(steps, name), flow(W_q=W_q)[name], atol=3e-4, err_msg=name)
    steps.type("Q", 2, 1, "-1.5")
    Q = np.array(flow(W_q=W_q)["Q"])
    Q[2, 1] = -1.5
    np.testing.assert_allclose(read(steps, "attention"), flow(Q=Q)["attention"], atol=3e-4)
    opened.page.keyboard.press("Control+z")
    opened.page.keyboard.press("Control+z")
    steps.settled()
    np.testing.assert_allclose(read(steps, "attention"), flow()["attention"], atol=ROUNDED)
    steps.type("V", 0, 0, "4")
    opened.widget().locator(".aw-experiments > summary").click()
    opened.widget().get_by_role("button", name="reset numbers").click()
    expect(opened.widget().locator(".aw-settings")).not_to_contain_text("set by hand")
    np.testing.assert_allclose(read(steps, "V"), flow()["V"], atol=ROUNDED)


def test_temperature_and_scale_are_the_pages_the_rest_needs_python(opened):
    card = MapView(opened)
    card.root.locator(".aw-experiments > summary").click()
    card.root.get_by_label("temperature").fill("0.5")
    shows(card, flow(scale=2 * 3**-0.5)["attention"])
    card.root.get_by_label("temperature").fill("1")
    card.root.get_by_label("divide by √d_k").uncheck()
    shows(card, flow(scale=1)["attention"])
    for name in ("sentence", "d_model", "d_k", "d_v", "heads", "seed", "weights", "positions"):
        expect(card.root.locator(".aw-fields").get_by_label(name, exact=True)).to_be_disabled()
    words = "Needs Python: another sentence, other sizes, a seed, weights, positions."
    expect(card.root.locator(".aw-experiments")).to_contain_text(words)
    expect(opened.page.locator("body > footer")).to_contain_text("need Python")


def test_a_mistake_shows_its_numbers_and_its_report(opened):
    card = MapView(opened)
    card.click(1, 3)
    card.root.get_by_label("mistake").select_option("mask-after-softmax")
    wrong = flow()["attention"] * ~without((1, 3))
    np.testing.assert_allclose(numbers(card), wrong, atol=ROUNDED)
    report = card.root.locator(".aw-report")
    expect(report).to_contain_text("The mask is applied after the softmax")
    expect(report.locator('[data-invariant="row-sums"]')).to_have_attribute("data-holds", "false")
    report.get_by_role("button", name="dismiss").click()
    expect(report).to_be_hidden()
    shows(card, flow(mask=without((1, 3)))["attention"])


def test_every_own_view_is_drawn(lab, tmp_path):
    widget = AttentionWidget(SENTENCE, n_heads=2, d_model=4)
    opened = Exported(lab, widget.save_html(tmp_path / "heads.html"))
    root = opened.widget()
    drawn = {
        "Steps": ".aw-steps[data-painted]", "Lines": ".aw-lines-view[data-painted]",
        "Neuron": ".aw-neuron", "Grid": '.aw-heads-grid[data-heads="2"]', "Heatmap": ".aw-map",
    }  # fmt: skip
    for name, selector in drawn.items():
        view(root, name)
        expect(root).to_have_attribute("data-view", name.lower())
        expect(root.locator(selector).first).to_be_visible()
        expect(root.get_by_role("alert").first).to_be_hidden()
    for quantity in ("scores", "× ‖v‖", "effect"):
        root.get_by_role("radio", name=quantity, exact=True).click()
        expect(root.get_by_role("radio", name=quantity, exact=True)).to_be_checked()
    for scale in ("row", "map", "√ map"):
        root.get_by_role("radio", name=scale, exact=True).click()
    root.get_by_role("radio", name="attention", exact=True).click()
    root.locator(".aw-pick-head").select_option("1")
    shows(MapView(opened), widget.attention[1])
    assert opened.from_outside() == []


def test_a_narrow_dark_page_fits(lab, file):
    opened = Exported(lab, file, color_scheme="dark", viewport=(360, 740))
    root = opened.widget()
    expect(root).to_have_attribute("data-theme", "dark")
    colour = opened.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert colour == "rgb(23, 24, 28)"
    overflow = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for name in ("steps", "lines", "neuron", "heatmap"):
        root.locator(".aw-view-list").select_option(name)
        expect(root).to_have_attribute("data-view", name)
        assert opened.page.evaluate(overflow) <= 0
    opened.page.emulate_media(color_scheme="light")
    expect(root).to_have_attribute("data-theme", "light")


def test_hostile_text_is_text(lab, tmp_path):
    widget = AttentionWidget(HOSTILE, title="<b>bold</b></title>")
    opened = Exported(lab, widget.save_html(tmp_path / "hostile.html"))
    card = MapView(opened)
    card.hover(0, 2)
    expect(card.root.locator(".aw-inspector")).to_contain_text(HOSTILE[2])
    assert opened.page.evaluate("() => globalThis.ran") is None
    assert opened.page.title() == "<b>bold</b></title>"
    assert opened.page.locator("img, b:text('bold')").count() == 0
    shows(card, widget.attention)


def test_a_sandboxed_frame_shows_the_page(lab, file):
    page = lab.page()
    page.set_content("<iframe sandbox='allow-scripts' style='width:900px;height:800px'></iframe>")
    page.locator("iframe").evaluate(
        "(frame, html) => { frame.srcdoc = html }", file.read_text(encoding="utf-8")
    )
    frame = page.frame_locator("iframe")
    expect(frame.locator(".aw-root")).to_have_attribute("data-ready", "true")
    view(frame, "Steps")
    expect(frame.locator(".aw-steps[data-painted]")).to_be_visible()


HOST = """<!DOCTYPE html><title>host</title><div id="plain"></div><div id="shadow"></div>
<script type="module">
  import lab, { render } from "./lab.mjs";
  const root = document.getElementById("shadow").attachShadow({ mode: "open" });
  const el = document.createElement("div");
  root.append(el);
  lab.render({ model: {}, el: document.getElementById("plain") });
  window.end = await render({ model: undefined, el });
</script>"""


@pytest.fixture
def host(lab, tmp_path):
    AttentionWidget(SENTENCE, d_k=3, d_v=2).save_module(tmp_path / "lab.mjs")
    (tmp_path / "index.html").write_text(HOST)

    class Quiet(SimpleHTTPRequestHandler):
        def guess_type(self, path):
            return "text/javascript" if str(path).endswith(".mjs") else "text/html"

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = lab.page(viewport=(1100, 1500))
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
    yield page
    server.shutdown()
    server.server_close()


class Card:
    """A card on a page, as `MapView` wants it."""

    def __init__(self, page, root):
        self.page, self._root = page, root

    def widget(self, _=0):
        return self._root


def test_a_module_is_hosted_by_a_page_and_in_a_shadow_root(host):
    plain, shadow = (
        MapView(Card(host, host.locator(f"#{name} .aw-root"))) for name in ("plain", "shadow")
    )
    for card in (plain, shadow):
        expect(card.root).to_have_attribute("data-ready", "true")
        # The stylesheet reaches the card, in a shadow root too.
        expect(card.root).to_have_css("border-top-left-radius", "10px")
        shows(card, flow()["attention"])
    plain.click(1, 3)
    plain.masked(1, 36)
    shows(plain, flow(mask=without((1, 3)))["attention"])
    # Each place has a state of its own.
    shadow.masked(0, 36)
    host.evaluate("() => end()")
    expect(host.locator("#shadow .aw-root")).to_have_count(0)
    expect(plain.root).to_be_visible()
    assert re.match(r"\d", plain.root.get_attribute("data-revision"))
