"""The steps as a figure: every matrix from X to the output, with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnwidget.export.frame import (
    MARGIN,
    Frame,
    Style,
    Tokens,
    layer_and_head,
    mistake_words,
    place_of,
)
from attnwidget.export.matrix import HEAD, Matrix, draw_matrix, few, label_width
from attnwidget.export.quantity import attention, blank_cells, mistaken, of_head
from attnwidget.export.scene import Polygon, Scene, Strokes
from attnwidget.export.words import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.snapshot import Snapshot

# The matrices in columns from left to right, and in rows.
_COLUMNS = (
    ("embeddings", "key_embeddings"),
    ("W_q", "W_k", "W_v"),
    ("Q", "K", "V"),
    ("scores", "mask"),
    ("attention", "output"),
)
_ARROWS = (
    ("embeddings", "W_q"), ("embeddings", "W_k"), ("embeddings", "W_v"), ("W_q", "Q"),
    ("W_k", "K"), ("W_v", "V"), ("Q", "scores"), ("K", "scores"), ("scores", "attention"),
    ("mask", "attention"),
)  # fmt: skip
_LETTERS = {"embeddings": "X", "key_embeddings": "Y"}
_QUERIES = {"embeddings", "Q", "scores", "mask", "attention", "output"}
_MAPS = {"scores", "mask", "attention"}
_KEYS = {"key_embeddings", "K", "V"}
_BETWEEN, _BELOW = 7.0, 4.0
_WIDEST_CELL, _HIGHEST_CELL = 9.0, 4.2


def steps(now: Snapshot, style: Style) -> Scene:
    """Return the computation of a head as matrices.

    Of more than 12 rows or columns, the first four and the last two are drawn.
    """
    frame = Frame(now, style, place_of(now, layer_and_head(now), mistake_words(now)))
    matrices = _matrices(now, Tokens(now, style.palette))
    columns = [[matrices[name] for name in names if name in matrices] for names in _COLUMNS]
    columns = [column for column in columns if column]
    labels = [max(label_width(matrix) for matrix in column) for column in columns]
    counts = [max(len(matrix.columns) for matrix in column) for column in columns]
    room = style.width - 2 * MARGIN - sum(labels) - _BETWEEN * (len(columns) - 1)
    width = min(_WIDEST_CELL, room / sum(counts))
    height = min(_HIGHEST_CELL, max(2.4, width * 0.8))
    spare = room - width * sum(counts)
    between = _BETWEEN + min(_BETWEEN, spare / max(1, len(columns) - 1))
    x = MARGIN
    for column, left, count in zip(columns, labels, counts, strict=True):
        for matrix in column:
            matrix.place(x + left, width, height)
        x += left + width * count + between
    bottom = _stack(matrices, frame.top)
    for matrix in matrices.values():
        draw_matrix(frame, matrix)
    _draw_arrows(frame, matrices)
    return frame.scene(bottom)


def _matrices(now: Snapshot, tokens: Tokens) -> dict[str, Matrix]:
    """Return the matrices of the flow, in the order of the arithmetic."""
    source, inputs = now.source, now.inputs
    report = mistaken(now)
    p, V = attention(now), None if inputs.V is None else of_head(inputs.V, now)
    scores = now.maps.scores if report is None or report.scores is None else report.scores
    arrays: dict[str, NDArray | None] = {
        "embeddings": source.embeddings,
        "key_embeddings": source.key_embeddings,
        **{name: getattr(source, name) for name in ("W_q", "W_k", "W_v")},
        **{name: getattr(inputs, name) for name in ("Q", "K", "V")},
        "scores": scores,
        "mask": now.maps.mask.astype(float),
        "attention": p,
        "output": now.maps.output if report is None or V is None else p @ V,
    }
    result = {}
    for name, array in arrays.items():
        if array is None:
            continue
        values = np.asarray(of_head(array, now), float)
        blank = ~np.isfinite(values)
        if name == "mask":
            blank = now.maps.mask
        elif name == "attention":
            blank = blank_cells(now)
        queries = [tokens.name("query", at) for at in range(len(tokens.queries))]
        keys = [tokens.name("key", at) for at in range(len(tokens.keys))]
        result[name] = Matrix(
            name=name,
            title=_LETTERS.get(name, name),
            note=_note(now, name),
            values=values,
            blank=blank,
            rows=few(values.shape[0]),
            columns=few(values.shape[1]),
            row_labels=queries if name in _QUERIES else keys if name in _KEYS else None,
            column_labels=keys if name in _MAPS else None,
            by_hand=_by_hand(now, name, values.shape),
        )
    return result


def _by_hand(now: Snapshot, name: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which numbers of the head on screen were set by hand."""
    runs = (now.source.overridden or {}).get(name, [])
    marks = np.zeros(shape, bool)
    size = marks.size
    for start, length in zip(runs[::2], runs[1::2], strict=True):
        at = np.arange(start, start + length) - now.head * size
        is_stacked = np.ndim(getattr(now.inputs if name in "QKV" else now.source, name)) > 2
        at = at if is_stacked else np.arange(start, start + length)
        marks.ravel()[at[(at >= 0) & (at < size)]] = True
    return marks


