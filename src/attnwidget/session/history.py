"""Undo and redo: of the mask and of every input, whoever changed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from numpy.typing import NDArray

    from attnwidget.sources.api import Source

LIMIT = 100


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A state to return to. Sources never change, so a reference is enough.

    `layer` and `head` are those that were shown, `aside` the masks of stacks that were not shown.
    """

    source: Source
    layer: int
    head: int
    presets: Mapping[str, Any]
    aside: Mapping[Any, Any]
    shape: tuple[int, ...]
    bits: NDArray[np.uint8]

    @classmethod
    def of(
        cls,
        source: Source,
        shown: tuple[int, int],
        presets: Mapping[str, Any],
        mask: NDArray[np.bool_],
        aside: Mapping[Any, Any],
    ) -> Snapshot:
        """Remember `mask` packed to a bit a cell."""
        return cls(source, *shown, presets, aside, mask.shape, np.packbits(mask))

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask as it was."""
        count = int(np.prod(self.shape))
        return np.unpackbits(self.bits, count=count).reshape(self.shape).astype(bool)


class History:
    """The states before and after the one in force."""

    def __init__(self) -> None:
        self._past: list[Snapshot] = []
        self._future: list[Snapshot] = []
        self._stroke: Hashable = None

    @property
    def depth(self) -> tuple[int, int]:
        """How many steps can be undone and redone."""
        return len(self._past), len(self._future)

    def record(self, before: Snapshot, stroke: Hashable = None) -> None:
        """Remember the state before an edit; edits of one stroke undo together."""
        if stroke is None or stroke != self._stroke:
            self._past = [*self._past[1 - LIMIT :], before]
        self._future = []
        self._stroke = stroke

    def undo(self, now: Snapshot) -> Snapshot | None:
        """Return the state before `now`, or None where there is none."""
        return self._move(now, self._past, self._future)

    def redo(self, now: Snapshot) -> Snapshot | None:
        """Return the state that was undone last, or None where there is none."""
        return self._move(now, self._future, self._past)

    def _move(self, now: Snapshot, take: list[Snapshot], keep: list[Snapshot]) -> Snapshot | None:
        self._stroke = None
        if not take:
            return None
        keep.append(now)
        return take.pop()
