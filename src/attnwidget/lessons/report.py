"""`Report`: the weights of a checked function, or of a known mistake, beside the right weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from attnwidget.lessons.mistakes import MISTAKES, Mistake
from attnwidget.lessons.recipes import Array, Mask, raw_scores, weigh
from attnwidget.maths.attention import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.lessons.check import CheckResult
    from attnwidget.sources.inputs import HeadInputs


OVERFLOW = 709.78  # the largest x whose exp is finite in float64


@dataclass(frozen=True, eq=False)
class Report:
    """Wrong weights, the expected weights, and a message about them.

    `kind` is "check" or "mistake". `name` is the mistake's name, "" if the function is right.
    `case` names the inputs that the maps belong to, "given" for the inputs of the widget. `got`,
    `expected` and `difference` are (n_q, n_k); `got` and `difference` are None if the function did
    not return weights of this shape. `mask` is the mask of the case, True = masked.

    The report on a mistake has, besides the head on screen, the maps of every head as the mistaken
    code computes them: `scores` and `weights`, (n_q, n_k), with a leading axis h where the inputs
    have several heads; None if the code fails. `step` says where the mistake is ("scores", "mask"
    or "attention"), `wrong` and `right` are the line of code with and without the mistake.
    """

    kind: str
    name: str
    message: str
    case: str
    mask: NDArray[np.bool_]
    expected: NDArray
    got: NDArray | None
    revision: int
    step: str = ""
    wrong: str = ""
    right: str = ""
    scores: NDArray | None = None
    weights: NDArray | None = None

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
        cls, name: str, inputs: HeadInputs, mask: NDArray[np.bool_], head: int, revision: int
    ) -> Report:
        """Return the report on the mistake `name` in the inputs of a map, which have Q and K.

        The other parts of the scores and of the softmax (bias, softcap, temperature) stay right.
        """
        mistake = MISTAKES[name]
        right_scores = inputs.scores(np.float64)
        expected = softmax(right_scores, mask, temperature=inputs.temperature)
        sentences = [mistake.what]
        wrong_scores = weights = None
        try:
            wrong_scores, weights = _mistaken(mistake, inputs, mask)
        except ValueError as error:
            sentences.append(f"On these shapes the code fails: {error}.")
        if name == "in-place":
            sentences.append("The map shows a second call, after the first call scaled Q.")
        if name == "overflow":
            top = float(right_scores.max())
            sentences.append(
                f"The largest score here is {top:.4g}; exp overflows above 709 in float64, 88 in "
                "float32, 11 in float16."
            )
            if top < OVERFLOW:
                sentences.append("The weights are still right here; a larger scale makes them NaN.")
        sentences += [f"What breaks: {mistake.breaks}.", mistake.mend]
        return cls(
            "mistake",
            name,
            " ".join(sentences),
            "given",
            mask,
            _of_head(expected, head),
            None if weights is None else _of_head(weights, head),
            revision,
            mistake.step,
            mistake.wrong,
            mistake.right,
            wrong_scores,
            weights,
        )

    @property
    def difference(self) -> NDArray | None:
        """`got` - `expected`, None if `got` is None."""
        return None if self.got is None else self.got - self.expected

    def noted(self, note: str) -> Report:
        """Return the report with `note` after the message."""
        return replace(self, message=f"{self.message} {note}".strip())


def _mistaken(mistake: Mistake, inputs: HeadInputs, mask: Mask) -> tuple[Array, Array]:
    """Return scores and weights of every head; raise ValueError where the mistaken code fails."""
    assert inputs.Q is not None
    assert inputs.K is not None
    pairs = []
    for head in np.ndindex(*inputs.Q.shape[:-2]):
        Q, K = (np.asarray(array[head], dtype=np.float64) for array in (inputs.Q, inputs.K))
        if mistake.name == "in-place":
            # The first call of the mistaken code is right. The second call gets the Q that the
            # first call has scaled.
            Q = Q * inputs.scale
        bias = inputs.bias
        if bias is not None and bias.ndim > 2:
            bias = bias[head]
        scores = raw_scores(
            mistake.recipe, Q, K, len(mask), inputs.scale, softcap=inputs.softcap, bias=bias
        )
        weights = weigh(mistake.recipe, scores, mask, temperature=inputs.temperature)
        if weights.shape != mask.shape:
            raise ValueError(f"weights: got shape {weights.shape}, want {mask.shape}")
        pairs.append((scores, weights))
    lead = inputs.Q.shape[:-2]
    all_scores, all_weights = (np.stack(maps) for maps in zip(*pairs, strict=True))
    return all_scores.reshape(*lead, *mask.shape), all_weights.reshape(*lead, *mask.shape)


def _of_head(maps: NDArray, head: int) -> NDArray:
    return maps[head] if maps.ndim > 2 else maps
