"""Recipes: attention weights as mistaken code computes them, step by step.

Attention weights are computed in steps: dot products, scale, mask, softmax (a shift, then a
total), and changes after the softmax. A `Recipe` names a variant for each step. A mistake is a
recipe with a wrong variant, and `follow` computes the weights of a recipe as the mistaken code
would.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Array", "Mask", "Recipe", "follow", "raw_scores", "weigh"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_DOTS: Mapping[str, Callable[[Array, Array], Array]] = {
    "Q K.T": lambda q, k: q @ k.T,
    "Q K": lambda q, k: q @ k,
    "Q reshape(K)": lambda q, k: q @ k.reshape(k.shape[::-1]),
    "K Q.T": lambda q, k: k @ q.T,
    "Q.T K": lambda q, k: q.T @ k,
}
_SCALES: Mapping[str, Callable[[float, int, int, int], float]] = {
    "right": lambda c, n_q, n_k, d_k: c,
    "none": lambda c, n_q, n_k, d_k: 1.0,
    "/ d_k": lambda c, n_q, n_k, d_k: 1 / d_k,
    "* sqrt(d_k)": lambda c, n_q, n_k, d_k: math.sqrt(d_k),
    "/ sqrt(n_k)": lambda c, n_q, n_k, d_k: 1 / math.sqrt(n_k),
    "/ sqrt(n_q)": lambda c, n_q, n_k, d_k: 1 / math.sqrt(n_q),
}
_MASKS: Mapping[str, Callable[[Array, Mask, Array], Array]] = {
    "hide": lambda s, hidden, m: np.where(hidden, -np.inf, s),
    "swap": lambda s, hidden, m: np.where(hidden, s, -np.inf),
    "raise": lambda s, hidden, m: s + 1e9 * hidden,
    "times keep": lambda s, hidden, m: s * ~hidden,
    "times mask": lambda s, hidden, m: s * hidden,
    "add": lambda s, hidden, m: s + m,
    "subtract": lambda s, hidden, m: s - m,
    "ignore": lambda s, hidden, m: s,
}
# The axis of a maximum or a total, and whether the axis is kept. "flat" is a row without keepdims.
_ALONG: Mapping[str, tuple[int | None, bool]] = {
    "row": (1, True),
    "column": (0, True),
    "map": (None, True),
    "flat": (1, False),
}
_AFTER: Mapping[str, Callable[[Array, Mask], Array]] = {
    "as is": lambda a, hidden: a,
    "zero masked": lambda a, hidden: a * ~hidden,
    "zero open": lambda a, hidden: a * hidden,
    "transposed": lambda a, hidden: a.T,
}


class Recipe(NamedTuple):
    """A variant for each step; the defaults are right. `scale` may also be a number."""

    dots: str = "Q K.T"
    scale: str | float = "right"
    mask: str = "hide"
    shift: str = "row"
    total: str = "row"
    after: str = "as is"

    def merged(self, other: Recipe) -> Recipe | None:
        """Return the recipe with the changes of both, None if both change the same step."""
        steps: list[Any] = []
        for own_step, other_step, right_step in zip(self, other, Recipe(), strict=True):
            if own_step != right_step and other_step not in (right_step, own_step):
                return None
            steps.append(own_step if own_step != right_step else other_step)
        return Recipe(*steps)


def follow(
    recipe: Recipe, Q: Array, K: Array, hidden: Mask, scale: float, handed: ArrayLike | None = None
) -> Array:
    """Return the weights that `recipe` gives, in float64 and without a warning.

    `hidden` is the mask (n_q, n_k), True = masked. `handed` is the mask in the numbers that the
    tested code got (default: 0 and 1), because a recipe may add them to the scores. The shape is
    (n_q, n_k), except for a recipe with a wrong transposition.

    Raises
    ------
    ValueError
        If the shapes do not fit a step, as they would not in the mistaken code.
    """
    return weigh(recipe, raw_scores(recipe, Q, K, len(hidden), scale), hidden, handed)


def raw_scores(
    recipe: Recipe,
    Q: Array,
    K: Array,
    n_q: int,
    scale: float,
    *,
    softcap: float | None = None,
    bias: Array | None = None,
) -> Array:
    """Return the scores of `recipe`, before mask and softmax; see `attention.scores`.

    Raises
    ------
    ValueError
        If the shapes do not fit, as they would not in the mistaken code.
    """
    factor = recipe.scale
    if isinstance(factor, str):
        factor = _SCALES[factor](scale, n_q, len(K), Q.shape[1])
    with np.errstate(all="ignore"):
        dots = _DOTS[recipe.dots](Q, K) * factor
        if softcap is not None:
            dots = softcap * np.tanh(dots / softcap)
        return dots if bias is None else dots + bias


def weigh(
    recipe: Recipe,
    scores: Array,
    hidden: Mask,
    handed: ArrayLike | None = None,
    temperature: float = 1.0,
) -> Array:
    """Return the weights that `recipe` makes of the scores; the arguments are those of `follow`.

    Raises
    ------
    ValueError
        If the shapes do not fit a step.
    """
    number = hidden.astype(float) if handed is None else np.asarray(handed, dtype=float)
    with np.errstate(all="ignore"):
        s = scores
        if hidden.any():
            s = _MASKS[recipe.mask](s, hidden, number)
        if recipe.shift != "none":
            axis, keep = _ALONG[recipe.shift]
            s = s - s.max(axis=axis, keepdims=keep)
        if temperature != 1:
            # At temperature 0, the limit: a score at the maximum stays at the maximum.
            s = np.where(s == 0, 0, s / temperature)
        e = np.exp(s)
        axis, keep = _ALONG[recipe.total]
        a: Array = e / e.sum(axis=axis, keepdims=keep)
        if recipe.mask == "hide" and recipe.shift == "row" and hidden.any():
            a[hidden.all(axis=1)] = 0  # these mistakes keep the definition for empty rows
        if hidden.any() or recipe.after == "transposed":
            a = _AFTER[recipe.after](a, hidden)
    return a
