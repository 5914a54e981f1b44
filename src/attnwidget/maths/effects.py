"""The effect of masking a cell on the output, computed by a closed form in plain NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attnwidget.maths.attention import softmax
from attnwidget.maths.validate import Float, check_values, matrices, number, spread, visible_to

__all__ = ["output_shift"]

# Rows are worked on in blocks of about this many cells, so that temporaries fit in the cache.
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

    The distance is Euclidean, in the units of `output`. Let p = attention[i, j]. Without key j the
    other weights of the row grow by the factor 1/(1 - p), so output i moves by
    p/(1 - p) · ‖o_i - v_j‖. This is exact and needs no recomputation. The shift is 0 if p is 0.
    If key j has the whole weight of the row (every other weight is 0), the row becomes empty, its
    output becomes 0, and the shift is ‖o_i‖.

    Where p rounds to 1, the weights do not tell how the rest of the row divides among the other
    keys. Pass the `scores` (..., n_q, n_k) that the weights came from, and their `mask` and
    `temperature`, to recompute the rest of every row with a p above one half from them. A row
    then becomes empty only if no other key is unmasked.

    `attention` is (..., n_q, n_k) with rows that sum to 1 or are all 0, `V` (..., n_k, d_v),
    `output` = attention · V (..., n_q, d_v). The temporary arrays are about as large as the
    result.

    Raises
    ------
    ValueError
        If a shape does not fit, the temperature is below 0, or an unmasked score is NaN.
    TypeError
        If an argument has a wrong type or dtype.
    """
    p, v, o = matrices("attention", attention), matrices("V", V), matrices("output", output)
    check_values(v, p.shape, "attention")
    lead = np.broadcast_shapes(p.shape[:-2], v.shape[:-2])
    output_shape = (*lead, p.shape[-2], v.shape[-1])
    if o.shape != output_shape:
        raise ValueError(f"output: got shape {o.shape}, want {output_shape}")
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
            weights, outputs = p[cut].astype(np.float64), o[cut].astype(np.float64)
            rows, i, j = _shift_rows(weights, values, outputs)
            # For p near 1, both 1 - p and o - v lose their digits, so recompute these rows.
            if s is None:
                rest = weights[i]
                rest[np.arange(len(i)), j] = 0
                total = rest.sum(1, keepdims=True)
                np.divide(rest, total, out=rest, where=total > 0)
            else:
                gone = np.zeros((len(i), n_k), bool) if hidden is None else hidden[cut][i]
                gone[np.arange(len(i)), j] = True
                rest = softmax(s[cut][i].astype(np.float64), gone, temperature=temperature)
            rows[i, j] = np.sqrt(np.square(outputs[i] - np.matmul(rest, values)).sum(1))
            shift[cut] = rows
    return shift


def _shift_rows(
    p: NDArray[np.float64], v: NDArray[np.float64], o: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Return `output_shift` of a head by the closed form, and the cells where it is inexact.

    The inexact cells are rows i and keys j. Shapes: p (r, n_k), v (n_k, d_v), o (r, d_v).
    """
    # ‖o - v‖² = ‖o‖² + ‖v‖² - 2 o·v. Subtract the mean value first, because a large common offset
    # would cost digits.
    centre = v.mean(axis=0)
    near_o, near_v = o - centre, v - centre
    size = np.square(near_o).sum(1)[:, None] + np.square(near_v).sum(1)
    square = np.matmul(near_o * -2, near_v.T)
    square += size
    # For o ≈ v the sum above is mostly rounding error, so there subtract before squaring.
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
    remaining = 1 - p
    remaining[i, j] = 1
    shift /= remaining
    return shift, i, j
