"""A scene drawn by matplotlib, as PDF or PNG; no pyplot, so no display and no current figure."""

from __future__ import annotations

import io
from functools import cache, singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.export.metrics import POINT
from attnwidget.export.scene import Box, Cells, Polygon, Scene, Strokes, Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_INCH = 25.4
# Pixels in an inch at scale 1: CSS has as many.
_PIXELS = 96
# The first of these families that is installed is drawn with; matplotlib has DejaVu Sans itself.
_FAMILIES = ("Helvetica", "Arial", "Liberation Sans")
_LAST = "DejaVu Sans"
# Families for characters that DejaVu Sans does not have.
_OTHERS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "PingFang SC", "Hiragino Sans",
    "Microsoft YaHei", "Yu Gothic", "SimHei", "WenQuanYi Micro Hei", "Malgun Gothic",
    "Apple SD Gothic Neo", "Noto Sans", "Noto Sans Devanagari", "Noto Sans Bengali",
    "Noto Sans Tamil", "Noto Sans Thai", "Noto Sans Arabic", "Noto Sans Hebrew",
    "Noto Sans Ethiopic", "Noto Sans Georgian", "Noto Sans Symbols", "Noto Sans Symbols2",
    "Noto Emoji", "Symbola", "Segoe UI Symbol", "Arial Unicode MS",
)  # fmt: skip
# Neighbours without a gap overlap by this share of a cell, because a reader of PDF smooths the
# edges, and the background would show as a thin line.
_OVERLAP = 0.04


