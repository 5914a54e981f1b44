"""The known mistakes in a hand-written attention function.

A mistake is a `Recipe` with a wrong variant of a step; see `attnwidget.lessons.recipes`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from attnwidget.lessons.recipes import Array, Recipe, follow
from attnwidget.maths.attention import scores
from attnwidget.maths.masks import as_mask

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MISTAKES", "OTHERS", "Mistake", "Spelling"]


class Spelling(NamedTuple):
    """A way to write a mistake: the recipe, and a sentence `what` that describes it."""

    recipe: Recipe
    what: str


@dataclass(frozen=True)
class Mistake:
    """A mistake with a name.

    `what` describes the mistake, `mend` the remedy. `wrong` is the line of code with the mistake,
    `right` the line without the mistake. `breaks` names the invariant that the weights
    violate, by which the mistake can be seen. `spellings` are the ways to write the mistake that
    give different numbers; the first is the usual way.
    """

    name: str
    what: str
    wrong: str
    right: str
    mend: str
    breaks: str
    spellings: tuple[Spelling, ...]

    @property
    def recipe(self) -> Recipe:
        """The usual way to write the mistake."""
        return self.spellings[0].recipe

    @property
    def step(self) -> str:
        """The step of the arithmetic with the mistake: "scores", "mask" or "attention"."""
        if self.recipe == Recipe():
            return "scores"  # the second call of "in-place" gets another Q
        dots, scale, _, shift, total, after = self.recipe
        if (dots, scale) != (Recipe().dots, Recipe().scale):
            return "scores"
        rest = (shift, total, after)
        return "attention" if rest != (Recipe().shift, Recipe().total, Recipe().after) else "mask"

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
        weights = follow(self.recipe, q, k, hidden, factor)
        if weights.shape != hidden.shape:
            raise ValueError(f"weights: got shape {weights.shape}, want {hidden.shape}")
        return weights


def _mistake(
    name: str,
    wrong: str,
    right: str,
    mend: str,
    breaks: str,
    *spellings: tuple[dict[str, Any], str],
) -> tuple[str, Mistake]:
    pairs = tuple(Spelling(Recipe(**steps), what) for steps, what in spellings)
    return name, Mistake(name, pairs[0].what, wrong, right, mend, breaks, pairs)


# The most fundamental mistake comes first. If a function has two mistakes, `check` reports the
# earlier mistake as `CheckResult.mistake`.
MISTAKES: Mapping[str, Mistake] = MappingProxyType(
    dict(
        [
            _mistake(
                "not-transposed",
                "scores = Q @ K / np.sqrt(d_k)",
                "scores = Q @ K.T / np.sqrt(d_k)",
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
                "weights = e / e.sum(axis=1)",
                "weights = e / e.sum(axis=1, keepdims=True)",
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
                "weights = softmax(scores, axis=0)",
                "weights = softmax(scores, axis=1)",
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
                "scores = scores + mask * 1e9",
                "scores = scores - mask * 1e9",
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
                "weights = softmax(scores, axis=1) * (1 - mask)",
                "weights = softmax(scores - mask * 1e9, axis=1)",
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
                "scores = scores * (1 - mask)",
                "scores = scores - mask * 1e9",
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
                "scores = Q @ K.T",
                "scores = Q @ K.T / np.sqrt(d_k)",
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
                "Q /= np.sqrt(d_k)",
                "Q = Q / np.sqrt(d_k)",
                "Work on a copy: write scores = scores / c instead of Q /= c, and x = x.copy() "
                "before you assign into x.",
                "the inputs: the first call is right, but the next call gets the changed arrays",
                ({}, "The function changes the arrays that it gets."),
            ),
            _mistake(
                "overflow",
                "e = np.exp(scores)",
                "e = np.exp(scores - scores.max(axis=1, keepdims=True))",
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
