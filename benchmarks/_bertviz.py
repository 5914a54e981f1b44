"""BertViz beside us: its own page as it writes it, all layers in it, timed in the same browser.

Its libraries, which it asks a network for, stand in the page instead; nothing else is changed. The
page is opened from disk and has nothing to share the renderer with.
"""

from __future__ import annotations

import statistics
import time
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import bertviz
from _page import PROBE, rendering, still, took
from playwright.sync_api import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch
    from playwright.sync_api import Browser, Page

ASKS = (
    '<script src="https://cdnjs.cloudflare.com/ajax/libs/require.js/2.3.6/require.min.js"></script>'
)
SHIM = (
    "window.require={config(){}};window.requirejs=(_names,start)=>start(window.jQuery,window.d3);"
)
# What each view draws last.
HEAD = "() => document.querySelector('#vis svg > g:last-of-type > rect')"
MODEL = "() => document.querySelectorAll('.attn_background').length === {heads}"
WATCH = PROBE + "; bench.shown({drawn}, 0, {limit}).then(took => { window.drawn = took; });"

SWITCH = """layer => {
  const was = document.querySelector('#vis svg'), start = performance.now();
  const select = document.querySelector('#layer');
  select.value = layer;
  select.dispatchEvent(new Event('change', { bubbles: true }));
  return bench.shown(() => document.querySelector('#vis svg') !== was, start);
}"""
HOVER = """query => bench.after('mouseover', '#left', () =>
  document.querySelector(`#attention line[visibility=visible][left-token-index='${query}']`))"""
OFF = """head => bench.after('click', '#vis', () => document
  .querySelector(`.headAttention[head-index='${head}'] line`)
  .getAttribute('stroke-opacity') === '0')"""


def page_of(kind: str, attention: Sequence[torch.Tensor], tokens: list[str]) -> tuple[str, float]:
    """Return BertViz's HTML of its head or model view, and the seconds that making it took."""
    make = {"head": bertviz.head_view, "model": bertviz.model_view}[kind]
    start = time.perf_counter()
    html = make(attention, tokens, html_action="return").data
    return html, time.perf_counter() - start


def save(html: str, path: Path) -> None:
    """Write BertViz's page with the libraries in place of the tag that asks for them."""
    if not html.startswith(ASKS):
        raise RuntimeError("this version of BertViz writes another page than 1.4 does")
    libraries = (files("attnwidget") / "static" / "bertviz_libs.js").read_text(encoding="utf-8")
    with path.open("w", encoding="utf-8") as file:
        file.write("<!doctype html><meta charset='utf-8'>")
        file.write(f"<script>{libraries}</script><script>{SHIM}</script>")
        file.write(html[len(ASKS) :])


def measure_head(browser: Browser, path: Path, runs: int, limit: float) -> dict[str, float | None]:
    """Open the head view `runs` times; milliseconds, and bytes of memory; None past the limit."""
    got: dict[str, list[float | None]] = {}
    for run in range(runs):
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        try:
            before = rendering(browser, page) if run == 0 else None
            drawn = _open(page, path, HEAD, limit)
            got.setdefault("first draw", []).append(drawn)
            if drawn is None:
                break
            if run == 0:
                after = rendering(browser, page)
                grown = None if before is None or after is None else after - before
                got["memory"] = [grown]
                _use(page, max(runs, 3), got)
        finally:
            page.close()
    return {name: None if None in of else statistics.median(of) for name, of in got.items()}


def measure_model(browser: Browser, path: Path, heads: int, limit: float) -> float | None:
    """Open the model view; milliseconds to its drawing, None past the limit."""
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    try:
        return _open(page, path, MODEL.replace("{heads}", str(heads)), limit)
    finally:
        page.close()


def _open(page: Page, path: Path, drawn: str, limit: float) -> float | None:
    page.add_init_script(
        WATCH.replace("{drawn}", drawn).replace("{limit}", str(round(limit * 1000)))
    )
    try:
        page.goto(path.as_uri(), wait_until="commit", timeout=limit * 1000)
        page.wait_for_function("() => window.drawn !== undefined", timeout=limit * 1000)
        found = took(page.evaluate("() => window.drawn"))
    except Error:  # the limit, or a page that ran out of memory
        return None
    return found and found.ms


def _use(page: Page, times: int, got: dict[str, list[float | None]]) -> None:
    layers = page.locator("#layer option").count()
    tokens = page.locator("#left text")
    squares = page.locator("#vis svg > g:last-of-type > rect")

    def note(name: str, answer: Any) -> None:
        found = took(answer)
        got.setdefault(name, []).append(found and found.ms)

    def act(script: str, arg: Any, do: Callable[[], None]) -> Any:
        page.evaluate(script, arg)
        do()
        return page.evaluate("() => window.took")

    for i in range(times):
        note("layer switch", page.evaluate(SWITCH, str(i % (layers - 1) + 1)))
    for i in range(2 * times):
        name = "hover" if i < times else "next token"
        if name == "hover":  # each from rest; after that from token to token
            page.mouse.move(900, 5)
        box = tokens.nth(i + 2).bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        still(page)
        note(name, act(HOVER, i + 2, lambda x=x, y=y: page.mouse.move(x, y)))
    for i in range(times):
        box = squares.nth(i).bounding_box()
        assert box
        page.mouse.move(box["x"] + 5, box["y"] + 5)
        still(page)
        note("head toggle", act(OFF, i, lambda: _click(page)))


def _click(page: Page) -> None:
    page.mouse.down()
    page.mouse.up()
