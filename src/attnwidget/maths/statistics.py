"""Statistics of attention maps in plain NumPy: each describes a head by a number.

Every statistic takes weights (..., n_q, n_k), after the softmax, and returns a float64 number for
each head, shape (...). Rows that are all zero (every key masked) are left out. The number is NaN
if no row is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.validate import matrices

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Rows = NDArray[np.bool_]

__all__ = ["STATISTICS", "statistics", "without_sink"]


def entropy(weights: ArrayLike) -> NDArray[np.float64]:
    """Return the mean entropy of a row, in bits.

    An entropy of 0 means that a query looks at a single key, log2(n_k) that it looks at all keys
    equally. Clark et al. 2019, "What Does BERT Look At?", arXiv 1906.04341, section 3.3.
    """
    p = _weights(weights)
    logs = np.log2(p, out=np.zeros_like(p), where=p > 0)
    return _mean(0 - np.einsum("...ij,...ij->...i", p, logs), _seeing(p))


def distance(weights: ArrayLike) -> NDArray[np.float64]:
    """Return the mean distance, in tokens, from a query to the keys it looks at: Σ p |i - j|.

    Vig and Belinkov 2019, arXiv 1906.04284, section 4.3.
    """
    p = _weights(weights)
    i, j = _positions(p)
    return _mean(_on(p, np.abs(i - j)), _seeing(p))


def diagonal(weights: ArrayLike) -> NDArray[np.float64]:
    """Return the mean weight on the query's own position (Clark et al. 2019, section 3.1)."""
    p = _weights(weights)
    own, exists = _beside(p, 0)
    return _mean(own, _seeing(p) & exists)


def previous_token(weights: ArrayLike) -> NDArray[np.float64]:
    """Return the mean weight on the token before the query (Clark et al. 2019, section 3.1).

    The first query is left out, because no token stands before it.
    """
    p = _weights(weights)
    before, exists = _beside(p, -1)
    return _mean(before, _seeing(p) & exists)


def first_token(weights: ArrayLike) -> NDArray[np.float64]:
    """Return the mean weight on the first key, the usual attention sink.

    Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks", arXiv 2309.17453.
    The first query is left out, because in a causal model it can see no other key.
    """
    p = _weights(weights)
    after = np.arange(p.shape[-2]) > 0
    return _mean(p[..., 0], _seeing(p) & after)


def duplicate_token(weights: ArrayLike, tokens: Sequence[str]) -> NDArray[np.float64]:
    """Return the mean weight of a repeated token on its earlier occurrences.

    Wang et al. 2022, "Interpretability in the Wild", arXiv 2211.00593, section 3. Queries whose
    token did not occur before are left out.
    """
    p = _weights(weights)
    same = _earlier(p, tokens)
    return _mean(_on(p, same), _seeing(p) & _some(same))


def induction(weights: ArrayLike, tokens: Sequence[str]) -> NDArray[np.float64]:
    """Return the mean weight of a repeated token on the tokens after its earlier occurrences.

    This is the prefix-matching score of Olsson et al. 2022, "In-context Learning and Induction
    Heads", arXiv 2209.11895. Queries whose token did not occur before are left out.
    """
    p = _weights(weights)
    earlier = _earlier(p, tokens)
    after = np.zeros_like(earlier)
    after[:, 1:] = earlier[:, :-1]
    # After the occurrence just before a query comes the query itself, which is no induction.
    after &= ~np.eye(len(after), dtype=np.bool_)
    return _mean(_on(p, after), _seeing(p) & _some(after))


STATISTICS: dict[str, Callable[..., NDArray[np.float64]]] = {
    "entropy": entropy,
    "distance": distance,
    "diagonal": diagonal,
    "previous-token": previous_token,
    "first-token": first_token,
    "duplicate-token": duplicate_token,
    "induction": induction,
}
_BY_TOKEN = {"duplicate-token", "induction"}


def statistics(
    weights: ArrayLike, tokens: Sequence[str], *, sink: bool = True
) -> dict[str, NDArray[np.float64]]:
    """Return every statistic by name, each (...), of weights (..., n, n) over `tokens`.

    With ``sink=False`` the first key is removed first, see `without_sink`, and "first-token" is
    NaN.

    Raises
    ------
    ValueError
        If the number of tokens is not the number of queries and of keys.
    """
    p = _weights(weights)
    if not sink:
        p = without_sink(p)
    numbers = {
        name: function(p, tokens) if name in _BY_TOKEN else function(p)
        for name, function in STATISTICS.items()
    }
    if not sink:
        numbers["first-token"] = np.full_like(numbers["first-token"], np.nan)
    return numbers


def without_sink(weights: ArrayLike) -> NDArray[np.float64]:
    """Return weights (..., n_q, n_k) without the first key, each row normalised to sum 1 again.

    A row whose whole weight was on the first key is all zero.
    """
    p = _weights(weights).copy()
    p[..., 0] = 0
    total = p.sum(axis=-1, keepdims=True)
    return np.divide(p, total, out=np.zeros_like(p), where=total > 0)


def _weights(weights: ArrayLike) -> NDArray[np.float64]:
    return matrices("weights", weights).astype(np.float64, copy=False)


def _beside(p: NDArray[np.float64], by: int) -> tuple[NDArray[np.float64], Rows]:
    """Return each query's weight on the key `by` positions after it, and whether the key exists."""
    i = np.arange(p.shape[-2])
    exists = (i + by >= 0) & (i + by < p.shape[-1])
    return p[..., i, np.where(exists, i + by, 0)], exists


def _on(p: NDArray[np.float64], cells: NDArray[Any]) -> NDArray[np.float64]:
    """Return each query's sum of weights times `cells` (n_q, n_k)."""
    # einsum makes no temporary array of all heads, which would take most of the time at 512 tokens.
    return np.einsum("...ij,ij->...i", p, cells.astype(np.float64))


def _positions(p: NDArray[Any]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    return np.arange(p.shape[-2])[:, None], np.arange(p.shape[-1])[None, :]


def _seeing(p: NDArray[np.float64]) -> Rows:
    return np.asarray(p.max(axis=-1, initial=0) > 0)


def _some(cells: NDArray[np.bool_]) -> Rows:
    return np.asarray(cells.any(axis=-1))


def _mean(rows: NDArray[np.float64], counted: Rows) -> NDArray[np.float64]:
    """Return the mean over the queries in `counted`, NaN if there are none."""
    counted = np.broadcast_to(counted, rows.shape)
    number = counted.sum(axis=-1)
    total = np.where(counted, rows, 0.0).sum(axis=-1)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)


def _earlier(p: NDArray[np.float64], tokens: Sequence[str]) -> NDArray[np.bool_]:
    """Return where the key is an earlier occurrence of the query's token: (n, n)."""
    n_q, n_k = p.shape[-2:]
    if n_q != n_k or len(tokens) != n_q:
        raise ValueError(
            f"tokens: got {len(tokens)} for weights of {n_q} queries and {n_k} keys, want one list "
            "of tokens for both"
        )
    # An array of text would be as wide as the longest token.
    numbers: dict[str, int] = {}
    ids = np.array([numbers.setdefault(token, len(numbers)) for token in tokens])
    return np.tri(n_q, k=-1, dtype=np.bool_) & (ids[:, None] == ids[None, :])
