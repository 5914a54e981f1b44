"""Write the True cells of an array as runs over flat indices, which is short for neighbours."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def runs_to_cells(runs: Iterable[int], size: int) -> NDArray[np.intp]:
    """Return the flat indices of `runs` (start, length, start, length, ...) below `size`.

    Raises
    ------
    ValueError
        If the runs are malformed, reach outside the `size` cells, or name more than `size` cells.
    """
    flat = np.asarray(list(runs), dtype=np.int64)
    if flat.ndim != 1:
        raise ValueError("runs: got lists in a list, want numbers")
    if flat.size % 2:
        raise ValueError(f"runs: got {flat.size} numbers, want pairs of start and length")
    starts, lengths = flat[::2], flat[1::2]
    if flat.size and (starts.min() < 0 or lengths.min() < 1 or (lengths > size - starts).any()):
        raise ValueError(f"runs: a run reaches outside the {size} cells of the mask")
    # Each length is at most `size`, and so are all together: few numbers name no more cells.
    if len(lengths) > size or lengths.sum() > size:
        raise ValueError(f"runs: they have more cells than the {size} cells of the mask")
    parts = [np.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.intp)


def cells_to_runs(cells: NDArray[np.bool_]) -> list[int]:
    """Return the True cells as runs over flat indices: start, length, start, length, ..."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], cells.reshape(-1).view(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]
    return [int(n) for pair in zip(starts, ends - starts, strict=True) for n in pair]
