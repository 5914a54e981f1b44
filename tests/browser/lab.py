"""Pages of one JupyterLab: opened once, handed from test to test, each notebook with a kernel."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import nbformat
from labnotebook import Notebook
from playwright.sync_api import Error as PlaywrightError
from watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from labserver import Server
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--no-first-run",
    "--no-proxy-server",
    # Refuses what no page event shows, too: the browser's own requests and WebSockets.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
RESTORED = "() => globalThis.jupyterapp?.restored?.then(() => true)"
CLOSE_SIDEBARS = """() => {
  jupyterapp.shell.collapseLeft();
  jupyterapp.shell.collapseRight();
}"""
# What a failed test says of its page: the sizes decide which controls a card shows.
SIZES = """() => `window ${innerWidth} x ${innerHeight}, cards ${
  [...document.querySelectorAll('.aw-root')].map(card => card.clientWidth)}`"""


def launch(playwright: Playwright) -> Browser:
    """Start the system's Chromium, or Playwright's own where there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    return playwright.chromium.launch(executable_path=found, args=list(CHROMIUM))


@dataclass(frozen=True)
class Look:
    """How a page is shown: JupyterLab's theme, CSS pixels, device pixels a CSS one, touch."""

    theme: str = "light"
    viewport: tuple[int, int] = (1100, 900)
    dpr: float = 1
    touch: bool = False


@dataclass(frozen=True)
class Seat:
    """One watched page with JupyterLab loaded in it."""

    look: Look
    context: BrowserContext
    page: Page
    watch: Watch
    #: Whether it goes with its notebook.
    once: bool = False
    #: The notebooks that were open in it.
    seen: set[Path] = field(default_factory=set)

    def becomes(self, look: Look) -> bool:
        """Return whether a new size of the window gives the page this look."""
        return replace(self.look, viewport=look.viewport) == look


class Desk:
    """A browser, the server, and the pages that stand loaded between tests.

    Loading JupyterLab takes seconds and a notebook in it a fraction of one, so a page that did
    nothing wrong is kept for the next notebooks.
    """

    # A module's notebook, a test's notebook beside it, and the same notebook opened again.
    KEPT = 3

    def __init__(self, browser: Browser, server: Callable[[], Server]) -> None:
        self._browser = browser
        self._server = server
        self._idle: list[Seat] = []

    @property
    def server(self) -> Server:
        """The JupyterLab server, started when first asked for."""
        return self._server()

    def take(self, look: Look, path: Path, *, fresh: bool) -> Seat:
        """Hand out a page with JupyterLab loaded in which this notebook was never open.

        With `fresh`, no notebook was ever open in it, and none will be after this one: JupyterLab
        may have been loaded with settings of the test.
        """
        if fresh:
            return replace(self._load(look), once=True)
        fitting = [seat for seat in self._idle if seat.becomes(look) and path not in seat.seen]
        if fitting:
            self._idle.remove(fitting[-1])
            seat = replace(fitting[-1], look=look)
            _dress(seat)
        else:
            seat = self._load(look)
        seat.seen.add(path)
        return seat

    def give(self, seat: Seat, *, sound: bool) -> None:
        """Take a page back, to keep it if it is sound."""
        seat.watch.console.clear()
        if sound and not seat.once:
            self._idle.append(seat)
        else:
            seat.context.close()
        if len(self._idle) > self.KEPT:
            self._idle.pop(0).context.close()

    def close(self) -> None:
        """Close the pages that are kept."""
        for seat in self._idle:
            seat.context.close()
        self._idle.clear()

    def context(self, look: Look | None = None) -> tuple[BrowserContext, Watch]:
        """Open a watched browser context."""
        look = look or Look()
        context = self._browser.new_context(
            viewport={"width": look.viewport[0], "height": look.viewport[1]},
            device_scale_factor=look.dpr,
            has_touch=look.touch,
            service_workers="block",
        )
        context.set_default_timeout(15_000)
        return context, Watch(context)

    def _load(self, look: Look) -> Seat:
        server = self.server
        server.set("@jupyterlab/apputils-extension:themes", {"theme": THEMES[look.theme]})
        context, watch = self.context(look)
        page = context.new_page()
        # A workspace of its own: the shared one would reopen the notebooks of earlier tests.
        page.goto(f"{server.url}/doc/workspaces/{secrets.token_hex(4)}?token={server.token}")
        page.wait_for_function(RESTORED, timeout=60_000)
        return Seat(look, context, page, watch)


