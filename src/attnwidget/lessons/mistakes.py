"""The known mistakes in a hand-written attention function, and the weights that they give.

Attention weights are computed in steps: dot products, scale, mask, softmax (a shift, then a
total), and changes after the softmax. A `Recipe` names a variant for each step. A mistake is a
recipe with a wrong variant, and `follow` computes the weights of a recipe as the mistaken code
would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attnwidget.maths.attention import scores
from attnwidget.maths.masks import as_mask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["MISTAKES", "OTHERS", "Mistake", "Recipe", "Spelling", "follow"]

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
    n_q, n_k, d_k = len(Q), len(K), Q.shape[1]
    factor = recipe.scale
    if isinstance(factor, str):
        factor = _SCALES[factor](scale, n_q, n_k, d_k)
    number = hidden.astype(float) if handed is None else np.asarray(handed, dtype=float)
    with np.errstate(all="ignore"):
        s = _DOTS[recipe.dots](Q, K) * factor
        if hidden.any():
            s = _MASKS[recipe.mask](s, hidden, number)
        if recipe.shift != "none":
            axis, keep = _ALONG[recipe.shift]
            s = s - s.max(axis=axis, keepdims=keep)
        e = np.exp(s)
        axis, keep = _ALONG[recipe.total]
        a: Array = e / e.sum(axis=axis, keepdims=keep)
        if recipe.mask == "hide" and recipe.shift == "row" and hidden.any():
            a[hidden.all(axis=1)] = 0  # these mistakes keep the definition for empty rows
        if hidden.any() or recipe.after == "transposed":
            a = _AFTER[recipe.after](a, hidden)
    return a


class Spelling(NamedTuple):
    """A way to write a mistake: the recipe, and a sentence `what` that describes it."""

    recipe: Recipe
    what: str


@dataclass(frozen=True)
class Mistake:
    """A mistake with a name.

    `what` describes the mistake, `mend` the remedy. `breaks` names the invariant that the weights
    violate, by which the mistake can be seen. `spellings` are the ways to write the mistake that
    give different numbers; the first is the usual way.
    """

    name: str
    what: str
    mend: str
    breaks: str
    spellings: tuple[Spelling, ...]

    def weights(
        self,
        Q: ArrayLike,
        K: ArrayLike,
        mask: ArrayLike | None = None,
        scale: float | None = None,
    ) -> Array:
        """Return the weights (n_q, n_k), float64, of the mistake in its usual spelling.

        `Q` is (n_q, d_k), `K` (n_k, d_k). `mask` has any form that `as_mask` accepts. `scale` is
        1/√d_k by default.

        Raises
        ------
        ValueError
            If an argument does not fit, or the mistaken code fails on these shapes, with NumPy's
            message (`keepdims` unless n_q = n_k, `not-transposed` unless n_k = d_k).
        TypeError
            If an argument is not numeric.
        """
        scores(Q, K, scale=scale)  # raises an error that names a wrong argument
        q, k = np.asarray(Q, dtype=np.float64), np.asarray(K, dtype=np.float64)
        if q.ndim != 2 or k.ndim != 2:
            raise ValueError(f"Q, K: got shapes {q.shape} and {k.shape}, want two axes each")
        hidden = as_mask(mask, len(q), len(k))
        factor = 1 / math.sqrt(q.shape[1]) if scale is None else float(scale)
        weights = follow(self.spellings[0].recipe, q, k, hidden, factor)
        if weights.shape != hidden.shape:
            raise ValueError(f"weights: got shape {weights.shape}, want {hidden.shape}")
        return weights


def _mistake(
    name: str, mend: str, breaks: str, *spellings: tuple[dict[str, Any], str]
) -> tuple[str, Mistake]:
    pairs = tuple(Spelling(Recipe(**steps), what) for steps, what in spellings)
    return name, Mistake(name, pairs[0].what, mend, breaks, pairs)


# The most fundamental mistake comes first. If a function has two mistakes, `check` reports the
# earlier mistake as `CheckResult.mistake`.
MISTAKES: Mapping[str, Mistake] = MappingProxyType(
    dict(
        [
            _mistake(
                "not-transposed",
                "Each score is the dot product of a row of Q and a row of K: write Q @ K.T, which "
                "has the shape (n_q, n_k).",
                "the scores, because each score mixes numbers of different keys; the shapes fit "
                "only by chance",
                ({"dots": "Q K"}, "The product is Q @ K: K is not transposed."),
                (
                    {"dots": "Q reshape(K)"},
                    "K is reshaped instead of transposed: reshape keeps the order of the numbers, "
                    "so each column mixes numbers of different keys.",
                ),
                ({"dots": "K Q.T"}, "The product is K @ Q.T: queries and keys are exchanged."),
                ({"dots": "Q.T K"}, "The product is Q.T @ K: Q is transposed instead of K."),
                (
                    {"after": "transposed"},
                    "The result is transposed: it has a row for each key instead of each query.",
                ),
            ),
            _mistake(
                "keepdims",
                "Keep the axis that you reduce: np.sum(e, axis=1, keepdims=True), and the same "
                "for the maximum, so that row i is divided by the total of row i.",
                "the row sums, because column j is divided by the total of row j; if n_q and n_k "
                "differ, NumPy raises an error",
                (
                    {"total": "flat"},
                    "The row totals lost their axis, so NumPy divides column j by the total of "
                    "row j.",
                ),
                (
                    {"total": "flat", "shift": "none"},
                    "The row totals lost their axis, so NumPy divides column j by the total of "
                    "row j.",
                ),
                (
                    {"shift": "flat"},
                    "The row maxima lost their axis, so NumPy subtracts the maximum of row j from "
                    "column j.",
                ),
                (
                    {"total": "flat", "shift": "flat"},
                    "The row maxima and totals lost their axis, so NumPy uses those of row j for "
                    "column j.",
                ),
            ),
            _mistake(
                "wrong-axis",
                "The weights of each query must sum to 1 over the keys, so take the softmax along "
                "the keys: axis=1 (or -1).",
                "the row sums, because each column, or the whole map, sums to 1 instead",
                (
                    {"total": "column", "shift": "column"},
                    "The softmax is taken along the queries (axis 0), so each column sums to 1 "
                    "instead of each row.",
                ),
                (
                    {"total": "column"},
                    "The totals are taken along the queries (axis 0), so each column sums to 1 "
                    "instead of each row.",
                ),
                (
                    {"total": "map", "shift": "map"},
                    "The softmax is taken over the whole map, so all weights together sum to 1.",
                ),
                (
                    {"total": "map"},
                    "The total is taken over the whole map, so all weights together sum to 1.",
                ),
                (
                    {"shift": "column"},
                    "The maximum is taken along the queries (axis 0), so different numbers are "
                    "subtracted within a row, which changes the weights.",
                ),
            ),
            _mistake(
                "mask-sign",
                "Here True (1) means masked: add -1e9 or -inf to the masked scores. If the "
                "function expects True = keep, call the function with ~mask.",
                "the masked cells, because they get all the attention",
                (
                    {"mask": "raise"},
                    "The mask works backwards: the masked keys get all the attention. Either the "
                    "large number has the wrong sign, or the function reads True as keep; both "
                    "give the same weights.",
                ),
            ),
            _mistake(
                "mask-after-softmax",
                "Mask the scores before the softmax (-1e9 or -inf), so that the weights of the "
                "unmasked keys sum to 1.",
                "the row sums, because a row with a masked key sums to less than 1",
                (
                    {"mask": "ignore", "after": "zero masked"},
                    "The mask is applied after the softmax, so the weights of the masked keys are "
                    "lost instead of shared among the unmasked keys.",
                ),
                (
                    {"mask": "ignore", "after": "zero open"},
                    "The weights are multiplied by the mask after the softmax, which also keeps "
                    "the masked keys instead of the unmasked keys.",
                ),
            ),
            _mistake(
                "mask-multiplied",
                "A score of 0 is not small: exp(0) = 1. Set masked scores to -1e9 or -inf "
                "instead, or add mask * -1e9.",
                "the masked cells, because they still get attention",
                (
                    {"mask": "times keep"},
                    "The masked scores are 0, as if multiplied by 1 - mask, and a key with the "
                    "score 0 still gets attention.",
                ),
                (
                    {"mask": "times mask"},
                    "The scores are multiplied by the mask, so the unmasked scores are 0 and the "
                    "masked scores are unchanged.",
                ),
            ),
            _mistake(
                "no-scale",
                "Divide Q Kᵀ by np.sqrt(d_k), where d_k = Q.shape[1] is the length of a query and "
                "of a key.",
                "only the sharpness of the weights, because each row still sums to 1",
                ({"scale": "none"}, "The scores are not divided by √d_k."),
                ({"scale": "/ d_k"}, "The scores are divided by d_k instead of √d_k."),
                (
                    {"scale": "* sqrt(d_k)"},
                    "The scores are multiplied by √d_k instead of divided by √d_k.",
                ),
                (
                    {"scale": "/ sqrt(n_k)"},
                    "The scores are divided by the square root of the number of keys instead of "
                    "√d_k.",
                ),
                (
                    {"scale": "/ sqrt(n_q)"},
                    "The scores are divided by the square root of the number of queries instead "
                    "of √d_k.",
                ),
            ),
            _mistake(
                "in-place",
                "Work on a copy: write scores = scores / c instead of Q /= c, and x = x.copy() "
                "before you assign into x.",
                "the inputs: the first call is right, but the next call gets the changed arrays",
                ({}, "The function changes the arrays that it gets."),
            ),
            _mistake(
                "overflow",
                "Subtract the largest score of each row before the exp, which does not change the "
                "weights: exp(s - s.max(axis=1, keepdims=True)).",
                "the weights, which are NaN for large scores, because exp of a large score is "
                "infinite, and inf / inf is NaN",
                (
                    {"shift": "none"},
                    "The softmax takes exp of the scores without subtracting the largest score "
                    "first.",
                ),
                (
                    {"shift": "map"},
                    "The softmax subtracts the largest score of the whole map instead of each "
                    "row. In a row far below this score every exp is 0, and 0 / 0 is NaN.",
                ),
            ),
        ]
    )
)

# Mistakes without a name, which `check` reports as "other" with these descriptions.
OTHERS: tuple[Spelling, ...] = (
    Spelling(Recipe(mask="ignore"), "The mask has no effect: masked keys keep their attention."),
    Spelling(
        Recipe(mask="add"),
        "The mask is added to the scores as it is. True (1) means masked here, so masked scores "
        "grow by 1: write scores + mask * -1e9.",
    ),
    Spelling(
        Recipe(mask="subtract"),
        "The mask is subtracted from the scores as it is, which lowers masked scores only by 1: "
        "write scores - mask * 1e9.",
    ),
)
