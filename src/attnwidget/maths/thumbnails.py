"""Thumbnails of the maps of all heads, and the statistics of each head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.maths.statistics import STATISTICS, statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

# A thumbnail has at most this many pixels on a side.
SIDE = 128
# Maps are worked on in blocks of about this many float64 numbers: 2 MiB.
CACHE = 2**18
# An answer to a page holds thumbnails of at most this many cells of maps, which take about 0.3 s.
# The kernel can handle other messages between two answers, and a small model needs one answer.
PART = 2**23


@dataclass(frozen=True)
class Part:
    """The heads in an answer to a page: from `first` to before `end`, of each of `layers`."""

    layers: tuple[int, ...]
    first: int
    end: int


def parts(n_heads: Mapping[int, int], cells: int) -> list[Part]:
    """Divide a grid into parts: several whole layers, or a few heads of a layer with large maps.

    `n_heads` gives the number of heads for each layer, in order. `cells` is the number of cells of
    a map. A part has at most `PART` cells, or a single map.
    """
    result: list[Part] = []
    total = 0
    for layer, heads in n_heads.items():
        size = heads * cells
        last = result[-1] if result else None
        if last and last.end == heads and last.first == 0 and total + size <= PART:
            result[-1] = Part((*last.layers, layer), 0, heads)
            total += size
            continue
        step = max(1, min(heads, PART // cells))
        result += [Part((layer,), at, min(at + step, heads)) for at in range(0, heads, step)]
        total = size
    return result


@dataclass(frozen=True, eq=False)
class Grid:
    """All maps of `layers`, each reduced to at most `SIDE` by `SIDE` pixels of 8 bits.

    `maps` is uint8 (l, h, rows, cols). `peaks` (l, h) is the largest weight of each map. A pixel
    is 255 times the square root of weight / peak, because on a linear scale a strong key would
    leave the rest of the map black. A map that contains NaN is all 0. If layers have different
    numbers of heads, h is the largest number, and the missing heads have maps of 0 and a peak of
    NaN. `statistics` and `without_sink` are (l, h) by name, with the sink and without it.
    """

    layers: tuple[int, ...]
    maps: NDArray[np.uint8]
    peaks: NDArray[np.float32]
    statistics: dict[str, NDArray[np.float64]]
    without_sink: dict[str, NDArray[np.float64]]


def make_grid(
    layers: Sequence[int], weights: Callable[[int], NDArray], tokens: Sequence[str]
) -> Grid:
    """Return the grid of `layers`; `weights(layer)` gives (h, n_q, n_k).

    Only a single layer is in memory at a time. All statistics are NaN if the maps are not
    (n, n) for the n tokens. A layer that cannot be shown may be (h, 1, 1) of NaN.
    """
    thumbs: list[NDArray[np.uint8]] = []
    peaks: list[NDArray[np.float32]] = []
    numbers: list[list[dict[str, NDArray[np.float64]]]] = [[], []]
    for layer in layers:
        p = weights(layer)
        parts = [_thumbs(p[some]) for some in _few(p)]
        thumbs.append(np.concatenate([small for small, _ in parts]))
        peaks.append(np.concatenate([top for _, top in parts]))
        for sink, by_layer in zip((True, False), numbers, strict=True):
            by_layer.append(_numbers(p, tokens, sink))
    heads = max(len(peak) for peak in peaks)
    largest = [max(sides) for sides in zip(*(thumb.shape for thumb in thumbs), strict=True)]
    return Grid(
        layers=tuple(layers),
        maps=np.stack(
            [
                np.pad(thumb, [(0, n - m) for n, m in zip(largest, thumb.shape, strict=True)])
                for thumb in thumbs
            ]
        ),
        peaks=np.stack([_padded(peak, heads, np.nan) for peak in peaks]),
        statistics=_stacked(numbers[0], heads),
        without_sink=_stacked(numbers[1], heads),
    )


def _few(p: NDArray) -> Iterator[slice]:
    """Yield slices of the heads that fit in a core's cache, which halves the time at 512 tokens."""
    step = max(1, CACHE // p[0].size)
    yield from (slice(at, at + step) for at in range(0, len(p), step))


def _numbers(p: NDArray, tokens: Sequence[str], sink: bool) -> dict[str, NDArray[np.float64]]:
    """Return the statistics of maps (h, n_q, n_k); NaN for other keys than queries, or NaN maps."""
    if not p.shape[1] == p.shape[2] == len(tokens):
        return dict.fromkeys(STATISTICS, np.full(len(p), np.nan))
    parts = [statistics(p[some], tokens, sink=sink) for some in _few(p)]
    broken = np.isnan(p.sum(axis=(1, 2)))
    return {
        name: np.where(broken, np.nan, np.concatenate([part[name] for part in parts]))
        for name in STATISTICS
    }


def _thumbs(p: NDArray) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the thumbnails of maps (h, n_q, n_k), and the largest weights (h,)."""
    small = _pooled(p)
    top = np.nan_to_num(small.max(axis=(1, 2), initial=0))[:, None, None]
    share = np.divide(small, top, out=np.zeros_like(small), where=top > 0)
    return np.rint(255 * np.sqrt(share)).astype(np.uint8), top[:, 0, 0].astype(np.float32)


def _pooled(p: NDArray) -> NDArray:
    """Return maps (h, n_q, n_k) reduced to at most SIDE on a side: the maximum of each block.

    The maximum keeps a strong cell among many weak cells visible; the mean would not.
    """
    for _ in ("queries", "keys"):
        n = p.shape[1]
        if n > SIDE:
            p = np.maximum.reduceat(p, np.arange(SIDE) * n // SIDE, axis=1)
        # Transpose, because `reduceat` is much faster over whole rows than within a row.
        p = np.ascontiguousarray(p.swapaxes(1, 2))
    return p


def _padded(array: NDArray, heads: int, empty: float) -> NDArray:
    missing = np.full((heads - len(array), *array.shape[1:]), empty, dtype=array.dtype)
    return np.concatenate([array, missing]) if len(missing) else array


def _stacked(by_layer: list[dict[str, NDArray[np.float64]]], heads: int) -> dict[str, NDArray]:
    return {
        name: np.stack([_padded(numbers[name], heads, np.nan) for numbers in by_layer])
        for name in STATISTICS
    }
