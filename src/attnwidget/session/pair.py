"""Align the stacks, layers and heads of two states, and the maps of one head of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.session.maps import HeadMaps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from attnwidget.session.snapshot import Snapshot
    from attnwidget.sources.api import Source


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two states that are compared.

    `attention` is (n_q, n_k) of the head `shown` (layer, head, stack), or (h, n_q, n_k) of all of
    them. `mask` is True for masked cells. `edits` describes the edits by hand in words.
    """

    source: Source
    shown: tuple[int, int, str]
    attention: NDArray
    mask: NDArray[np.bool_]
    edits: str
    title: str

    @classmethod
    def of(cls, now: Snapshot) -> Side:
        """Return the side for a state of a session."""
        maps, locked = now.maps, now.inputs.locked
        own = maps.mask if locked is None else maps.mask & ~locked
        n = int(own.sum())
        edits = [f"{n} cell{'s' * (n != 1)} masked"] if n else []
        if not now.source.is_own(now.layer, now.head):
            edits.append("numbers set by hand")
        words = " and ".join(edits)
        return cls(now.source, now.shown, maps.attention, maps.mask, words, now.title)

    def is_of(self, now: Snapshot) -> bool:
        """Whether the side was taken from a state with the same map."""
        return (
            now.maps.attention is self.attention
            and now.source is self.source
            and now.shown == self.shown
        )

    def shows(self, stack: str, layer: int, head: int) -> bool:
        """Whether the widget itself holds this head's map, with its edits."""
        return (layer, stack) == (self.shown[0], self.shown[2]) and (
            self.attention.ndim == 3 or head == self.shown[1]
        )

    def maps(self, stack: str, layer: int, head: int) -> tuple[NDArray, NDArray[np.bool_]]:
        """Return attention and mask (n_q, n_k) of one head.

        The maps of the head on screen have the edits; other heads are computed by the source.
        """
        if self.shows(stack, layer, head):
            has_heads = self.attention.ndim == 3
            return self.attention[head] if has_heads else self.attention, self.mask
        inputs = self.source.of(stack).head(layer, head)
        free = np.zeros(inputs.shape, bool)
        maps = HeadMaps(inputs, free if inputs.locked is None else inputs.locked)
        return maps.attention, maps.mask

    def tokens(self, stack: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the tokens of the queries and of the keys of a stack."""
        source = self.source.of(stack)
        keys = source.key_tokens
        return source.tokens, source.tokens if keys is None else keys

    def heads(self) -> dict[str, dict[int, int]]:
        """Return the number of heads by layer, by stack; means and rollout are stacks too."""
        heads: dict[str, dict[int, int]] = {}
        for layer in (*self.source.layers, *self.source.derived_layers):
            heads.setdefault(layer.stack, {})[layer.index] = layer.n_heads
        return heads


@dataclass(frozen=True)
class Offer:
    """A stack that both sides have.

    `stack_a` and `stack_b` name the stack on each side, `heads` are the heads by layer that both
    have, and `notes` say in words which layers and heads only one side has.
    """

    stack_a: str
    stack_b: str
    heads: Mapping[int, int]
    notes: tuple[str, ...]

    def nearest(self, layer: int, head: int) -> tuple[int, int]:
        """Return this layer and head where they are offered, else the first and the last."""
        layer = layer if layer in self.heads else next(iter(self.heads))
        return layer, min(head, self.heads[layer] - 1)


def offers(a: Side, b: Side) -> dict[str, Offer]:
    """Return the stacks that both sides have, by name.

    Where the sides have no stack in common (an encoder beside a single stack), the stacks on screen
    are paired.

    Raises
    ------
    ValueError
        If no layer of any stack has its number on both sides.
    """
    of_a, of_b = a.heads(), b.heads()
    stacks = {stack: (stack, stack) for stack in of_a if stack in of_b}
    if not stacks:
        on_screen = a.source.stack, b.source.stack
        stacks = {f"{on_screen[0]} / {on_screen[1]}": on_screen}
    common_stacks = {}
    for name, (stack_a, stack_b) in stacks.items():
        heads_a, heads_b = of_a[stack_a], of_b[stack_b]
        common = {n: min(heads_a[n], heads_b[n]) for n in heads_a if n in heads_b}
        if common:
            notes = tuple(_left_out(heads_a, heads_b, common))
            common_stacks[name] = Offer(stack_a, stack_b, common, notes)
    if not common_stacks:
        layers = [", ".join(map(str, next(iter(heads.values())))) for heads in (of_a, of_b)]
        raise ValueError(
            f"b: got layers {layers[1]}, want a layer that a has too; a has layers {layers[0]}"
        )
    return common_stacks


def names(a: Side, b: Side, tokens: Sequence[Sequence[str]]) -> tuple[str, str]:
    """Return names that tell the sides apart: titles, or the models of one text, or the texts."""
    if tuple(tokens[0]) == tuple(tokens[1]):
        usual = [side.source.subtitle for side in (a, b)]
    else:
        usual = [" ".join(words[:24]) for words in tokens]
    return a.title or usual[0], b.title or usual[1]


def edit_notes(
    sides: Mapping[str, Side], stacks: Mapping[str, str], layer: int, head: int
) -> list[str]:
    """Return in words which sides have edits, and whether the edits are in the maps compared."""
    notes = []
    for name, side in sides.items():
        if side.edits and side.shows(stacks[name], layer, head):
            notes.append(f"{name.upper()} is compared as it is edited: {side.edits}.")
        elif side.edits:
            where = f"layer {side.shown[0]}, head {side.shown[1]}"
            notes.append(f"{name.upper()} is edited at {where}, not in what is compared here.")
    return notes


def largest_changes(change: NDArray, k: int = 6) -> tuple[tuple[int, int], ...]:
    """Return the (row, column) of the k largest changes, the largest first; never of 0 or NaN."""
    sizes = np.nan_to_num(np.abs(change)).ravel()
    first = np.argsort(-sizes, kind="stable")[:k]
    n = change.shape[1]
    return tuple((int(at) // n, int(at) % n) for at in first if sizes[at] > 0)


def peak(*maps: NDArray) -> float:
    """Return the largest absolute number in any of the maps; NaN counts as 0."""
    return max(float(np.nan_to_num(np.abs(numbers)).max()) for numbers in maps)


def _left_out(a: Mapping[int, int], b: Mapping[int, int], common: Mapping[int, int]) -> Any:
    if len(a) != len(common) or len(b) != len(common):
        which = f"the {len(common)} that both have" if len(common) > 1 else "the one that both have"
        yield f"A has {_count(len(a), 'layer')}, B {len(b)}: offered: {which}."
    first = next(iter(common))
    if a[first] != b[first]:
        yield (
            f"A has {_count(a[first], 'head')} a layer, B {b[first]}: offered: the first "
            f"{common[first]}."
        )


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
