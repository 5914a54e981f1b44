"""An exported page, opened from disk without a network, in the place of a notebook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from lab import Lab
    from playwright.sync_api import FrameLocator, Locator, Page

_FROM_THE_FILE = re.compile(r"(file|data|blob|about):")


class Exported:
    """A file in a browser that is offline, for `MapView` and `StepsView` as a notebook."""

    def __init__(
        self, lab: Lab, path: Path, *, color_scheme: str = "light", **look: object
    ) -> None:
        self.page: Page = lab.page(**look)
        self.requests: list[str] = []
        self.page.context.set_offline(True)
        self.page.emulate_media(color_scheme=color_scheme)  # type: ignore[arg-type]
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        expect(self.widget()).to_have_attribute("data-ready", "true")

    def widget(self, i: int = 0) -> Locator:
        """Return a card on the page."""
        return self.page.locator(".aw-root").nth(i)

    def from_outside(self) -> list[str]:
        """Return the addresses beyond the file that the page has asked for."""
        return [url for url in self.requests if not _FROM_THE_FILE.match(url)]


def view(root: Locator | FrameLocator, name: str) -> None:
    """Choose a view by its tab."""
    root.get_by_role("radio", name=name, exact=True).click()
