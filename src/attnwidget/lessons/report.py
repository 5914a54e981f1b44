"""What the widget shows beside its own maps: a checked function, or a mistake switched on."""

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
    """Weights beside the right ones, and what is to be said of them.

    `kind` is "check" or "mistake", `name` the mistake's name (empty if all is right), `case` the
    inputs that the maps belong to: "given" for the widget's own. `got`, `expected` and
    `difference` are (n_q, n_k); `got` and `difference` are None where nothing comparable came
    back. `mask` is True where the case masks.
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
        """Return what `check` found."""
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
        """Return what the mistake `name` makes of one head: Q (n_q, d_k), K (n_k, d_k)."""
        mistake = MISTAKES[name]
        plain = scores(Q, K, scale=scale)
        said = [mistake.what]
        got = None
        try:
            if name == "in-place":
                # The first call is right; what Q /= √d_k leaves behind shows in the second.
                got = follow(Recipe(), Q * scale, K, mask, scale)
                said.append("Shown is a second call, after Q was scaled in place by the first.")
            else:
                got = mistake.weights(Q, K, mask, scale)
        except ValueError as error:
            said.append(f"On these shapes the code fails: {error}.")
        if name == "overflow":
            top = float(plain.max())
            said.append(
                f"The largest score here is {top:.4g}; exp overflows above 709 in float64, 88 in "
                "float32, 11 in float16."
            )
            if top < OVERFLOW:
                said.append("So nothing breaks yet: a larger scale would show it.")
        said += [f"What breaks: {mistake.breaks}.", mistake.mend]
        return cls(
            "mistake", name, " ".join(said), "given", mask, softmax(plain, mask), got, revision
        )

    @property
    def difference(self) -> NDArray | None:
        """Got - expected."""
        return None if self.got is None else self.got - self.expected

    def noted(self, note: str) -> Report:
        """Return the report with `note` after its message."""
        return replace(self, message=f"{self.message} {note}".strip())
