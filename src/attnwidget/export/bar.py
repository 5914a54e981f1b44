"""The colour bar beside a map: the colours, ticks at round numbers, and the quantity in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.export.metrics import text_width
from attnwidget.export.ramps import indices
from attnwidget.export.scene import Box, Cells, Strokes
from attnwidget.export.words import MINUS

if TYPE_CHECKING:
    from attnwidget.export.palette import Palette
    from attnwidget.export.quantity import DrawnMap
    from attnwidget.export.scene import Canvas

_WIDTH = 2.6
_STEPS = 64
# Between the bar, the numbers and the words.
_GAP = 1.0


def bar_room(drawn: DrawnMap, size: float) -> float:
    """Return the width that a colour bar takes, with its numbers and words."""
    widest = max(text_width(text, size) for _, text in bar_ticks(drawn))
    return _WIDTH + _GAP + widest + _GAP + 1.2 * size


def draw_bar(
    canvas: Canvas,
    drawn: DrawnMap,
    palette: Palette,
    cmap: str,
    place: tuple[float, float, float],
    size: float,
) -> None:
    """Draw a colour bar; `place` is the left, the top and the height."""
    x, y, height = place
    table = drawn.table(palette, cmap)
    shares = 1 - (np.arange(_STEPS) + 0.5) / _STEPS
    # The ends of the bar have the first and the last colour.
    shares = (shares - shares[-1]) / (shares[0] - shares[-1])
    colors = table[indices(shares)][:, None]
    canvas.add(Cells(x, y, _WIDTH, height / _STEPS, colors))
    canvas.add(Box(x, y, _WIDTH, height, None, palette.line, 0.15))
    widest, last = 0.0, math.inf
    marks = []
    for value, text in sorted(bar_ticks(drawn)):
        at = y + height * (1 - drawn.share(value))
        marks.append([x + _WIDTH, at, x + _WIDTH + 0.6, at])
        if last - at >= size * 1.1:
            middle = min(max(at, y + size * 0.4), y + height - size * 0.4)
            canvas.text(x + _WIDTH + _GAP, middle, text, size, palette.muted)
            last = at
        widest = max(widest, text_width(text, size))
    canvas.add(Strokes(np.array(marks), palette.muted, 0.15))
    words = next((w for w in drawn.words if text_width(w, size) <= height), "")
    right = x + _WIDTH + 2 * _GAP + widest + 0.6 * size
    canvas.text(right, y + height / 2, words, size, palette.muted, "middle", -90)


def bar_ticks(drawn: DrawnMap) -> list[tuple[float, str]]:
    """Return the numbers beside a colour bar, with their texts."""
    ceiling, is_signed = drawn.ceiling, drawn.is_signed
    # A bar with both signs has half of the height for each.
    steps = ticks(2 * ceiling if is_signed else ceiling)
    steps = [tick for tick in steps if tick[0] <= ceiling * 1.0001]
    if drawn.scale == "sqrt" and len(steps) > 1:
        # The square root spreads the small numbers, which get a tick more.
        steps.insert(1, ticks(steps[1][0])[1])
    below = [(-value, f"{MINUS}{text}") for value, text in steps[1:]] if is_signed else []
    return steps + below


def ticks(largest: float) -> list[tuple[float, str]]:
    """Return ticks from 0 to `largest` at round steps, with enough decimals to tell them apart."""
    if not largest > 0:
        return [(0.0, "0")]
    rough = largest / 4
    power = 10.0 ** math.floor(math.log10(rough))
    factor = next((f for f in (1, 2, 2.5, 5, 10) if f * power >= rough * 0.999), 10)
    step = factor * power
    digits = min(6, max(0, -math.floor(math.log10(step)) + (factor == 2.5)))
    count = int(largest * 1.0001 / step)
    texts = [f"{i * step:.{digits}f}" for i in range(count + 1)]
    trimmed = [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]
    return [(i * step, text) for i, text in enumerate(trimmed)]
