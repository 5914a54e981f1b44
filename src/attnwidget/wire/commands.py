"""A page's commands, as they come over the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.runs import runs_to_cells
from attnwidget.maths.validate import number, size
from attnwidget.session.commands import REDO, UNDO, DrawWeights, PaintCells, Reset, Set, SetNumber
from attnwidget.session.knock_outs import ChangeKnockOuts, StopRun
from attnwidget.sources.runs import MOST_KNOCKOUTS
from attnwidget.wire.incoming import CLIENTS, COMMANDS, LARGEST_SEQ, check, in_words, name_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.store import Command

SETTINGS = (
    "tokens", "key_tokens", "d_model", "d_k", "d_v", "n_heads", "seed", "init", "positional",
    "scale", "temperature", "mistake",
)  # fmt: skip
EDITABLE = ("embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V")
# What a page's command may do to the map that it was made on.
ON_A_MAP = ("paint", "number", "undo", "redo", "reset")
# What a page's command may do to the model.
ON_A_MODEL = ("knock_out", "stop_run")
_NO_ROWS: NDArray[np.intp] = np.empty(0, np.intp)


def command_of(
    client: str, sent: Any, shape: tuple[int, int]
) -> tuple[Command[Any] | None, NDArray[np.intp], str]:
    """Return the session's command for a page's command, on a mask of `shape`.

    The parts are the command, None for a command without effect; the query rows that the page has
    redrawn already; and who the change is by: the page itself where it has drawn all of it, else
    "page". A command that was made on a map of another shape (new tokens were under way) has no
    effect. Raises ValueError where the page's command is malformed.
    """
    check(sent)
    try:
        kind = sent["do"]
        if kind == "set":
            return _setting(sent, client), _NO_ROWS, "page"
        if kind == "knock_out":
            return _knock_out(sent, client), _NO_ROWS, "page"
        if kind == "stop_run":
            return StopRun(), _NO_ROWS, "page"
        if kind not in ON_A_MAP:
            known = ", ".join(("set", *ON_A_MODEL, *ON_A_MAP))
            raise ValueError(f"do: got {kind!r}, want {known}")
        if tuple(sent["shape"]) != shape:
            return None, _NO_ROWS, client
        if kind == "reset":
            return Reset(), _NO_ROWS, client
        stroke = client, size("stroke", sent.get("stroke", 0), at_least=0)
        if kind == "number":
            return _number(sent, stroke), _NO_ROWS, client
        on, off = (runs_to_cells(sent[name], shape[0] * shape[1]) for name in ("on", "off"))
        rows = np.unique(np.concatenate([on, off]) // shape[1])
        if kind == "paint":
            return PaintCells(on, off, sent.get("presets"), stroke), rows, client
        return UNDO if kind == "undo" else REDO, rows, client
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"the page sent a command that can't be read ({error!r})") from None


class CommandLog:
    """Which commands are answered, by browser page, and why a command was refused.

    A page sends every command that has no answer, again and again: a lost message costs nothing,
    and a command is done once. `acks` has the number of the last answered command, `refused` the
    words for each refused command that its page may not have heard of. The latest `CLIENTS` pages
    are remembered.
    """

    def __init__(self) -> None:
        self.acks: dict[str, int] = {}
        self.refused: dict[str, dict[int, str]] = {}

    def fresh(self, message: Any) -> tuple[str, list[tuple[int, Any]]]:
        """Return the page, and those of its commands that have no answer yet, with their numbers.

        Raises ValueError for a message that cannot be read, or commands without numbers.
        """
        commands = message.get("commands", ()) if isinstance(message, Mapping) else None
        if not isinstance(message, Mapping) or not isinstance(commands, Sequence):
            raise ValueError("the page sent commands that can't be read, want a list of commands")
        client = name_of(message.get("client"))
        try:
            numbered = [(_seq(sent["seq"]), sent) for sent in commands]
        except (TypeError, KeyError, IndexError) as error:
            words = in_words(repr(error))
            raise ValueError(f"the page sent commands that can't be read ({words})") from None
        last = self.acks.pop(client, 0)
        self.acks[client] = last
        for oldest in list(self.acks)[:-CLIENTS]:
            del self.acks[oldest]
            self.refused.pop(oldest, None)
        # The page has heard of a command that it does not send any more.
        waiting = {seq for seq, _ in numbered}
        refused = self.refused.pop(client, {})
        kept = {seq: words for seq, words in refused.items() if seq in waiting}
        if kept:
            self.refused[client] = kept
        fresh = [(seq, sent) for seq, sent in numbered if seq > last]
        if len(fresh) > COMMANDS:
            words = f"the page sent {len(fresh):,} commands at once, want at most {COMMANDS:,}"
            self.answer(client, max(seq for seq, _ in fresh), words)
            raise ValueError(words)
        return client, fresh

    def answer(self, client: str, seq: int, refusal: str = "") -> None:
        """Note that a command is done, void, or refused in words."""
        self.acks[client] = max(self.acks.get(client, 0), seq)
        if refusal:
            self.refused.setdefault(client, {})[seq] = in_words(refusal)


def _seq(value: Any) -> int:
    return size("seq", value, at_most=LARGEST_SEQ, why="a page counts no further")


def _setting(sent: Mapping[str, Any], client: str) -> Command[Any]:
    name = sent["name"]
    if not isinstance(name, str) or name not in SETTINGS:
        raise ValueError(f"{name}: a page can't set it, want one of {', '.join(SETTINGS)}")
    if name == "init":
        return DrawWeights(sent["value"])  # who chooses in the menu wants drawn weights
    stroke = (client, size("stroke", sent["stroke"], at_least=0)) if "stroke" in sent else None
    return Set(name, sent["value"], stroke)


def _knock_out(sent: Mapping[str, Any], client: str) -> ChangeKnockOuts:
    records = {"add": sent.get("add") or [], "remove": sent.get("remove") or []}
    for name, value in records.items():
        if not isinstance(value, list):
            raise ValueError(f"{name}: got {type(value).__name__}, want a list of knock-outs")
        if len(value) > MOST_KNOCKOUTS:
            raise ValueError(f"{name}: got {len(value):,}, want at most {MOST_KNOCKOUTS:,}")
    stroke = client, size("stroke", sent.get("stroke", 0), at_least=0)
    return ChangeKnockOuts(records["add"], records["remove"], stroke, sent.get("position"))


def _number(sent: Mapping[str, Any], stroke: Any) -> SetNumber:
    name = sent["name"]
    if not isinstance(name, str) or name not in EDITABLE:
        raise ValueError(f"{name}: it can't be edited, want one of {', '.join(EDITABLE)}")
    shape = tuple(size("array_shape", n, at_least=0) for n in sent["array_shape"])
    at = tuple(size(name, i, at_least=0) for i in sent["at"])
    if len(at) != len(shape) or any(i >= n for i, n in zip(at, shape, strict=True)):
        raise ValueError(f"{name}: there is no cell {at} in shape {shape}")
    if isinstance(sent["value"], bool) or not isinstance(sent["value"], (int, float)):
        raise ValueError(f"{name}: got {sent['value']!r} at {at}, want a finite number")
    layer, head, stack = sent["shown"]
    shown = size("shown", layer, at_least=0), size("shown", head, at_least=0), str(stack)
    return SetNumber(name, at, number(f"{name} at {at}", sent["value"]), shape, shown, stroke)
