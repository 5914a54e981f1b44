"""Documents to look at, and a page that may ask for nothing to show them in."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from lab import Look
from models import FAMILIES

from attnwidget.bertviz.document import document
from attnwidget.bertviz.neuron import neuron_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab import Desk
    from playwright.sync_api import Page

HOST = """
<body style="margin: 0; background: %s; color-scheme: %s">
<iframe id="frame" sandbox="allow-scripts"
  style="width: 100%%; height: 100px; border: 0; color-scheme: normal"></iframe>
<script>
  const frame = document.getElementById("frame");
  window.heights = [];
  addEventListener("message", ({ source, data }) => {
    if (source !== frame.contentWindow) throw new Error("a stranger's message");
    heights.push(data.attnwidgetHeight);
    frame.style.height = `${data.attnwidgetHeight}px`;
  });
</script>
"""
OPACITIES = "lines => lines.map(line => +line.getAttribute('stroke-opacity'))"


@contextmanager
def offline(desk: Desk) -> Iterator[Page]:
    """Yield a page that may ask for nothing; whatever it asked for, threw or logged fails."""
    context, watch = desk.context(Look(viewport=(1000, 700)))
    asked: list[str] = []
    context.route("**/*", lambda route: (asked.append(route.request.url), route.abort()))
    page = context.new_page()
    page.on("dialog", lambda dialog: asked.append(f"dialog: {dialog.message}"))
    yield page
    problems = watch.drain()
    context.close()
    assert asked == []
    assert problems == []


def maps(n_layers, n_heads, n):
    draw = np.random.default_rng(3).dirichlet(np.full(n, 0.3), (n_layers, n_heads, n))
    return list(draw.astype(np.float32))


def words(n):
    return [f"w{i}" for i in range(n)]


def neurons(tokens, **options):
    """A document of a tiny BERT with three layers of four heads, 8 neurons each."""
    ids = torch.arange(2, 2 + len(tokens))[None]
    return neuron_document(FAMILIES["bert"](), {"input_ids": ids}, tokens, **options)


def any_kind(kind, tokens, n_layers=2, n_heads=4, **options):
    if kind == "neuron":
        return neurons(tokens, **options)
    return document(kind, maps(n_layers, n_heads, len(tokens)), tokens, **options)


def told(text):
    """What BertViz's neuron view is given."""
    return json.JSONDecoder().raw_decode(text.split("window.bertviz_params = ", 1)[1])[0]


# The document hears of its frame's new height, and may post another, a moment after its host has
# given it. One that never fits is left to the test that says so.
HEARD = """root => new Promise(done => {
  const start = performance.now();
  const look = () => root.scrollHeight <= innerHeight || performance.now() - start > 10000
    ? done() : setTimeout(look, 20);
  look();
})"""


def framed(page, text, background="#fff", scheme="light"):
    """Show the document as the widget does; return what locates in its frame."""
    page.set_content(HOST % (background, scheme))
    page.evaluate("text => frame.srcdoc = text", text)
    page.wait_for_function("() => heights.length && frame.clientHeight === heights.at(-1)")
    frame = page.frame_locator("#frame")
    frame.locator("html").evaluate(HEARD)
    return frame
