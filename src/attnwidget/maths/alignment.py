"""Align two lists of tokens, and spread the maps of both lists over the aligned tokens."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ALIGNMENTS = ("token", "position")


class Pair(NamedTuple):
    """A row or column of a comparison: the position in A and in B, None where a side has none."""

    a: int | None
    b: int | None
    label: str


def align(a: Sequence[str], b: Sequence[str], by: str = "token") -> tuple[Pair, ...]:
    """Return pairs of the tokens of `a` and `b`, in an order that keeps the order of both lists.

    "token" pairs equal tokens: it finds the longest run of tokens that both lists have, then the
    longest runs before and after it (Ratcliff and Metzener 1988, *Pattern Matching: The Gestalt
    Approach*, as in difflib). Between two runs stand the tokens that only A has, then those that
    only B has. "position" pairs equal positions, and labels a pair of different tokens
    ``cat / dog``.
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
    """Raise ValueError if no token is in both lists; `what` is "query" or "key"."""
    if not n_common(align(a, b, by)):
        raise ValueError(
            f"b: got no {what} token that a has: a has {_few(a)}; b has {_few(b)}; "
            "align='position' pairs tokens by position"
        )


def n_common(pairs: Sequence[Pair]) -> int:
    """Return the number of pairs that have a position on both sides."""
    return sum(pair.a is not None and pair.b is not None for pair in pairs)


def matched(rows: Sequence[Pair], columns: Sequence[Pair]) -> list[str]:
    """Return sentences on how many tokens only one side has; [] if both sides have all tokens."""
    counts = []
    for axis, pairs in (("queries", rows), ("keys", columns)):
        n, only_a = n_common(pairs), sum(pair.b is None for pair in pairs)
        only_b = len(pairs) - n - only_a
        parts = [
            f"{n} in both",
            *(f"{k} only in {side}" for k, side in ((only_a, "A"), (only_b, "B")) if k),
        ]
        counts.append((axis, ", ".join(parts) if only_a or only_b else ""))
    if counts[0][1] == counts[1][1]:
        counts = [("tokens", counts[0][1])]
    return [f"{axis.capitalize()}: {count} (hatched)." for axis, count in counts if count]


def spread(
    values: NDArray, rows: Sequence[Pair], columns: Sequence[Pair], side: str, empty: float
) -> NDArray:
    """Return `values` (n_q, n_k) of a `side`, "a" or "b", spread over the aligned tokens.

    The result is (len(rows), len(columns)) of the same dtype, and `empty` where the side has no
    token.
    """
    out = np.full((len(rows), len(columns)), empty, dtype=values.dtype)
    queries, keys = ([getattr(pair, side) for pair in pairs] for pairs in (rows, columns))
    targets = [
        [i for i, position in enumerate(positions) if position is not None]
        for positions in (queries, keys)
    ]
    origins = [
        [position for position in positions if position is not None]
        for positions in (queries, keys)
    ]
    out[np.ix_(*targets)] = values[np.ix_(*origins)]
    return out


def _placed(a: Sequence[str], b: Sequence[str], i: int) -> Pair:
    if i >= len(b):
        return Pair(i, None, a[i])
    if i >= len(a):
        return Pair(None, i, b[i])
    return Pair(i, i, a[i] if a[i] == b[i] else f"{a[i]} / {b[i]}")


def _few(tokens: Sequence[str]) -> str:
    first = ", ".join(repr(token[:24]) for token in tokens[:4])
    return f"{len(tokens)} ({first}{', …' if len(tokens) > 4 else ''})"
