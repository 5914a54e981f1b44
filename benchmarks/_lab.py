"""A JupyterLab and a browser for a program that is no test."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "browser")]

from lab import Desk, Lab, launch
from labserver import Server
from playwright.sync_api import sync_playwright


@contextmanager
def open_lab() -> Iterator[Lab]:
    """Open a JupyterLab in a folder that is deleted at the end; end browser and server too."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server = Server(Path(home) / "home")
        browser = launch(playwright)
        try:
            lab = Lab(Desk(browser, lambda: server))
            yield lab
            lab.close()
        finally:
            browser.close()
            server.stop()
