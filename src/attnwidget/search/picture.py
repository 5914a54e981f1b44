"""A scan as a coloured map: red where a knock-out raises the target, blue where it lowers it."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.export.metrics import label as fitted
from attnwidget.export.metrics import text_width
from attnwidget.export.palette import PALETTES
from attnwidget.export.ramps import indices
from attnwidget.export.scene import Box, Canvas, Cells, Scene
from attnwidget.export.svg import svg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.search.result import Scan

_FONT = 2.8
_LEAST, _MOST = 1.2, 6.0
_WIDTH = 130.0
_WIDEST_LABEL = 18.0
# Above so many cells, the file has them as an image.
_RECTANGLES = 2_000
_BAR, _STEPS = 40.0, 41
_NOT_MEASURED = np.array([190, 190, 190], np.uint8)


def picture(scan: Scan) -> bytes:
    """Return the map of a scan as an SVG file."""
    palette, canvas = PALETTES["light"], Canvas()
    values = np.atleast_2d(scan.values)
    n_rows, n_columns = values.shape
    rows = scan.labels[0] if len(scan.labels) == 2 else ("",)
    columns = scan.labels[-1]
    cell = min(_MOST, max(_LEAST, _WIDTH / n_columns))
    left = 2.5 * _FONT + max(_label_width(label) for label in rows)
    top = 1.8 * _FONT + max(_label_width(label) for label in columns)
    limit = _limit(values)
    colors = palette.signed[indices(0.5 + np.nan_to_num(values) / (2 * limit))]
    colors = np.where(np.isnan(values)[..., None], _NOT_MEASURED, colors)
    masked = np.atleast_2d(scan.masked)[..., None]
    colors = np.where(masked, _rgb(palette.masked), colors)
    gap = 0.15 if cell > 2 else 0.0
    canvas.add(
        Cells(left, top, cell, cell, colors.astype(np.uint8), gap, values.size > _RECTANGLES)
    )
    canvas.add(Box(left, top, cell * n_columns, cell * n_rows, None, palette.line))
    # Labels of small cells would lie over each other.
    step = max(1, math.ceil(_FONT * 0.95 / cell))
    for i in range(0, n_rows, step):
        text = _shown(rows[i])
        canvas.text(left - 1, top + (i + 0.5) * cell, text, _FONT, palette.text, "end")
    for i in range(0, n_columns, step):
        text = _shown(columns[i])
        turn = 0.0 if isinstance(columns[i], int) else 90.0
        anchor: Any = "start" if turn else "middle"
        down = top - (1 if turn else 0.7 * _FONT)
        canvas.text(left + (i + 0.5) * cell, down, text, _FONT, palette.text, anchor, turn)
    if len(scan.axes) == 2:
        middle = top + cell * n_rows / 2
        canvas.text(_FONT * 0.8, middle, scan.axes[0], _FONT, palette.muted, "middle", 90)
    across = left + cell * n_columns / 2
    canvas.text(across, _FONT * 0.7, scan.axes[-1], _FONT, palette.muted, "middle")
    bottom = top + cell * n_rows + 2
    _draw_bar(canvas, left, bottom, limit)
    width = max(left + cell * n_columns, left + _BAR + 2 * _FONT) + 3
    height = bottom + 2.2 + 1.6 * _FONT
    words = f"Scan over {scan.over}: {scan.target}"
    scene = Scene(width, height, palette.background, tuple(canvas.items), words, repr(scan))
    return svg(scene)


def _draw_bar(canvas: Canvas, x: float, y: float, limit: float) -> None:
    """Draw the colours from the lowest to the highest effect, with their numbers below."""
    palette = PALETTES["light"]
    colors = palette.signed[indices(np.linspace(0, 1, _STEPS))][None]
    canvas.add(Cells(x, y, _BAR / _STEPS, 2.0, colors))
    for share, value in ((0.0, -limit), (0.5, 0.0), (1.0, limit)):
        text = f"{value:+.3g}".replace("-", "\u2212") if value else "0"
        canvas.text(x + share * _BAR, y + 2 + 0.9 * _FONT, text, _FONT, palette.muted, "middle")


def _limit(values: NDArray[np.float64]) -> float:
    """Return the effect that has the last colour, above 0."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0)) or 1.0


def _rgb(color: str) -> NDArray[np.uint8]:
    """Return a colour "#rrggbb" as three numbers."""
    return np.frombuffer(bytes.fromhex(color[1:]), np.uint8)


def _shown(label: Any) -> str:
    return fitted(str(label), _WIDEST_LABEL, _FONT)


def _label_width(label: Any) -> float:
    return _FONT if isinstance(label, int) else text_width(_shown(label), _FONT)


def html(scan: Scan) -> str:
    """Return the map with a list of the largest effects, as HTML without scripts."""
    drawing = picture(scan).decode().partition("?>\n")[2]
    title = f"{scan.target}: {scan.baseline:.4g} without a knock-out (kind {scan.kind!r})"
    rows = "".join(
        f"<li>{escape(scan.words_of(record))}: {record.effect:+.4g}</li>" for record in scan.top(5)
    )
    notice = f"<p><strong>{escape(scan.notice)}</strong></p>" if scan.notice else ""
    return (
        '<div style="color:#1c1c21;background:#ffffff;padding:8px;font-family:sans-serif;'
        f'font-size:13px">\n<p>{escape(title)}</p>\n{drawing}{notice}\n<ol>{rows}</ol>\n</div>\n'
    )
