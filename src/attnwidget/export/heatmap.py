"""The heatmap as a figure: queries down, keys across, masked cells hatched, a colour bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.export.bar import bar_room, draw_bar
from attnwidget.export.frame import (
    LABEL,
    MARGIN,
    SMALL,
    SMALLEST,
    Frame,
    Style,
    Tokens,
    layer_and_head,
    mistake_words,
    place_of,
)
from attnwidget.export.metrics import POINT, label, text_width
from attnwidget.export.quantity import DrawnMap, drawn_map
from attnwidget.export.ramps import is_light
from attnwidget.export.scene import Box, Cells, Scene, Strokes, hatching
from attnwidget.export.words import fixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.export.palette import Palette
    from attnwidget.export.scene import Anchor
    from attnwidget.session.snapshot import Snapshot

# A map of more cells goes into a file as an image, because a rectangle takes about 50 bytes.
VECTOR_CELLS = 160 * 160
# A map with many more queries than keys has smaller cells, so that it fits on a page.
_TALLEST = 1.7
# Cells of at least this size have a line between them.
_GAP_FROM, GAP = 2.5, 0.2
_HATCH_STEP = 1.5
_LEAST_BAR = 12.0
_LONGEST_KEY = 22.0


@dataclass(frozen=True)
class Layout:
    """The places of a heatmap: the first cell begins at (`left`, `top`), key labels above."""

    left: float
    top: float
    cell: float
    size: float
    turn: int
    step: int
    row_room: float
    key_room: float


def heatmap(now: Snapshot, style: Style) -> Scene:
    """Return the heatmap of a state as a figure."""
    drawn = drawn_map(now)
    mistake = mistake_words(now)
    frame = Frame(now, style, place_of(now, layer_and_head(now), mistake))
    tokens = Tokens(now, style.palette)
    room = 3 + bar_room(drawn, SMALL) if style.has_bar else 0.0
    at = _layout(frame.top, style.width, tokens, room)
    n_q, n_k = drawn.data.shape
    right, bottom = at.left + n_k * at.cell, at.top + n_q * at.cell
    draw_map(frame, drawn, at)
    _draw_labels(frame, tokens, at, (n_q, n_k))
    if style.has_bar:
        # The bar of a map of few queries has room for the short words.
        least = max(_LEAST_BAR, text_width(drawn.words[1], SMALL) + 0.1)
        height = max(least, min(bottom - at.top, 90.0))
        place = (right + 3, at.top, height)
        draw_bar(frame.canvas, drawn, style.palette, now.cmap, place, SMALL)
        bottom = max(bottom, at.top + height)
    return frame.scene(bottom)


def colored(drawn: DrawnMap, palette: Palette, cmap: str) -> NDArray[np.uint8]:
    """Return the colour of each cell, (n_q, n_k, 3)."""
    colors = drawn.table(palette, cmap)[drawn.places]
    colors[drawn.blank] = np.frombuffer(bytes.fromhex(palette.masked[1:]), np.uint8)
    return colors


def _layout(top: float, width: float, tokens: Tokens, bar: float) -> Layout:
    n_q, n_k = len(tokens.queries), len(tokens.keys)
    size = LABEL
    for size in (LABEL, SMALL):
        limit = min(30.0, width * 0.27)
        names = [tokens.name("query", q) for q in range(n_q)]
        row_room = min(limit, _widest(names, limit, size))
        left = MARGIN + 1.5 * size + row_room + 1.0
        keys = [tokens.name("key", k) for k in range(n_k)]
        longest = _widest(keys, _LONGEST_KEY, size)
        right = max(bar, 0.5) + MARGIN
        for _ in range(2):
            room = max(10.0, width - left - right)
            cell = min(room / n_k, _TALLEST * width / n_q)
            step = max(1, math.ceil(1.15 * size / cell))
            is_sparse = math.ceil(1.1 * size * math.sqrt(2) / cell) > step
            turn = 0 if longest <= cell - 0.8 else 90 if is_sparse else 45
            if turn != 45:
                break
            # The last key reaches beyond the map.
            right = max(right, MARGIN + (longest + size) * math.sqrt(0.5) - cell / 2)
        if cell >= 1.1 * size:
            break
    height = {0: size, 45: (longest + size) * math.sqrt(0.5), 90: longest}[turn]
    spare = max(0.0, width - left - right - n_k * cell) / 2
    top += 1.4 * size + height + 1.0
    return Layout(left + spare, top, cell, size, turn, step, row_room, longest)


def _widest(names: list[str], limit: float, size: float) -> float:
    widest = 0.0
    for name in names:
        widest = max(widest, text_width(name[:200], size))
        if widest >= limit:
            return limit
    return min(limit, widest + 0.1)


def draw_map(frame: Frame, drawn: DrawnMap, at: Layout) -> None:
    """Draw the cells of a map, the hatching of masked cells, and the numbers that fit."""
    canvas, palette = frame.canvas, frame.style.palette
    colors = colored(drawn, palette, frame.now.cmap)
    n_q, n_k = drawn.data.shape
    gap = GAP if at.cell >= _GAP_FROM else 0.0
    is_image = n_q * n_k > VECTOR_CELLS
    canvas.add(Cells(at.left, at.top, at.cell, at.cell, colors, gap, is_image))
    for where, directions in (
        (drawn.mask & ~drawn.locked, (False,)),
        (drawn.mask & drawn.locked, (False, True)),
    ):
        for is_falling in directions if where.any() else ():
            segments = hatching(
                at.left, at.top, (at.cell, at.cell), where, _HATCH_STEP, is_falling=is_falling
            )
            canvas.add(Strokes(segments, palette.hatch, 0.15))
    if not gap:
        edge = Box(at.left, at.top, n_k * at.cell, n_q * at.cell, None, palette.line, 0.15)
        canvas.add(edge)
    else:
        _draw_grid_lines(frame, drawn, at)
    _draw_numbers(frame, drawn, at, colors)
    for q in np.flatnonzero(drawn.mask.all(axis=1)):
        _draw_empty_row(frame, int(q), n_k, at)


def _draw_grid_lines(frame: Frame, drawn: DrawnMap, at: Layout) -> None:
    """Draw the lines between cells over the hatching, which runs from cell to cell."""
    n_q, n_k = drawn.data.shape
    if not drawn.mask.any():
        return
    half = GAP / 2
    x = at.left + np.arange(1, n_k + 1) * at.cell - half
    y = at.top + np.arange(1, n_q + 1) * at.cell - half
    bottom, right = at.top + n_q * at.cell, at.left + n_k * at.cell
    down = np.stack([x, np.full_like(x, at.top), x, np.full_like(x, bottom)], axis=1)
    across = np.stack([np.full_like(y, at.left), y, np.full_like(y, right), y], axis=1)
    segments = np.concatenate([down, across])
    frame.canvas.add(Strokes(segments, frame.style.palette.background, GAP))


def _draw_numbers(frame: Frame, drawn: DrawnMap, at: Layout, colors: NDArray[np.uint8]) -> None:
    if drawn.data.size > 1000:
        return
    rows, columns = np.nonzero(~drawn.blank | np.isnan(drawn.data))
    texts = [fixed(float(drawn.data[q, k]), 2) for q, k in zip(rows, columns, strict=True)]
    widest = max((text_width(text, 1.0) for text in texts), default=0.0)
    sizes = (LABEL, 6.5 * POINT, SMALL, 5.5 * POINT, SMALLEST)
    size = next((s for s in sizes if widest * s <= at.cell - 0.8), None)
    if size is None:
        return
    light, palette = is_light(colors), frame.style.palette
    for q, k, text in zip(rows, columns, texts, strict=True):
        x, y = at.left + (k + 0.5) * at.cell - GAP / 2, at.top + (q + 0.5) * at.cell - GAP / 2
        frame.canvas.text(x, y, text, size, palette.inks[int(light[q, k])], "middle")


def _draw_empty_row(frame: Frame, q: int, n_k: int, at: Layout) -> None:
    room, palette = n_k * at.cell, frame.style.palette
    size = min(SMALL, at.cell * 0.7)
    if size < SMALLEST:
        return
    for words in ("every key is masked: no attention", "every key is masked", "no key"):
        width = text_width(words, size) + 2
        if width <= room:
            x, y = at.left + room / 2, at.top + (q + 0.5) * at.cell
            height = 1.4 * size
            frame.canvas.add(Box(x - width / 2, y - height / 2, width, height, palette.masked))
            frame.canvas.text(x, y, words, size, palette.text, "middle")
            return


def _draw_labels(frame: Frame, tokens: Tokens, at: Layout, shape: tuple[int, int]) -> None:
    (n_q, n_k), size, palette = shape, at.size, frame.style.palette
    canvas = frame.canvas
    middle = at.left + n_k * at.cell / 2
    canvas.text(middle, frame.top + 0.5 * size, "key", size, palette.muted, "middle")
    x = at.left - at.row_room - 1.0 - 0.8 * size
    centre = at.top + n_q * at.cell / 2
    canvas.text(x, centre, "query", size, palette.muted, "middle", 90)
    for q in range(0, n_q, at.step):
        color, is_bold, is_italic = tokens.style("query", q)
        y = at.top + (q + 0.5) * at.cell
        name = label(tokens.queries[q], at.row_room, size)
        canvas.text(
            at.left - 1.0, y, name, size, color, "end", is_bold=is_bold, is_italic=is_italic
        )
    for k in range(0, n_k, at.step):
        color, is_bold, is_italic = tokens.style("key", k)
        x = at.left + (k + 0.5) * at.cell - (GAP / 2 if at.cell >= _GAP_FROM else 0)
        name = label(tokens.keys[k], at.key_room, size)
        anchor: Anchor = "start" if at.turn else "middle"
        y = at.top - 1.0 - (0.35 * size if at.turn != 90 else 0)
        if at.turn == 45:
            x -= 0.1 * size
        canvas.text(x, y, name, size, color, anchor, at.turn, is_bold=is_bold, is_italic=is_italic)
