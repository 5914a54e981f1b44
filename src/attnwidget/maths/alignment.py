"""Two lists of tokens beside each other: which of the one is which of the other."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ALIGNMENTS = ("token", "position")


class Pair(NamedTuple):
    """One row or column of a comparison: a place in A and in B, None where a side has none."""

    a: int | None
    b: int | None
    label: str


def align(a: Sequence[str], b: Sequence[str], by: str = "token") -> tuple[Pair, ...]:
    """Return the tokens of `a` and `b` in one order that keeps that of both.

    "token" pairs equal tokens in common runs, the longest first (Ratcliff and Metzener 1988,
    *Pattern Matching: The Gestalt Approach*, as in difflib); between two runs come A's own
    tokens, then B's. "position" pairs the first with the first, whatever they are, and labels
    them ``cat / dog`` where they differ.
    """
    if by == "position":
        n = max(len(a), len(b))
        return tuple(_placed(a, b, i) for i in range(n))
    if tuple(a) == tuple(b):
        return tuple(Pair(i, i, token) for i, token in enumerate(a))
    pairs: list[Pair] = []
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            pairs += [Pair(a0 + i, b0 + i, a[a0 + i]) for i in range(a1 - a0)]
        else:
            pairs += [Pair(i, None, a[i]) for i in range(a0, a1)]
            pairs += [Pair(None, j, b[j]) for j in range(b0, b1)]
    return tuple(pairs)


def check_common(a: Sequence[str], b: Sequence[str], by: str, what: str) -> None:
    """Raise ValueError where no token of `what` ("query", "key") is in both lists."""
    if not n_common(align(a, b, by)):
        raise ValueError(
            f"b: no {what} token of it is in a: a has {_few(a)}; b has {_few(b)}; "
            "align='position' pairs them place by place"
        )


def n_common(pairs: Sequence[Pair]) -> int:
    """Return how many pairs have a place on both sides."""
    return sum(pair.a is not None and pair.b is not None for pair in pairs)


def matched(rows: Sequence[Pair], columns: Sequence[Pair]) -> list[str]:
    """Return in words how many tokens only one side has; nothing where both have all."""
    said = []
    for what, pairs in (("queries", rows), ("keys", columns)):
        n, only_a = n_common(pairs), sum(pair.b is None for pair in pairs)
        only_b = len(pairs) - n - only_a
        parts = [
            f"{n} in both",
            *(f"{k} only in {side}" for k, side in ((only_a, "A"), (only_b, "B")) if k),
        ]
        said.append((what, ", ".join(parts) if only_a or only_b else ""))
    if said[0][1] == said[1][1]:
        said = [("tokens", said[0][1])]
    return [f"{what.capitalize()}: {parts} (hatched)." for what, parts in said if parts]


def spread(
    values: NDArray, rows: Sequence[Pair], columns: Sequence[Pair], side: str, empty: float
) -> NDArray:
    """Return `values` (n_q, n_k) of one `side`, "a" or "b", where the pairs have its tokens.

    The result is (len(rows), len(columns)) of the same dtype, `empty` where the side has no token.
    """
    out = np.full((len(rows), len(columns)), empty, dtype=values.dtype)
    queries, keys = ([getattr(pair, side) for pair in pairs] for pairs in (rows, columns))
    to = [
        [at for at, place in enumerate(places) if place is not None] for places in (queries, keys)
    ]
    of = [[place for place in places if place is not None] for places in (queries, keys)]
    out[np.ix_(*to)] = values[np.ix_(*of)]
    return out


def _placed(a: Sequence[str], b: Sequence[str], i: int) -> Pair:
    if i >= len(b):
        return Pair(i, None, a[i])
    if i >= len(a):
        return Pair(None, i, b[i])
    return Pair(i, i, a[i] if a[i] == b[i] else f"{a[i]} / {b[i]}")


def _few(tokens: Sequence[str]) -> str:
    shown = ", ".join(repr(token[:24]) for token in tokens[:4])
    return f"{len(tokens)} ({shown}{', …' if len(tokens) > 4 else ''})"
