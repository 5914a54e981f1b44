"""The heatmap on axes of matplotlib, with ticks, labels and a colour bar of matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.export.frame import Tokens, layer_and_head, mistake_words, place_of
from attnwidget.export.heatmap import colored
from attnwidget.export.metrics import POINT, shorten, text_width
from attnwidget.export.paint import families, need_matplotlib
from attnwidget.export.palette import PALETTES
from attnwidget.export.quantity import DrawnMap, drawn_map
from attnwidget.export.scene import hatching
from attnwidget.export.words import plain
from attnwidget.maths.validate import choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from attnwidget.export.palette import Palette
    from attnwidget.session.snapshot import Snapshot

# Tick labels are shortened to this length, in millimetres.
_LONGEST = 25.0


def plot(
    now: Snapshot,
    axes: Any,
    *,
    palette: str = "light",
    colorbar: bool = True,
    title: str | None = None,
) -> Axes:
    """Draw the heatmap on `axes`, on the axes of a new figure where None; return the axes.

    Raises
    ------
    TypeError, ValueError
        For axes that are no axes, or another argument that does not fit.
    ImportError
        Without matplotlib.
    """
    need_matplotlib()
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    if axes is not None and not isinstance(axes, Axes):
        raise TypeError(f"ax: got {type(axes).__name__}, want Axes of matplotlib or None")
    choice("palette", palette, tuple(PALETTES))
    if not isinstance(colorbar, bool):
        raise TypeError(f"colorbar: got {colorbar!r}, want True or False")
    if not isinstance(title, str | None):
        raise TypeError(f"title: got {type(title).__name__}, want a str or None")
    drawn = drawn_map(now)
    colors = PALETTES[palette]
    if axes is None:
        axes = Figure(layout="constrained").add_subplot()
    axes.imshow(
        colored(drawn, colors, now.cmap), interpolation="nearest", aspect="equal", origin="upper"
    )
    _draw_hatching(axes, drawn, colors)
    _label(axes, Tokens(now, colors), drawn.data.shape)
    if title is None:
        title = place_of(now, layer_and_head(now), mistake_words(now))
    axes.set_title(plain(title), parse_math=False, family=families([title]))
    if colorbar:
        _draw_bar(axes, drawn, colors, now.cmap)
    return axes


def _draw_hatching(axes: Axes, drawn: DrawnMap, palette: Palette) -> None:
    from matplotlib.collections import LineCollection

    n_q, n_k = drawn.mask.shape
    # A small cell has several lines; a map of many cells has about 90.
    step = max(0.25, max(n_q, n_k) / 45)
    for where, directions in (
        (drawn.mask & ~drawn.locked, (False,)),
        (drawn.mask & drawn.locked, (False, True)),
    ):
        for is_falling in directions if where.any() else ():
            lines = hatching(-0.5, -0.5, (1.0, 1.0), where, step, is_falling=is_falling)
            segments = list(lines.reshape(-1, 2, 2))
            collection = LineCollection(segments, colors=palette.hatch, linewidths=0.5)
            axes.add_collection(collection, autolim=False)


def _label(axes: Axes, tokens: Tokens, shape: tuple[int, ...]) -> None:
    n_q, n_k = shape
    box = axes.get_window_extent()
    inch = box.width / axes.figure.dpi, box.height / axes.figure.dpi
    across, down = inch[0] * 72 / n_k, inch[1] * 72 / n_q
    cell = min(across, down)
    step = max(1, int(np.ceil(7.0 / cell)))
    size = float(np.clip(cell * step * 0.8, 6.0, 10.0))
    keys = [shorten(tokens.name("key", k), _LONGEST, size * POINT) for k in range(0, n_k, step)]
    queries = [
        shorten(tokens.name("query", q), _LONGEST, size * POINT) for q in range(0, n_q, step)
    ]
    options: dict[str, Any] = {"fontsize": size, "parse_math": False, "usetex": False}
    widest = max(text_width(key, size) for key in keys)
    turn = 0 if widest <= 0.9 * across * step else 90
    axes.set_yticks(range(0, n_q, step), queries, family=families(queries), **options)
    axes.set_xticks(range(0, n_k, step), keys, family=families(keys), rotation=turn, **options)
    axes.set_xlabel("key")
    axes.set_ylabel("query")


def _draw_bar(axes: Axes, drawn: DrawnMap, palette: Palette, cmap: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize, PowerNorm

    top = drawn.ceiling or 1.0
    colors = ListedColormap(drawn.table(palette, cmap) / 255)
    norm: Normalize = Normalize(-top if drawn.is_signed else 0, top)
    if drawn.scale == "sqrt":
        norm = PowerNorm(0.5, 0, top)
    figure = axes.figure
    figure.colorbar(ScalarMappable(norm, colors), ax=axes, label=drawn.words[0])
