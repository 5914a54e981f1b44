"""A view of a state as a figure, and the file that the figure is written to."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from attnwidget.export.frame import Style
from attnwidget.export.grid import grid
from attnwidget.export.heatmap import heatmap
from attnwidget.export.lines import lines
from attnwidget.export.neuron import neuron
from attnwidget.export.paint import pdf, png
from attnwidget.export.palette import PALETTES
from attnwidget.export.steps import steps
from attnwidget.export.svg import svg
from attnwidget.maths.validate import choice, number
from attnwidget.session.settings import SETTERS

if TYPE_CHECKING:
    from os import PathLike

    from attnwidget.export.scene import Scene
    from attnwidget.session.snapshot import Snapshot

# Each view: how it is drawn, its width in millimetres where none is given (a column of a paper, or
# two columns), and the least width into which its labels fit.
_VIEWS: Mapping[str, tuple[Callable[[Snapshot, Style], Scene], float, float]] = {
    "heatmap": (heatmap, 85.0, 40.0),
    "steps": (steps, 170.0, 120.0),
    "lines": (lines, 85.0, 40.0),
    "neuron": (neuron, 170.0, 80.0),
    "grid": (grid, 170.0, 40.0),
}
UNITS = {"mm": 1.0, "in": 25.4}
# In millimetres; a poster is smaller.
_WIDEST = 2000.0
_LARGEST_SCALE = 20.0
_MOST_PIXELS = 2e8
# Of a picture that the card saves, as of `save_png`.
_SCALE = 2.0
_SUFFIXES = (".svg", ".pdf", ".png")


def figure(
    now: Snapshot,
    view: str | None = None,
    *,
    width: float | None = None,
    unit: str = "mm",
    palette: str = "light",
    title: str | None = None,
    caption: str | None = None,
    colorbar: bool = True,
) -> Scene:
    """Return a view of a state, of the view on screen where None is named.

    Raises
    ------
    TypeError, ValueError
        For a view that the state does not have, or another argument that does not fit.
    """
    name = _view(now, view)
    draw, usual, narrowest = _VIEWS[name]
    choice("unit", unit, tuple(UNITS))
    choice("palette", palette, tuple(PALETTES))
    for argument, text in (("title", title), ("caption", caption)):
        if not isinstance(text, str | None):
            raise TypeError(f"{argument}: got {type(text).__name__}, want a str or None")
    if not isinstance(colorbar, bool):
        raise TypeError(f"colorbar: got {colorbar!r}, want True or False")
    side = usual if width is None else number("width", width) * UNITS[unit]
    if not narrowest <= side <= _WIDEST:
        least, most = narrowest / UNITS[unit], _WIDEST / UNITS[unit]
        raise ValueError(
            f"width: got {width:g} {unit}, want {least:.3g} to {most:.4g} {unit} for {name}"
        )
    return draw(now, Style(side, PALETTES[palette], title, caption, colorbar))


def _view(now: Snapshot, view: str | None) -> str:
    name = now.view if view is None else view
    if view is None and name not in _VIEWS:
        raise ValueError(
            f"view: {name!r} is on screen, and its document has no figure; "
            f"want view= one of {', '.join(_VIEWS)}"
        )
    choice("view", name, tuple(_VIEWS))
    # The same refusal as of `w.view`.
    SETTERS["view"](now, name)
    return name


def checked_target(target: Any, suffix: str) -> Path | IO[bytes]:
    """Return a path, or an open binary file, for a file of this kind.

    Raises
    ------
    TypeError, ValueError
        For something else, or a name that ends as another kind of figure.
    """
    if hasattr(target, "write"):
        if isinstance(target, io.TextIOBase):
            raise TypeError("path: got a file that is open for text, want mode 'wb'")
        return target
    try:
        path = Path(target)
    except TypeError:
        raise TypeError(
            f"path: got {type(target).__name__}, want a str, a Path or an open binary file"
        ) from None
    if path.suffix.lower() in _SUFFIXES and path.suffix.lower() != suffix:
        raise ValueError(f"path: got {path.name!r}, want a name that ends in {suffix}")
    return path


def written(target: Path | IO[bytes], data: bytes) -> Path | None:
    """Write a file, and return its path; None for an open file."""
    if isinstance(target, Path):
        target.write_bytes(data)
        return target
    target.write(data)
    return None


def save_svg(
    now: Snapshot, path: str | PathLike[str] | IO[bytes], view: str | None, **options: Any
) -> Path | None:
    """Write a view of a state as SVG; `options` are those of `figure`."""
    target = checked_target(path, ".svg")
    scene = figure(now, view, **options)
    return written(target, svg(scene, options.get("unit", "mm")))


def save_pdf(
    now: Snapshot, path: str | PathLike[str] | IO[bytes], view: str | None, **options: Any
) -> Path | None:
    """Write a view of a state as PDF; `options` are those of `figure`."""
    target = checked_target(path, ".pdf")
    return written(target, pdf(figure(now, view, **options)))


def save_png(
    now: Snapshot,
    path: str | PathLike[str] | IO[bytes],
    view: str | None,
    scale: float,
    **options: Any,
) -> Path | None:
    """Write a view of a state as PNG; `options` are those of `figure`."""
    target = checked_target(path, ".png")
    factor = number("scale", scale)
    if not 0.25 <= factor <= _LARGEST_SCALE:
        raise ValueError(f"scale: got {factor:g}, want 0.25 to {_LARGEST_SCALE:g}")
    scene = figure(now, view, **options)
    pixels = scene.width * scene.height * (96 * factor / UNITS["in"]) ** 2
    if pixels > _MOST_PIXELS:
        raise ValueError(
            f"scale: got {factor:g}, which makes {pixels / 1e6:,.0f} million pixels; want at most "
            f"{_MOST_PIXELS / 1e6:,.0f} million: take a smaller scale or width"
        )
    return written(target, png(scene, factor))


def figure_file(now: Snapshot, kind: str) -> bytes:
    """Return the view on screen as the bytes of a file: "svg", "pdf" or "png"."""
    choice("kind", kind, ("svg", "pdf", "png"))
    file = io.BytesIO()
    if kind == "png":
        save_png(now, file, None, _SCALE)
    else:
        {"svg": save_svg, "pdf": save_pdf}[kind](now, file, None)
    return file.getvalue()
