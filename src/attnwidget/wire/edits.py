"""The browser's edits of the mask and of numbers, as they come over the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.runs import runs_to_cells
from attnwidget.maths.validate import number, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SETTINGS = (
    "tokens", "key_tokens", "d_model", "d_k", "d_v", "n_heads", "seed", "init", "positional",
    "scale", "temperature", "mistake",
)  # fmt: skip
EDITABLE = ("embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V")


@dataclass(frozen=True)
class Cell:
    """One number of one array, set by hand; `shown` is the layer and head that it was made on."""

    name: str
    at: tuple[int, ...]
    value: float
    shape: tuple[int, ...]
    shown: tuple[int, int, str]


@dataclass(frozen=True)
class Edit:
    """One edit: cells of the mask to hide and to free, a number, or a step through the history.

    `on` and `off` are flat indices; `presets` are those in force after the edit, None where they
    stay as they are; `move` is "undo", "redo" or "reset"; `setting` is a trait and its value.
    """

    client: str
    stroke: int
    on: NDArray[np.intp]
    off: NDArray[np.intp]
    move: str | None
    presets: Mapping[str, Any] | None
    cell: Cell | None
    setting: tuple[str, Any] | None

    @classmethod
    def of(cls, client: str, op: Any, shape: tuple[int, int]) -> Edit:
        """Read one edit of a page, for a mask of `shape`.

        An edit that was made on a map of another shape (new tokens were under way) changes
        nothing. Raises ValueError if it is malformed.
        """
        try:
            fits = tuple(op["shape"]) == shape
            cells = shape[0] * shape[1]
            return cls(
                client=client,
                stroke=int(op.get("stroke", 0)),
                on=runs_to_cells(op["on"] if fits else (), cells),
                off=runs_to_cells(op["off"] if fits else (), cells),
                move=_move(op.get("move")) if fits else None,
                presets=op.get("presets") if fits else None,
                cell=_cell(op["cell"]) if fits and op.get("cell") is not None else None,
                setting=_setting(op["setting"]) if op.get("setting") else None,
            )
        except (TypeError, KeyError, AttributeError, OverflowError) as error:
            raise ValueError(f"the page sent an edit that can't be read ({error!r})") from None

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

    def fresh(self, message: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """Return the page, and those of its edits that were not seen before; now they are.

        Raises
            ValueError: if the edits have no numbers.
        """
        client = str(message.get("client", ""))
        last = self.acks.get(client, 0)
        try:
            numbered = [(int(op["seq"]), op) for op in message.get("ops", ())]
        except (TypeError, KeyError, OverflowError) as error:
            raise ValueError(f"the page sent edits that can't be read ({error!r})") from None
        new = [(seq, op) for seq, op in numbered if seq > last]
        self.acks[client] = max([last, *(seq for seq, _ in new)])
        return client, [op for _, op in new]


def _move(sent: Any) -> str | None:
    if sent is not None and sent not in ("undo", "redo", "reset"):
        raise ValueError(f"move: got {sent!r}, want undo, redo or reset")
    return sent if sent is None else str(sent)


def _setting(sent: Mapping[str, Any]) -> tuple[str, Any]:
    name, value = sent["name"], sent["value"]
    if name not in SETTINGS:
        raise ValueError(f"{name}: a page can't set it, want one of {', '.join(SETTINGS)}")
    return name, value


def _cell(sent: Mapping[str, Any]) -> Cell:
    name = sent["name"]
    if name not in EDITABLE:
        raise ValueError(f"{name}: it can't be edited, want one of {', '.join(EDITABLE)}")
    shape = tuple(size("shape", n, at_least=0) for n in sent["shape"])
    at = tuple(size(name, i, at_least=0) for i in sent["at"])
    if len(at) != len(shape) or any(i >= n for i, n in zip(at, shape, strict=True)):
        raise ValueError(f"{name}: there is no cell {at} in shape {shape}")
    if isinstance(sent["value"], bool) or not isinstance(sent["value"], (int, float)):
        raise ValueError(f"{name}: got {sent['value']!r} at {at}, want a finite number")
    layer, head, kind = sent["shown"]
    shown = size("shown", layer, at_least=0), size("shown", head, at_least=0), str(kind)
    return Cell(name, at, number(f"{name} at {at}", sent["value"]), shape, shown)
