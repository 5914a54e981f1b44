"""Scaled dot-product attention in plain NumPy: no state, and no argument is changed.

Shapes follow Vaswani et al. 2017, "Attention Is All You Need": queries ``Q`` (..., n_q, d_k),
keys ``K`` (..., n_k, d_k), values ``V`` (..., n_k, d_v); the leading axes (heads, batch)
broadcast. A mask is bool and **True means masked**: the query may not see the key.

Numbers are computed in the precision that they come in: float32 (and float16, promoted) gives
float32, everything else float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "AttentionResult",
    "attend_rows",
    "attention",
    "output_shift",
    "project",
    "scores",
    "softmax",
]

Float = NDArray[np.floating[Any]]

# Cells worked on at once: 512 kB of float32 stays in a core's cache from pass to pass.
_BLOCK = 1 << 17


class AttentionResult(NamedTuple):
    """What `attention` computes, step by step.

    Shapes: `scores` and `attention` (..., n_q, n_k), `output` (..., n_q, d_v).
    """

    scores: Float
    attention: Float
    output: Float


def scores(Q: ArrayLike, K: ArrayLike, *, scale: float | None = None) -> Float:
    """Return Q Kᵀ · scale, shape (..., n_q, n_k), before mask and softmax.

    `Q` is (..., n_q, d_k), `K` is (..., n_k, d_k). `scale` defaults to 1/√d_k (Vaswani et al.
    2017, section 3.2.1). Raises ValueError where the shapes do not fit or the scale is not
    finite, TypeError where an argument is not numeric.

    >>> scores([[1, 0, 0, 0]], [[4, 0, 0, 0], [0, 4, 0, 0]])
    array([[2., 0.]])
    """
    q, k = _matrices("Q", Q), _matrices("K", K)
    d_k = q.shape[-1]
    if d_k == 0:
        raise ValueError(f"Q must have at least one column, got shape {q.shape}")
    if k.shape[-1] != d_k:
        raise ValueError(f"K must have shape (..., n_k, {d_k}) to match Q {q.shape}, got {k.shape}")
    _lead("K", k.shape, "Q", q.shape)
    # Scaling the queries costs n_q·d_k products, scaling the scores n_q·n_k.
    dots: Float = np.matmul(q * _factor(scale, d_k), np.swapaxes(k, -1, -2))
    return dots


def softmax(
    scores: ArrayLike, mask: NDArray[np.bool_] | None = None, *, out: Float | None = None
) -> Float:
    """Return the softmax of `scores` (..., n_k) over the keys that `mask` leaves.

    `mask` is bool and broadcasts to the shape of `scores`; what it hides may be anything, NaN
    too. Masked cells come out as exactly 0, and a row without any key left as all 0. The largest
    unmasked score of a row is subtracted first, so finite scores of any size are safe.
    Infinite scores mean their limits: -inf weighs 0 (a row of only -inf is all 0), and keys
    at +inf share the row equally. An unmasked NaN raises ValueError.

    `out` receives the result in place of a new array: same shape, and dtype float32 where
    `scores` is float32 or float16, else float64. ``out=scores`` works in place. On an error
    `out` is left as it was.

    >>> softmax([[0.0, 0.0, 1e4]], np.array([False, False, True]))
    array([[0.5, 0.5, 0. ]])
    """
    s = _real("scores", scores)
    if s.ndim == 0:
        raise ValueError("scores must have shape (..., n_k), got a single number")
    hidden = None if mask is None else _visible_to(mask, s.shape)
    if out is None:
        out = np.empty(s.shape, s.dtype)
    else:
        _check_target("out", out, s.shape)
        if out.dtype != s.dtype:
            raise TypeError(f"out must have dtype {s.dtype} like the scores, got {out.dtype}")
        if not _same_cells(out, s) and np.may_share_memory(out, s):
            s = s.copy()
    if s.size == 0:
        return out
    _refuse_nan(s, hidden)
    # A difference beyond the largest float is -inf, and that is its right answer.
    with np.errstate(over="ignore"):
        for block in _blocks(s.shape, _BLOCK):
            _softmax_block(s[block], None if hidden is None else hidden[block], out[block])
    return out


def attention(
    Q: ArrayLike,
    K: ArrayLike,
    V: ArrayLike,
    *,
    mask: NDArray[np.bool_] | None = None,
    scale: float | None = None,
) -> AttentionResult:
    """Return scores, attention = softmax(Q Kᵀ · scale) and output = attention · V.

    `Q` is (..., n_q, d_k), `K` (..., n_k, d_k), `V` (..., n_k, d_v); `mask` is bool, broadcasts
    to (..., n_q, n_k), and True hides the key. A query with every key masked gets an output of 0.
    Defaults and errors are those of `scores` and `softmax`.

    >>> attention([[1.0]], [[1.0], [1.0]], [[2.0], [4.0]]).output
    array([[3.]])
    """
    v = _matrices("V", V)
    s = scores(Q, K, scale=scale)
    _check_values(v, s.shape)
    weights = softmax(s, mask)
    return AttentionResult(s, weights, np.matmul(weights, v))


def attend_rows(
    scores: ArrayLike,
    V: ArrayLike,
    mask: NDArray[np.bool_] | None,
    rows: ArrayLike,
    *,
    attention: Float,
    output: Float,
) -> None:
    """Recompute the query rows `rows` of `attention` and `output` in place, and no others.

    What a changed mask cell costs is its row. `scores` is (..., n_q, n_k), `V` (..., n_k, d_v),
    `mask` bool and broadcastable to the scores, `rows` 1-D integers from 0 to n_q - 1.
    `attention` (..., n_q, n_k) and `output` (..., n_q, d_v) must be writable float arrays; they
    change only after everything has been checked and computed.
    """
    s, v = _matrices("scores", scores), _matrices("V", V)
    n_q = s.shape[-2]
    index = np.asarray(rows)
    if index.ndim != 1 or (index.size and index.dtype.kind not in "iu"):
        raise ValueError(
            f"rows must be 1-D integers, got dtype {index.dtype} and shape {index.shape}"
        )
    if index.size == 0:
        return
    if index.min() < 0 or index.max() >= n_q:
        raise ValueError(f"rows must be from 0 to {n_q - 1}, got {index.min()} to {index.max()}")
    _check_values(v, s.shape)
    _check_target("attention", attention, s.shape)
    lead = np.broadcast_shapes(s.shape[:-2], v.shape[:-2])
    _check_target("output", output, (*lead, n_q, v.shape[-1]))
    hidden = None if mask is None else _visible_to(mask, s.shape)[..., index, :]
    part = s[..., index, :]
    weights = softmax(part, hidden, out=part)
    moved = np.matmul(weights, v)
    attention[..., index, :] = weights
    output[..., index, :] = moved


def project(X: ArrayLike, W: ArrayLike) -> Float:
    """Return X W: (n, d) for `W` (d_model, d), (h, n, d) for `W` (h, d_model, d).

    `X` is (n, d_model). Raises ValueError that names the argument whose shape does not fit.
    """
    x, w = _real("X", X), _real("W", W)
    if x.ndim != 2:
        raise ValueError(f"X must have shape (n, d_model), got {x.shape}")
    d_model = x.shape[1]
    if w.ndim not in (2, 3) or w.shape[-2] != d_model:
        raise ValueError(
            f"W must have shape ({d_model}, d) or (h, {d_model}, d) to match X {x.shape}, "
            f"got {w.shape}"
        )
    projected: Float = np.matmul(x, w)
    return projected


def output_shift(attention: ArrayLike, V: ArrayLike, output: ArrayLike) -> Float:
    """Return how far masking key j in row i would move output i, shape (..., n_q, n_k).

    The distance is Euclidean, in the units of `output`. With p = attention[i, j] the rest of the
    row renormalises by 1/(1 - p), so output i moves by p/(1 - p) · ‖o_i - v_j‖: exact, and
    without a recomputation. It is 0 where p is 0; where key j holds the whole row (every other
    weight is 0) the row becomes empty, its output 0, and the shift is ‖o_i‖.

    `attention` is (..., n_q, n_k) with rows that sum to 1 or are all 0, `V` (..., n_k, d_v),
    `output` = attention · V (..., n_q, d_v). Memory stays in the order of the result.
    """
    p, v, o = _matrices("attention", attention), _matrices("V", V), _matrices("output", output)
    _check_values(v, p.shape, "attention")
    lead = np.broadcast_shapes(p.shape[:-2], v.shape[:-2])
    wanted = (*lead, p.shape[-2], v.shape[-1])
    if o.shape != wanted:
        raise ValueError(f"output must have shape {wanted}, got {o.shape}")
    n_q, n_k = p.shape[-2:]
    p = np.broadcast_to(p, (*lead, n_q, n_k))
    v = np.broadcast_to(v, (*lead, *v.shape[-2:]))
    shift = np.zeros(p.shape, np.result_type(p, v, o))
    step = max(1, _BLOCK // max(1, n_k))
    for head in np.ndindex(*lead) if shift.size else ():
        values = v[head].astype(np.float64)
        for start in range(0, n_q, step):
            cut = (*head, slice(start, start + step))
            shift[cut] = _shift_rows(p[cut].astype(np.float64), values, o[cut].astype(np.float64))
    return shift


def _shift_rows(
    p: NDArray[np.float64], v: NDArray[np.float64], o: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`output_shift` of one head: p (r, n_k), v (n_k, d_v), o (r, d_v)."""
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

    # 1 - p and o - v both cancel as p nears 1; such a key leaves a row to recompute instead.
    j = p.argmax(axis=1)
    i = np.flatnonzero(p[np.arange(len(p)), j] > 0.5)
    j = j[i]
    rest = p[i]
    rest[np.arange(len(i)), j] = 0
    total = rest.sum(1, keepdims=True)
    without = np.divide(np.matmul(rest, v), total, out=np.zeros_like(o[i]), where=total > 0)
    left = 1 - p
    left[i, j] = 1
    shift /= left
    shift[i, j] = np.sqrt(np.square(o[i] - without).sum(1))
    return shift


