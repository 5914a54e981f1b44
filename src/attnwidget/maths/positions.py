"""Three encodings of a token's position: sinusoidal, rotary and ALiBi, in NumPy and float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attnwidget.maths.validate import matrices, number, size

__all__ = ["POSITIONAL", "alibi", "alibi_slopes", "rotary", "sinusoidal"]

POSITIONAL = ("none", "sinusoidal", "rotary", "alibi")


def sinusoidal(n: int, d_model: int) -> NDArray[np.float64]:
    """Return the encodings to add to the embeddings of positions 0..n-1, shape (n, d_model).

    Column 2i is sin(position / 10000^(2i/d_model)), column 2i+1 the cosine of the same angle
    (Vaswani et al. 2017, arXiv 1706.03762, section 3.5).

    >>> sinusoidal(2, 2).round(4)
    array([[0.    , 1.    ],
           [0.8415, 0.5403]])
    """
    column = np.arange(size("d_model", d_model))
    angle = np.arange(size("n", n, at_least=0))[:, None] / 10000.0 ** (2 * (column // 2) / d_model)
    return np.where(column % 2 == 0, np.sin(angle), np.cos(angle))


def rotary(x: ArrayLike, base: float = 10000.0) -> NDArray[np.float64]:
    """Return queries or keys `x` (..., n, d), each rotated by an angle that grows with position.

    The pair of columns (2i, 2i+1) is a point of the plane, rotated by position · base^(-2i/d)
    (Su et al. 2021, arXiv 2104.09864). The dot product of two rotated vectors depends only on the
    difference of their positions.

    Raises
    ------
    ValueError
        If d is odd, or `base` is below 1.

    Examples
    --------
    >>> rotary([[1.0, 0.0], [1.0, 0.0]]).round(4)
    array([[1.    , 0.    ],
           [0.5403, 0.8415]])
    """
    array = matrices("x", x).astype(np.float64)
    n, d = array.shape[-2:]
    if d % 2:
        raise ValueError(f"x: got {d} columns, want an even number: columns are turned in pairs")
    angle = np.arange(n)[:, None] * number("base", base, at_least=1) ** (-np.arange(0, d, 2) / d)
    cos, sin = np.cos(angle), np.sin(angle)
    rotated = np.empty_like(array)
    rotated[..., 0::2] = array[..., 0::2] * cos - array[..., 1::2] * sin
    rotated[..., 1::2] = array[..., 0::2] * sin + array[..., 1::2] * cos
    return rotated


def alibi_slopes(n_heads: int) -> NDArray[np.float64]:
    """Return the slope of each head's penalty on distance, (h,).

    If h is a power of two, the slopes are 2^(-8/h), 2^(-16/h), ..., 2^-8. For another h, take the
    slopes of the next lower power of two, then every second slope of the next higher power (Press
    et al. 2021, arXiv 2108.12409, and the authors' code).

    >>> alibi_slopes(2)
    array([0.0625    , 0.00390625])
    """
    power = 1 << (size("n_heads", n_heads).bit_length() - 1)
    slopes = 2.0 ** (-8 / power * np.arange(1, power + 1))
    between = 2.0 ** (-4 / power * np.arange(1, 2 * (n_heads - power), 2))
    return np.concatenate([slopes, between])


def alibi(n_heads: int, n_q: int, n_k: int) -> NDArray[np.float64]:
    """Return the penalty to add to the scores, -slope · |i - j|, shape (h, n_q, n_k).

    Press et al. 2021, arXiv 2108.12409. The paper's models are causal. Here a later key gets the
    same penalty as an earlier key at the same distance.

    >>> alibi(1, 1, 3)
    array([[[ 0.        , -0.00390625, -0.0078125 ]]])
    """
    i, j = np.arange(size("n_q", n_q, at_least=0)), np.arange(size("n_k", n_k, at_least=0))
    penalty: NDArray[np.float64] = alibi_slopes(n_heads)[:, None, None] * -np.abs(i[:, None] - j)
    return penalty
