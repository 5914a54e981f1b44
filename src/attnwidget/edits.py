"""The browser's edits of the mask and of numbers, as they come over the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.wire import runs_to_cells

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

EDITABLE = ("embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V")


@dataclass(frozen=True)
class Cell:
    """One number of one array, set by hand."""

    name: str
    at: tuple[int, ...]
    value: float
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Edit:
    """One edit: cells of the mask to hide and to free, a number, or a step through the history.

    `on` and `off` are flat indices; `presets` are those in force after the edit, None where they
    stay as they are; `move` is "undo", "redo" or "reset".
    """

    client: str
    stroke: int
    on: NDArray[np.intp]
    off: NDArray[np.intp]
    move: str | None
    presets: Mapping[str, Any] | None
    cell: Cell | None

    def rows(self, n_k: int) -> NDArray[np.intp]:
        """Return the query rows that the browser has already redrawn."""
        return np.unique(np.concatenate([self.on, self.off]) // n_k)


@dataclass(frozen=True, eq=False)
class Patch:
    """The query rows to send to the page, and who changed them: a page, or "python"."""

    rows: NDArray[np.intp]
    origin: str

    def merged(self, other: Patch) -> Patch:
        """Return one patch for both."""
        origin = self.origin if self.origin == other.origin else "python"
        return Patch(np.union1d(self.rows, other.rows), origin)


class EditLog:
    """Which edits have been applied, by browser page.

    A page sends every edit that it has no answer to, again and again: a lost message costs
    nothing, and an edit is applied once.
    """

    def __init__(self) -> None:
        self.acks: dict[str, int] = {}

    def fresh(self, message: Mapping[str, Any], shape: tuple[int, int]) -> list[Edit]:
        """Return the edits of `message` not seen before, for a mask of `shape`.

        An edit that was made on a map of another shape (new tokens were under way) changes
        nothing, and counts as seen.

        Raises
            ValueError: if the message is malformed. What it held counts as seen.
        """
        client = str(message.get("client", ""))
        last = self.acks.get(client, 0)
        ops = [op for op in message.get("ops", ()) if int(op["seq"]) > last]
        if not ops:
            return []
        self.acks[client] = max(int(op["seq"]) for op in ops)
        return [_edit(client, op, shape) for op in ops]


def _edit(client: str, op: Mapping[str, Any], shape: tuple[int, int]) -> Edit:
    fits = tuple(op["shape"]) == shape
    size = shape[0] * shape[1]
    return Edit(
        client=client,
        stroke=int(op.get("stroke", 0)),
        on=runs_to_cells(op["on"] if fits else (), size),
        off=runs_to_cells(op["off"] if fits else (), size),
        move=op["move"] if fits and op.get("move") in {"undo", "redo", "reset"} else None,
        presets=op.get("presets") if fits else None,
        cell=_cell(op["cell"]) if fits and op.get("cell") else None,
    )


def _cell(sent: Mapping[str, Any]) -> Cell:
    name, shape = sent["name"], tuple(int(n) for n in sent["shape"])
    at = tuple(int(i) for i in sent["at"])
    value = sent["value"]
    if name not in EDITABLE:
        raise ValueError(f"{name}: it can't be edited, want one of {', '.join(EDITABLE)}")
    if len(at) != len(shape) or any(not 0 <= i < n for i, n in zip(at, shape, strict=False)):
        raise ValueError(f"{name}: there is no cell {at} in shape {shape}")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise ValueError(f"{name}: got {value!r} at {at}, want a finite number")
    return Cell(name, at, float(value), shape)
