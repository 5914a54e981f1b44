"""Arrays as bytes: the one module that knows how a map crosses to the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

WIRE_DTYPES = ("float32", "int32", "uint8")


def pack(array: NDArray | None) -> dict[str, Any] | None:
    """Return `array` as ``{data, dtype, shape}``: C-contiguous, little-endian.

    Floats travel as float32, booleans as uint8, integers as int32. None stays None.
    """
    if array is None:
        return None
    dtype = {"f": "float32", "b": "uint8", "i": "int32", "u": "uint8"}[array.dtype.kind]
    little = np.ascontiguousarray(array, dtype=np.dtype(dtype).newbyteorder("<"))
    return {
        "data": little.reshape(-1).view(np.uint8).data,
        "dtype": dtype,
        "shape": list(array.shape),
    }


def runs_to_cells(runs: Iterable[int], size: int) -> NDArray[np.intp]:
    """Return the flat indices of `runs` (start, length, start, length, ...) below `size`.

    Raises
        ValueError: if the runs are malformed or reach outside ``0..size``.
    """
    flat = np.asarray(list(runs), dtype=np.int64)
    if flat.size % 2:
        raise ValueError(f"runs: got {flat.size} numbers, want pairs of start and length")
    starts, lengths = flat[::2], flat[1::2]
    if flat.size and (starts.min() < 0 or lengths.min() < 1 or (starts + lengths).max() > size):
        raise ValueError(f"runs: a run reaches outside the {size} cells of the mask")
    parts = [np.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.intp)


def cells_to_runs(cells: NDArray[np.bool_]) -> list[int]:
    """Return the True cells as runs over flat indices: start, length, start, length, ..."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], cells.reshape(-1).view(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]
    return [int(n) for pair in zip(starts, ends - starts, strict=True) for n in pair]
