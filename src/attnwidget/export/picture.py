"""A small PNG of the heatmap, for readers of a notebook that have no widget.

The format is PNG, because `nbconvert --to latex` stops at an SVG where Inkscape is missing, and
because GitHub and nbviewer write an SVG into the page without its styles. The standard library
draws the picture: an import of matplotlib would take longer than the display of many widgets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnwidget.export.bar import bar_ticks
from attnwidget.export.frame import Tokens, layer_and_head, mistake_words, place_of
from attnwidget.export.lettering import ASCENT, DESCENT, can_write, lettering, width
from attnwidget.export.palette import PALETTES
from attnwidget.export.png import indexed_png
from attnwidget.export.quantity import DrawnMap, drawn_map
from attnwidget.export.ramps import is_light
from attnwidget.export.words import fixed, plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.snapshot import Snapshot

# The picture has two pixels for each CSS pixel, for sharp text.
DENSITY = 2
# A map with more tokens has a cell for several tokens, with the strongest number of them.
_MOST = 88
# A larger map is described in words alone, because its colours take long to compute.
_LARGEST = 1_000_000
_MAP, _LARGEST_CELL, _LONGEST = 480, 72, 170
_BAR_COLORS = 32
_LINE = ASCENT + DESCENT
_PAD = 8
_PALETTE = PALETTES["light"]
_WHITE, _BLACK = np.full(3, 255), np.array([16, 16, 20])


def picture(now: Snapshot) -> tuple[bytes, tuple[int, int]] | None:
    """Return the heatmap as a PNG file, with width and height in CSS pixels; None if too large.

    Raises
    ------
    ValueError
        If the head on screen cannot be shown.
    """
    n_q, n_k = now.shape
    if n_q * n_k > _LARGEST:
        return None
    drawn = drawn_map(now)
    places, masked = _pooled(drawn)
    sheet = _Sheet(now, drawn, places, masked)
    rows, columns = sheet.pixels.shape
    return indexed_png(sheet.pixels, sheet.colors.table), (columns // DENSITY, rows // DENSITY)


def _pooled(drawn: DrawnMap) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the places of colours and the blank cells, at most `_MOST` on a side.

    The strongest cell of a block stands for the block. A block is blank if all its cells are.
    """
    places, blank = drawn.places, drawn.blank
    # Of a signed map, the strongest is the number farthest from 0.
    strength = np.abs(places * 2 - 255) * 256 + places if drawn.is_signed else places
    strength = np.where(blank, -1, strength)
    for axis, n in enumerate(blank.shape):
        if n > _MOST:
            strength = np.maximum.reduceat(strength, np.arange(_MOST) * n // _MOST, axis=axis)
    return np.maximum(strength, 0) % 256, strength < 0


class _Colors:
    """The colours of a picture, at most 256; a further colour becomes the nearest of them."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}

    @property
    def table(self) -> NDArray[np.uint8]:
        """The colours (n, 3)."""
        return np.array(list(self._places), ">u4").view(np.uint8).reshape(-1, 4)[:, 1:]

    def places(self, colors: NDArray) -> NDArray[np.uint8]:
        """Return the places of colours (..., 3)."""
        keys = np.asarray(colors).astype(int) @ np.array([1 << 16, 1 << 8, 1])
        return np.array([self._place(key) for key in keys.ravel().tolist()], np.uint8).reshape(
            keys.shape
        )

    def _place(self, key: int) -> int:
        if key not in self._places and len(self._places) == 256:
            color = key >> 16, key >> 8 & 255, key & 255
            return int(np.abs(self.table.astype(int) - color).sum(axis=1).argmin())
        return self._places.setdefault(key, len(self._places))


class _Sheet:
    """The pixels of a picture, as places in its colours; the parts are drawn one by one."""

    def __init__(
        self, now: Snapshot, drawn: DrawnMap, places: NDArray, masked: NDArray[np.bool_]
    ) -> None:
        self.drawn = drawn
        self.colors = _Colors()
        rows, columns = places.shape
        self.cell = max(5, min(_LARGEST_CELL, _MAP // max(rows, columns)))
        tokens = Tokens(now, _PALETTE)
        queries = _labels(tokens, "query", rows)
        keys = _labels(tokens, "key", columns)
        self.step = max(1, -(-_LINE // self.cell))
        upright = max(width(key) for key in keys) <= self.cell - 4
        self.left = _PAD + max(width(query) for query in queries) + 10
        above = _LINE if upright else max(width(key) for key in keys) + 8
        self.top = _PAD + _LINE + 6 + above
        right, bottom = self.left + columns * self.cell, self.top + rows * self.cell
        ticks = sorted((drawn.share(value), text) for value, text in bar_ticks(drawn))
        title = place_of(now, layer_and_head(now), drawn.words[0], mistake_words(now))
        title = _fitting(plain(title), max(right - _PAD, 400))
        room = 24 + 20 + 12 + max(width(text) for _, text in ticks)
        across = max(right + room, _PAD + width(title)) + _PAD
        down = max(bottom, self.top + 120) + _PAD
        white = self.colors.places(_WHITE)
        # Whole CSS pixels.
        self.pixels = np.full((down + down % 2, across + across % 2), white, np.uint8)
        table = drawn.table(_PALETTE, now.cmap)
        self._write(title, _PAD, _PAD, self._shades(_rgb(_PALETTE.text)))
        self._draw_labels(queries, keys, upright)
        self._draw_cells(table, places, masked)
        self._draw_bar(table, ticks, right + 24, max(bottom, self.top + 120))

    def _write(
        self,
        text: str,
        x: int,
        y: int,
        shades: NDArray[np.uint8],
        *,
        is_turned: bool = False,
    ) -> None:
        """Write a text with its top left corner at (x, y); a turned text reads upwards.

        `shades` are the places of the colours from the ground to the ink.
        """
        ink = lettering(text)
        if is_turned:
            ink = np.rot90(ink)
        part = self.pixels[y : y + ink.shape[0], x : x + ink.shape[1]]
        part[:] = shades[ink[: part.shape[0], : part.shape[1]]]

    def _shades(self, ink: NDArray, ground: NDArray = _WHITE) -> NDArray[np.uint8]:
        """Return the places of four colours from each ground to its ink, (..., 4)."""
        shares = np.arange(4)[:, None] / 3
        mixed = ground[..., None, :] * (1 - shares) + ink[..., None, :] * shares
        return self.colors.places(np.rint(mixed))

    def _draw_cells(self, table: NDArray, places: NDArray, masked: NDArray[np.bool_]) -> None:
        cell, (rows, columns) = self.cell, masked.shape
        known = np.zeros(256, np.uint8)
        used = np.unique(places[~masked])
        known[used] = self.colors.places(table[used])
        blank, hatch, white = self.colors.places(
            np.stack([_rgb(_PALETTE.masked), _rgb(_PALETTE.hatch), _WHITE])
        )
        cells = np.where(masked, blank, known[places])
        large = cells.repeat(cell, axis=0).repeat(cell, axis=1)
        y, x = np.arange(rows * cell, dtype=np.uint16), np.arange(columns * cell, dtype=np.uint16)
        if masked.any():
            stripes = (x[:, None] + np.arange(12, dtype=np.uint16)) % 12 < 2
            hatched = stripes.T[y % 12] & (large == blank)
            np.copyto(large, hatch, where=hatched)
        if cell >= 20:
            for edge in (cell - 2, cell - 1):
                large[edge::cell] = white
                large[:, edge::cell] = white
        end = self.top + rows * cell, self.left + columns * cell
        self.pixels[self.top : end[0], self.left : end[1]] = large
        if cell >= width("−0.00") + 6 and masked.shape == self.drawn.data.shape:
            self._draw_numbers(table[places], masked)

    def _draw_numbers(self, colors: NDArray[np.uint8], masked: NDArray[np.bool_]) -> None:
        ink = np.where(is_light(colors)[..., None], _BLACK, _WHITE)
        shades = self._shades(ink, colors)
        for q, k in np.argwhere(~masked).tolist():
            text = fixed(float(self.drawn.data[q, k]), 2)
            if width(text) > self.cell - 4:
                continue
            x = self.left + k * self.cell + (self.cell - 2 - width(text)) // 2
            y = self.top + q * self.cell + (self.cell - 2 - _LINE) // 2
            self._write(text, x, y, shades[q, k])

    def _draw_labels(self, queries: list[str], keys: list[str], is_upright: bool) -> None:
        middle = (self.cell - _LINE) // 2
        color = self._shades(_rgb(_PALETTE.text))
        for q in range(0, len(queries), self.step):
            x = self.left - 8 - width(queries[q])
            self._write(queries[q], x, self.top + q * self.cell + middle, color)
        for k in range(0, len(keys), self.step):
            x, key = self.left + k * self.cell, keys[k]
            if is_upright:
                x += (self.cell - width(key)) // 2
                self._write(key, x, self.top - _LINE, color)
            else:
                y = self.top - 8 - width(key)
                self._write(key, x + middle, y, color, is_turned=True)

    def _draw_bar(
        self, table: NDArray, ticks: list[tuple[float, str]], x: int, bottom: int
    ) -> None:
        height = bottom - self.top
        # Few colours, because the cells need theirs.
        shares = np.linspace(_BAR_COLORS - 0.5, -0.5, height).round().clip(0, _BAR_COLORS - 1)
        steps = np.linspace(0, 255, _BAR_COLORS).round().astype(int)
        known = self.colors.places(table[steps])
        shades = self._shades(_rgb(_PALETTE.muted))
        self.pixels[self.top : bottom, x : x + 20] = known[shares.astype(int)][:, None]
        last = bottom + _LINE
        for share, text in ticks:
            y = round(self.top + height * (1 - share))
            y = min(max(y - _LINE // 2, self.top - 4), bottom - _LINE + 4)
            if last - y >= _LINE:
                self._write(text, x + 28, y, shades)
                last = y


def _rgb(color: str) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(color[1:]), np.uint8)


def _labels(tokens: Tokens, side: str, count: int) -> list[str]:
    """Return the labels of `count` rows or columns, each of the first token of several."""
    n = len(tokens.queries if side == "query" else tokens.keys)
    places = [i * n // count for i in range(count)]
    # A script whose characters are not there is named by the place of the token.
    return [_fitting(tokens.name(side, at), _LONGEST, f"#{at}") for at in places]


def _fitting(text: str, room: int, instead: str = "?") -> str:
    """Return the start of a text that fits, `instead` where it cannot be written."""
    start = text[:200]
    if not can_write(start):
        start = instead if instead != "?" else "".join(c if can_write(c) else "?" for c in start)
    if width(start) <= room and len(text) <= 200:
        return start
    while start and width(f"{start}…") > room:
        start = start[:-1]
    return f"{start}…"