class Lab:
    """Opens notebooks for one test, or one module, and closes them together."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._open: list[tuple[Seat, Notebook]] = []
        self._plain: list[tuple[BrowserContext, Watch]] = []

    def notebook(
        self,
        cells: Sequence[str] = (),
        *,
        name: str | None = None,
        run: bool = True,
        fresh: bool = False,
        kernel: str = "python3",
        **look: Any,
    ) -> Notebook:
        """Write a notebook of these code cells, open it, and run it all unless told not to.

        `look` takes theme ("light", "dark"), viewport (CSS pixels), dpr and touch.
        `fresh` loads a page anew. `kernel` may be "plain": a new Python instead of a fork of one
        that has imported what kernels import.
        """
        book = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": kernel, "display_name": kernel}},
        )
        path = self._desk.server.root / f"{name or secrets.token_hex(4)}.ipynb"
        nbformat.write(book, path)
        notebook = self.open(path, fresh=fresh, **look)
        if run:
            notebook.run_all()
        return notebook

    def open(
        self, path: Path, *, fresh: bool = False, start: bool = False, **look: Any
    ) -> Notebook:
        """Open a notebook file that lies in the server's root; its kernel runs or starts.

        With `start`, a new kernel answers before the notebook is opened.
        """
        seat = self._desk.take(Look(**look), path, fresh=fresh)
        notebook = Notebook(seat.page, seat.watch, path)
        self._open.append((seat, notebook))
        if start:
            notebook.start_kernel()
        notebook.show()
        # A card beside an open sidebar is narrower, and has other controls.
        seat.page.evaluate(CLOSE_SIDEBARS)
        return notebook

    def reopen(self, notebook: Notebook, *, kernel: bool) -> Notebook:
        """Save, close, and open again in a page in which the notebook was never open.

        With its kernel, left running, the widgets go on. Without it JupyterLab starts another,
        which knows none of them: they are drawn from the state saved in the notebook. (A notebook
        with no kernel at all shows no widget of any kind: ipywidgets' manager for JupyterLab
        waits for one.)
        """
        notebook.save()
        look = self.leave(notebook, kernel=kernel)
        return self.open(notebook.path, start=not kernel, **vars(look))

    def leave(self, notebook: Notebook, *, kernel: bool) -> Look:
        """Close a notebook in its page, and leave its kernel running or not; return the look."""
        seat = next(seat for seat, each in self._open if each is notebook)
        self._open.remove((seat, notebook))
        problems = self._return(seat, notebook, shutdown=not kernel)
        assert not problems, "\n".join(problems)
        return seat.look

    def page(self, **look: Any) -> Page:
        """Open an empty page without JupyterLab, watched all the same: for exported files."""
        context, watch = self._desk.context(Look(**look))
        self._plain.append((context, watch))
        return context.new_page()

    def problems(self) -> list[str]:
        """Hand over what went wrong in any open page since the last call."""
        return [problem for watch in self._watches() for problem in watch.drain()]

    def console(self) -> str:
        """Return the recent console of every open page, and the sizes of its cards."""
        lines = [line for watch in self._watches() for line in watch.console]
        return "\n".join([*lines, *(_sizes(seat.page) for seat, _ in self._open)])

    def close(self) -> None:
        """Close the notebooks with their kernels; raise what went wrong and nobody reported."""
        problems: list[str] = []
        while self._plain:
            context, watch = self._plain.pop()
            problems += watch.drain()
            context.close()
        while self._open:
            problems += self._return(*self._open.pop())
        assert not problems, "\n".join(problems)

    def _return(self, seat: Seat, notebook: Notebook, *, shutdown: bool = True) -> list[str]:
        problems = ["the notebook could not be closed"]
        try:
            notebook.close(shutdown=shutdown)
            problems = seat.watch.drain()
        finally:
            self._desk.give(seat, sound=not problems)
        return problems

    def _watches(self) -> list[Watch]:
        return [seat.watch for seat, _ in self._open] + [watch for _, watch in self._plain]


def _dress(seat: Seat) -> None:
    """Give a page its size and its media again, because an earlier test may have changed both."""
    width, height = seat.look.viewport
    seat.page.set_viewport_size({"width": width, "height": height})
    seat.page.emulate_media(color_scheme="null", forced_colors="null", reduced_motion="null")


def _sizes(page: Page) -> str:
    try:
        return str(page.evaluate(SIZES))
    except PlaywrightError as error:
        return f"the page does not say its sizes: {error}"
