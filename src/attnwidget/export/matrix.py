"""A matrix of the steps: its title, labels, coloured cells and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.export.frame import LABEL, MARGIN, SMALL, SMALLEST
from attnwidget.export.metrics import POINT, shorten, text_width
from attnwidget.export.ramps import indices, is_light
from attnwidget.export.scene import Box, Cells, Polygon, Strokes, hatching
from attnwidget.export.words import MINUS, fixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.export.frame import Frame

# The title and the note above the labels.
HEAD = 2.4 * LABEL
_GAP = 0.2
_LONGEST_ROW, _LONGEST_COLUMN = 14.0, 13.0
# With more rows or columns than this, the middle is left out.
_MOST, _FIRST, _LAST = 12, 4, 2


@dataclass(eq=False)
class Matrix:
    """A matrix, the rows and columns of it that are drawn (None is a gap), and its place.

    The first cell is at (`x`, `y`); titles and labels are above and on the left of it.
    """

    name: str
    title: str
    note: str
    values: NDArray[np.float64]
    blank: NDArray[np.bool_]
    rows: list[int | None]
    columns: list[int | None]
    row_labels: list[str] | None
    column_labels: list[str] | None
    by_hand: NDArray[np.bool_]
    x: float = 0.0
    y: float = 0.0
    cell: tuple[float, float] = (1.0, 1.0)

    def place(self, x: float, width: float, height: float) -> None:
        """Set the place from the left, and the size of a cell."""
        self.x, self.cell = x, (width, height)

    @property
    def across(self) -> float:
        """The width of the cells."""
        return self.cell[0] * len(self.columns)

    width = across

    @property
    def down(self) -> float:
        """The height of the cells."""
        return self.cell[1] * len(self.rows)

    @property
    def right(self) -> float:
        """Where the cells end."""
        return self.x + self.across

    @property
    def left(self) -> float:
        """The room of the row labels."""
        return label_width(self)

    @property
    def is_turned(self) -> bool:
        """Whether column labels are wider than a cell."""
        return self._longest > self.cell[0] - 0.4

    @property
    def _longest(self) -> float:
        names = self.column_labels or []
        widths = (text_width(names[c], SMALL) for c in self.columns if c is not None and names)
        return min(_LONGEST_COLUMN, max(widths, default=0.0))

    @property
    def head(self) -> float:
        """The height of title, note and column labels."""
        if self.column_labels is None:
            return HEAD
        return HEAD + (self._longest + 0.8 if self.is_turned else 1.2 * SMALL)


def few(count: int) -> list[int | None]:
    """Return the places of a row or a column that are drawn, with None for a gap."""
    if count <= _MOST:
        return list(range(count))
    return [*range(_FIRST), None, *range(count - _LAST, count)]


def label_width(matrix: Matrix) -> float:
    """Return the room of the row labels."""
    if matrix.row_labels is None:
        return 0.0
    names = [matrix.row_labels[row] for row in matrix.rows if row is not None]
    return min(_LONGEST_ROW, max(text_width(name[:200], SMALL) for name in names) + 0.1) + 1.0


def draw_matrix(frame: Frame, matrix: Matrix) -> None:
    """Draw a matrix at its place."""
    canvas, palette = frame.canvas, frame.style.palette
    shares = _shares(matrix)
    table = palette.weights(frame.now.cmap) if matrix.name == "attention" else palette.signed
    masked = np.frombuffer(bytes.fromhex(palette.masked[1:]), np.uint8)
    white = np.frombuffer(bytes.fromhex(palette.background[1:]), np.uint8)
    blank = _drawn(matrix, matrix.blank, False)
    colors = table[indices(np.nan_to_num(_drawn(matrix, shares, 0.5)))]
    if matrix.name == "mask" and palette.is_grey:
        colors[:] = white
    colors[blank] = masked
    for axis, places in enumerate((matrix.rows, matrix.columns)):
        if None in places:
            index = [slice(None), slice(None)]
            index[axis] = places.index(None)  # type: ignore[call-overload]
            colors[tuple(index)] = white
            blank[tuple(index)] = False
    w, h = matrix.cell
    canvas.add(Cells(matrix.x, matrix.y, w, h, colors, _GAP))
    if blank.any():
        segments = hatching(matrix.x, matrix.y, matrix.cell, blank, 1.3)
        canvas.add(Strokes(segments, palette.hatch, 0.12))
        _draw_cell_lines(frame, matrix)
    if palette.is_grey:
        # White cells have no edge on white paper.
        across, down = matrix.across - _GAP, matrix.down - _GAP
        canvas.add(Box(matrix.x, matrix.y, across, down, None, palette.line, 0.15))
    _draw_names(frame, matrix)
    _draw_numbers(frame, matrix, colors, blank)
    for row, r in enumerate(matrix.rows):
        for column, c in enumerate(matrix.columns):
            if r is not None and c is not None and matrix.by_hand[r, c]:
                x, y = matrix.x + (column + 1) * w - _GAP, matrix.y + row * h
                corner = ((x - 1.2, y), (x, y), (x, y + 1.2))
                canvas.add(Polygon(corner, palette.accent))


def _shares(matrix: Matrix) -> NDArray[np.float64]:
    if matrix.name == "mask":
        return np.full(matrix.values.shape, 0.5)
    if matrix.name == "attention":
        return matrix.values
    finite = np.abs(matrix.values[np.isfinite(matrix.values)])
    largest = float(finite.max(initial=0)) or 1.0
    shares: NDArray[np.float64] = (matrix.values / largest + 1) / 2
    return shares


def _drawn(matrix: Matrix, values: NDArray, gap: float | bool) -> NDArray:
    """Return the values that are drawn, with `gap` in the gaps."""
    padded = np.pad(values, ((0, 1), (0, 1)), constant_values=gap)
    rows = [-1 if row is None else row for row in matrix.rows]
    columns = [-1 if column is None else column for column in matrix.columns]
    return padded[np.ix_(rows, columns)]


def _draw_cell_lines(frame: Frame, matrix: Matrix) -> None:
    (w, h), half = matrix.cell, _GAP / 2
    x = matrix.x + np.arange(1, len(matrix.columns) + 1) * w - half
    y = matrix.y + np.arange(1, len(matrix.rows) + 1) * h - half
    down = np.stack([x, np.full_like(x, matrix.y), x, np.full_like(x, y[-1] + half)], axis=1)
    across = np.stack([np.full_like(y, matrix.x), y, np.full_like(y, x[-1] + half), y], axis=1)
    segments = np.concatenate([down, across])
    frame.canvas.add(Strokes(segments, frame.style.palette.background, _GAP))


def _draw_names(frame: Frame, matrix: Matrix) -> None:
    canvas, palette = frame.canvas, frame.style.palette
    top = matrix.y - matrix.head + LABEL * 0.6
    canvas.text(matrix.x, top, matrix.title, LABEL, palette.text, is_bold=True)
    room = min(max(matrix.across + 4.5, 16.0), frame.style.width - MARGIN - matrix.x)
    note = shorten(matrix.note, room, SMALL)
    canvas.text(matrix.x, top + LABEL * 1.1, note, SMALL, palette.muted)
    (w, h), step = matrix.cell, max(1, int(np.ceil(SMALL / matrix.cell[1])))
    for row, r in enumerate(matrix.rows if matrix.row_labels else []):
        if row % step:
            continue
        name = "⋮" if r is None else shorten(matrix.row_labels[r], matrix.left - 1.0, SMALL)  # type: ignore[index]
        y = matrix.y + (row + 0.5) * h
        canvas.text(matrix.x - 1.0, y, name, SMALL, palette.muted, "end")
    across = max(1, int(np.ceil(SMALL / w))) if matrix.is_turned else 1
    for column, c in enumerate(matrix.columns if matrix.column_labels else []):
        if column % across:
            continue
        x = matrix.x + (column + 0.5) * w
        name = "⋯" if c is None else shorten(matrix.column_labels[c], _LONGEST_COLUMN, SMALL)  # type: ignore[index]
        if matrix.is_turned:
            canvas.text(x, matrix.y - 0.8, name, SMALL, palette.muted, "start", 90)
        else:
            canvas.text(x, matrix.y - 0.6 * SMALL, name, SMALL, palette.muted, "middle")


def _draw_numbers(
    frame: Frame, matrix: Matrix, colors: NDArray[np.uint8], blank: NDArray[np.bool_]
) -> None:
    canvas, palette, (w, h) = frame.canvas, frame.style.palette, matrix.cell
    light = is_light(colors)
    digits, size = _print(matrix)
    for row, r in enumerate(matrix.rows):
        for column, c in enumerate(matrix.columns):
            x, y = matrix.x + (column + 0.5) * w - _GAP / 2, matrix.y + (row + 0.5) * h - _GAP / 2
            if r is None or c is None:
                dots = "⋱" if r is None and c is None else "⋯" if c is None else "⋮"
                canvas.text(x, y, dots, SMALL, palette.muted, "middle")
            elif not size:
                continue
            elif blank[row, column]:
                is_broken = matrix.name == "attention" and np.isnan(matrix.values[r, c])
                word = f"{MINUS}∞" if matrix.name == "mask" else "NaN" if is_broken else ""
                if word:
                    plate = text_width(word, size) + 0.6
                    canvas.add(
                        Box(x - plate / 2, y - 0.6 * size, plate, 1.2 * size, palette.masked)
                    )
                    canvas.text(x, y, word, size, palette.text, "middle")
            else:
                value = float(matrix.values[r, c])
                text = "0" if matrix.name == "mask" else fixed(value, digits)
                canvas.text(x, y, text, size, palette.inks[int(light[row, column])], "middle")


def _print(matrix: Matrix) -> tuple[int, float]:
    """Return the decimals and the size with which every number fits its cell; size 0 if none."""
    rows = [row for row in matrix.rows if row is not None]
    columns = [column for column in matrix.columns if column is not None]
    numbers = [float(value) for value in matrix.values[np.ix_(rows, columns)].ravel()]
    # With one decimal, most weights would be 0.
    for digits in (2,) if matrix.name == "attention" else (2, 1):
        texts = [fixed(value, digits) for value in numbers]
        if matrix.name == "mask":
            texts = [f"{MINUS}∞"]
        widest = max(text_width(text, 1.0) for text in texts)
        for size in (SMALL, 5.5 * POINT, SMALLEST):
            if widest * size <= matrix.cell[0] - 0.4 and 1.1 * size <= matrix.cell[1]:
                return digits, size
    return 0, 0.0
