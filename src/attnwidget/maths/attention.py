"""Scaled dot-product attention in plain NumPy. The functions keep no state.

Only the argument `out` of `softmax` is written into.

Shapes follow Vaswani et al. 2017, "Attention Is All You Need": queries ``Q`` (..., n_q, d_k),
keys ``K`` (..., n_k, d_k), values ``V`` (..., n_k, d_v); the leading axes (heads, batch)
broadcast. A mask is bool and **True means masked**: the query may not see the key.

The input's precision decides the result's: float32 and float16 give float32, all other numbers
give float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attnwidget.maths.validate import (
    Float,
    check_lead,
    check_target,
    check_values,
    matrices,
    number,
    real,
    refuse_nan,
    spread,
    visible_to,
)

__all__ = [
    "AttentionResult",
    "attention",
    "project",
    "scores",
    "softmax",
]

# `softmax` works on blocks of this many cells: 512 kB of float32, which fits in a core's cache.
_BLOCK = 1 << 17


class AttentionResult(NamedTuple):
    """The three results of `attention`: scores, weights and output.

    Shapes: `scores` and `attention` (..., n_q, n_k), `output` (..., n_q, d_v).
    """

    scores: Float
    attention: Float
    output: Float


def scores(
    Q: ArrayLike,
    K: ArrayLike,
    *,
    scale: float | None = None,
    softcap: float | None = None,
    bias: ArrayLike | None = None,
) -> Float:
    """Return Q Kᵀ · scale + bias, shape (..., n_q, n_k), before mask and softmax.

    `Q` is (..., n_q, d_k), `K` is (..., n_k, d_k). `scale` defaults to 1/√d_k (Vaswani et al.
    2017, section 3.2.1). A `softcap` c bounds Q Kᵀ · scale to (-c, c), as c · tanh(x / c) (Gemma 2,
    arXiv 2408.00118). `bias` broadcasts to the scores: for example ALiBi's penalty, or a relative
    position bias.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or `scale` is not finite.
    TypeError
        If an argument is not numeric.

    Examples
    --------
    >>> scores([[1, 0, 0, 0]], [[4, 0, 0, 0], [0, 4, 0, 0]])
    array([[2., 0.]])
    """
    q, k = matrices("Q", Q), matrices("K", K)
    d_k = q.shape[-1]
    if d_k == 0:
        raise ValueError(f"Q: got shape {q.shape}, want at least one column")
    if k.shape[-1] != d_k:
        raise ValueError(f"K: got shape {k.shape}, want (..., n_k, {d_k}) as Q has {q.shape}")
    check_lead("K", k.shape, "Q", q.shape)
    # Scale the queries, not the scores, because n_q·d_k products are fewer than n_q·n_k.
    factor = 1 / math.sqrt(d_k) if scale is None else number("scale", scale)
    dots: Float = np.matmul(q * factor, np.swapaxes(k, -1, -2))
    if softcap is not None:
        if not 0 < softcap < np.inf:
            raise ValueError(f"softcap: got {softcap}, want a positive number")
        dots /= softcap
        np.tanh(dots, out=dots)
        dots *= softcap
    if bias is not None:
        offsets = real("bias", bias)
        dots = dots.astype(np.result_type(dots, offsets), copy=False)
        dots += spread("bias", offsets, dots.shape)
    return dots


def softmax(
    scores: ArrayLike,
    mask: NDArray[np.bool_] | None = None,
    *,
    temperature: float = 1.0,
    out: Float | None = None,
) -> Float:
    """Return the softmax of `scores` / `temperature` over the unmasked keys, shape (..., n_k).

    `mask` is bool and broadcasts to the shape of `scores`. Masked scores may have any value, also
    NaN. A masked cell of the result is exactly 0, and a row whose keys are all masked is all 0.
    Finite scores of any size are safe, because a row's largest unmasked score is subtracted
    first. Infinite scores give the limit: a key at -inf gets 0 (a row of only -inf is all 0), and
    the keys at +inf share the row equally.

    `temperature` (Hinton et al. 2015, arXiv 1503.02531) is 0 or more. At 0 the keys with the
    row's largest score share the row equally, which is the limit for small temperatures.

    `out` receives the result in place of a new array. It has the shape of `scores`, and dtype
    float32 if `scores` is float32 or float16, else float64. ``out=scores`` works in place.
    An error leaves `out` unchanged.

    Raises
    ------
    ValueError
        If an unmasked score is NaN, the temperature is below 0, or a shape does not fit.
    TypeError
        If an argument has a wrong type or dtype.

    Examples
    --------
    >>> softmax([[0.0, 0.0, 1e4]], np.array([False, False, True]))
    array([[0.5, 0.5, 0. ]])
    """
    s = real("scores", scores)
    heat = number("temperature", temperature, at_least=0)
    if s.ndim == 0:
        raise ValueError("scores: got a single number, want shape (..., n_k)")
    hidden = None if mask is None else visible_to(mask, s.shape)
    if out is None:
        out = np.empty(s.shape, s.dtype)
    else:
        check_target("out", out, s.shape)
        if out.dtype != s.dtype:
            raise TypeError(f"out: got dtype {out.dtype}, want {s.dtype} as the scores have")
        if not _same_cells(out, s) and np.may_share_memory(out, s):
            s = s.copy()
    if s.size == 0:
        return out
    refuse_nan(s, hidden)
    # A difference may overflow to -inf. Its weight is then 0, which is correct.
    with np.errstate(over="ignore"):
        for block in _blocks(s.shape, _BLOCK):
            _softmax_block(s[block], None if hidden is None else hidden[block], out[block], heat)
    return out


def attention(
    Q: ArrayLike,
    K: ArrayLike,
    V: ArrayLike,
    *,
    mask: NDArray[np.bool_] | None = None,
    scale: float | None = None,
    bias: ArrayLike | None = None,
    temperature: float = 1.0,
) -> AttentionResult:
    """Return scores = Q Kᵀ · scale + bias, their softmax, and output = softmax · V.

    `Q` is (..., n_q, d_k), `K` (..., n_k, d_k), `V` (..., n_k, d_v). `mask` is bool and broadcasts
    to (..., n_q, n_k); True hides the key. A query with every key masked gets an output of 0.
    The arguments have the defaults and raise the errors of `scores` and `softmax`.

    >>> attention([[1.0]], [[1.0], [1.0]], [[2.0], [4.0]]).output
    array([[3.]])
    """
    v = matrices("V", V)
    s = scores(Q, K, scale=scale, bias=bias)
    check_values(v, s.shape)
    weights = softmax(s, mask, temperature=temperature)
    return AttentionResult(s, weights, np.matmul(weights, v))


def project(X: ArrayLike, W: ArrayLike) -> Float:
    """Return X W: (n, d) for `W` (d_model, d), (h, n, d) for `W` (h, d_model, d).

    `X` is (n, d_model).

    Raises
    ------
    ValueError
        If the shape of `X` or `W` does not fit.
    TypeError
        If `X` or `W` is not numeric.
    """
    x, w = real("X", X), real("W", W)
    if x.ndim != 2:
        raise ValueError(f"X: got shape {x.shape}, want (n, d_model)")
    d_model = x.shape[1]
    if w.ndim not in (2, 3) or w.shape[-2] != d_model:
        raise ValueError(
            f"W: got shape {w.shape}, want ({d_model}, d) or (h, {d_model}, d) as X has {x.shape}"
        )
    projected: Float = np.matmul(x, w)
    return projected


def _softmax_block(
    s: Float, hidden: NDArray[np.bool_] | None, out: Float, temperature: float
) -> None:
    """Write the softmax over the last axis of `s` into `out`; no unmasked score may be NaN."""
    work = s
    if hidden is not None:
        if not _same_cells(out, s):
            np.copyto(out, s)
        np.copyto(out, -np.inf, where=hidden)
        work = out
    top = work.max(axis=-1, keepdims=True)
    if not np.isfinite(top).all():
        if work is not out:
            np.copyto(out, work)
            work = out
        # In a row with keys at +inf, these keys share the row and every other key gets 0.
        infinite_rows = np.broadcast_to(top == np.inf, out.shape)
        np.copyto(out, np.where(out == np.inf, 0.0, -np.inf), where=infinite_rows)
        top = np.where(np.isfinite(top), top, top.dtype.type(0))
    np.subtract(work, top, out=out)
    # Divide after the subtraction: every number is then at most 0, so a tiny temperature can
    # only make it -inf.
    if temperature == 0:
        np.copyto(out, np.where(out == 0, 0.0, -np.inf))
    elif temperature != 1:
        # Divide in float64, because in float32 some temperatures would round to 0 or infinity.
        np.divide(out, temperature, out=out, dtype=np.float64, casting="same_kind")
    np.exp(out, out=out)
    total = out.sum(axis=-1, keepdims=True)
    total[total == 0] = 1
    np.divide(out, total, out=out)


def _blocks(shape: tuple[int, ...], limit: int) -> Iterator[tuple[int | slice, ...]]:
    """Yield indices that cut an array into blocks of about `limit` cells, with whole rows."""
    if len(shape) == 1 or math.prod(shape) <= limit:
        yield ()
        return
    inner = math.prod(shape[1:])
    if inner <= limit:
        step = limit // inner
        for start in range(0, shape[0], step):
            yield (slice(start, start + step),)
        return
    for first in range(shape[0]):
        for rest in _blocks(shape[1:], limit):
            yield (first, *rest)


def _same_cells(a: Float, b: Float) -> bool:
    """Return whether two arrays have the same memory in the same order."""
    return a is b or (a.ctypes.data == b.ctypes.data and a.strides == b.strides)