def _note(now: Snapshot, name: str) -> str:
    """Return the formula of a matrix, or where its numbers come from."""
    source, inputs, report = now.source, now.inputs, mistaken(now)
    if report is not None and report.step == name:
        return report.wrong
    has_inputs = source.embeddings is not None
    keys = "Y" if source.key_embeddings is not None else "X"
    is_sinusoidal = source.positional == "sinusoidal"
    Q, K = (f"({X} + P)" if is_sinusoidal else X for X in ("X", keys))
    turned = ", turned" if source.positional == "rotary" else ""
    notes = {
        "embeddings": "queries' embeddings" if keys == "Y" else "embeddings",
        "key_embeddings": "keys' embeddings",
        "Q": f"{Q} W_q{turned}" if has_inputs else "queries",
        "K": f"{K} W_k{turned}" if has_inputs else "keys",
        "V": f"{K} W_v" if has_inputs else "values",
        "mask": "−∞ where masked",
        "attention": "softmax by row",
        "output": "attention · V",
    }
    if inputs.temperature != 1:
        notes["attention"] = f"softmax, T = {number(inputs.temperature)}"
    if name == "scores":
        d_k = inputs.Q.shape[-1] if inputs.Q is not None else 1
        is_usual = abs(inputs.scale * d_k**0.5 - 1) < 1e-6
        scale = " / √d_k" if is_usual else f" · {number(inputs.scale)}" * (inputs.scale != 1)
        bias = " − distance" if source.positional == "alibi" else " + bias"
        return f"Q Kᵀ{scale}{bias if inputs.bias is not None else ''}"
    return notes.get(name) or ("given" if name in source.given else f"{source.init}")


def _stack(matrices: dict[str, Matrix], top: float) -> float:
    """Set the tops of the matrices, and return where the lowest ends.

    The cells of the matrices of a row have their middles on a line.
    """
    rows = ("W_q", "Q", "scores", "attention"), ("W_k", "K", "mask", "output"), ("W_v", "V")
    y = top
    for names in rows:
        row = [matrices[name] for name in names if name in matrices]
        head = max(matrix.head for matrix in row)
        tallest = max(matrix.down for matrix in row)
        for matrix in row:
            matrix.y = y + head + (tallest - matrix.down) / 2
        y += head + tallest + _BELOW
    bottom = y - _BELOW
    if "embeddings" in matrices:
        X, Y = matrices["embeddings"], matrices.get("key_embeddings")
        middle = (top + bottom + HEAD) / 2
        if Y is None:
            X.y = middle - X.down / 2
        else:
            X.y = max(top + X.head, middle - X.down - (Y.head + _BELOW) / 2)
            Y.y = X.y + X.down + _BELOW + Y.head
            bottom = max(bottom, Y.y + Y.down)
    return bottom


def _draw_arrows(frame: Frame, matrices: dict[str, Matrix]) -> None:
    for first, second in _ARROWS:
        keys = "key_embeddings" if second in {"W_k", "W_v"} else first
        source = matrices.get(keys if first == "embeddings" and keys in matrices else first)
        target = matrices.get(second)
        if source is None or target is None:
            continue
        # The arrows of K and of the mask end below the arrows of Q and of the scores.
        lower = target.down * 0.3 if first in {"K", "mask"} else 0.0
        end = target.x - target.left - 0.8, target.y + target.down / 2 + lower
        _draw_curve(frame, (source.right + 0.8, source.y + source.down / 2), end)
    output, attention_map, V = (matrices[name] for name in ("output", "attention", "V"))
    start = attention_map.x + attention_map.width / 2, attention_map.y + attention_map.down + 0.6
    if output.y - output.head - start[1] > 1:
        _draw_line(frame, [start, (start[0], output.y - output.head + 0.2)])
    corner = output.x + output.across / 2, V.y + V.down / 2
    if corner[1] > output.y + output.down + 2:
        _draw_line(
            frame,
            [(V.right + 0.8, corner[1]), corner, (corner[0], output.y + output.down + 0.8)],
        )


def _draw_curve(frame: Frame, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow that leaves and arrives horizontally: a cubic in short pieces."""
    t = np.linspace(0, 1, 17)[:, None]
    bend = (start[0] + end[0]) / 2
    corners = np.array([start, (bend, start[1]), (bend, end[1]), end])
    weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    _draw_line(frame, [tuple(point) for point in weights @ corners])


def _draw_line(frame: Frame, points: list[tuple[float, ...]]) -> None:
    color = frame.style.palette.muted
    places = np.array(points, float)
    along = places[-1] - places[-2]
    along = along / (np.hypot(*along) or 1)
    across = np.array([-along[1], along[0]])
    tip = places[-1].copy()
    places[-1] = tip - along * 0.8
    frame.canvas.add(Strokes(np.hstack([places[:-1], places[1:]]), color, 0.2))
    back = tip - along * 1.3
    corners = (tip, back + across * 0.55, back - across * 0.55)
    frame.canvas.add(Polygon(tuple((float(x), float(y)) for x, y in corners), color))
