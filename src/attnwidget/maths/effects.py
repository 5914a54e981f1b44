"""What masking a cell would do, before it is done: a closed form, in plain NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attnwidget.maths.attention import softmax
from attnwidget.maths.validate import Float, check_values, matrices, number, spread, visible_to

__all__ = ["output_shift"]

# Cells worked on at once, so that the temporaries stay in a core's cache.
_BLOCK = 1 << 17


def output_shift(
    attention: ArrayLike,
    V: ArrayLike,
    output: ArrayLike,
    *,
    scores: ArrayLike | None = None,
    mask: NDArray[np.bool_] | None = None,
    temperature: float = 1.0,
) -> Float:
    """Return how far masking key j in row i would move output i, shape (..., n_q, n_k).

    The distance is Euclidean, in the units of `output`. With p = attention[i, j] the rest of the
    row renormalises by 1/(1 - p), so output i moves by p/(1 - p) · ‖o_i - v_j‖: exact, and
    without a recomputation. It is 0 where p is 0; where key j holds the whole row (every other
    weight is 0) the row becomes empty, its output 0, and the shift is ‖o_i‖.

    Where p rounds to 1 the rest of the row is lost to it. With the `scores` (..., n_q, n_k) that
    the weights came from, and their `mask` and `temperature`, the rest of a row whose p is above
    one half is taken from those; a row becomes empty only where no other key is unmasked.

    `attention` is (..., n_q, n_k) with rows that sum to 1 or are all 0, `V` (..., n_k, d_v),
    `output` = attention · V (..., n_q, d_v). Memory stays in the order of the result.
    """
    p, v, o = matrices("attention", attention), matrices("V", V), matrices("output", output)
    check_values(v, p.shape, "attention")
    lead = np.broadcast_shapes(p.shape[:-2], v.shape[:-2])
    wanted = (*lead, p.shape[-2], v.shape[-1])
    if o.shape != wanted:
        raise ValueError(f"output: got shape {o.shape}, want {wanted}")
    n_q, n_k = p.shape[-2:]
    p = np.broadcast_to(p, (*lead, n_q, n_k))
    v = np.broadcast_to(v, (*lead, *v.shape[-2:]))
    shift = np.zeros(p.shape, np.result_type(p, v, o))
    temperature = number("temperature", temperature, at_least=0)
    hidden = None if mask is None else visible_to(mask, shift.shape)
    s = None if scores is None else spread("scores", matrices("scores", scores), shift.shape)
    step = max(1, _BLOCK // max(1, n_k))
    for head in np.ndindex(*lead) if shift.size else ():
        values = v[head].astype(np.float64)
        for start in range(0, n_q, step):
            cut = (*head, slice(start, start + step))
            weights, moved = p[cut].astype(np.float64), o[cut].astype(np.float64)
            rows, i, j = _shift_rows(weights, values, moved)
            # 1 - p and o - v both cancel as p nears 1; such a key leaves a row to recompute.
            if s is None:
                rest = weights[i]
                rest[np.arange(len(i)), j] = 0
                total = rest.sum(1, keepdims=True)
                np.divide(rest, total, out=rest, where=total > 0)
            else:
                gone = np.zeros((len(i), n_k), bool) if hidden is None else hidden[cut][i]
                gone[np.arange(len(i)), j] = True
                rest = softmax(s[cut][i].astype(np.float64), gone, temperature=temperature)
            rows[i, j] = np.sqrt(np.square(moved[i] - np.matmul(rest, values)).sum(1))
            shift[cut] = rows
    return shift


def _shift_rows(
    p: NDArray[np.float64], v: NDArray[np.float64], o: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """`output_shift` of one head by the closed form, and the rows i and keys j it is not good for.

    Shapes: p (r, n_k), v (n_k, d_v), o (r, d_v).
    """
    # ‖o - v‖² = ‖o‖² + ‖v‖² - 2 o·v, about the mean value so that a common offset cancels first.
    centre = v.mean(axis=0)
    near_o, near_v = o - centre, v - centre
    size = np.square(near_o).sum(1)[:, None] + np.square(near_v).sum(1)
    square = np.matmul(near_o * -2, near_v.T)
    square += size
    # What is left after cancellation is noise where o ≈ v: there the difference is taken first.
    size *= 1e-6
    i, j = np.nonzero(square < size)
    step = max(1, _BLOCK // max(1, v.shape[1]))
    for start in range(0, len(i), step):
        a, b = i[start : start + step], j[start : start + step]
        square[a, b] = np.square(near_o[a] - near_v[b]).sum(1)
    shift: NDArray[np.float64] = np.sqrt(square, out=square)
    shift *= p

    j = p.argmax(axis=1)
    i = np.flatnonzero(p[np.arange(len(p)), j] > 0.5)
    j = j[i]
    left = 1 - p
    left[i, j] = 1
    shift /= left
    return shift, i, j
