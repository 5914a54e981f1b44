"""The colours of a figure: those of the light card, or greys for paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnwidget.export.ramps import RAMPS, SIGNED, SIGNED_GREYS, table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Palette:
    """Colours as "#rrggbb".

    `is_grey` says that numbers and heads are told apart without colours: numbers by the lightness,
    heads by dashes.
    """

    background: str
    text: str
    muted: str
    line: str
    masked: str
    hatch: str
    accent: str
    is_grey: bool = False

    @property
    def inks(self) -> tuple[str, str]:
        """The colours of a number on a dark cell, and on a light cell."""
        return "#ffffff", "#000000" if self.is_grey else "#101014"

    def weights(self, cmap: str) -> NDArray[np.uint8]:
        """Return the table of colours of numbers from 0 up."""
        return table(RAMPS["greys" if self.is_grey else cmap])

    @property
    def signed(self) -> NDArray[np.uint8]:
        """The table of colours of numbers with both signs, 0 in the middle."""
        return table(SIGNED_GREYS if self.is_grey else SIGNED)


PALETTES = {
    # The light card's colours (js/styles/base.css).
    "light": Palette("#ffffff", "#1c1c21", "#5f6068", "#dcdde2", "#ebebee", "#a3a5af", "#1a5fd0"),
    "print": Palette(
        "#ffffff", "#000000", "#404040", "#b0b0b0", "#ffffff", "#808080", "#000000", True
    ),
}
