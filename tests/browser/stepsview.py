"""The steps as a user has them: the matrices, the number under the pointer, where it is from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from labnotebook import Notebook
    from playwright.sync_api import Locator

# Frames in which a page has come to rest after a resize.
_FRAMES = 120


class StepsView:
    """One drawn flow; places are (row, column), from 0."""

    def __init__(self, notebook: Notebook, i: int = 0) -> None:
        self.notebook = notebook
        self.root = notebook.widget(i)
        self.panel = self.root.locator(".aw-explain")
        expect(self.root.locator(".aw-steps")).to_have_attribute("data-painted", re.compile(r"\d"))

    def grid(self, name: str) -> Locator:
        return self.root.locator(f'[data-name="{name}"] .aw-grid')

    def names(self) -> list[str]:
        matrices = self.root.locator(".aw-matrix").all()
        return [str(m.get_attribute("data-name")) for m in matrices]

    def shape(self, name: str) -> tuple[int, int]:
        data = self.grid(name).evaluate("grid => ({ ...grid.dataset })")
        return int(data["rows"]), int(data["cols"])

    def at(self, name: str, row: int, col: int) -> tuple[float, float]:
        """Return the middle of a cell on the page, brought to where nothing covers it."""
        grid = self.grid(name)
        grid.evaluate("grid => grid.scrollIntoView({ block: 'center' })")
        box, data = grid.bounding_box(), grid.evaluate("grid => ({ ...grid.dataset })")
        assert box
        # Rows and columns that are left out stand as empty strings.
        rows, cols = (indices.split(",") for indices in data["drawn"].split(";"))
        return (
            box["x"] + float(data["left"]) + (cols.index(str(col)) + 0.5) * float(data["cw"]),
            box["y"] + float(data["top"]) + (rows.index(str(row)) + 0.5) * float(data["ch"]),
        )

    def hover(self, name: str, row: int, col: int) -> None:
        """Put the pointer on a cell; again where the page moved meanwhile, as after a resize."""
        page, wanted = self.notebook.page, f"{name},{row},{col}"
        for _ in range(_FRAMES):
            page.mouse.move(*self.at(name, row, col))
            page.evaluate("() => new Promise(requestAnimationFrame)")
            if self.panel.get_attribute("data-cell") == wanted:
                return
        expect(self.panel).to_have_attribute("data-cell", wanted)

    def value(self, name: str, row: int, col: int) -> float:
        self.hover(name, row, col)
        return float(self.panel.get_attribute("data-value") or "nan")

    def numpy(self) -> str:
        """Return the line of NumPy for the number that is shown."""
        return str(self.panel.get_attribute("data-numpy"))

    def lines(self) -> list[str]:
        return self.panel.locator(".aw-sums > div").all_text_contents()

    def click(self, name: str, row: int, col: int) -> None:
        self.notebook.page.mouse.click(*self.at(name, row, col))
        self.settled()

    def drag(self, name: str, row: int, col: int, by: int, *, release: bool = True) -> None:
        """Press on a number, move by pixels to the right, and let go unless told not to."""
        mouse = self.notebook.page.mouse
        x, y = self.at(name, row, col)
        mouse.move(x, y)
        mouse.down()
        for share in (0.3, 0.7, 1):
            mouse.move(x + by * share, y)
        if release:
            mouse.up()
            self.settled()

    def type(self, name: str, row: int, col: int, text: str, end: str = "Enter") -> None:
        """Double-click a number, type another, and end with a key."""
        self.notebook.page.mouse.dblclick(*self.at(name, row, col))
        box = self.root.locator(".aw-edit")
        box.fill(text)
        box.press(end)
        expect(box).to_have_count(0)
        self.settled()

    def settled(self) -> None:
        """Wait until Python has answered every edit."""
        expect(self.root).to_have_attribute("data-pending", "0")
