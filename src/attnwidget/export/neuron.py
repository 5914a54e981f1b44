"""The neuron view as a figure: a query against every key, number by number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

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
from attnwidget.export.metrics import label, shorten, text_width
from attnwidget.export.quantity import attention, blank_cells, mistaken, of_head
from attnwidget.export.ramps import hexadecimal, indices, is_light
from attnwidget.export.scene import Box, Cells, Scene
from attnwidget.export.words import column_format, fixed, two

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from attnwidget.session.snapshot import Snapshot

_ROW, _GAP, _CELL = 4.4, 2.5, 3.4
# More keys than this do not fit on a page.
_MOST = 48
# Below this width the bars lie under the numbers, and the headings are short.
_NARROW = 120.0
_NUMBER = 11.0


@dataclass(frozen=True, eq=False)
class _Column:
    """A number of each key: its name, a short name, and the absolute value that fills it."""

    name: str
    short: str
    values: NDArray
    largest: float
    write: Callable[[float], str]
    is_weight: bool = False


def neuron(now: Snapshot, style: Style) -> Scene:
    """Return the numbers of a query against every key as a figure.

    The query is the one that is selected, or the query in the middle. Of many keys, those with
    the largest weights are drawn.
    """
    q = _query(now)
    tokens = Tokens(now, style.palette)
    words = f"query {shorten(tokens.name('query', q), 40, LABEL)}"
    title = place_of(now, layer_and_head(now), words, mistake_words(now))
    frame = Frame(now, style, title)
    weights = np.nan_to_num(attention(now)[q])
    keys = np.arange(len(weights))
    if len(keys) > _MOST:
        keys = np.sort(np.argsort(-weights, kind="stable")[:_MOST])
    columns = _columns(now, q)
    names = ["q", *(tokens.name("key", int(key))[:200] for key in keys)]
    widest = max(text_width(name, LABEL) for name in names) + 0.1
    sheet = _Sheet(frame, len(columns), widest)
    Q, K = (of_head(array, now) for array in (now.inputs.Q, now.inputs.K) if array is not None)
    largest = float(max(np.abs(Q).max(), np.abs(K).max())) or 1.0
    products = Q[q] * K
    most = float(np.abs(products).max()) or 1.0
    bottom = sheet.draw_head(columns, Q[q] / largest, Q[q])
    blank = blank_cells(now)[q]
    for key in keys:
        is_masked = bool(blank[key])
        color, is_bold, is_italic = tokens.style("key", int(key))
        name = label(tokens.keys[key], sheet.token - MARGIN, LABEL)
        marks = {"is_bold": is_bold, "is_italic": is_italic}
        middle = bottom + _ROW / 2
        color = style.palette.muted if is_masked else color
        frame.canvas.text(sheet.token, middle, name, LABEL, color, "end", **marks)
        sheet.draw_strip(sheet.k, bottom, K[key] / largest, K[key], is_masked)
        sheet.draw_strip(sheet.product, bottom, products[key] / most, products[key], is_masked)
        sheet.draw_numbers(columns, int(key), bottom, is_masked)
        bottom += _ROW
    note = f"{len(keys)} of {len(weights)} keys, those with the largest weights."
    return frame.scene(bottom, note if len(keys) < len(weights) else "")


def _query(now: Snapshot) -> int:
    n_q, n_k = now.shape
    if now.selection is not None and now.selection[0] < n_q and now.selection[1] < n_k:
        return int(now.selection[0])
    return n_q >> 1


def _columns(now: Snapshot, q: int) -> list[_Column]:
    inputs, report = now.inputs, mistaken(now)
    assert inputs.Q is not None
    assert inputs.V is not None
    all_scores = now.maps.scores if report is None or report.scores is None else report.scores
    scores, p = of_head(all_scores, now)[q], attention(now)[q]
    norms = np.linalg.norm(of_head(inputs.V, now), axis=-1)
    d_k = inputs.Q.shape[-1]
    is_right = report is None or report.step != "scores"
    is_plain = is_right and inputs.bias is None and inputs.softcap is None
    is_usual = is_plain and abs(inputs.scale * d_k**0.5 - 1) < 1e-6
    finite = np.abs(scores[np.isfinite(scores)])
    lengths = p * norms
    return [
        _Column(
            f"q·k ÷ √{d_k}" if is_usual else "score",
            "score",
            scores,
            float(finite.max(initial=0)),
            column_format(scores),
        ),
        _Column("softmax = p", "p", p, 1.0, partial(fixed, digits=3), is_weight=True),
        _Column("‖v‖", "‖v‖", norms, float(norms.max(initial=0)), column_format(norms)),
        _Column(
            "p·‖v‖",
            "p·‖v‖",
            lengths,
            float(np.nan_to_num(lengths).max()),
            column_format(lengths),
        ),
    ]


class _Sheet:
    """The places of the parts of a row: the token, k, q × k, and the columns of numbers."""

    def __init__(self, frame: Frame, count: int, widest: float) -> None:
        self.frame = frame
        self.canvas, self.palette = frame.canvas, frame.style.palette
        width = frame.style.width
        self.is_narrow = width < _NARROW
        self.column = 13.0 if self.is_narrow else min(22.0, width * 0.13)
        self.token = MARGIN + min(26.0, width * 0.15, widest)
        self.numbers = width - MARGIN - count * self.column
        self.strip = max(4.0, (self.numbers - self.token - 3 * _GAP) / 2)
        self.k = self.token + _GAP
        self.product = self.token + 2 * _GAP + self.strip

    def draw_head(self, columns: list[_Column], shares: NDArray, values: NDArray) -> float:
        """Draw the names and the query, and return where the first key begins."""
        top, muted = self.frame.top, self.palette.muted
        for x, full, short in (
            (self.k, "k, below q of the query", "k"),
            (self.product, "q × k, number by number", "q × k"),
        ):
            name = full if text_width(full, SMALL) <= self.strip else short
            self.canvas.text(x, top + SMALL * 0.6, name, SMALL, muted)
        for i, column in enumerate(columns):
            x = self.numbers + (i + 1) * self.column - 1
            name = column.short if self.is_narrow else column.name
            self.canvas.text(x, top + SMALL * 0.6, name, SMALL, muted, "end")
        top += SMALL * 1.4
        self.canvas.text(self.token, top + _ROW / 2, "q", LABEL, muted, "end", is_bold=True)
        self.draw_strip(self.k, top, shares, values, is_masked=False)
        return top + _ROW + 0.6

    def draw_strip(
        self, x: float, top: float, shares: NDArray, values: NDArray, is_masked: bool
    ) -> None:
        """Draw a vector as coloured cells, with numbers where the cells have room."""
        count = len(values)
        side = self.strip / count
        colors = self.palette.signed[indices(0.5 + shares / 2)]
        if is_masked:
            colors = _faint(colors)
        gap = 0.2 if side > 1.5 else 0.0
        y = top + (_ROW - _CELL) / 2
        self.canvas.add(Cells(x, y, side, _CELL, colors[None], gap))
        texts = [two(float(value)) for value in values]
        if max(text_width(text, SMALLEST) for text in texts) > side - 0.5:
            return
        light = is_light(colors)
        for c, text in enumerate(texts):
            ink = self.palette.inks[int(light[c])]
            self.canvas.text(x + (c + 0.5) * side, top + _ROW / 2, text, SMALLEST, ink, "middle")

    def draw_numbers(self, columns: list[_Column], key: int, top: float, is_masked: bool) -> None:
        """Draw the numbers of a key, each with a bar."""
        middle = top + _ROW / 2
        for i, column in enumerate(columns):
            value = float(column.values[key])
            x = self.numbers + i * self.column + 1.2
            room = self.column - 1.2
            share = abs(value) / column.largest if column.largest > 0 else 0.0
            tint = self.palette.signed[indices(np.array(0.3 if value < 0 else 0.7))]
            color = hexadecimal(_faint(_faint(tint) if is_masked else tint, 0.55))
            if np.isfinite(share) and share > 0 and not (is_masked and column.is_weight):
                if self.is_narrow:
                    self.canvas.add(Box(x, top + _ROW - 0.9, room * share, 0.6, color))
                else:
                    length = (room - _NUMBER) * share
                    self.canvas.add(Box(x, top + 0.8, length, _ROW - 1.6, color))
            is_word = column.is_weight and is_masked
            text = "masked" if is_word else column.write(value)
            ink = self.palette.muted if is_masked else self.palette.text
            right = self.numbers + (i + 1) * self.column - 1
            y = middle - (0.4 if self.is_narrow else 0)
            self.canvas.text(right, y, text, SMALL, ink, "end")


def _faint(colors: NDArray, share: float = 0.35) -> NDArray[np.uint8]:
    """Return colours mixed with white: their share stays."""
    return np.rint(255 * (1 - share) + np.asarray(colors, float) * share).astype(np.uint8)
