"""The inputs on which an attention function is tried, each with its right answer.

They are chosen so that every known mistake gives other numbers than the right function and than
every other mistake (a test holds this).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.attention import scores, softmax
from attnwidget.maths.masks import as_mask

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Case", "cases", "given"]

# Whole quarters, so that float32 code gets the same scores. The first column of the queries is far
# from 0 on both sides: adding to that column of the keys makes a row's scores large together,
# which leaves its weights as they were.
_QUERIES = np.array(
    [
        [7, -2, 4, 1, 5, -6],
        [-6, 5, 1, 7, -3, 2],
        [8, 3, -5, 2, 6, 4],
        [6, -7, 2, -4, 1, 3],
        [-8, 1, 6, 3, -2, 5],
        [-7, 4, -1, 5, 3, -4],
    ]
) / 4.0  # fmt: skip
_KEYS = np.array(
    [
        [2, 5, -3, 4, -1, 6],
        [-1, 3, 7, -2, 5, 2],
        [3, -4, 2, 6, 1, -5],
        [-2, 6, 1, -5, 4, 3],
        [1, -6, 5, 3, -4, 2],
        [-3, 2, -7, 1, 6, 4],
    ]
) / 4.0  # fmt: skip
# Row 2 hides nothing; every other row, and every column, is partly masked and partly open.
_MASK = np.array(
    [
        [0, 1, 0, 0, 1, 0],
        [1, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 1, 1],
        [1, 1, 0, 0, 0, 1],
        [0, 0, 1, 1, 0, 0],
    ],
    dtype=bool,
)
# With the scale 1/2 this puts scores near ±1000, where exp overflows or vanishes in float64.
_FAR = 1024.0


@dataclass(frozen=True)
class Case:
    """Inputs to try: `Q` (n_q, d_k), `K` (n_k, d_k), `hidden` (n_q, n_k) bool, True = masked.

    `handed` is the mask in the form that the function gets, None where it gets none; `want` is
    the right answer (n_q, n_k), and `told` says in a message which case it is.
    """

    name: str
    told: str
    Q: NDArray[np.float64]
    K: NDArray[np.float64]
    hidden: NDArray[np.bool_]
    handed: NDArray[Any] | None
    scale: float
    want: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        name: str,
        told: str,
        Q: NDArray[Any],
        K: NDArray[Any],
        hidden: NDArray[np.bool_],
        handed: NDArray[Any] | None,
        scale: float,
    ) -> Case:
        """Return the case with its sizes told and its answer worked out."""
        want = softmax(scores(Q, K, scale=scale), hidden).astype(np.float64)
        told = f"{told} ({len(Q)} queries, {len(K)} keys, d_k = {Q.shape[1]})"
        return cls(name, told, Q, K, hidden, handed, scale, want)

    @property
    def open_rows(self) -> NDArray[np.bool_]:
        """The cells (n_q, n_k) of rows that have a key left."""
        none = np.asarray(self.hidden.all(axis=1), dtype=np.bool_)
        return np.broadcast_to(~none[:, None], self.hidden.shape)


def given(
    Q: ArrayLike, K: ArrayLike, mask: ArrayLike | None, scale: float | None, takes: str
) -> Case:
    """Return the caller's own inputs as a case, the mask handed over in the caller's own form.

    `takes` says whether the function "never", "may" or "must" take a mask. Raises ValueError or
    TypeError that names the argument that is wrong.
    """
    scores(Q, K, scale=scale)
    q, k = np.array(Q, dtype=np.float64), np.array(K, dtype=np.float64)
    for name, array in (("Q", q), ("K", k)):
        if array.ndim != 2 or not array.size:
            raise ValueError(f"{name}: got shape {array.shape}, want (n, d_k), n >= 1")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: got {array[~np.isfinite(array)][0]}, want finite numbers")
    hidden = as_mask(mask, len(q), len(k))
    handed: NDArray[Any] | None = None
    if takes == "never":
        hidden = np.zeros_like(hidden)
    elif isinstance(mask, np.ma.MaskedArray) or (mask is None and takes == "must"):
        handed = hidden
    elif mask is not None:
        handed = np.array(mask)
    factor = 1 / math.sqrt(q.shape[1]) if scale is None else float(scale)
    return Case.of("given", "the given Q and K", q, k, hidden, handed, factor)


def cases(own: Case, takes: str) -> dict[str, Case]:
    """Return the other cases by name, for a function that is checked on `own`.

    Their masks have the form of `own.handed`: its rank, its dtype, its number for a masked key.
    A function that must be given a mask gets one that hides something wherever it can, so that
    a mask read the wrong way round does not look like another mistake.
    """
    d_k = own.Q.shape[1]
    usual = math.isclose(own.scale, 1 / math.sqrt(d_k), rel_tol=1e-6)
    # As many keys as they are wide, so that even Q @ K gives numbers; and another d_k.
    side = 3 if usual or not 2 <= d_k <= 6 else d_k

    def case(
        name: str,
        told: str,
        q: NDArray[Any],
        k: NDArray[Any],
        hidden: NDArray[np.bool_],
        masked: bool = False,
    ) -> Case:
        factor = 1 / math.sqrt(q.shape[1])
        if not usual:
            # A scale of one's own says nothing of another d_k, so d_k stays; so do the scores.
            q = _wide(q * (factor / own.scale if own.scale else 1), d_k)
            k, factor = _wide(k, d_k), own.scale
        if takes == "never" or not (masked or takes == "must"):
            return Case.of(name, told, q, k, np.zeros_like(hidden), None, factor)
        hidden, handed = _in_form(own, hidden)
        return Case.of(name, told, q, k, hidden, handed, factor)

    q, k, mask = _QUERIES[:5, :4], _KEYS[:, :4], _MASK[:5]
    last = (slice(None, -side - 1, -1),) * 2
    q3, k3, mask3 = _QUERIES[last], _KEYS[last], _MASK[last]
    far = k.copy()
    far[:, 0] += _FAR
    made = [
        case("non-square", "inputs of other sizes", q, k, mask),
        case("square", "inputs of one size", q3, k3, mask3),
        case("large", "large scores, about ±1000", q, far, mask),
    ]
    if takes != "never":
        made.append(case("masked", "inputs with a mask", q, k, mask, masked=True))
        nothing = np.zeros_like(mask)
        made.append(case("nothing masked", "a mask of nothing", q, k, nothing, masked=True))
        if not _by_key(own):
            empty = mask.copy()
            empty[3] = True
            made.append(case("empty row", "a row with every key masked", q, k, empty, masked=True))
    return {each.name: each for each in made}


def _wide(array: NDArray[Any], d_k: int) -> NDArray[Any]:
    width = min(d_k, array.shape[1])
    return np.pad(array[:, :width], ((0, 0), (0, d_k - width)))


def _by_key(own: Case) -> bool:
    return own.handed is not None and own.handed.shape != own.hidden.shape


def _in_form(own: Case, hidden: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Return `hidden`, and the mask to hand over for it, both in the form of `own.handed`."""
    mask = hidden
    if _by_key(own) and own.handed is not None:
        mask = hidden[0] if own.handed.ndim == 1 else hidden[:1]
        hidden = np.broadcast_to(mask, hidden.shape).copy()
    form = own.handed
    if form is None or form.dtype.kind == "b":
        return hidden, mask.copy()
    number = -1 if (form == -1).any() else 1
    low = form.min(initial=0)
    return hidden, np.where(mask, low if low <= -1e4 else number, 0).astype(form.dtype)
