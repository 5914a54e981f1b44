"""A knock-out by click in a real JupyterLab: to the effect in the panel, beside a bare echo.

The card has the demo model, `induction_model`. Each round clicks on an edge of the map, which runs
the model again; on the bare anywidget of `click.py`, the floor; and on the edge once more, which
puts the edge back. The time of a click is from the pointer event's own time stamp to the effect:
the panel said "idle" before the click, says "done", and reads the effect at the query of the edge.
The number in the panel is then compared with Python's. The time of the run is Python's own. Of a
short run, the page gets a single answer; else it hears first that the model runs.
Wanted: the effect within 1.5 times the floor.
Run: python benchmarks/effect.py [--clicks 40]
"""

from __future__ import annotations

import argparse
import math
import statistics

from _lab import open_lab
from click import FLOOR, WARM_UP, echo, press, settle
from lab import Lab
from mapview import MapView

CARD = """
from attnwidget import AttentionWidget
from attnwidget.demo import induction_model
w = AttentionWidget.from_model(*induction_model(), "fox bee owl moon cat fox bee", layer=1)
w
"""
# The panel's state and number are set together: an observer hears of both when both are there.
PROBE = """() => {
  const map = document.querySelector('.aw-map'), panel = document.querySelector('.aw-run');
  addEventListener('pointerdown', event => {
    if (map.contains(event.target)) window.probe = { start: event.timeStamp, single: true };
  }, true);
  new MutationObserver(() => {
    const probe = window.probe, now = performance.now();
    if (!probe) return;
    const { state } = panel.dataset;
    if (state === 'running') probe.single = false;
    if (state === 'done' && !probe.done) {
      const token = panel.querySelector('.aw-run-strip [aria-checked="true"]');
      if (Number(token.dataset.position) !== window.query) return;
      probe.number = panel.querySelector('.aw-run-number').textContent;
      probe.done = now - probe.start;
    }
    if (state === 'idle') probe.idle ??= now - probe.start;
  }).observe(panel, { attributeFilter: ['data-state'] });
}"""
ANSWER = "print(w.effect.number, w.run_state.seconds)"


def measure(lab: Lab, clicks: int) -> dict[str, list[float]]:
    """Return the milliseconds of each click, and whether the effect came in a single answer."""
    notebook = lab.notebook([CARD, FLOOR], viewport=(1300, 1300))
    view = MapView(notebook)
    page = notebook.page
    page.evaluate(PROBE)
    got: dict[str, list[float]] = {"effect": [], "floor": [], "run": [], "single": []}
    for i in range(WARM_UP + clicks):
        query = 2 + i % 5
        key = i % (query + 1)
        page.evaluate("query => { window.query = query; }", query)
        press(view, query, key)
        page.wait_for_function("() => window.probe?.done")
        probe = page.evaluate("() => window.probe")
        number, seconds = map(float, notebook.run_cell(ANSWER).split())
        shown = float(probe["number"].split()[0].replace("−", "-"))
        assert math.isclose(shown, number, rel_tol=0.01, abs_tol=0.006), (shown, number)
        settle(page, notebook.path.name)
        floor = echo(page)
        settle(page, notebook.path.name)
        press(view, query, key)
        page.wait_for_function("() => window.probe?.idle")
        settle(page, notebook.path.name)
        if i >= WARM_UP:
            got["effect"].append(probe["done"])
            got["run"].append(seconds * 1e3)
            got["floor"].append(floor)
            got["single"].append(probe["single"])
    return got


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=40)
    clicks = parser.parse_args().clicks
    with open_lab() as lab:
        times = measure(lab, clicks)
    effect, floor, run = (statistics.median(times[name]) for name in ("effect", "floor", "run"))
    print("effect ms  floor ms  ratio   run ms  single answer   (medians of", f"{clicks})")
    print(
        f"{effect:9.1f} {floor:9.1f} {effect / floor:6.2f} {run:8.1f} "
        f"{statistics.mean(times['single']):14.0%}"
    )
    print("wanted: a ratio of at most 1.5")


if __name__ == "__main__":
    main()
