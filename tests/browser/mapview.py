"""The heatmap as a user has it: where its cells are, what they show, how they are clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from labnotebook import Notebook, Pixel


class MapView:
    """One drawn heatmap; cells are (query, key), from 0."""

    def __init__(self, notebook: Notebook, i: int = 0) -> None:
        self.notebook = notebook
        self.root = notebook.widget(i)
        self.map = self.root.locator(".aw-map")
        self.over = self.root.locator(".aw-over")
        self.base = self.root.locator(".aw-base")
        self.readout = self.root.locator(".aw-readout")

    def at(self, query: int, key: int) -> tuple[float, float]:
        """Return the middle of a cell, in CSS pixels from the map's corner."""
        left, top, cell = (
            float(self.map.get_attribute(f"data-{n}") or "nan") for n in ("left", "top", "cell")
        )
        return left + (key + 0.5) * cell, top + (query + 0.5) * cell

    def click(self, query: int, key: int) -> None:
        x, y = self.at(query, key)
        self.over.click(position={"x": x, "y": y})
        self.settled()

    def hover(self, query: int, key: int) -> None:
        x, y = self.at(query, key)
        self.over.hover(position={"x": x, "y": y})

    def drag(self, *cells: tuple[int, int]) -> None:
        """Press on the first cell, move over the others, let go on the last."""
        mouse = self.notebook.page.mouse
        for i, cell in enumerate(cells):
            self.over.scroll_into_view_if_needed()
            box = self.over.bounding_box()
            assert box
            x, y = self.at(*cell)
            mouse.move(box["x"] + x, box["y"] + y)
            if i == 0:
                mouse.down()
        mouse.up()
        self.settled()

    def what_if(self) -> None:
        """Choose that a click on a model's map is a mask on this map, and no knock-out."""
        self.choose("what-if")

    def choose(self, *names: str) -> None:
        """Choose what a click on a model's map does, in the panel of the button in the header."""
        panel = self.root.locator(".aw-aim")
        self.root.locator(".aw-aim-button").click()
        for name in names:
            panel.get_by_role("radio", name=name, exact=True).click()
        self.notebook.page.keyboard.press("Escape")
        expect(panel).to_be_hidden()

    def settled(self) -> None:
        """Wait until Python has answered every edit."""
        expect(self.root).to_have_attribute("data-pending", "0")

    def pixel(self, query: int, key: int) -> Pixel:
        """Return the colour of a cell, away from its number and its lines."""
        cell = float(self.map.get_attribute("data-cell") or "nan")
        x, y = self.at(query, key)
        return self.notebook.pixel(self.base, x, y - cell * 0.4)

    def masked(self, count: int, of: int) -> None:
        """Wait until the foot says so."""
        expect(self.root.locator(".aw-masked-count")).to_have_text(f"masked {count} of {of}")

    def value(self, query: int, key: int) -> float:
        """Hover a cell and read the number that the page has for it."""
        self.hover(query, key)
        expect(self.map).to_have_attribute("data-hover", f"{query},{key}")
        return float(self.map.get_attribute("data-value") or "nan")
