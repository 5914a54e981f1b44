"""`Report`: the weights of a checked function, or of a known mistake, beside the right weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.lessons.mistakes import MISTAKES, Recipe, follow
from attnwidget.maths.attention import scores, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.lessons.check import CheckResult


OVERFLOW = 709.78  # the largest x whose exp is finite in float64


@dataclass(frozen=True, eq=False)
class Report:
    """Wrong weights, the expected weights, and a message about them.

    `kind` is "check" or "mistake". `name` is the mistake's name, "" if the function is right.
    `case` names the inputs that the maps belong to, "given" for the inputs of the widget. `got`,
    `expected` and `difference` are (n_q, n_k); `got` and `difference` are None if the function did
    not return weights of this shape. `mask` is the mask of the case, True = masked.
    """

    kind: str
    name: str
    message: str
    case: str
    mask: NDArray[np.bool_]
    expected: NDArray
    got: NDArray | None
    revision: int

    @classmethod
    def of_check(cls, result: CheckResult, revision: int) -> Report:
        """Return the report on a result of `check`."""
        got = result.got if result.difference is not None else None
        return cls(
            "check",
            result.mistake or "",
            result.message,
            result.case,
            result.mask,
            result.expected,
            got,
            revision,
        )

    @classmethod
    def of_mistake(
        cls,
        name: str,
        Q: NDArray,
        K: NDArray,
        mask: NDArray[np.bool_],
        scale: float,
        revision: int,
    ) -> Report:
        """Return the report on the mistake `name` in a head with Q (n_q, d_k) and K (n_k, d_k)."""
        mistake = MISTAKES[name]
        right_scores = scores(Q, K, scale=scale)
        sentences = [mistake.what]
        got = None
        try:
            if name == "in-place":
                # The first call of the mistaken code is right. The second call gets the Q that the
                # first call has scaled.
                got = follow(Recipe(), Q * scale, K, mask, scale)
                sentences.append("The map shows a second call, after the first call scaled Q.")
            else:
                got = mistake.weights(Q, K, mask, scale)
        except ValueError as error:
            sentences.append(f"On these shapes the code fails: {error}.")
        if name == "overflow":
            top = float(right_scores.max())
            sentences.append(
                f"The largest score here is {top:.4g}; exp overflows above 709 in float64, 88 in "
                "float32, 11 in float16."
            )
            if top < OVERFLOW:
                sentences.append("The weights are still right here; a larger scale makes them NaN.")
        sentences += [f"What breaks: {mistake.breaks}.", mistake.mend]
        message, expected = " ".join(sentences), softmax(right_scores, mask)
        return cls("mistake", name, message, "given", mask, expected, got, revision)

    @property
    def difference(self) -> NDArray | None:
        """`got` - `expected`, None if `got` is None."""
        return None if self.got is None else self.got - self.expected

    def noted(self, note: str) -> Report:
        """Return the report with `note` after the message."""
        return replace(self, message=f"{self.message} {note}".strip())
