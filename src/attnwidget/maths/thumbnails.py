"""Every head at once: thumbnails of all maps, and what each head does in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.maths.statistics import STATISTICS, statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

# A thumbnail is at most this many pixels to a side, whatever the text's length.
SIDE = 128
# Numbers of float64 that are worked on at once: 2 MiB.
CACHE = 2**18
# Cells of the maps behind one answer to a page, which take about 0.3 s: after each answer, the
# kernel has time for other messages, and small models come in one answer.
PART = 2**23


@dataclass(frozen=True)
class Part:
    """What one answer holds: these heads (from `first` to before `end`) of each of `layers`."""

    layers: tuple[int, ...]
    first: int
    end: int


def parts(n_heads: Mapping[int, int], cells: int) -> list[Part]:
    """Return the parts of a grid: whole layers together, or a few heads of a layer of large maps.

    `n_heads` are the heads by layer, in order; `cells` those of one map. A part has at most `PART`
    cells, or one map.
    """
    found: list[Part] = []
    held = 0
    for layer, heads in n_heads.items():
        size = heads * cells
        before = found[-1] if found else None
        if before and before.end == heads and before.first == 0 and held + size <= PART:
            found[-1] = Part((*before.layers, layer), 0, heads)
            held += size
            continue
        step = max(1, min(heads, PART // cells))
        found += [Part((layer,), at, min(at + step, heads)) for at in range(0, heads, step)]
        held = size
    return found


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


def make_grid(
    layers: Sequence[int], weights: Callable[[int], NDArray], tokens: Sequence[str]
) -> Grid:
    """Return the grid of `layers`; `weights(layer)` gives (h, n_q, n_k).

    One layer is held at a time. Statistics that compare tokens are NaN where queries and keys are
    different texts. A layer that can't be shown may be (h, 1, 1) of NaN.
    """
    thumbs: list[NDArray[np.uint8]] = []
    peaks: list[NDArray[np.float32]] = []
    numbers: list[list[dict[str, NDArray[np.float64]]]] = [[], []]
    for layer in layers:
        p = weights(layer)
        parts = [_thumbs(p[some]) for some in _few(p)]
        thumbs.append(np.concatenate([small for small, _ in parts]))
        peaks.append(np.concatenate([top for _, top in parts]))
        for sink, found in zip((True, False), numbers, strict=True):
            found.append(_numbers(p, tokens, sink))
    heads = max(len(peak) for peak in peaks)
    most = [max(sides) for sides in zip(*(one.shape for one in thumbs), strict=True)]
    return Grid(
        layers=tuple(layers),
        maps=np.stack(
            [
                np.pad(m, [(0, n - has) for n, has in zip(most, m.shape, strict=True)])
                for m in thumbs
            ]
        ),
        peaks=np.stack([_padded(one, heads, np.nan) for one in peaks]),
        statistics=_stacked(numbers[0], heads),
        without_sink=_stacked(numbers[1], heads),
    )


def _few(p: NDArray) -> Iterator[slice]:
    """Yield as many heads at a time as a processor's cache holds: twice as fast at 512 tokens."""
    step = max(1, CACHE // p[0].size)
    yield from (slice(at, at + step) for at in range(0, len(p), step))


def _numbers(p: NDArray, tokens: Sequence[str], sink: bool) -> dict[str, NDArray[np.float64]]:
    """Return the statistics of maps (h, n_q, n_k); NaN where there is nothing to count in them."""
    if not p.shape[1] == p.shape[2] == len(tokens):
        return dict.fromkeys(STATISTICS, np.full(len(p), np.nan))
    parts = [statistics(p[some], tokens, sink=sink) for some in _few(p)]
    broken = np.isnan(p.sum(axis=(1, 2)))
    return {
        name: np.where(broken, np.nan, np.concatenate([part[name] for part in parts]))
        for name in STATISTICS
    }


def _thumbs(p: NDArray) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return maps (h, n_q, n_k) as `Grid` has them, and their largest weights (h,)."""
    small = _pooled(p)
    top = np.nan_to_num(small.max(axis=(1, 2), initial=0))[:, None, None]
    share = np.divide(small, top, out=np.zeros_like(small), where=top > 0)
    return np.rint(255 * np.sqrt(share)).astype(np.uint8), top[:, 0, 0].astype(np.float32)


def _pooled(p: NDArray) -> NDArray:
    """Return maps (h, n_q, n_k) brought to at most SIDE a side: the largest of each block.

    The largest, not the mean: one strong cell among many is what one looks for.
    """
    for _ in ("queries", "keys"):
        n = p.shape[1]
        if n > SIDE:
            p = np.maximum.reduceat(p, np.arange(SIDE) * n // SIDE, axis=1)
        # Whole rows at a time are much faster than the few numbers of a block within a row.
        p = np.ascontiguousarray(p.swapaxes(1, 2))
    return p


def _padded(one: NDArray, heads: int, empty: float) -> NDArray:
    missing = np.full((heads - len(one), *one.shape[1:]), empty, dtype=one.dtype)
    return np.concatenate([one, missing]) if len(missing) else one


def _stacked(found: list[dict[str, NDArray[np.float64]]], heads: int) -> dict[str, NDArray]:
    return {
        name: np.stack([_padded(one[name], heads, np.nan) for one in found]) for name in STATISTICS
    }
