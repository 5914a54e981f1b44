"""The steps as a user has them: the matrices, the number under the pointer, where it is from."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import torch
from playwright.sync_api import expect

if TYPE_CHECKING:
    from labnotebook import Notebook
    from playwright.sync_api import Locator

# Frames in which a page has come to rest after a resize.
_FRAMES = 120


MAKE = "from attnwidget import AttentionWidget, causal_mask\n"
WIDGET = MAKE + "w = AttentionWidget('The cat sat on the mat', d_k=3, d_v=2, view='steps')"


def flow(X=None, W_q=None, mask=None, Q=None, scale=3**-0.5):
    """Every matrix of the lab's sentence by NumPy and torch; what is given stands in its place."""
    X = np.random.RandomState(0).rand(6, 4) if X is None else X
    rng = np.random.RandomState(0)
    drawn = [rng.rand(4, 3), rng.rand(4, 3), rng.rand(4, 2)]
    if W_q is not None:
        drawn[0] = W_q
    made = dict(zip(("Q", "K", "V"), (X @ W for W in drawn), strict=True))
    if Q is not None:
        made["Q"] = Q
    hidden = np.zeros((6, 6), bool) if mask is None else mask
    scores = made["Q"] @ made["K"].T * scale
    logits = torch.tensor(scores).masked_fill(torch.tensor(hidden), -torch.inf)
    attention = torch.softmax(logits, -1).nan_to_num(0).numpy()
    return {
        "embeddings": X,
        **dict(zip(("W_q", "W_k", "W_v"), drawn, strict=True)),
        **made,
        "scores": scores,
        "mask": hidden.astype(float),
        "attention": attention,
        "output": attention @ made["V"],
    }


def ask(notebook, expression):
    """Return the JSON value of a Python expression in the notebook's kernel."""
    return json.loads(notebook.run_cell(f"import json; print(json.dumps({expression}))"))


def read(view, name):
    rows, cols = view.shape(name)
    return np.array([[view.value(name, r, c) for c in range(cols)] for r in range(rows)])


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
        box, (x, y, width, height) = grid.bounding_box(), self.cell(name, row, col)
        assert box
        return box["x"] + x + width / 2, box["y"] + y + height / 2

    def cell(self, name: str, row: int, col: int) -> tuple[float, float, float, float]:
        """Return the left edge, the top, the width and the height of a cell in the grid."""
        data = self.grid(name).evaluate("grid => ({ ...grid.dataset })")
        # Rows and columns that are left out stand as empty strings.
        rows, cols = (indices.split(",") for indices in data["drawn"].split(";"))
        width, height = float(data["cw"]), float(data["ch"])
        x = float(data["left"]) + cols.index(str(col)) * width
        return x, float(data["top"]) + rows.index(str(row)) * height, width, height

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


def reset(opened: Notebook) -> StepsView:
    """Take back every edit of the widget `w`, and wait until the page shows it."""
    revision = opened.run_cell(
        "w.positional = 'none'; w.d_k = 3; w.temperature = 1\n"
        "w.reset(); w.mask = None; w.error = ''; w.selection = None; print(w.revision)"
    )
    view = StepsView(opened)
    # The numbers of the reset must not come as an edit after the test's own.
    expect(view.root).to_have_attribute("data-revision", revision)
    expect(view.root.locator(".aw-masked-count")).to_have_text("masked 0 of 36")
    view.settled()
    return view
