"""Bound the error of each element of an attention output that rounding alone may cause.

A first-order bound after Higham, "Accuracy and Stability of Numerical Algorithms" (2002), chapter
3: the error of an inner product is at most a multiple of the unit roundoff u times the product of
the absolute values. With errors d_j of the scores of a query, weights w_j and output o, the output
moves by at most Σ_j w_j (exp(d_j + Σ w d) - 1) |V_j - o|, and the sum itself rounds by
u (Σ_j w_j |V_j| + |o|).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from attnwidget.capture.records import Call

_FLOAT32 = 2.0**-23
# The relative error of a sum in float32, and a number that is added to every bound.
UNIT = 8 * _FLOAT32
TINY = 1e-30
# The smallest positive number of float16. Smaller weights and products become 0.
_LEAST = 6e-8
_HALVES = ("torch.float16", "torch.bfloat16")


def output_bounds(
    call: Call, scores: NDArray, weights: NDArray, V: NDArray, output: NDArray
) -> NDArray:
    """Return the largest error of each element of `output` (h, n, d_v) that rounding explains.

    `scores` and `weights` are (h, n, n_k), `V` is (h, n_k, d_v), of the queries of `call`. The
    weights are computed in float32 at best; a model in half precision rounds scores, weights and
    outputs to half once each.
    """
    import torch

    assert call.v is not None
    is_half = str(call.v.dtype) in _HALVES
    unit = torch.finfo(call.v.dtype).eps / 2 if is_half else UNIT
    sizes = np.abs(np.where(weights > 0, scores, 0))
    reach, products = _reach(call, sizes)
    if is_half:
        errors = unit * (2 * products + sizes) + 4 * _FLOAT32 * reach
    else:
        errors = unit * (reach + sizes + 1)
    errors = np.minimum(np.where(weights > 0, errors, 0), 20)
    mean = (weights * errors).sum(axis=-1, keepdims=True)
    moved = weights * np.expm1(np.minimum(errors + mean, 20))
    bounds: NDArray = _spread(moved, V, output) + unit * (weights @ np.abs(V) + np.abs(output))
    if call.v.dtype == torch.float16:
        bounds += _LEAST * np.abs(V).sum(axis=1, keepdims=True)
    return bounds + TINY


def _spread(moved: NDArray, V: NDArray, output: NDArray) -> NDArray:
    """Return at least Σ_j moved_j |V_j - o|: √(Σ moved · Σ moved (V - o)²), by Cauchy and Schwarz.

    This needs only products of matrices, and no array of queries by keys by d_v.
    """
    total = moved.sum(axis=-1, keepdims=True)
    squares = moved @ (V * V) - 2 * output * (moved @ V) + output * output * total
    spread: NDArray = np.sqrt(total * np.maximum(squares, 0))
    return spread


def _reach(call: Call, sizes: NDArray) -> tuple[NDArray, NDArray]:
    """Return |scale| · Σ |q_i k_i| and |scale · q·k| of each score; |score| for unknown q or k."""
    if call.q is None or call.k is None or call.scores is not None:
        return sizes, sizes
    q, k = _wide(call.q), _wide(call.k)
    groups, n = q.reshape(len(k), -1, *q.shape[1:]), sizes.shape[-1]
    scale = abs(call.scale)
    reach = scale * (np.abs(groups) @ np.abs(k)[:, None].swapaxes(-1, -2))
    products = scale * np.abs(groups @ k[:, None].swapaxes(-1, -2))
    return reach.reshape(*q.shape[:2], n), products.reshape(*q.shape[:2], n)


def _wide(tensor: torch.Tensor) -> NDArray:
    import torch

    array: NDArray = tensor.detach().to("cpu", torch.float64).numpy()
    return array
