"""The numbers that the heatmap shows, their scale and their colours, as the card decides them.

js/state/quantity.ts and js/state/scale.ts have the same decisions for the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.export.ramps import indices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.export.palette import Palette
    from attnwidget.lessons.report import Report
    from attnwidget.session.snapshot import Snapshot

# With more tokens, the weights of a row are too small for a scale from 0 to 1.
_MANY = 16

# The name of each quantity, the words of a colour bar, and the words of a short colour bar.
_WORDS = {
    "attention": ("attention", "attention weight", "attention"),
    "scores": ("scores", "score, before mask and softmax", "scores"),
    "value-norm": ("attention · ‖v‖", "attention · ‖v‖", "× ‖v‖"),
    "output-norm": ("attention · ‖v W_O‖", "attention · ‖v W_O‖", "× ‖v W_O‖"),
    "output-shift": ("effect", "output would move by", "effect"),
}


def mistaken(now: Snapshot) -> Report | None:
    """Return the report of a mistake whose weights are drawn; None if the right weights are."""
    report = now.report
    is_mistake = report is not None and report.kind == "mistake" and report.weights is not None
    return report if is_mistake and now.mistake else None


def of_head(array: NDArray, now: Snapshot, head: int | None = None) -> NDArray:
    """Return the matrix of a head, of the head on screen where none is named."""
    return array[now.head if head is None else head] if array.ndim > 2 else array


def attention(now: Snapshot, head: int | None = None) -> NDArray:
    """Return the weights that are drawn: with the mistake that is switched on."""
    report = mistaken(now)
    weights = now.maps.attention if report is None else report.weights
    assert weights is not None
    return of_head(weights, now, head)


def blank_cells(now: Snapshot, head: int | None = None) -> NDArray[np.bool_]:
    """Return the cells without a number: masked cells, but not those that a mistake gives weight.

    A mistake may also make weights that are not finite.
    """
    mask = now.maps.mask
    if mistaken(now) is None:
        return mask
    weights = attention(now, head)
    blank: NDArray[np.bool_] = ~np.isfinite(weights) | (mask & (weights == 0))
    return blank


def offered(now: Snapshot) -> set[str]:
    """Return the quantities that the map has the numbers for."""
    inputs = now.inputs
    has = {
        "attention": True,
        "scores": inputs.weights is None,
        "value-norm": inputs.V is not None,
        "output-norm": now.output_norms is not None,
        "output-shift": inputs.V is not None and mistaken(now) is None,
    }
    return {name for name, is_there in has.items() if is_there}


@dataclass(frozen=True, eq=False)
class DrawnMap:
    """The numbers of a heatmap (n_q, n_k), and how they become colours.

    `blank` are the cells without a number, `mask` the masked cells, `locked` the cells that the
    source itself masks. `scale` is "unit", "row", "map" or "sqrt".
    """

    quantity: str
    data: NDArray[np.float64]
    blank: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    locked: NDArray[np.bool_]
    scale: str

    @property
    def is_signed(self) -> bool:
        """Whether 0 is in the middle of the colours."""
        return self.quantity == "scores"

    @cached_property
    def ceiling(self) -> float:
        """The number with the last colour; 1 on the scale of the rows."""
        if self.is_signed:
            sizes = np.abs(self.data[~self.blank & np.isfinite(self.data)])
            return float(sizes.max(initial=0))
        if self.scale in {"unit", "row"}:
            return 1.0
        return float(np.nan_to_num(self.data, nan=0).max(initial=0))

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """The place of each cell in the table of colours, 0 to 255."""
        top: NDArray | float = self.ceiling
        if self.scale == "row":
            top = np.nan_to_num(self.data, nan=0).max(axis=1, initial=0)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.where(np.asarray(top) > 0, self.data / top, 0)
            if self.is_signed:
                shares = (shares + 1) / 2
            elif self.scale == "sqrt":
                shares = np.sqrt(np.maximum(shares, 0))
        return indices(shares)

    def table(self, palette: Palette, cmap: str) -> NDArray[np.uint8]:
        """Return the 256 colours."""
        return palette.signed if self.is_signed else palette.weights(cmap)

    def share(self, value: float) -> float:
        """Return the place of a number on the colour bar, from 0 to 1."""
        share = value / self.ceiling if self.ceiling > 0 else 0.0
        if self.is_signed:
            return (share + 1) / 2
        return share**0.5 if self.scale == "sqrt" else share

    @property
    def words(self) -> tuple[str, str]:
        """The words of the colour bar, and the words of a short colour bar."""
        name, bar, short = _WORDS[self.quantity]
        if self.scale == "row":
            return "share of the row's maximum", short
        if self.scale == "sqrt":
            return f"√ of {name}, up to the map's maximum", f"√ {short}"
        is_up_to_maximum = self.quantity == "attention" and self.scale == "map"
        return ("attention, up to the map's maximum" if is_up_to_maximum else bar), short


def drawn_map(now: Snapshot) -> DrawnMap:
    """Return the map that the heatmap of the card draws, without Δ.

    Raises
    ------
    ValueError
        If the head on screen cannot be shown.
    """
    quantity = now.quantity if now.quantity in offered(now) else "attention"
    mask, locked = now.maps.mask, now.inputs.locked
    # The page has float32 and rounds to a colour from there.
    data = np.asarray(_numbers(now, quantity), np.float32).astype(np.float64)
    return DrawnMap(
        quantity=quantity,
        data=data,
        blank=mask if quantity == "scores" else blank_cells(now),
        mask=mask,
        locked=np.zeros_like(mask) if locked is None else locked,
        scale=used_scale(now, quantity),
    )


def used_scale(now: Snapshot, quantity: str) -> str:
    """Return the scale of a quantity: only weights can go from 0 to 1, scores go up to the map's.

    The scale "auto" goes from 0 to 1 for few tokens, and shows the square root for many.
    """
    if quantity == "scores":
        return "map"
    few = "unit" if max(now.shape) <= _MANY else "sqrt"
    chosen = few if now.color_scale == "auto" else now.color_scale
    return "map" if chosen == "unit" and quantity != "attention" else chosen


def _numbers(now: Snapshot, quantity: str) -> NDArray:
    report = mistaken(now)
    if quantity == "scores":
        scores = now.maps.scores if report is None or report.scores is None else report.scores
        return of_head(scores, now)
    weights = attention(now)
    if quantity == "attention":
        return weights
    if quantity == "output-shift":
        assert now.output_shift is not None
        return of_head(now.output_shift, now)
    if quantity == "output-norm":
        assert now.output_norms is not None
        return weights * now.output_norms
    assert now.inputs.V is not None
    return weights * np.linalg.norm(of_head(now.inputs.V, now), axis=-1)
