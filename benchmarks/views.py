"""Every view of a whole model in JupyterLab, beside BertViz in the same browser and the same run.

A GPT-2 of random weights (768 wide, 6 or 12 layers of 12 heads) reads n tokens. Timed from the act
to the end of the first frame that shows its result (see _page.py): a view's first draw, another
layer, the pointer on a token with none marked before ("hover") and on the one after it, a head
switched off. Also the bytes that come to the page, for a first draw and for another layer; Python's
seconds once the model has run; and the memory of Chromium's renderers.

- attnwidget: view "lines" in a notebook. First draw starts with the run of the cell, so it holds
  the kernel's work, the messages and the bundle; another layer is computed by the kernel.
- BertViz: the page of head_view with all layers, opened from disk. First draw starts with the
  opening; making the page in Python is not in it, nor are its libraries in its bytes.

"grid" is ours, beside model_view where that is asked for. BertViz gets `--limit` seconds to draw.
Run: python benchmarks/views.py [--layers 6 12] [--sizes 32 128 256 512] [--bertviz 32 128 256 512]
[--model-view 32 128] [--limit 60] [--runs 5]
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests" / "browser")]

import torch
from _bertviz import measure_head, measure_model, page_of, save
from _models import HEADS, decoder, text
from _page import PROBE, Received, rendering, still, took
from lab import Desk, Lab, launch
from labserver import Server
from playwright.sync_api import sync_playwright
from transformers import logging

from attnwidget import AttentionWidget
from attnwidget.session.session import Session

SETUP = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import torch
from transformers import logging
from _models import decoder, text
from attnwidget import AttentionWidget
from attnwidget.session.session import Session
logging.set_verbosity_error()
torch.set_num_threads(1)
model, tokenizer = decoder({{layers}})
source = AttentionWidget.from_model(model, tokenizer, text({{n}})).store.now.source
"""
# The pass of the model is over: what is timed is what BertViz is timed for.
CELL = "w = AttentionWidget(Session(source, view=view))\nw"

DRAW = """([view, heads]) => {
  for (const old of document.querySelectorAll('.aw-root')) old.dataset.old = '';
  const find = what => document.querySelector(`.aw-root:not([data-old]) ${what}`);
  const notebook = jupyterapp.shell.currentWidget.content;
  notebook.deselectAll();
  notebook.activeCellIndex = 0;
  const start = performance.now();
  jupyterapp.commands.execute('notebook:run-cell');
  return bench.shown(view === 'grid'
    ? () => find(`.aw-heads-grid[data-heads="${heads}"]`)
    : () => find('.aw-lines-view[data-painted]'), start);
}"""
# The numbers of the chosen token are the layer's own, as Python says them.
SWITCH = """([layer, values]) => {
  const lines = document.querySelector('.aw-lines-view');
  const select = document.querySelector('.aw-pick-layer');
  const start = performance.now();
  select.value = layer;
  select.dispatchEvent(new Event('change', { bubbles: true }));
  return bench.shown(() => {
    const shown = lines.dataset.values.split(' ').map(Number);
    return shown.length === values.length
      && values.every((value, k) => Math.abs(value - shown[k]) < 1e-4);
  }, start);
}"""
HOVER = """query => bench.after('pointermove', '.aw-lines', () =>
  document.querySelector('.aw-lines-view').dataset.query === `${query}`)"""
OFF = """head => bench.after('click', '.aw-line-heads', () => !document
  .querySelector('.aw-lines-view').dataset.heads.split(',').includes(`${head}`))"""
QUERY = 2  # it sees three keys: all of its weights are on the page at every n


def in_page(
    lab: Lab, browser: Any, layers: int, n: int, runs: int
) -> tuple[dict[str, float | None], float]:
    """Measure ours: medians by name, and the share of hovers shown in their first frame."""
    notebook = lab.notebook([CELL], run=False, fresh=True)
    page = notebook.page
    page.evaluate(PROBE)
    notebook.run_cell(SETUP.format(layers=layers, n=n), timeout=120_000)
    got: dict[str, list[Any]] = {}
    frames: list[int] = []

    def note(name: str, answer: Any) -> None:
        found = took(answer)
        if found is None:
            raise RuntimeError(f"{name}: nothing was drawn")
        got.setdefault(name, []).append(found.ms)
        if name == "hover":
            frames.append(found.frames)

    def draw(view: str) -> Any:
        notebook.run_cell(f"view = {view!r}")
        settle(page)
        return page.evaluate(DRAW, [view, layers * HEADS])

    before = rendering(browser, page)
    received = Received(page)
    note("first draw", draw("lines"))
    got["bytes"] = [received.stop()]
    settle(page)
    after = rendering(browser, page)
    if before is not None and after is not None:
        got["memory"] = [after - before]
    for view, name in [("lines", "first draw")] * (runs - 1) + [("grid", "grid")] * min(runs, 3):
        notebook.run_cell("w.close()")
        note(name, draw(view))
    notebook.run_cell("w.close()")
    draw("lines")

    def at(row: int) -> tuple[float, float]:
        box = page.locator(".aw-lines").bounding_box()
        assert box
        return box["x"] + 40, box["y"] + 1 + (row + 0.5) * 22

    page.locator(".aw-lines").scroll_into_view_if_needed()
    page.mouse.click(*at(QUERY))
    page.mouse.move(5, 5)
    for run in range(runs + 2):
        layer = run % (layers - 1) + 1
        said = notebook.run_cell(f"print(w.weights({layer})[:, {QUERY}].mean(0).tolist())")
        values = [float(value) for value in said.strip("[]").split(",")]
        settle(page)
        received = Received(page)
        note("layer switch", page.evaluate(SWITCH, [layer, values]))
        got.setdefault("bytes a layer", []).append(received.stop())
        settle(page)
    page.mouse.click(*at(QUERY))
    for run in range(2 * (runs + 2)):
        name = "hover" if run < runs + 2 else "next token"
        if name == "hover":  # each from rest; after that from token to token
            page.mouse.move(5, 5)
        still(page)
        row = QUERY + 1 + run
        page.evaluate(HOVER, row)
        page.mouse.move(*at(row))
        note(name, page.evaluate("() => window.took"))
    for head in range(runs + 2):
        page.locator(".aw-line-head").nth(head).hover()
        still(page)
        page.evaluate(OFF, head)
        page.mouse.down()
        page.mouse.up()
        note("head toggle", page.evaluate("() => window.took"))
    lab.close()
    middle = {name: statistics.median(values) for name, values in got.items()}
    return middle, sum(f == 1 for f in frames) / len(frames)


