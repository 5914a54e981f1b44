"""The lines as a figure: queries on the left, keys on the right, a colour for each head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnwidget.export.frame import (
    LABEL,
    MARGIN,
    SMALL,
    Frame,
    Style,
    Tokens,
    layer_and_head,
    mistake_words,
    place_of,
)
from attnwidget.export.metrics import label, text_width
from attnwidget.export.quantity import attention
from attnwidget.export.scene import Scene, Strokes
from attnwidget.maths.strongest import ALL_KEYS, STRONGEST, Lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.snapshot import Snapshot

# Smaller weights have no line, as on the card.
_FAINT = 0.02
_ROW, _TALLEST = 4.4, 225.0
_WIDTH, _WIDTH_OF_MANY = 0.35, 0.2
_DASHES: tuple[tuple[float, ...], ...] = ((), (1.4, 0.7), (0.4, 0.5), (1.8, 0.5, 0.4, 0.5))


def lines(now: Snapshot, style: Style) -> Scene:
    """Return the lines of a layer, of the heads that are switched on, as a figure."""
    n_heads = now.shown_layer.n_heads
    heads = tuple(range(n_heads)) if now.heads_on is None else now.heads_on
    place = place_of(now, layer_and_head(now, has_head=False), _mistake(now, heads))
    frame = Frame(now, style, place)
    tokens, palette, canvas = Tokens(now, style.palette), style.palette, frame.canvas
    n_q, n_k = now.shape
    row = min(_ROW, _TALLEST / max(n_q, n_k))
    limit = style.width * 0.28
    left = MARGIN + min(limit, _widest(tokens, "query", n_q)) + 1.2
    right = style.width - MARGIN - min(limit, _widest(tokens, "key", n_k)) - 1.2
    top = frame.top
    if n_heads > 1:
        top = _draw_legend(frame, heads, top)
    canvas.text(left - 1.2, top + LABEL * 0.6, "query", LABEL, palette.muted, "end")
    canvas.text(right + 1.2, top + LABEL * 0.6, "key", LABEL, palette.muted)
    top += LABEL * 1.5
    width = _WIDTH if max(n_q, n_k) <= 32 else _WIDTH_OF_MANY
    # The lines of the heads run beside each other, because a line over another would hide it.
    apart = min(width * 1.3, row * 0.6 / max(1, len(heads)))
    for i, head in enumerate(heads):
        weights = _weights(now, head)
        shift = (i - (len(heads) - 1) / 2) * apart + row / 2 + top
        _draw_head(frame, weights, head, (left, right), row, shift, width)
    step = max(1, int(np.ceil(1.1 * LABEL / row)))
    for side, count, x, anchor, room in (
        ("query", n_q, left - 1.2, "end", left - 1.2 - MARGIN),
        ("key", n_k, right + 1.2, "start", style.width - MARGIN - right - 1.2),
    ):
        names = tokens.queries if side == "query" else tokens.keys
        for at in range(0, count, step):
            color, is_bold, is_italic = tokens.style(side, at)
            name = label(names[at], room, LABEL)
            y = top + (at + 0.5) * row
            marks = {"is_bold": is_bold, "is_italic": is_italic}
            canvas.text(x, y, name, LABEL, color, anchor, **marks)  # type: ignore[arg-type]
    note = f"The lines of each query go to its {STRONGEST} strongest keys." * (n_k > ALL_KEYS)
    return frame.scene(top + max(n_q, n_k) * row, note)


def head_color(head: int) -> str:
    """Return the colour of a head, as in js/views/lines/data.ts for a light card."""
    hue, lightness = (head * 137.508 + 12) % 360, 0.44
    a = 0.62 * min(lightness, 1 - lightness)

    def channel(n: int) -> int:
        k = (n + hue / 30) % 12
        return int(np.floor(255 * (lightness - a * max(-1, min(k - 3, 9 - k, 1))) + 0.5))

    return f"#{channel(0):02x}{channel(8):02x}{channel(4):02x}"


def _mistake(now: Snapshot, heads: tuple[int, ...]) -> str:
    """Return which mistake is drawn, and in which head where the others are without the mistake."""
    words = mistake_words(now)
    if not words or now.maps.attention.ndim > 2 or now.shown_layer.n_heads == 1:
        return words
    return f"head {now.head} {words}" if now.head in heads else ""


def _weights(now: Snapshot, head: int) -> NDArray:
    """Return the weights of a head that have lines: of many keys, the strongest of each query."""
    if now.maps.attention.ndim > 2 or head == now.head:
        weights = attention(now, head)
    else:
        weights = now.source.maps(now.layer)[head]
    weights = np.nan_to_num(weights)
    if weights.shape[1] <= ALL_KEYS:
        return weights
    strongest = Lines.of(weights[None])
    kept = np.zeros_like(weights)
    np.put_along_axis(kept, strongest.keys[0].astype(int), strongest.weights[0], axis=1)
    return kept


def _draw_head(
    frame: Frame,
    weights: NDArray,
    head: int,
    ends: tuple[float, float],
    row: float,
    shift: float,
    width: float,
) -> None:
    palette = frame.style.palette
    color = palette.text if palette.is_grey else head_color(head)
    dash = _DASHES[head % len(_DASHES)] if palette.is_grey else ()
    levels = np.minimum(10, np.ceil(weights * 10)).astype(int)
    levels[weights < _FAINT] = 0
    for level in range(1, 11):
        q, k = np.nonzero(levels == level)
        if not q.size:
            continue
        x = np.full(len(q), ends[0]), np.full(len(q), ends[1])
        segments = np.stack([x[0], shift + q * row, x[1], shift + k * row], axis=1)
        frame.canvas.add(Strokes(segments, color, width, level / 10, dash))


def _draw_legend(frame: Frame, heads: tuple[int, ...], top: float) -> float:
    """Draw the colour of each head, and return where the legend ends."""
    palette, canvas = frame.style.palette, frame.canvas
    x, y = MARGIN, top + SMALL * 0.7
    for head in heads:
        name = f"head {head}" if head == heads[0] else f"{head}"
        room = 4.5 + text_width(name, SMALL) + 2
        if x + room > frame.style.width - MARGIN:
            x, y = MARGIN, y + SMALL * 1.4
        color = palette.text if palette.is_grey else head_color(head)
        dash = _DASHES[head % len(_DASHES)] if palette.is_grey else ()
        canvas.add(Strokes(np.array([[x, y, x + 3.8, y]]), color, 0.5, 1.0, dash))
        canvas.text(x + 4.5, y, name, SMALL, palette.text)
        x += room
    return y + SMALL * 1.2


def _widest(tokens: Tokens, side: str, count: int) -> float:
    names = [side, *(tokens.name(side, at)[:200] for at in range(count))]
    return max(text_width(name, LABEL) for name in names) + 0.1
