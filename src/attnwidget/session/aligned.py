"""Compare two sides: the same head of both, aligned by token, and the difference of the maps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.alignment import align, check_common, matched, spread
from attnwidget.session.pair import Side, edit_notes, largest_changes, names, offers, peak

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from attnwidget.session.pair import Offer

TITLE = "Attention compared"
PICKED = ("stack", "layer", "head", "align")


@dataclass(frozen=True, eq=False)
class Aligned:
    """One head of both sides: maps with gaps (NaN) where a side has no cell, and its words.

    `a`, `b` (rows, columns) are float32; `masked_a`, `masked_b` are True where a side masks. `rows`
    and `columns` are pairs of positions, None where a side has none.
    """

    rows: Any
    columns: Any
    a: NDArray
    b: NDArray
    masked_a: NDArray
    masked_b: NDArray
    changes: tuple[tuple[int, int], ...]
    labels: tuple[tuple[str, str], ...]
    notice: str


@dataclass(frozen=True, eq=False)
class PairState:
    """The state of a comparison: the two sides, the head, and the display.

    `latest` are the states of the two sessions; `sides` are the states that are shown. They are
    older than the latest states while these cannot be compared; `stale` is then the reason.
    """

    sides: Mapping[str, Side]
    latest: Mapping[str, Side]
    named: tuple[str, str] | None
    stack: str = ""
    layer: int = 0
    head: int = 0
    align: str = "token"
    cmap: str = "viridis"
    color_scale: str = "unit"
    selection: tuple[int, int] | None = None
    title: str = TITLE
    stale: str = ""
    revision: int = 1
    before: Aligned | None = field(default=None, repr=False)

    def evolve(self, **changes: Any) -> PairState:
        """Return the state with other fields, and with every computed map that stays the same."""
        kept = self.__dict__.get("aligned")
        after = replace(self, before=kept or self.before, **changes)
        if kept is not None and not {"sides", *PICKED} & changes.keys():
            after.__dict__["aligned"] = kept
        return after

    @cached_property
    def offers(self) -> dict[str, Offer]:
        """The stacks, layers and heads that both sides have, by the name of the stack."""
        return offers(self.sides["a"], self.sides["b"])

    @property
    def offer(self) -> Offer:
        """The layers and heads of the stack shown that both sides have."""
        return self.offers[self.stack]

    @property
    def offered(self) -> dict[str, list[Any]]:
        """The stacks, layers and heads to choose from."""
        heads = self.offer.heads
        return {
            "stack": list(self.offers),
            "layer": list(heads),
            "head": list(range(heads[self.layer])),
        }

    @property
    def shown(self) -> tuple[str, int, int]:
        """The stack, the layer and the head that the maps belong to."""
        return self.stack, self.layer, self.head

    def tokens(self) -> list[tuple[Sequence[str], Sequence[str]]]:
        """Return the queries of A and B, then the keys."""
        offer = self.offer
        of_a, of_b = self.sides["a"].tokens(offer.stack_a), self.sides["b"].tokens(offer.stack_b)
        return list(zip(of_a, of_b, strict=True))

    def check_tokens(self) -> None:
        """Raise ValueError if the sides have no token in common."""
        for what, (a, b) in zip(("query", "key"), self.tokens(), strict=True):
            check_common(a, b, self.align, what)

    @cached_property
    def aligned(self) -> Aligned:
        """The maps of both sides. Raises ValueError for a head that cannot be shown."""
        sides, offer = self.sides, self.offer
        stacks = {"a": offer.stack_a, "b": offer.stack_b}
        (a_rows, b_rows), (a_columns, b_columns) = self.tokens()
        rows = align(a_rows, b_rows, self.align)
        columns = align(a_columns, b_columns, self.align)
        maps, masked = {}, {}
        for name, side in sides.items():
            weights, mask = side.maps(stacks[name], self.layer, self.head)
            weights = spread(weights.astype(np.float32), rows, columns, name, np.nan)
            maps[name] = self._as_before(name, weights)
            masked[name] = _frozen(spread(mask, rows, columns, name, False))
        changes = largest_changes(maps["b"] - maps["a"])
        doubts = {name: side.source.doubt for name, side in sides.items()}
        notes = [f"{name.upper()}: {doubt}" for name, doubt in doubts.items() if doubt]
        notes += [*matched(rows, columns), *offer.notes]
        notes += edit_notes(sides, stacks, self.layer, self.head)
        if not changes:
            notes.append("A and B are equal wherever both have a cell.")
        titles = self.named or names(sides["a"], sides["b"], (a_rows, b_rows))
        labels = (("A", titles[0]), ("B", titles[1]), ("B − A", "what changed"))
        return Aligned(
            rows, columns, maps["a"], maps["b"], masked["a"], masked["b"], changes, labels,
            " ".join(notes),
        )  # fmt: skip

    def _as_before(self, name: str, weights: NDArray) -> NDArray:
        """Return the earlier array if no number differs; NaN counts as equal to NaN."""
        before: NDArray | None = None if self.before is None else getattr(self.before, name)
        if before is not None and np.array_equal(weights, before, equal_nan=True):
            return before
        return _frozen(weights)

    @property
    def peaks(self) -> tuple[float, float]:
        """The numbers at the end of the colour scales of the maps and of the difference."""
        a, b = self.aligned.a, self.aligned.b
        top = peak(a, b) if self.color_scale == "map" else 0.0
        return top or 1.0, peak(b - a)


def _frozen(array: NDArray) -> NDArray:
    array.flags.writeable = False
    return array
