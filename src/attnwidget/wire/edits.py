"""A page's edits of the mask and of numbers, as they come over the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.runs import runs_to_cells
from attnwidget.maths.validate import number, size
from attnwidget.session.commands import REDO, UNDO, PaintCells, Reset, Set, SetNumber

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.store import Command

SETTINGS = (
    "tokens", "key_tokens", "d_model", "d_k", "d_v", "n_heads", "seed", "init", "positional",
    "scale", "temperature", "mistake",
)  # fmt: skip
EDITABLE = ("embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V")


def command_of(
    client: str, op: Any, shape: tuple[int, int]
) -> tuple[Command[Any] | None, NDArray[np.intp], str]:
    """Return what an edit of a page asks for, on a mask of `shape`.

    That is the command, None for an edit without effect; the query rows that the page has redrawn
    already; and who the change is by: the page itself where it has drawn all of it, else "page". An
    edit that was made on a map of another shape (new tokens were under way) has no effect. Raises
    ValueError where it is malformed.
    """
    try:
        fits = tuple(op["shape"]) == shape
        cells, stroke = shape[0] * shape[1], (client, int(op.get("stroke", 0)))
        on = runs_to_cells(op["on"] if fits else (), cells)
        off = runs_to_cells(op["off"] if fits else (), cells)
        rows = np.unique(np.concatenate([on, off]) // shape[1])
        if fits and op.get("move") is not None:
            return _move(op["move"]), rows, client
        if op.get("setting"):
            return _setting(op["setting"]), rows, "page"
        if not fits:
            return None, rows, client
        if op.get("cell") is not None:
            return _number(op["cell"], stroke), rows, client
        return PaintCells(on, off, op.get("presets"), stroke), rows, client
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"the page sent an edit that can't be read ({error!r})") from None


class EditLog:
    """Which edits are answered, by browser page, and why an edit was refused.

    A page sends every edit that has no answer, again and again: a lost message costs nothing, and
    an edit is done once. `acks` has the number of the last answered edit, `refused` the words for
    each refused edit that its page may not have heard of.
    """

    def __init__(self) -> None:
        self.acks: dict[str, int] = {}
        self.refused: dict[str, dict[int, str]] = {}

    def fresh(self, message: Any) -> tuple[str, list[tuple[int, Any]]]:
        """Return the page, and those of its edits that are not answered yet, with their numbers.

        Raises ValueError for a message that cannot be read, or edits without numbers.
        """
        if not isinstance(message, Mapping):
            raise ValueError(f"the page sent edits that can't be read (got {message!r})")
        client = str(message.get("client", ""))
        last = self.acks.setdefault(client, 0)
        try:
            numbered = [(int(op["seq"]), op) for op in message.get("ops", ())]
        except (TypeError, KeyError, OverflowError) as error:
            raise ValueError(f"the page sent edits that can't be read ({error!r})") from None
        # The page has heard of an edit that it does not send any more.
        waiting = {seq for seq, _ in numbered}
        refused = self.refused.pop(client, {})
        kept = {seq: words for seq, words in refused.items() if seq in waiting}
        if kept:
            self.refused[client] = kept
        return client, [(seq, op) for seq, op in numbered if seq > last]

    def answer(self, client: str, seq: int, refusal: str = "") -> None:
        """Note that an edit is done, void, or refused in words."""
        self.acks[client] = max(self.acks.get(client, 0), seq)
        if refusal:
            self.refused.setdefault(client, {})[seq] = refusal


def _move(name: Any) -> Command[Any]:
    moves: dict[Any, Command[Any]] = {"undo": UNDO, "redo": REDO, "reset": Reset()}
    if name not in moves:
        raise ValueError(f"move: got {name!r}, want undo, redo or reset")
    return moves[name]


def _setting(sent: Mapping[str, Any]) -> Set:
    name = sent["name"]
    if name not in SETTINGS:
        raise ValueError(f"{name}: a page can't set it, want one of {', '.join(SETTINGS)}")
    return Set(name, sent["value"])


def _number(sent: Mapping[str, Any], stroke: Any) -> SetNumber:
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
    return SetNumber(name, at, number(f"{name} at {at}", sent["value"]), shape, shown, stroke)
