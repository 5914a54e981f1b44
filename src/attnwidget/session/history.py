"""Undo and redo of the mask and of every input, for changes from Python and from a page."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.sources.api import Source
    from attnwidget.sources.knockouts import KnockOut

LIMIT = 100


@dataclass(frozen=True, eq=False)
class Step:
    """A state to return to. Sources never change, so a reference is enough.

    `layer` and `head` were on screen, `bits` is the mask by hand with a bit for each cell, and
    `aside` has the masks of other stacks. `selection` belongs to the rows and columns of the map.
    `source` has the maps before any knock-out, because those of a run need much memory.
    """

    source: Source
    layer: int
    head: int
    presets: Mapping[str, Any]
    aside: Mapping[Any, Any]
    shape: tuple[int, ...]
    bits: NDArray[np.uint8]
    selection: tuple[int, int] | None
    knocked_out: tuple[KnockOut, ...] = ()

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask as it was."""
        count = int(np.prod(self.shape))
        return np.unpackbits(self.bits, count=count).reshape(self.shape).astype(bool)


@dataclass(frozen=True)
class History:
    """The states before and after the present state. Edits of one stroke undo together."""

    past: tuple[Step, ...] = ()
    future: tuple[Step, ...] = ()
    stroke: Hashable = None

    @property
    def depth(self) -> tuple[int, int]:
        """How many steps can be undone and redone."""
        return len(self.past), len(self.future)

    def recorded(self, before: Step, stroke: Hashable = None) -> History:
        """Return the history with the state `before` an edit of a `stroke`."""
        past = self.past
        if stroke is None or stroke != self.stroke:
            past = (*past[1 - LIMIT :], before)
        return History(past, (), stroke)

    def undone(self, now: Step) -> tuple[History, Step] | None:
        """Return the history after an undo, and the state to return to; None without a past."""
        if not self.past:
            return None
        return History(self.past[:-1], (*self.future, now)), self.past[-1]

    def redone(self, now: Step) -> tuple[History, Step] | None:
        """Return the history after a redo, and the state to return to; None without a future."""
        if not self.future:
            return None
        return History((*self.past, now), self.future[:-1]), self.future[-1]
