"""The methods of a widget that save a view as a figure.

What draws figures is imported by the first figure, because it takes a third of the import.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path


class FigureMethods:
    """Figures of what a widget shows, drawn without a browser and without a display."""

    store: Any

    def save_svg(
        self,
        path: str | PathLike[str] | IO[bytes],
        *,
        view: str | None = None,
        width: float | None = None,
        unit: str = "mm",
        palette: str = "light",
        title: str | None = None,
        caption: str | None = None,
        colorbar: bool = True,
    ) -> Path | None:
        """Save a view as an SVG file: cells as rectangles, text as text. Return the path.

        The figure has what the card draws now: mask, presets, mistake, quantity and colours, but
        no Δ and no marked cell. SVG needs no other package.

        Parameters
        ----------
        path:
            The file, or a file that is open for writing bytes, for which None is returned.
        view:
            "heatmap", "steps", "lines", "neuron" or "grid"; the view on screen where None.
        width, unit:
            The width of the figure in "mm" or "in" (inches). Where None, heatmap and lines have
            the width of a column (85 mm), the other views of two columns (170 mm). The height
            follows from the width.
        palette:
            "light" for the colours of the light card, or "print" for greys: the colour map is
            "greys", and heads are told apart by dashes.
        title, caption:
            The line above and the text below the figure. Where the title is None, it is the
            widget's `title` with stack, layer and head; "" is none.
        colorbar:
            Whether a map has a colour bar, with its quantity and scale in words.

        Raises
        ------
        TypeError, ValueError
            For a view that the map does not have, or another argument that does not fit. No file
            is written then.
        """
        from attnwidget.export.figure import save_svg

        options = _options(width, unit, palette, title, caption, colorbar)
        return save_svg(self.store.now, path, view, **options)

    def save_pdf(
        self,
        path: str | PathLike[str] | IO[bytes],
        *,
        view: str | None = None,
        width: float | None = None,
        unit: str = "mm",
        palette: str = "light",
        title: str | None = None,
        caption: str | None = None,
        colorbar: bool = True,
    ) -> Path | None:
        """Save a view as a PDF file of vectors, whose text can be selected. Return the path.

        `save_svg` explains the keywords.

        Raises
        ------
        TypeError, ValueError
            For an argument that does not fit. No file is written then.
        ImportError
            Without matplotlib, which ``attnwidget[figures]`` installs.
        """
        from attnwidget.export.figure import save_pdf

        options = _options(width, unit, palette, title, caption, colorbar)
        return save_pdf(self.store.now, path, view, **options)

    def save_png(
        self,
        path: str | PathLike[str] | IO[bytes],
        *,
        scale: float = 2,
        view: str | None = None,
        width: float | None = None,
        unit: str = "mm",
        palette: str = "light",
        title: str | None = None,
        caption: str | None = None,
        colorbar: bool = True,
    ) -> Path | None:
        """Save a view as a PNG file. Return the path.

        An inch has 96 · `scale` pixels: 192 for 2, 288 for 3. `save_svg` explains the other
        keywords.

        Raises
        ------
        TypeError, ValueError
            For an argument that does not fit. No file is written then.
        ImportError
            Without matplotlib, which ``attnwidget[figures]`` installs.
        """
        from attnwidget.export.figure import save_png

        options = _options(width, unit, palette, title, caption, colorbar)
        return save_png(self.store.now, path, view, scale, **options)

    def plot(
        self,
        ax: Any = None,
        *,
        palette: str = "light",
        colorbar: bool = True,
        title: str | None = None,
    ) -> Any:
        """Draw the heatmap on axes of matplotlib, and return the axes.

        `ax` are the axes of your figure; without them, a new figure is made, which is
        ``w.plot().figure``. Cells have the card's colours, masked cells are hatched, and the
        tokens are tick labels. The keywords are those of `save_svg`.

        Raises
        ------
        TypeError, ValueError
            For an argument that does not fit.
        ImportError
            Without matplotlib, which ``attnwidget[figures]`` installs.
        """
        from attnwidget.export.plot import plot

        return plot(self.store.now, ax, palette=palette, colorbar=colorbar, title=title)


def _options(
    width: float | None,
    unit: str,
    palette: str,
    title: str | None,
    caption: str | None,
    colorbar: bool,
) -> dict[str, Any]:
    words = {"title": title, "caption": caption}
    return {"width": width, "unit": unit, "palette": palette, **words, "colorbar": colorbar}
