"""The cases that `check` calls an attention function with: inputs and the expected result.

On these inputs every known mistake gives other numbers than the right function, and other numbers
than every other mistake. A test ensures this.
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

# The numbers are multiples of 1/4, so that float32 code gets the same scores. The first column of
# the queries is far from 0. A number added to the first column of the keys therefore makes all
# scores of a row large, and does not change the weights.
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
# Row 2 has no masked cell. Every other row, and every column, has masked and unmasked cells.
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
# With the scale 1/2 this number gives scores near ±1000, for which exp in float64 is inf or 0.
_FAR = 1024.0


@dataclass(frozen=True)
class Case:
    """Inputs and the expected result (n_q, n_k) of an attention function.

    `Q` is (n_q, d_k), `K` (n_k, d_k), `hidden` (n_q, n_k) the mask, True = masked. `mask_argument`
    is the mask in the form that the function gets, None if it gets no mask. `title` describes the
    case in a message.
    """

    name: str
    title: str
    Q: NDArray[np.float64]
    K: NDArray[np.float64]
    hidden: NDArray[np.bool_]
    mask_argument: NDArray[Any] | None
    scale: float
    expected: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        name: str,
        title: str,
        Q: NDArray[Any],
        K: NDArray[Any],
        hidden: NDArray[np.bool_],
        mask_argument: NDArray[Any] | None,
        scale: float,
    ) -> Case:
        """Return the case, with the sizes in the title and with the expected result."""
        expected = softmax(scores(Q, K, scale=scale), hidden).astype(np.float64)
        title = f"{title} ({len(Q)} queries, {len(K)} keys, d_k = {Q.shape[1]})"
        return cls(name, title, Q, K, hidden, mask_argument, scale, expected)

    @property
    def open_rows(self) -> NDArray[np.bool_]:
        """The cells (n_q, n_k) in rows that have an unmasked key."""
        empty = np.asarray(self.hidden.all(axis=1), dtype=np.bool_)
        return np.broadcast_to(~empty[:, None], self.hidden.shape)


def given(
    Q: ArrayLike, K: ArrayLike, mask: ArrayLike | None, scale: float | None, takes: str
) -> Case:
    """Return the caller's inputs as a case. The mask argument has the form of the caller's mask.

    `takes` tells whether the function "never", "may" or "must" take a mask.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit; the message names the argument.
    """
    scores(Q, K, scale=scale)
    q, k = np.array(Q, dtype=np.float64), np.array(K, dtype=np.float64)
    for name, array in (("Q", q), ("K", k)):
        if array.ndim != 2 or not array.size:
            raise ValueError(f"{name}: got shape {array.shape}, want (n, d_k), n >= 1")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: got {array[~np.isfinite(array)][0]}, want finite numbers")
    hidden = as_mask(mask, len(q), len(k))
    mask_argument: NDArray[Any] | None = None
    if takes == "never":
        hidden = np.zeros_like(hidden)
    elif isinstance(mask, np.ma.MaskedArray) or (mask is None and takes == "must"):
        mask_argument = hidden
    elif mask is not None:
        mask_argument = np.array(mask)
    factor = 1 / math.sqrt(q.shape[1]) if scale is None else float(scale)
    return Case.of("given", "the given Q and K", q, k, hidden, mask_argument, factor)


def cases(own: Case, takes: str) -> dict[str, Case]:
    """Return the other cases by name, for a function whose caller gave the case `own`.

    The masks have the form of `own.mask_argument`: the same rank, dtype, and number for a masked
    key. A function that must take a mask gets a mask with masked cells in as many cases as
    possible, because otherwise a mask with the wrong sign could look like another mistake.
    """
    d_k = own.Q.shape[1]
    usual = math.isclose(own.scale, 1 / math.sqrt(d_k), rel_tol=1e-6)
    # The square case has d_k keys, so that even Q @ K gives numbers, and if possible another d_k.
    side = 3 if usual or not 2 <= d_k <= 6 else d_k

    def case(
        name: str,
        title: str,
        q: NDArray[Any],
        k: NDArray[Any],
        hidden: NDArray[np.bool_],
        masked: bool = False,
    ) -> Case:
        factor = 1 / math.sqrt(q.shape[1])
        if not usual:
            # The caller's scale holds for the caller's d_k only, so keep d_k and the scale, and
            # change Q so that the scores stay the same.
            q = _wide(q * (factor / own.scale if own.scale else 1), d_k)
            k, factor = _wide(k, d_k), own.scale
        if takes == "never" or not (masked or takes == "must"):
            return Case.of(name, title, q, k, np.zeros_like(hidden), None, factor)
        hidden, mask_argument = _in_form(own, hidden)
        return Case.of(name, title, q, k, hidden, mask_argument, factor)

    q, k, mask = _QUERIES[:5, :4], _KEYS[:, :4], _MASK[:5]
    last = (slice(None, -side - 1, -1),) * 2
    q3, k3, mask3 = _QUERIES[last], _KEYS[last], _MASK[last]
    far = k.copy()
    far[:, 0] += _FAR
    result = [
        case("non-square", "inputs of other sizes", q, k, mask),
        case("square", "square inputs", q3, k3, mask3),
        case("large", "large scores, about ±1000", q, far, mask),
    ]
    if takes != "never":
        result.append(case("masked", "inputs with a mask", q, k, mask, masked=True))
        open_mask = np.zeros_like(mask)
        title = "inputs with a mask that masks no cell"
        result.append(case("nothing masked", title, q, k, open_mask, masked=True))
        if not _by_key(own):
            empty = mask.copy()
            empty[3] = True
            title = "inputs with a row of masked keys only"
            result.append(case("empty row", title, q, k, empty, masked=True))
    return {case.name: case for case in result}


def _wide(array: NDArray[Any], d_k: int) -> NDArray[Any]:
    width = min(d_k, array.shape[1])
    return np.pad(array[:, :width], ((0, 0), (0, d_k - width)))


def _by_key(own: Case) -> bool:
    return own.mask_argument is not None and own.mask_argument.shape != own.hidden.shape


def _in_form(own: Case, hidden: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Return `hidden`, and the mask argument for it, both in the form of `own.mask_argument`."""
    mask = hidden
    form = own.mask_argument
    if _by_key(own) and form is not None:
        mask = hidden[0] if form.ndim == 1 else hidden[:1]
        hidden = np.broadcast_to(mask, hidden.shape).copy()
    if form is None or form.dtype.kind == "b":
        return hidden, mask.copy()
    number = -1 if (form == -1).any() else 1
    low = form.min(initial=0)
    return hidden, np.where(mask, low if low <= -1e4 else number, 0).astype(form.dtype)
