"""The same lesson in JupyterLab, Notebook, Voilà, and marimo as an app and as an editor.

In every front end a widget is displayed twice, and then a widget of two heads and hostile tokens.
Python writes the state that Python has in an element `output.python`, and buttons let Python set
the mask.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import nbformat
from hostile import HOSTILE, TITLE
from labnotebook import IDLE, Notebook
from playwright.sync_api import expect
from watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab import Desk
    from playwright.sync_api import Page

HOSTILE_CARD = f"AttentionWidget({HOSTILE!r}, title={TITLE!r}, n_heads=2)"
STATE = (
    "f\"<output class='python'>{w.mask.nonzero()[0].size} masked, "
    'X[1, 2] = {w.embeddings[1, 2]:.2f}</output>"'
)
CELLS = (
    f"""from attnwidget import AttentionWidget, causal_mask
import ipywidgets
w = AttentionWidget('The cat sat on the mat', d_k=3)
state = ipywidgets.HTML()
def write(change=None):
    state.value = {STATE}
w.observe(write, ['mask', 'embeddings'])
write()
def mask(button):
    w.mask = causal_mask(6)
def reset(button):
    w.reset()
    w.mask = None
masks = ipywidgets.Button(description='Python masks')
masks.on_click(mask)
resets = ipywidgets.Button(description='Python resets')
resets.on_click(reset)""",
    "w",
    "w",
    "ipywidgets.HBox([masks, resets, state])",
    HOSTILE_CARD,
)
APP = f"""import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    from attnwidget import AttentionWidget, causal_mask
    w = mo.ui.anywidget(AttentionWidget("The cat sat on the mat", d_k=3))
    return AttentionWidget, causal_mask, mo, w


@app.cell
def _(w):
    w
    return


@app.cell
def _(w):
    w
    return


@app.cell
def _(mo, w):
    mo.Html({STATE})
    return


@app.cell
def _(causal_mask, mo, w):
    def mask(value):
        w.widget.mask = causal_mask(6)
    def reset(value):
        w.widget.reset()
        w.widget.mask = None
    masks = mo.ui.button(label="Python masks", on_click=mask)
    resets = mo.ui.button(label="Python resets", on_click=reset)
    mo.hstack([masks, resets])
    return


@app.cell
def _(AttentionWidget):
    {HOSTILE_CARD}
    return


if __name__ == "__main__":
    app.run()
"""
# The editor runs the cells when it opens, and the theme is the theme of the browser.
CONFIG = """[runtime]
auto_instantiate = true
[display]
theme = "system"
"""


class Frontend(Notebook):
    """A page of a front end with the lesson in it. The lesson has been run."""

    # What the front end itself logs or asks for, although nothing of ours is wrong.
    noise = re.compile("(?!)")
    # Whether Python's element follows a change that Python has made. marimo runs a cell again when
    # the page has changed a widget that the cell reads, and not when Python has.
    follows_python = True

    def state(self, text: str) -> None:
        """Wait until Python has this state."""
        expect(self.page.locator("output.python")).to_have_text(text)

    def press(self, name: str) -> None:
        """Press a button that lets Python do something: "Python masks" or "Python resets"."""
        self.page.get_by_role("button", name=name).click()

    def rerun(self) -> None:
        """Run the cell that displays the widget again, or load the page anew where no cell runs."""
        self.page.reload()

    def set_theme(self, theme: str) -> None:
        """Switch the theme while the page is open."""
        self.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")


class Lab(Frontend):
    def rerun(self) -> None:
        self.rerun_cell(1)

    def set_theme(self, theme: str) -> None:
        Notebook.set_theme(self, theme)

    def reopen(self) -> None:
        """Save, and load the page anew with a kernel that knows no widget."""
        self.save()
        self.shutdown_kernel()
        self.start_kernel()
        self.page.reload()
        self.page.wait_for_function(IDLE, arg=self.path.name)


class Notebook7(Lab):
    # Notebook reads settings of an extension that the tests switch off, and asks for a command that
    # JupyterLab alone has.
    noise = re.compile("reading 'schema'|'filebrowser:open-path' not registered|/static/notebook/")


class Voila(Frontend):
    # Voilà wants icons and MathJax from a CDN, and loads extensions that are JupyterLab's alone.
    noise = re.compile(
        "fontawesome|mathjax|net::ERR_FAILED|getter for the shared module|voila/api/shutdown"
    )

    def set_theme(self, theme: str) -> None:
        # Voilà has no switch: the address of a page says its theme.
        self.page.goto(re.sub("(?<=theme=)[a-z]+", theme, self.page.url))


class MarimoRun(Frontend):
    # The tests block service workers, because a service worker may fetch what no page event shows.
    noise = re.compile("Error registering service worker")
    follows_python = False


class MarimoEdit(MarimoRun):
    def rerun(self) -> None:
        cell = self.page.locator("[data-cell-name]").nth(1)
        cell.hover()
        cell.get_by_test_id("run-button").first.click()


def open_jupyter(desk: Desk, path: str, kind: type[Frontend]) -> Frontend:
    """Write the lesson as a notebook and open it at an address of the Jupyter server."""
    server = desk.server
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    name = f"{kind.__name__.lower()}.ipynb"
    nbformat.write(book, server.root / name)
    page, watch = blank_page(desk)
    page.goto(f"{server.url}/{path.format(name=name)}token={server.token}")
    frontend = kind(page, watch, server.root / name)
    if issubclass(kind, Lab):
        page.wait_for_function(IDLE, arg=name, timeout=60_000)
        frontend.run_all()
    return frontend


@contextmanager
def open_marimo(desk: Desk, mode: str, kind: type[Frontend], home: Path) -> Iterator[Frontend]:
    """Start marimo with the lesson in a folder of its own, and open the page."""
    (home / "lesson.py").write_text(APP)
    (home / "marimo").mkdir()
    (home / "marimo" / "marimo.toml").write_text(CONFIG)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "marimo", "-q", mode, "lesson.py"),
        *("--headless", "--no-token", "--host", "127.0.0.1", "--port", str(port)),
    ]
    environment = os.environ | {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log)
    try:
        page, watch = blank_page(desk)
        _await(page, f"http://127.0.0.1:{port}", process)
        frontend = kind(page, watch, home / "lesson.py")
        # marimo starts a kernel and runs the lesson after the page is there, as JupyterLab does.
        frontend.widget(timeout=60_000)
        yield frontend
    finally:
        process.terminate()
        process.wait(10)


def _await(page: Page, url: str, process: subprocess.Popen[bytes]) -> None:
    """Load the page as soon as the server listens."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), 1).close()
        except OSError:
            continue
        page.goto(url)
        return
    raise RuntimeError("marimo ended before its page could be opened")


def blank_page(desk: Desk) -> tuple[Page, Watch]:
    context, watch = desk.context()
    return context.new_page(), watch
