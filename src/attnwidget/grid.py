"""Every head at once: thumbnails of all maps, and what each head does in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.statistics import STATISTICS, statistics
from attnwidget.wire import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

# A thumbnail is at most this many pixels to a side, whatever the text's length.
SIDE = 128


@dataclass(frozen=True, eq=False)
class Grid:
    """All maps of `layers`, each brought to at most `SIDE` by `SIDE` and to 8 bits.

    `maps` is uint8 (l, h, rows, cols), 255 times the square root of a weight's share of the map's
    own largest, `peaks` (l, h): on a linear scale one strong key leaves the rest of a head black.
    A map with NaN in it is all 0. Where layers have different numbers of heads, h is the largest
    and the rest is empty (`peaks` NaN).
    `statistics` are (l, h) by name, with and without the sink.
    """

    layers: tuple[int, ...]
    maps: NDArray[np.uint8]
    peaks: NDArray[np.float32]
    statistics: dict[str, NDArray[np.float64]]
    without_sink: dict[str, NDArray[np.float64]]

    def message(self) -> tuple[dict[str, Any], list[Any]]:
        """Return the content and the one buffer of a message to the page."""
        packed = pack(self.maps)
        assert packed is not None
        content = {
            "layers": list(self.layers),
            "shape": list(self.maps.shape),
            "peaks": _listed(self.peaks),
            "statistics": {name: _listed(v) for name, v in self.statistics.items()},
            "without_sink": {name: _listed(v) for name, v in self.without_sink.items()},
        }
        return content, [packed["data"]]


def make_grid(
    layers: Sequence[int], weights: Callable[[int], NDArray], tokens: Sequence[str]
) -> Grid:
    """Return the grid of `layers`; `weights(layer)` gives (h, n_q, n_k).

    One layer is held at a time. Statistics that compare tokens are NaN where queries and keys are
    different texts.
    """
    thumbs: list[NDArray[np.uint8]] = []
    peaks: list[NDArray[np.float32]] = []
    numbers: list[list[dict[str, NDArray[np.float64]]]] = [[], []]
    for layer in layers:
        p = weights(layer)
        top = np.nan_to_num(p.max(axis=(1, 2), initial=0))
        share = np.zeros_like(small := _pooled(p))
        np.divide(small, top[:, None, None], out=share, where=top[:, None, None] > 0)
        thumbs.append(np.rint(255 * np.sqrt(share)).astype(np.uint8))
        peaks.append(top.astype(np.float32))
        square = p.shape[1] == p.shape[2] == len(tokens)
        for sink, found in zip((True, False), numbers, strict=True):
            nothing = np.full(len(p), np.nan)
            known = (
                statistics(p, tokens, sink=sink) if square else dict.fromkeys(STATISTICS, nothing)
            )
            broken = np.isnan(p).any(axis=(1, 2))
            found.append({name: np.where(broken, np.nan, value) for name, value in known.items()})
    heads = max(len(peak) for peak in peaks)
    return Grid(
        layers=tuple(layers),
        maps=np.stack([_padded(one, heads, 0) for one in thumbs]),
        peaks=np.stack([_padded(one, heads, np.nan) for one in peaks]),
        statistics=_stacked(numbers[0], heads),
        without_sink=_stacked(numbers[1], heads),
    )


def _pooled(p: NDArray) -> NDArray:
    """Return maps (h, n_q, n_k) brought to at most SIDE a side: the largest of each block.

    The largest, not the mean: one strong cell among many is what one looks for.
    """
    for axis in (1, 2):
        n = p.shape[axis]
        if n > SIDE:
            edges = np.arange(SIDE) * n // SIDE
            p = np.maximum.reduceat(p, edges, axis=axis)
    return p


def _padded(one: NDArray, heads: int, empty: float) -> NDArray:
    missing = np.full((heads - len(one), *one.shape[1:]), empty, dtype=one.dtype)
    return np.concatenate([one, missing]) if len(missing) else one


def _stacked(found: list[dict[str, NDArray[np.float64]]], heads: int) -> dict[str, NDArray]:
    return {
        name: np.stack([_padded(one[name], heads, np.nan) for one in found]) for name in STATISTICS
    }


def _listed(values: NDArray) -> list[list[float | None]]:
    """Return numbers as JSON has them: null where there is none."""
    return [[None if np.isnan(v) else float(v) for v in row] for row in values]
