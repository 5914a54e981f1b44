"""Carry knock-outs from a text to another text, by their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnwidget.sources.api import Source
    from attnwidget.sources.knockouts import KnockOut


def carried(
    knockouts: Sequence[KnockOut], before: Source, after: Source
) -> tuple[tuple[KnockOut, ...], str]:
    """Return the knock-outs that apply to the text of `after`, and a sentence on the others.

    A query or a key becomes the position of the same token in the other text: of the second "cat"
    the second "cat". A knock-out whose token the other text does not have is left out.
    """
    kept, lost = [], []
    for edit in knockouts:
        places: dict[str, Any] = {}
        for name, axis in (("query", 0), ("key", 1)):
            position = getattr(edit, name)
            if position is None:
                continue
            old, new = (_tokens(source, edit.stack)[axis] for source in (before, after))
            places[name] = _place(position, old, new)
            if places[name] is None:
                token = old[position] if position < len(old) else position
                lost.append(f"{name} {position} ({token!r})")
                break
        else:
            kept.append(replace(edit, **places))
    words = ""
    if lost:
        words = f"Knock-outs without a place in this text were dropped: {', '.join(lost)}."
    return tuple(kept), words


def _tokens(source: Source, part: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tokens of the queries and the keys of a stack; None for the stack shown."""
    source = getattr(source, "base", source)  # of words the tokens
    part = source.stack_id.part if part is None else part
    if source.stack_id.part != part or source.stack_id.derived:
        names = [
            name for name, each in source.stacks.items() if each.part == part and not each.derived
        ]
        if not names:
            return (), ()
        source = source.of(names[0])
    return source.tokens, source.tokens if source.key_tokens is None else source.key_tokens


def _place(position: int, before: Sequence[str], after: Sequence[str]) -> int | None:
    """Return the position in `after` of the token at a position in `before`, None without it."""
    if position >= len(before):
        return None
    token = before[position]
    nth = list(before[:position]).count(token)
    places = [i for i, other in enumerate(after) if other == token]
    return places[nth] if nth < len(places) else None
