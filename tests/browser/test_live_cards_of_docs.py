"""A page of the docs site in Chromium: a picture first, and after a click a card that answers."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from docs_site import built
from mapview import MapView
from playwright.sync_api import expect


class Quiet(SimpleHTTPRequestHandler):
    def guess_type(self, path):
        return "text/javascript" if str(path).endswith(".mjs") else super().guess_type(path)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Live:
    """A live card of a page, for `MapView` as a notebook."""

    def __init__(self, page) -> None:
        self.page = page
        self.figure = page.locator(".live").first

    def widget(self, i=0):
        return self.page.locator(".aw-root").nth(i)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Serve the page of the first card, built alone because the whole site takes longer."""
    folder = built(
        tmp_path_factory.mktemp("site"),
        strict=False,
        nav=["guide/first-card.md"],
        exclude_docs="/*\n!/guide\n/guide/*\n!/guide/first-card.md\n!/assets\n",
        plugins=["search"],
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/guide/first-card.html"
    server.shutdown()
    thread.join()
    server.server_close()


# The fixture `lab` fails the test for a request beyond 127.0.0.1 and for an error of the page.
def test_a_click_on_the_picture_opens_a_card_that_answers(lab, address):
    page = lab.page()
    page.emulate_media(color_scheme="dark")
    page.goto(address)
    live = Live(page)
    poster = live.figure.locator(".live-poster:visible")
    expect(poster).to_have_count(1)
    assert poster.get_attribute("src").endswith("-dark.svg#only-dark")
    assert poster.evaluate("image => image.decode().then(() => image.naturalWidth)") > 200
    assert "6 queries and 6 keys" in poster.get_attribute("alt")
    expect(live.widget()).to_have_count(0)

    live.figure.get_by_role("button", name="Open the live card").click()
    expect(live.widget()).to_have_attribute("data-ready", "true")
    expect(live.widget()).to_have_attribute("data-theme", "dark")
    expect(poster).to_have_count(0)
    card = MapView(live)
    card.masked(0, 36)
    card.click(1, 3)
    card.masked(1, 36)
    # The card follows the switch of the page.
    page.locator("label[for=__palette_0]:visible, label[for=__palette_1]:visible").first.click()
    expect(live.widget()).to_have_attribute("data-theme", "light")


def test_a_module_that_is_not_there_is_said_in_words(lab, address):
    page = lab.page()
    page.route(
        "**/*.mjs",
        lambda route: route.fulfill(content_type="text/javascript", body="throw Error('broken')"),
    )
    page.goto(address)
    page.locator(".live-open").first.click()
    expect(page.get_by_role("alert").first).to_have_text("The card could not be loaded: broken")
    expect(page.locator(".live-posters").first).to_be_visible()
