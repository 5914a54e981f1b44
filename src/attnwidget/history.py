"""Undo and redo of the mask, whoever changed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

LIMIT = 100


class History:
    """The masks before and after the one in force, packed to a bit a cell."""

    def __init__(self) -> None:
        self._past: list[NDArray[np.uint8]] = []
        self._future: list[NDArray[np.uint8]] = []
        self._stroke: Hashable = None

    @property
    def depth(self) -> tuple[int, int]:
        """How many steps can be undone and redone."""
        return len(self._past), len(self._future)

    def record(self, mask: NDArray[np.bool_], stroke: Hashable = None) -> None:
        """Remember `mask` as the state before an edit; edits of one stroke undo together."""
        if stroke is None or stroke != self._stroke:
            self._past = [*self._past[1 - LIMIT :], np.packbits(mask)]
        self._future = []
        self._stroke = stroke

    def undo(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        """Return the mask before `mask`, or None where there is none."""
        return self._move(mask, self._past, self._future)

    def redo(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        """Return the mask that was undone last, or None where there is none."""
        return self._move(mask, self._future, self._past)

    def _move(
        self,
        mask: NDArray[np.bool_],
        take: list[NDArray[np.uint8]],
        keep: list[NDArray[np.uint8]],
    ) -> NDArray[np.bool_] | None:
        self._stroke = None
        if not take:
            return None
        keep.append(np.packbits(mask))
        return np.unpackbits(take.pop(), count=mask.size).reshape(mask.shape).astype(bool)
