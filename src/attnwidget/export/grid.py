"""The grid as a figure: a small map of every layer and head, with a statistic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.export.frame import (
    MARGIN,
    SMALL,
    SMALLEST,
    Frame,
    Style,
    mistake_words,
    place_of,
)
from attnwidget.export.heatmap import VECTOR_CELLS
from attnwidget.export.metrics import text_width
from attnwidget.export.ramps import indices
from attnwidget.export.scene import Box, Cells, Scene
from attnwidget.export.words import number
from attnwidget.maths.thumbnails import make_grid
from attnwidget.session.every_head import maps_of_one_mask
from attnwidget.sources.api import stack_layers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.snapshot import Snapshot

_LARGEST, _TALLEST, _GAP = 60.0, 235.0, 1.2
# A map with more queries for each key than this is drawn less high.
_STEEPEST = 8.0
# The width of a small map that has room for a number below.
_ROOM_FOR_NUMBER = 7.0
_BAR_ROOM = 11.0


@dataclass(frozen=True, eq=False)
class _Head:
    layer: int
    head: int
    map: NDArray[np.uint8]
    value: float


def grid(now: Snapshot, style: Style) -> Scene:
    """Return the small maps of all heads as a figure.

    Raises
    ------
    ValueError
        If the source has a single map.
    """
    heads = _heads(now)
    if len(heads) < 2:
        raise ValueError("view: 'grid' shows several maps, and a single map needs no overview")
    # The small maps of a model's heads are without the mistake.
    has_mistake = maps_of_one_mask(now) is not None
    frame = Frame(now, style, place_of(now, mistake_words(now) if has_mistake else ""))
    is_by_layer = now.grid_order == "layer"
    if not is_by_layer:
        heads.sort(key=lambda each: -math.inf if math.isnan(each.value) else each.value)
        heads.reverse()
    layers = list(dict.fromkeys(each.layer for each in heads))
    names = [f"layer {layer}" for layer in layers] if is_by_layer and len(layers) > 1 else []
    left = MARGIN + max((text_width(name, SMALL) for name in names), default=0.0)
    left += 1.2 if names else 0.0
    right = style.width - MARGIN - (_BAR_ROOM if style.has_bar else 0)
    columns = max(each.head for each in heads) + 1 if is_by_layer else _columns(right - left)
    columns = min(columns, len(heads)) if not is_by_layer else columns
    rows = len(layers) if is_by_layer else -(-len(heads) // columns)
    n_q, n_k = now.shape
    ratio = min(n_q / n_k, _STEEPEST)
    side = min(_LARGEST, (right - left + _GAP) / columns - _GAP)
    below = SMALLEST * 1.4 if side >= _ROOM_FOR_NUMBER else 0.0
    side = max(2.0, min(side, ((_TALLEST / rows) - _GAP - below) / ratio))
    top = frame.top + (SMALL * 1.5 if is_by_layer else 0)
    down = side * ratio + below + _GAP
    if is_by_layer:
        _draw_headings(frame, left, columns, side)
    is_image = sum(each.map.size for each in heads) > VECTOR_CELLS
    for i, each in enumerate(heads):
        row = layers.index(each.layer) if is_by_layer else i // columns
        column = each.head if is_by_layer else i % columns
        x, y = left + column * (side + _GAP), top + row * down
        _draw_head(frame, each, (x, y, side, ratio), below, is_image, is_named=not is_by_layer)
    for row, name in enumerate(names):
        y = top + row * down + side * ratio / 2
        frame.canvas.text(left - 1.2, y, name, SMALL, style.palette.text, "end")
    bottom = top + rows * down - _GAP
    if style.has_bar:
        x = left + columns * (side + _GAP) - _GAP + 2.5
        bottom = max(bottom, top + _draw_bar(frame, x, top, bottom - top))
    numbers = f" Below each map: {now.grid_statistic}." if below else ""
    return frame.scene(bottom, f"Colours: √ of the weight, up to each head's maximum.{numbers}")


def _heads(now: Snapshot) -> list[_Head]:
    source = now.source
    layers = stack_layers(source)
    together = maps_of_one_mask(now)

    def weights(layer: int) -> NDArray:
        if together is not None:
            return together
        try:
            return source.weights(layer)
        except ValueError:  # a layer that cannot be read is dark among the others
            count = next(each.n_heads for each in layers if each.index == layer)
            return np.full((count, 1, 1), np.nan)

    result = []
    for each in layers:
        # Layer by layer, because layers may have maps of different sizes.
        made = make_grid([each.index], weights, source.tokens)
        values = made.statistics[now.grid_statistic][0]
        result += [
            _Head(each.index, head, made.maps[0, head], float(values[head]))
            for head in range(each.n_heads)
        ]
    return result


def _columns(room: float) -> int:
    return max(1, int((room + _GAP) // (18.0 + _GAP)))


def _draw_headings(frame: Frame, left: float, columns: int, side: float) -> None:
    palette, canvas = frame.style.palette, frame.canvas
    y = frame.top + SMALL * 0.6
    widest = text_width(f"head {columns - 1}", SMALL)
    for column in range(columns):
        name = f"head {column}" if widest <= side else f"{column}"
        if text_width(name, SMALL) > side + _GAP and column % 2:
            continue
        x = left + column * (side + _GAP) + side / 2
        canvas.text(x, y, name, SMALL, palette.muted, "middle")


def _draw_head(
    frame: Frame,
    head: _Head,
    place: tuple[float, float, float, float],
    below: float,
    is_image: bool,
    *,
    is_named: bool,
) -> None:
    x, y, side, ratio = place
    palette, canvas = frame.style.palette, frame.canvas
    rows, columns = head.map.shape
    colors = palette.weights(frame.now.cmap)[head.map]
    canvas.add(Cells(x, y, side / columns, side * ratio / rows, colors, 0.0, is_image))
    canvas.add(Box(x, y, side, side * ratio, None, palette.line, 0.1))
    if not below:
        return
    value = "no value" if math.isnan(head.value) else number(head.value)
    middle = y + side * ratio + below * 0.55
    if not is_named:
        canvas.text(x + side / 2, middle, value, SMALLEST, palette.muted, "middle")
        return
    canvas.text(x, middle, f"{head.layer}·{head.head}", SMALLEST, palette.text)
    canvas.text(x + side, middle, value, SMALLEST, palette.muted, "end")


def _draw_bar(frame: Frame, x: float, top: float, height: float) -> float:
    """Draw the colour bar, and return its height."""
    palette, canvas = frame.style.palette, frame.canvas
    height = min(max(height, 14.0), 45.0)
    colors = palette.weights(frame.now.cmap)[indices(np.linspace(1, 0, 64))]
    canvas.add(Cells(x, top, 2.6, height / 64, colors[:, None]))
    canvas.add(Box(x, top, 2.6, height, None, palette.line, 0.15))
    for y, text in ((top + SMALL * 0.4, "max"), (top + height - SMALL * 0.4, "0")):
        canvas.text(x + 3.4, y, text, SMALL, palette.muted)
    words = "√ weight"
    if text_width(words, SMALL) <= height - 4 * SMALL:
        canvas.text(x + 4.4, top + height / 2, words, SMALL, palette.muted, "middle", -90)
    return height
