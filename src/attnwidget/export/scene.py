"""`Scene`: a figure as rectangles, lines and texts in millimetres, from which files are written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Anchor = Literal["start", "middle", "end"]
# The height of a lower-case letter, and of a digit, as shares of the size of a font.
_MIDDLE = 0.35


@dataclass(frozen=True, eq=False)
class Cells:
    """A grid of coloured cells; the first cell begins at (`x`, `y`).

    `colors` is uint8 (rows, columns, 3). A `gap` stays free between two cells. `is_image` says that
    the cells are too many for a rectangle each, so that a file has them as an image.
    """

    x: float
    y: float
    width: float
    height: float
    colors: NDArray[np.uint8]
    gap: float = 0.0
    is_image: bool = False


@dataclass(frozen=True, eq=False)
class Strokes:
    """Straight lines of one colour: `segments` is (m, 4), x and y of both ends."""

    segments: NDArray[np.float64]
    color: str
    width: float
    opacity: float = 1.0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Box:
    """A rectangle, filled, outlined or both."""

    x: float
    y: float
    width: float
    height: float
    fill: str | None = None
    line: str | None = None
    line_width: float = 0.15
    opacity: float = 1.0


@dataclass(frozen=True)
class Polygon:
    """A filled polygon."""

    points: tuple[tuple[float, float], ...]
    fill: str


@dataclass(frozen=True)
class Text:
    """A line of text. (`x`, `y`) is on the base line; `rotation` is in degrees, anticlockwise."""

    x: float
    y: float
    text: str
    size: float
    color: str
    anchor: Anchor = "start"
    rotation: float = 0.0
    is_bold: bool = False
    is_italic: bool = False


Item = Cells | Strokes | Box | Polygon | Text


@dataclass(frozen=True)
class Scene:
    """A figure in millimetres, y downwards; `title` and `description` are for screen readers."""

    width: float
    height: float
    background: str
    items: tuple[Item, ...]
    title: str = ""
    description: str = ""


@dataclass
class Canvas:
    """Collects the items of a scene."""

    items: list[Item] = field(default_factory=list)

    def add(self, *items: Item) -> None:
        """Add items, the later over the earlier."""
        self.items.extend(items)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        color: str,
        anchor: Anchor = "start",
        rotation: float = 0.0,
        *,
        is_bold: bool = False,
        is_italic: bool = False,
    ) -> None:
        """Add a text whose middle, across the direction of reading, is at (`x`, `y`)."""
        if not text:
            return
        turn = math.radians(rotation)
        x += math.sin(turn) * _MIDDLE * size
        y += math.cos(turn) * _MIDDLE * size
        self.items.append(Text(x, y, text, size, color, anchor, rotation, is_bold, is_italic))


def hatching(
    x: float,
    y: float,
    cell: tuple[float, float],
    where: NDArray[np.bool_],
    step: float,
    *,
    is_falling: bool = False,
) -> NDArray[np.float64]:
    """Return lines at 45° over the cells `where` (rows, columns) of a grid, as segments (m, 4).

    A line goes on from cell to cell, so that a masked triangle has few lines.
    """
    rows, columns = where.shape
    (w, h), (across, down) = cell, (cell[0] * columns, cell[1] * rows)
    if is_falling:
        where = where[:, ::-1]
    result = []
    # The line has the points (c - t, t): it rises from the left to the right.
    for c in np.arange(step / 2, across + down, step):
        low, high = max(0.0, c - across), min(c, down)
        crossings = np.concatenate([np.arange(rows + 1) * h, c - np.arange(columns + 1) * w])
        t = np.unique(np.clip(crossings, low, high))
        if len(t) < 2:
            continue
        middle = (t[1:] + t[:-1]) / 2
        row = np.clip(np.floor(middle / h).astype(int), 0, rows - 1)
        column = np.clip(np.floor((c - middle) / w).astype(int), 0, columns - 1)
        inside = np.concatenate([[False], where[row, column], [False]])
        ends = np.flatnonzero(inside[1:] != inside[:-1])
        first, last = t[ends[::2]], t[ends[1::2]]
        result.append(np.stack([c - first, first, c - last, last], axis=1))
    segments = np.concatenate(result) if result else np.zeros((0, 4))
    if is_falling:
        segments[:, [0, 2]] = across - segments[:, [0, 2]]
    return segments + np.array([x, y, x, y])