def _softmax_block(s: Float, hidden: NDArray[np.bool_] | None, out: Float) -> None:
    """Softmax over the last axis of a block that fits in the cache; no unmasked NaN."""
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
        # The limit of a row with keys at +inf: those share it, every other key is left with 0.
        limit = np.broadcast_to(top == np.inf, out.shape)
        np.copyto(out, np.where(out == np.inf, 0.0, -np.inf), where=limit)
        top = np.where(np.isfinite(top), top, top.dtype.type(0))
    np.subtract(work, top, out=out)
    np.exp(out, out=out)
    total = out.sum(axis=-1, keepdims=True)
    total[total == 0] = 1
    np.divide(out, total, out=out)


def _blocks(shape: tuple[int, ...], limit: int) -> Iterator[tuple[int | slice, ...]]:
    """Yield indices that cut an array into pieces of about `limit` cells, rows kept whole."""
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


def _factor(scale: float | None, d_k: int) -> float:
    if scale is None:
        return 1 / math.sqrt(d_k)
    try:
        factor = float(scale)
    except (TypeError, ValueError) as error:
        raise TypeError(f"scale must be a number or None, got {scale!r}") from error
    if not math.isfinite(factor):
        raise ValueError(f"scale must be finite, got {factor}")
    return factor


def _real(name: str, value: ArrayLike) -> Float:
    """`value` as float32 or float64, itself where it already is."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(value).__name__
        raise TypeError(f"{name} must be an array of real numbers, got {kind}: {error}") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}")
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    return array.astype(np.float32 if single else np.float64, copy=False)


def _matrices(name: str, value: ArrayLike) -> Float:
    array = _real(name, value)
    if array.ndim < 2:
        raise ValueError(f"{name} must have 2 or more axes (..., n, d), got shape {array.shape}")
    return array


def _lead(name: str, shape: tuple[int, ...], other: str, other_shape: tuple[int, ...]) -> None:
    try:
        np.broadcast_shapes(shape[:-2], other_shape[:-2])
    except ValueError as error:
        raise ValueError(
            f"{name} must have leading axes that broadcast with {other} {other_shape}, got {shape}"
        ) from error


def _check_values(v: Float, shape: tuple[int, ...], other: str = "scores") -> None:
    n_k = shape[-1]
    if v.shape[-2] != n_k:
        raise ValueError(
            f"V must have shape (..., {n_k}, d_v), a row for each key of {other} {shape}, "
            f"got {v.shape}"
        )
    _lead("V", v.shape, other, shape)


def _visible_to(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    hidden = np.asarray(mask)
    if hidden.dtype != np.bool_:
        raise TypeError(
            f"mask must be bool with True = masked, got dtype {hidden.dtype}; "
            "masks.as_mask turns other forms into it"
        )
    try:
        return np.broadcast_to(hidden, shape)
    except ValueError as error:
        raise ValueError(f"mask must broadcast to scores {shape}, got {hidden.shape}") from error


def _check_target(name: str, target: Float, shape: tuple[int, ...]) -> None:
    if not isinstance(target, np.ndarray) or target.dtype.kind != "f":
        got = getattr(target, "dtype", type(target).__name__)
        raise TypeError(f"{name} must be a NumPy array of floats to write into, got {got}")
    if target.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {target.shape}")
    if not target.flags.writeable:
        raise ValueError(f"{name} must be writable, got a read-only array of shape {shape}")


def _refuse_nan(s: Float, hidden: NDArray[np.bool_] | None) -> None:
    # One pass that needs no array of its own: a maximum carries NaN.
    if not np.isnan(s.max()):
        return
    bad = np.isnan(s) if hidden is None else np.isnan(s) & ~hidden
    if bad.any():
        where = tuple(int(axis) for axis in np.argwhere(bad)[0])
        raise ValueError(f"scores must not be NaN where they are not masked, got NaN at {where}")


def _same_cells(a: Float, b: Float) -> bool:
    return a is b or (a.ctypes.data == b.ctypes.data and a.strides == b.strides)
