"""What Python takes from a page: how large a message may be, and how it is read.

A page is a program of its own, and a visitor of a published notebook may change it. So nothing of
a message is used before it is checked here: Python allocates no more than the limits allow, or
than the message itself has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Characters of a string that a page may send: a sentence of 20,000 words.
TEXT = 100_000
# The depth of lists in lists.
DEPTH = 32
# Commands in a message; a page sends again every command that has no answer. A page counts its
# commands in JavaScript, which has no larger whole number.
COMMANDS = 10_000
LARGEST_SEQ = 2**53
# Pages whose commands are numbered apart, and the characters of the name of a page or a question.
CLIENTS = 64
NAME = 100
# Characters of a refusal, which may have a page's own value in it.
WORDS = 500

METHODS = ("update", "request_state", "custom")


def check(value: Any) -> None:
    """Raise ValueError for a text that is too long, or for lists in lists that are too deep."""
    level: list[Any] = [value]
    for _ in range(DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, str):
                if len(each) > TEXT:
                    raise ValueError(
                        f"the page sent a text of {len(each):,} characters, want at most {TEXT:,}"
                    )
            elif isinstance(each, Mapping):
                below += each.keys()
                below += each.values()
            elif isinstance(each, (list, tuple)):
                below += each
        if not below:
            return
        level = below
    raise ValueError(f"the page sent lists in lists, more than {DEPTH} deep")


def name_of(sender: Any) -> str:
    """Return the name of a page, or raise ValueError for a name that no page has."""
    if not isinstance(sender, str) or not 0 < len(sender) <= NAME:
        raise ValueError(f"client: the page has no name, want a text of 1 to {NAME} characters")
    return sender


def state_of(message: Any) -> tuple[str, dict[str, Any] | None]:
    """Return the method of a comm's message, and the state of an update with its buffers in place.

    Raises
    ------
    ValueError
        For a message of another form.
    """
    try:
        data = message["content"]["data"]
        method = data["method"]
    except (TypeError, KeyError, IndexError):
        raise ValueError("the page sent a message without a method") from None
    if not isinstance(method, str) or method not in METHODS:
        got = repr(method) if isinstance(method, str) else type(method).__name__
        raise ValueError(f"method: got {got}, want one of {', '.join(METHODS)}")
    if method == "custom" and "content" not in data:
        raise ValueError("content: the page sent a message without content")
    if method != "update":
        return method, None
    state = data.get("state")
    if not isinstance(state, dict):
        raise ValueError(f"state: got {type(state).__name__}, want a value for each name")
    _put_buffers(state, data.get("buffer_paths", ()), message.get("buffers") or ())
    return method, state


def in_words(error: BaseException | str) -> str:
    """Return what an error says, short enough for the card."""
    words = str(error)
    return words if len(words) <= WORDS else f"{words[:WORDS]}…"


def well_formed(value: Any) -> Any:
    """Return a value of JSON whose strings are Unicode, with U+FFFD in place of half a character.

    Half of a surrogate pair, which JSON may write and a tokenizer may cut, cannot be encoded, and
    Jupyter could not send the message.
    """
    if isinstance(value, str):
        return value if value.isascii() else _unicode(value)
    if isinstance(value, Mapping):
        return {well_formed(name): well_formed(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return tuple(well_formed(each) for each in value)
    return [well_formed(each) for each in value] if isinstance(value, list) else value


def _unicode(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _put_buffers(state: dict[str, Any], paths: Any, buffers: Any) -> None:
    """Put each buffer into `state` where its path leads."""
    if not isinstance(paths, Sequence) or not isinstance(buffers, Sequence):
        raise ValueError("buffer_paths: want a path for each buffer")
    if len(paths) != len(buffers):
        raise ValueError(f"buffer_paths: got {len(paths)} for {len(buffers)} buffers")
    for path, buffer in zip(paths, buffers, strict=True):
        if not isinstance(path, list) or not 0 < len(path) <= DEPTH:
            raise ValueError("buffer_paths: want lists of names and positions")
        place: Any = state
        for key in path[:-1]:
            if not _leads(place, key) or (isinstance(place, dict) and key not in place):
                raise ValueError("buffer_paths: a path leads to nothing in the state")
            place = place[key]
        if not _leads(place, path[-1]):
            raise ValueError("buffer_paths: a path leads to nothing in the state")
        place[path[-1]] = buffer


def _leads(place: Any, key: Any) -> bool:
    if isinstance(place, dict):
        return isinstance(key, str)
    is_position = isinstance(key, int) and not isinstance(key, bool)
    return isinstance(place, list) and is_position and 0 <= key < len(place)
