"""The commands of a session. Each command checks its values, and returns the next state."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.lessons.report import Report
from attnwidget.maths.presets import check_presets
from attnwidget.maths.validate import index
from attnwidget.session.settings import SETTERS, with_input
from attnwidget.session.transitions import (
    OF_HEAD,
    OF_SOURCE,
    around_locked,
    returned,
    show,
    value_of,
    with_mask,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.snapshot import Snapshot
    from attnwidget.sources.api import Source
    from attnwidget.sources.generation import Generation, State


_WEIGHTS = ("W_q", "W_k", "W_v")


@dataclass(frozen=True)
class Set:
    """Set an input, a choice or the mask by its name; inputs set in one `stroke` undo together."""

    name: str
    value: Any
    stroke: Hashable = None

    @property
    def may_wait(self) -> str:
        """Return the name: a later value of the same group replaces a refused value."""
        return self.name

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the value set, and with everything that depends on it."""
        if self.name in OF_SOURCE or self.name in OF_HEAD:
            return with_input(now, self.name, self.value, self.stroke)
        return SETTERS[self.name](now, self.value)


@dataclass(frozen=True)
class Toggle:
    """Mask a cell, or unmask it. A page sends `PaintCells`, which may be done twice."""

    query: int
    key: int
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the cell masked if it was unmasked, and the reverse."""
        n_q, n_k = now.shape
        query, key = index("query", self.query, range(n_q)), index("key", self.key, range(n_k))
        locked = now.inputs.locked
        if locked is not None and locked[query, key]:
            raise ValueError(f"toggle: the model itself masks ({query}, {key}); it stays masked")
        own = now.own.copy()
        own[query, key] ^= True
        return with_mask(now, own, among=np.array([query]))


@dataclass(frozen=True, eq=False)
class PaintCells:
    """Mask the cells `on` and free the cells `off` (flat indices of the map).

    `presets` are those in force afterwards, None where they stay; edits of one `stroke` undo
    together.
    """

    on: NDArray[np.intp]
    off: NDArray[np.intp]
    presets: Any = None
    stroke: Hashable = None
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the cells painted; cells that the source masks stay masked."""
        presets = self.presets
        if presets is not None:
            presets = check_presets(presets, now.shape[1])
        mask = now.maps.mask.copy()
        mask.flat[self.on] = True
        mask.flat[self.off] = False
        rows = np.unique(np.concatenate([self.on, self.off]) // now.shape[1])
        return with_mask(now, around_locked(now, mask), presets, self.stroke, rows)


@dataclass(frozen=True, eq=False)
class SetNumber:
    """Set one number of an array by hand.

    `shape` is the shape of the array and `shown` the layer, head and stack that the edit was made
    on: on another array, or on another head of a model, it does nothing.
    """

    name: str
    at: tuple[int, ...]
    number: float
    shape: tuple[int, ...]
    shown: tuple[int, int, str]
    stroke: Hashable = None
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the number set."""
        array = value_of(now, self.name)
        # A sentence's heads are all in the array, and `at` names one; a model's come one by one.
        is_void = (
            array is None
            or array.shape != self.shape
            or (len(self.shape) == 2 and self.shown != now.shown)
        )
        if is_void or array[self.at] == self.number:
            return now
        changed = array.copy()
        changed[self.at] = self.number
        source = now.source.replace(self.name, changed, now.layer, now.head)
        return show(now.evolve(history=now.recorded(self.stroke)), source)


@dataclass(frozen=True)
class Travel:
    """Undo the last edit, or redo the edit that was undone last."""

    move: str
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state before or after the edit; the same state where there is none."""
        travel = now.history.undone if self.move == "undo" else now.history.redone
        result = travel(now.step())
        if result is None:
            return now
        history, step = result
        return returned(now.evolve(history=history, aside=step.aside), step)


UNDO, REDO = Travel("undo"), Travel("redo")


@dataclass(frozen=True)
class Reset:
    """Return to the numbers that the source was made with; the mask and the settings stay."""

    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the numbers of the beginning."""
        source = now.source.reset()
        if source is now.source:
            return now
        return show(now.evolve(history=now.recorded()), source)


@dataclass(frozen=True)
class DrawWeights:
    """Draw the weights by an init, also where they were given and the init is the same."""

    init: Any
    may_wait: str = "init"

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with drawn weights in the place of given weights."""
        source, at = now.source, (now.layer, now.head)
        if self.init != source.init or not {"Q", "K", "V", *_WEIGHTS} & {*source.given}:
            return with_input(now, "init", self.init)
        other = "uniform" if self.init == "normal" else "normal"
        drawn = source.replace("init", other, *at).replace("init", self.init, *at)
        return show(now.evolve(history=now.recorded()), drawn)


@dataclass(frozen=True, eq=False)
class ShowReport:
    """Show the report on a checked function, in place of a mistake."""

    report: Report
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the report."""
        return now.evolve(mistake=None, checked=self.report)


@dataclass(frozen=True, eq=False)
class ShowSource:
    """Show a source that the model has extended by a token, and the text generated so far."""

    source: Source
    generated: Generation | None = None
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the source; the mask by hand stays where the positions exist."""
        return show(now, self.source).evolve(generated=self.generated)


@dataclass(frozen=True)
class EndGeneration:
    """Set the state of the generated text when the model generates no more."""

    state: State
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the rows and the text as they are."""
        if now.generated is None:
            return now
        return now.evolve(generated=replace(now.generated, state=self.state))
