"""What `make lite` has built: the files, their versions, and both pages in Chromium, offline.

Pyodide and NumPy come from the network when a reader opens a page, so no cell runs here.
"""

from __future__ import annotations

import json
import re
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import nbformat
import pytest
from lab import launch
from lite import INSTALL, OUT
from playwright.sync_api import expect, sync_playwright
from watch import OUTSIDE

from attnwidget import __version__

SITE, MARIMO = OUT / "site", OUT / "marimo"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser):
    """Open a page of a folder; `refused` are the addresses of the network that it asks for."""
    servers, context = [], browser.new_context(service_workers="block")
    page = context.new_page()
    page.refused = []

    def refuse(route):
        page.refused.append(route.request.url)
        route.abort()

    context.route(OUTSIDE, refuse)

    def open_(folder, path):
        handler = partial(Quiet, directory=str(folder))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{server.server_port}/{path}")
        return page

    yield open_
    context.close()
    for server in servers:
        server.shutdown()


def index():
    """The packages that `%pip` of the site finds without the network."""
    (path,) = (SITE / "pypi").glob("all.json")
    return json.loads(path.read_text())


def test_the_site_has_this_wheel_and_what_it_needs():
    packages = index()
    assert list(packages["attnwidget"]["releases"]) == [__version__]
    (wheel,) = (SITE / "pypi").glob("attnwidget-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"attnwidget/static/widget.js", "attnwidget/static/page.js"} <= {*names}
    assert {"anywidget", "psygnal"} <= packages.keys()


def test_the_extension_of_jupyterlab_and_the_wheel_of_anywidget_are_one_version():
    extension = json.loads((SITE / "extensions" / "anywidget" / "package.json").read_text())
    assert list(index()["anywidget"]["releases"]) == [extension["version"]]
    listed = json.loads((SITE / "jupyter-lite.json").read_text())["jupyter-config-data"]
    names = {each["name"] for each in listed["federated_extensions"]}
    assert {"anywidget", "@jupyter-widgets/jupyterlab-manager"} <= names


def test_the_notebook_installs_the_wheel_first():
    book = nbformat.read(SITE / "files" / "self_attention_lab.ipynb", 4)
    assert book.cells[0].source == INSTALL
    nbformat.validate(book)


def test_jupyterlite_opens_the_notebook(opened):
    page = opened(SITE, "lab/index.html?path=self_attention_lab.ipynb")
    files = page.locator(".jp-DirListing-itemText", has_text="self_attention_lab.ipynb")
    expect(files.first).to_be_visible(timeout=60_000)
    expect(page.locator(".jp-Notebook .jp-Cell").first).to_be_visible(timeout=60_000)
    # The kernel asks for Pyodide, and for nothing else of the network.
    assert all("pyodide" in url for url in page.refused), page.refused


def test_marimo_has_the_wheel_and_asks_for_pyodide_alone(opened):
    (wheel,) = (MARIMO / "public").glob("attnwidget-*.whl")
    assert wheel.name in (MARIMO / "index.html").read_text(encoding="utf-8")
    page = opened(MARIMO, "index.html")
    # Without the network marimo says so; the page around it has loaded.
    expect(page.get_by_text(re.compile("pyodide")).first).to_be_visible(timeout=60_000)
    assert page.refused
    assert all("pyodide" in url for url in page.refused), page.refused
