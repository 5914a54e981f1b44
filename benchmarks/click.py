"""A click in a real JupyterLab: to changed pixels, and to Python's result, beside a bare echo.

For each n, three kinds of click take turns in one notebook: on a cell of the heatmap, timed to the
first animation frame that has painted it and to Python's answer; and on a bare anywidget that sends
one number and gets it back, the floor. All times are from the pointer event's own time stamp.
Wanted at every n: pixels in the first frame, and an answer within 1.5 times the floor's.
Run: python benchmarks/click.py [--sizes 6 32 128 512] [--clicks 30]
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from _lab import open_lab
from lab import Lab
from labnotebook import IDLE
from mapview import MapView

WARM_UP = 4

FLOOR = """
import anywidget, traitlets
class Floor(anywidget.AnyWidget):
    _esm = '''export default { render({ model, el }) {
      const button = document.createElement("button");
      button.className = "floor";
      button.textContent = "floor";
      button.onpointerdown = event => {
        window.floor = null;
        model.set("up", model.get("up") + 1);
        model.save_changes();
        button.started = event.timeStamp;
      };
      model.on("change:down", () => { window.floor = performance.now() - button.started; });
      el.append(button);
    } }'''
    up = traitlets.Int().tag(sync=True, echo_update=False)
    down = traitlets.Int().tag(sync=True)
    @traitlets.observe("up")
    def _echo(self, change):
        self.down = change["new"]
Floor()
"""

# Frames are counted from the pointer event on; the count is asked before the widget paints.
PROBE = """() => {
  const root = document.querySelector('.aw-root'), map = root.querySelector('.aw-map');
  addEventListener('pointerdown', event => {
    if (!map.contains(event.target)) return;
    const probe = window.probe = { start: event.timeStamp, frames: 0 };
    const count = () => { probe.frames++; if (!probe.painted) requestAnimationFrame(count); };
    requestAnimationFrame(count);
  }, true);
  new MutationObserver(() => {
    const probe = window.probe;
    if (probe && !probe.painted) {
      probe.painted = performance.now() - probe.start;
      probe.paintedIn = probe.frames;
    }
  }).observe(map, { attributeFilter: ['data-painted'] });
  new MutationObserver(() => {
    const probe = window.probe;
    if (probe && !probe.answered) probe.answered = performance.now() - probe.start;
  }).observe(root, { attributeFilter: ['data-revision'] });
}"""

CHECK = """
import numpy as np
hidden = np.where(w.mask, -np.inf, w.scores.astype(float))
rows = np.exp(hidden - hidden.max(1, keepdims=True))
print(bool(abs(rows / rows.sum(1, keepdims=True) - w.attention).max() < 1e-6))
"""


def measure(lab: Lab, n: int, clicks: int) -> dict[str, list[float]]:
    cells = [
        "from attnwidget import AttentionWidget\n"
        f"w = AttentionWidget([f't{{i}}' for i in range({n})], d_model=32)\nw",
        FLOOR,
    ]
    notebook = lab.notebook(cells)
    view = MapView(notebook)
    page = notebook.page
    page.evaluate(PROBE)
    got: dict[str, list[float]] = {"painted": [], "frames": [], "answered": [], "floor": []}
    for i in range(WARM_UP + clicks):
        counted = i >= WARM_UP
        query, key = (i * 7 + 1) % n, (i * 5 + 2) % n
        press(view, query, key)
        page.wait_for_function("() => window.probe?.answered && window.probe.painted")
        probe: dict[str, Any] = page.evaluate("() => window.probe")
        settle(page, notebook.path.name)
        floor = echo(page)
        settle(page, notebook.path.name)
        if counted:
            got["painted"].append(probe["painted"])
            got["frames"].append(probe["paintedIn"])
            got["answered"].append(probe["answered"])
            got["floor"].append(floor)
    assert notebook.run_cell(CHECK) == "True", "Python's arrays are not right after the clicks"
    return got


def press(view: MapView, query: int, key: int) -> None:
    view.over.scroll_into_view_if_needed()
    box = view.over.bounding_box()
    assert box
    x, y = view.at(query, key)
    tap(view.notebook.page, box["x"] + x, box["y"] + y)


def echo(page: Any) -> float:
    """Click on the button of `FLOOR`; return the milliseconds until the echo."""
    button = page.locator("button.floor")
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box
    tap(page, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("() => window.floor")
    milliseconds: float = page.evaluate("() => window.floor")
    return milliseconds


def tap(page: Any, x: float, y: float) -> None:
    """Click at once where the pointer has already been drawn: the same for every kind of click."""
    page.mouse.move(x, y)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    page.mouse.down()
    page.mouse.up()


def settle(page: Any, name: str) -> None:
    page.wait_for_function(IDLE, arg=name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[6, 32, 128, 512])
    parser.add_argument("--clicks", type=int, default=30)
    options = parser.parse_args()
    middle = statistics.median
    print(
        f"{'n':>4}  {'painted ms':>10} {'first frame':>11}   {'answer ms':>9} {'floor ms':>8} "
        f"{'ratio':>6}   (medians of {options.clicks})"
    )
    with open_lab() as lab:
        for n in options.sizes:
            got = measure(lab, n, options.clicks)
            first = sum(f == 1 for f in got["frames"]) / len(got["frames"])
            answer, floor = middle(got["answered"]), middle(got["floor"])
            print(
                f"{n:4}  {middle(got['painted']):10.1f} {first:11.0%}   {answer:9.1f} "
                f"{floor:8.1f} {answer / floor:6.2f}",
                flush=True,
            )
    print("wanted: 100% in the first frame, and a ratio of at most 1.5 at every n")


if __name__ == "__main__":
    main()
