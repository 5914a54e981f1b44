"""Live widgets of the pages: the code of a page is run, and the widget that it makes is saved.

A page names the variable of the widget and a caption in a comment after the code:

    <!-- live: w | Click a cell to mask it. -->

The blocks of Python before the comment are run, in the order of the page. Code that a reader need
not see stands in a comment that begins with `<!-- run`. In the place of the comment `live`, the
page gets a picture of the widget, in light and dark colours, and a button that loads the module of
`AttentionWidget.save_module`.
"""

from __future__ import annotations

import html
import os
import posixpath
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from attnwidget import AttentionWidget
from attnwidget.export.figure import figure
from attnwidget.export.palette import PALETTES, Palette
from attnwidget.export.scene import Cells
from attnwidget.export.summary import summary
from attnwidget.export.svg import svg

_CARD_CSS = Path(__file__).parents[2] / "js" / "styles" / "base.css"
_STEP = re.compile(
    r"^```python\n(?P<code>.*?)^```$"
    r"|^<!-- run\n(?P<hidden>.*?)^-->$"
    r"|^<!-- live: (?P<name>\w+) \| (?P<caption>.+?) -->$",
    re.M | re.S,
)
_FOLDER = "live"
# A poster with more cells has its cells as images, because a rectangle takes 40 bytes.
_VECTOR_CELLS = 4_000


def dark_palette() -> Palette:
    """Return the colours of the dark card, because a figure for paper has no dark colours."""
    css = _CARD_CSS.read_text(encoding="utf-8")
    rule = css[css.index('.aw-root[data-theme="dark"] {') :].partition("}")[0]
    colors = dict(re.findall(r"--aw-(\w+): .*?(#\w{6})\)*;", rule))
    names = ("bg", "fg", "muted", "line", "masked", "hatch", "accent")
    return Palette(*(colors[name] for name in names))


def with_widgets(page: str, text: str, site: Path) -> str:
    """Return the text of a page with its live widgets, whose files are written into `site`.

    Raises
    ------
    RuntimeError
        If the code of the page fails. The message names the page.
    """
    steps = list(_STEP.finditer(text))
    last = max((i for i, step in enumerate(steps) if step["name"]), default=-1)
    scope: dict[str, Any] = {}
    parts: list[str] = []
    end = number = 0
    for step in steps[: last + 1]:
        parts.append(text[end : step.start()])
        end = step.end()
        if step["name"]:
            number += 1
            stem = f"{posixpath.splitext(page)[0].replace('/', '-')}-{number}"
            up = posixpath.relpath(_FOLDER, posixpath.dirname(page) or ".")
            parts.append(_saved(scope[step["name"]], site / _FOLDER, stem, up, step["caption"]))
            continue
        _run(step["code"] or step["hidden"], scope, page)
        parts.append(step.group() if step["code"] else "")
    return "".join([*parts, text[end:]])


def _run(code: str, scope: dict[str, Any], page: str) -> None:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the code writes files
        try:
            exec(code, scope)
        except Exception as error:
            raise RuntimeError(f"the code of docs/{page} fails: {error!r}\n{code}") from error
        finally:
            os.chdir(before)


def _saved(w: AttentionWidget, folder: Path, stem: str, up: str, caption: str) -> str:
    """Write the module and the posters of a widget; return the HTML that shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    PALETTES["dark"] = dark_palette()
    size = w.save_module(folder / f"{stem}.mjs").stat().st_size
    words = html.escape(summary(w.store.now))
    posters = "".join(
        f'<img class="live-poster" src="{up}/{_poster(w, folder, stem, palette)}#only-{palette}" '
        f'alt="{words}" loading="lazy">'
        for palette in ("light", "dark")
    )
    return (
        f'<figure class="live" data-module="{up}/{stem}.mjs">'
        f'<div class="live-posters">{posters}</div>'
        '<button type="button" class="live-open">Open the live card '
        f"<small>{size / 1000:.0f} kB</small></button>"
        '<div class="live-card"></div><p class="live-error" role="alert" hidden></p>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def _poster(w: AttentionWidget, folder: Path, stem: str, palette: str) -> str:
    """Write the picture of a widget in these colours, and return the name of the file."""
    scene = figure(w.store.now, palette=palette)
    grids = [item for item in scene.items if isinstance(item, Cells)]
    if sum(grid.colors.shape[0] * grid.colors.shape[1] for grid in grids) > _VECTOR_CELLS:
        items = tuple(
            replace(item, is_image=True) if isinstance(item, Cells) else item
            for item in scene.items
        )
        scene = replace(scene, items=items)
    name = f"{stem}-{palette}.svg"
    (folder / name).write_bytes(svg(scene))
    return name
