"""`Effect`: what knock-outs changed in the output of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def _empty() -> NDArray[np.float64]:
    return np.empty(0)


@dataclass(frozen=True)
class Reach:
    """The part of a stack that an edit can change: maps from `layer` on, rows from `query` on.

    `query` is None if each row can change. Everything else is certain to be as before.
    """

    stack: str
    layer: int
    query: int | None


@dataclass(frozen=True, eq=False)
class Effect:
    """The changes that knock-outs made in the output of a model.

    Where an array has two rows, these are before and after. `kind` says which arrays are filled:

    - "tokens": a language model. `what` is "next token", "next token of the decoder" or "masked
      token". `labels` are the ten most probable tokens at `position` (by the larger of the two
      probabilities), `ids` their ids (10,), `logits` and `probabilities` are (2, 10), and
      `log_probabilities` (2, vocabulary). `kl` is KL(before‖after) in nats. `loss` (2, n) is
      -log p of each token of the text in nats, NaN for a token that is not predicted; empty for a
      masked language model.
    - "classes": a classifier. `labels` are the names of the most probable classes; the arrays are
      those of "tokens", without `loss`. `position` is None if the model has one class a text.
    - "vectors": an encoder. `cosine` (n,) is 1 - the cosine of each token's vector before and
      after, `norm` (n,) is ‖after - before‖ / ‖before‖. `pooled` has both for the mean of the
      vectors over the tokens `pooled_rows`, which `pooled_over` names.
    - "outputs": another model. `changes` has the largest change of each output by name.

    `number` is the effect in one number, in `unit`: `kl`, the pooled 1 - cosine, or the largest
    change. `reach` says which maps the edit can change at all.
    """

    kind: str
    what: str
    number: float
    unit: str
    reach: tuple[Reach, ...] = ()
    position: int | None = None
    token: str = ""
    positions: int = 0
    labels: tuple[str, ...] = ()
    ids: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    logits: NDArray[np.float64] = field(default_factory=_empty)
    probabilities: NDArray[np.float64] = field(default_factory=_empty)
    log_probabilities: NDArray[np.float64] = field(default_factory=_empty)
    kl: float | None = None
    loss: NDArray[np.float64] = field(default_factory=_empty)
    cosine: NDArray[np.float64] = field(default_factory=_empty)
    norm: NDArray[np.float64] = field(default_factory=_empty)
    pooled: tuple[float, float] | None = None
    pooled_over: str = ""
    pooled_rows: tuple[int, ...] = ()
    changes: Mapping[str, float] = field(default_factory=dict)

    @property
    def delta_logits(self) -> NDArray[np.float64]:
        """The change of the logits of `labels`, after - before."""
        return _change(self.logits)

    @property
    def delta_probabilities(self) -> NDArray[np.float64]:
        """The change of the probabilities of `labels`, after - before."""
        return _change(self.probabilities)

    @property
    def delta_loss(self) -> NDArray[np.float64]:
        """The change of the loss of each token, after - before, in nats."""
        return _change(self.loss)

    def __repr__(self) -> str:
        """Return the effect in one number, and the most probable tokens before and after."""
        words = f"{self.what}: " if self.what else ""
        tops = ""
        if self.labels:
            first, second = (self.labels[int(row.argmax())] for row in self.probabilities)
            tops = f", {first!r} before, {second!r} after"
        return f"<Effect {words}{self.number:.3g} {self.unit}{tops}>"


def _change(pair: NDArray[np.float64]) -> NDArray[np.float64]:
    return pair[1] - pair[0] if len(pair) else pair