def settle(page: Any) -> None:
    """Wait until the kernel has nothing to do and the page has drawn it."""
    page.wait_for_function(
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"
    )
    still(page)


def opening(source: Any, runs: int) -> float:
    """Return Python's seconds for the widget and its state, the lines' answer in it, no page."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        widget = AttentionWidget(Session(source, view="lines"))
        times.append(time.perf_counter() - start)
        assert widget.get_state("_early_answer")["_early_answer"]
        widget.close()
    return statistics.median(times)


def beside(
    browser: Any, widget: AttentionWidget, n: int, folder: Path, options: argparse.Namespace
) -> dict[str, float | None]:
    """Measure BertViz on the same weights."""
    attention = [torch.from_numpy(widget.weights(one.index))[None] for one in widget.layers]
    tokens = list(widget.tokens)
    path = folder / "bertviz.html"
    got: dict[str, float | None] = {}
    if n in options.bertviz:
        html, seconds = page_of("head", attention, tokens)
        save(html, path)
        size = len(html.encode())
        del html
        runs = options.runs if n <= 64 else 2 if n <= 128 else 1
        got = measure_head(browser, path, runs, options.limit)
        got |= {"bytes": size, "Python": seconds}
    if n in options.model_view:
        save(page_of("model", attention, tokens)[0], path)
        got["grid"] = measure_model(browser, path, HEADS * len(attention), options.limit)
    path.unlink(missing_ok=True)
    gc.collect()
    return got


# What is wanted: a ratio to BertViz, or a largest value of ours, by name and n.
RATIO = {("first draw", 128): 20, ("layer switch", 128): 50, ("hover", 128): 50, ("bytes", 128): 30}
MOST = {("first draw", 512): 2000, ("layer switch", 512): 150, ("grid", 128): 1000}
# Name, unit, what one of our unit is in the unit printed, decimals.
ROWS = [
    ("first draw", "ms", 1, 0),
    ("layer switch", "ms", 1, 0),
    ("hover", "ms", 1, 1),
    ("next token", "ms", 1, 1),
    ("head toggle", "ms", 1, 1),
    ("grid", "ms", 1, 0),
    ("bytes", "MB", 1e6, 2),
    ("bytes a layer", "MB", 1e6, 2),
    ("Python", "s", 1, 4),
    ("memory", "MB", 1e6, 0),
]


def show(n: int, ours: dict[str, Any], theirs: dict[str, Any], first: float, limit: float) -> None:
    for name, unit, one, decimals in ROWS:
        mine, peer = ours.get(name), theirs.get(name)
        value = "-" if mine is None else f"{mine / one:.{decimals}f}"
        if peer is None:
            other, ratio = f"not in {limit:g} s" if name in theirs else "-", None
        else:
            other, ratio = f"{peer / one:.{decimals}f}", peer / mine if mine else None
        wanted, met = "", True
        if (least := RATIO.get((name, n))) and ratio is not None:
            wanted, met = f"at least {least} times", ratio >= least
        if most := MOST.get((name, n)):
            wanted, met = f"at most {most} {unit}", mine <= most
        if name == "hover" and n == 512:
            wanted, met = f"the first frame: {first:.0%}", first > 0.5
        times = "" if ratio is None else f"{ratio:.1f}"
        print(
            f"{n:4} {name:>14} {value:>9} {other:>12} {unit:>3} {times:>7}   "
            f"{wanted}{'' if met else ': MISSED'}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, numbers in {
        "layers": [6, 12],
        "sizes": [32, 128, 256, 512],
        "bertviz": [32, 128, 256, 512],
        "model-view": [32, 128],
    }.items():
        parser.add_argument(f"--{name}", type=int, nargs="*", default=numbers)
    parser.add_argument("--limit", type=float, default=60)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server = Server(Path(home) / "home")
        browser = launch(playwright)
        lab = Lab(Desk(browser, lambda: server))
        try:
            for layers in options.layers:
                model, tokenizer = decoder(layers)
                print(f"\n{layers} layers of {HEADS} heads, medians of {options.runs} runs")
                print(f"   n{'':16}attnwidget      BertViz       ratio   wanted")
                for n in options.sizes:
                    ours, first = in_page(lab, browser, layers, n, options.runs)
                    widget = AttentionWidget.from_model(model, tokenizer, text(n))
                    ours["Python"] = opening(widget.store.now.source, options.runs)
                    theirs = beside(browser, widget, n, Path(home), options)
                    show(n, ours, theirs, first, options.limit)
                    widget.close()
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