def need_matplotlib() -> None:
    """Raise ImportError with the remedy where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError(
            "PDF, PNG and plot are drawn by matplotlib, which is not installed: run "
            '`pip install matplotlib` or `pip install "attnwidget[figures]"`; save_svg needs '
            "nothing"
        ) from None


def pdf(scene: Scene) -> bytes:
    """Return a scene as a PDF file: vectors, with text as text."""
    need_matplotlib()
    import matplotlib as mpl
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    figure = painted(scene)
    file = io.BytesIO()
    # Fonts of type 42 are text that can be selected and edited.
    with mpl.rc_context({"pdf.fonttype": 42, "pdf.use14corefonts": False}):
        metadata = {"Title": scene.title, "Creator": "attnwidget", "CreationDate": None}
        FigureCanvasPdf(figure).print_pdf(file, metadata=metadata)
    return file.getvalue()


def png(scene: Scene, scale: float) -> bytes:
    """Return a scene as a PNG file, with 96 · `scale` pixels in an inch."""
    need_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = painted(scene)
    figure.set_dpi(_PIXELS * scale)
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file, metadata={"Title": scene.title, "Software": None})
    return file.getvalue()


def painted(scene: Scene) -> Figure:
    """Return a scene as a figure of matplotlib, in the size of the scene."""
    from matplotlib.figure import Figure

    size = scene.width / _INCH, scene.height / _INCH
    # The settings of a user's style change nothing here: the scene says where everything is.
    figure = Figure(size, facecolor=scene.background)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    fonts = families(item.text for item in scene.items if isinstance(item, Text))
    for order, item in enumerate(scene.items):
        _paint(item, axes, {"zorder": order + 1, "clip_on": False}, fonts)
    return figure


def families(texts: Iterable[str]) -> list[str]:
    """Return the fonts for some texts: matplotlib takes each character from the first that has it.

    Only installed fonts are named, because matplotlib warns of others.
    """
    first = next((name for name in _FAMILIES if _characters(name)), _LAST)
    names = [first, _LAST] if first != _LAST else [_LAST]
    missing = {ord(letter) for text in texts for letter in text} - _characters(_LAST)
    for name in _OTHERS:
        if not missing:
            break
        known = missing & _characters(name)
        if known:
            names.append(name)
            missing -= known
    return names


@cache
def _characters(family: str) -> frozenset[int]:
    """Return the characters of a font, none where it is not installed."""
    from matplotlib import font_manager

    if family not in font_manager.get_font_names():
        return frozenset()
    path = font_manager.findfont(family, fallback_to_default=False)
    return frozenset(font_manager.get_font(path).get_charmap())


@singledispatch
def _paint(item: object, axes: Axes, common: dict[str, Any], fonts: list[str]) -> None:
    del axes, common, fonts
    raise TypeError(f"item: got {type(item).__name__}, want an item of a scene")


@_paint.register(Cells)
def _cells(item: Cells, axes: Axes, common: dict[str, Any], fonts: list[str]) -> None:
    del fonts
    from matplotlib.collections import PolyCollection

    rows, columns, _ = item.colors.shape
    right, bottom = item.x + columns * item.width, item.y + rows * item.height
    if item.is_image:
        limits = axes.get_xlim(), axes.get_ylim()
        extent = (item.x, right, bottom, item.y)
        style: dict[str, Any] = {"interpolation": "none", "aspect": "auto"}
        axes.imshow(item.colors, extent=extent, origin="upper", **style, **common)
        axes.set_xlim(limits[0])
        axes.set_ylim(limits[1])
        return
    x = item.x + np.arange(columns) * item.width
    y = item.y + np.arange(rows) * item.height
    extra = (-item.gap, -item.gap) if item.gap else (
        _OVERLAP * item.width, _OVERLAP * item.height
    )  # fmt: skip
    ends = (
        np.minimum(x + item.width + extra[0], right),
        np.minimum(y + item.height + extra[1], bottom),
    )
    x0, y0 = np.meshgrid(x, y)
    x1, y1 = np.meshgrid(*ends)
    corners = np.stack([x0, y0, x1, y0, x1, y1, x0, y1], axis=-1).reshape(-1, 4, 2)
    axes.add_collection(
        PolyCollection(
            list(corners),
            facecolors=item.colors.reshape(-1, 3) / 255,
            edgecolors="none",
            linewidths=0,
            antialiaseds=False,
            **common,
        ),
        autolim=False,
    )


@_paint.register(Strokes)
def _strokes(item: Strokes, axes: Axes, common: dict[str, Any], fonts: list[str]) -> None:
    del fonts
    from matplotlib.collections import LineCollection

    points = item.width / POINT
    # A dash is in units of the width of the line.
    dash = tuple(length / item.width for length in item.dash)
    axes.add_collection(
        LineCollection(
            list(item.segments.reshape(-1, 2, 2)),
            colors=item.color,
            linewidths=points,
            alpha=item.opacity,
            linestyles=[(0, dash)] if dash else "solid",
            capstyle="butt",
            **common,
        ),
        autolim=False,
    )


@_paint.register(Box)
def _box(item: Box, axes: Axes, common: dict[str, Any], fonts: list[str]) -> None:
    del fonts
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (item.x, item.y),
            item.width,
            item.height,
            facecolor=item.fill or "none",
            edgecolor=item.line or "none",
            linewidth=item.line_width / POINT if item.line else 0,
            alpha=None if item.opacity == 1 else item.opacity,
            **common,
        )
    )


@_paint.register(Polygon)
def _polygon(item: Polygon, axes: Axes, common: dict[str, Any], fonts: list[str]) -> None:
    del fonts
    from matplotlib.patches import Polygon as Patch

    axes.add_patch(Patch(_points(item), facecolor=item.fill, edgecolor="none", **common))


def _points(item: Polygon) -> NDArray:
    return np.array(item.points)


@_paint.register(Text)
def _text(item: Text, axes: Axes, common: dict[str, Any], fonts: list[str]) -> None:
    places = {"start": "left", "middle": "center", "end": "right"}
    axes.text(
        item.x,
        item.y,
        item.text,
        fontsize=item.size / POINT,
        color=item.color,
        family=fonts,
        ha=places[item.anchor],
        va="baseline",
        rotation=item.rotation,
        rotation_mode="anchor",
        weight="bold" if item.is_bold else "normal",
        style="italic" if item.is_italic else "normal",
        # A "$" in a token begins no formula.
        parse_math=False,
        usetex=False,
        **common,
    )
