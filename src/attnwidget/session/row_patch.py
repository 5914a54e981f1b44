"""`Patched`: an array whose rows were replaced; the whole array is made when it is read."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# With more replaced rows than this, the whole array is made, so that a replacement stays cheap.
_MOST_ROWS = 32
_NO_ROWS: NDArray[np.intp] = np.empty(0, np.intp)


class Patched:
    """An array (..., n, d) that is never changed, equal to `base` but for the rows `rows`.

    A click replaces one row of a map with n rows. A copy of the map for each click would take
    longer than the row itself, and a click reads the replaced row alone.
    """

    def __init__(
        self,
        base: NDArray,
        rows: NDArray[np.intp] = _NO_ROWS,
        values: NDArray | None = None,
    ) -> None:
        # One tuple, because another thread may read it while `whole` writes it.
        self._parts = base, rows, values

    @cached_property
    def whole(self) -> NDArray:
        """The array, read-only."""
        base, rows, values = self._parts
        whole = base.view() if values is None else base.copy()
        if values is not None:
            whole[..., rows, :] = values
        whole.flags.writeable = False
        self._parts = whole, _NO_ROWS, None
        return whole

    def take(self, rows: NDArray[np.intp]) -> NDArray:
        """Return a copy of some rows, (..., len(rows), d)."""
        base, patched, values = self._parts
        taken: NDArray = base[..., rows, :]
        if values is not None:
            place = np.searchsorted(patched, rows).clip(max=patched.size - 1)
            is_patched = patched[place] == rows
            taken[..., is_patched, :] = values[..., place[is_patched], :]
        return taken

    def replaced(self, rows: NDArray[np.intp], values: NDArray) -> Patched:
        """Return the array with other values (..., len(rows), d) in `rows`, which are sorted."""
        base, patched, patched_values = self._parts
        all_rows = np.union1d(patched, rows)
        if all_rows.size > _MOST_ROWS:
            whole = base.copy()
            if patched_values is not None:
                whole[..., patched, :] = patched_values
            whole[..., rows, :] = values
            return Patched(whole)
        merged = self.take(all_rows)
        merged[..., np.searchsorted(all_rows, rows), :] = values
        return Patched(base, all_rows, merged)
