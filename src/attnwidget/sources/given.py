"""`GivenSource`: attention weights that were computed elsewhere, without Q, K and V."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.validate import floats, index, number
from attnwidget.sources.base import BaseSource, check_labels, part
from attnwidget.sources.derived import derive, derived_layers
from attnwidget.sources.inputs import HeadInputs
from attnwidget.sources.sizes import LARGEST_MAPS
from attnwidget.sources.stacks import Layer, StackId, find_stack, sizes_said
from attnwidget.sources.text import as_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from attnwidget.sources.api import Source

# A row's sum may differ from 1 by this much without a notice: the rounding of float16 and 8-bit
# maps.
_ROUNDING = 5e-3
# The largest weight. The page holds float32, which ends at 3.4e38, and a row must have a sum.
_LARGEST = 1e17


@dataclass(frozen=True, eq=False)
class GivenSource(BaseSource):
    """Unchanged weights (l, h, n_q, n_k), their tokens, and a temperature.

    `notice` is a sentence on the rows that do not sum to 1, "" if all rows do.
    """

    tokens: tuple[str, ...]
    key_tokens: tuple[str, ...] | None
    attention: NDArray
    temperature: float = 1.0
    notice: str = ""

    @classmethod
    def create(
        cls,
        attention: Any,
        tokens: str | Iterable[str],
        key_tokens: str | Iterable[str] | None = None,
    ) -> GivenSource:
        """Build a source from weights (n_q, n_k), (h, n_q, n_k) or (l, h, n_q, n_k).

        Raises
        ------
        TypeError
            If the weights are not real numbers, or the tokens are not text.
        ValueError
            If the weights' shape does not fit the tokens, a weight is negative, NaN, infinite or
            too large, or a map has too many cells for a page.
        """
        queries = as_tokens(tokens)
        keys = None if key_tokens is None else as_tokens(key_tokens, "key_tokens")
        weights = floats("attention", attention)
        n = (len(queries), len(queries if keys is None else keys))
        if not 2 <= weights.ndim <= 4 or weights.shape[-2:] != n:
            raise ValueError(
                f"attention: got shape {weights.shape}, want {n}, (h, {n[0]}, {n[1]}) or "
                f"(l, h, {n[0]}, {n[1]}) for {n[0]} tokens"
                + (f" and {n[1]} key_tokens" if keys is not None else "")
            )
        if weights.size == 0:
            raise ValueError(f"attention: got shape {weights.shape}, want at least one head")
        if (weights < 0).any():
            first = tuple(int(i) for i in np.argwhere(weights < 0)[0])
            raise ValueError(
                f"attention: got {weights[first]:.4g} at {first}, want weights of 0 or more "
                "(after the softmax)"
            )
        if weights.max() > _LARGEST:
            raise ValueError(
                f"attention: got a weight of {weights.max():.3g}, want at most {_LARGEST:g}"
            )
        if n[0] * n[1] > LARGEST_MAPS:
            raise ValueError(
                f"attention: got a map of {n[0]} × {n[1]} tokens with {n[0] * n[1]} cells, want at "
                f"most {LARGEST_MAPS}, because more is too much to send to a page"
            )
        weights = weights.reshape((1,) * (4 - weights.ndim) + weights.shape)
        return cls(queries, keys, weights, notice=_odd_rows(weights))

    @property
    def stack_id(self) -> StackId:
        """The identity "self", or "cross" if the keys have other tokens than the queries."""
        return StackId("self" if self.key_tokens is None else "cross")

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return self.stack_id.name(several=False)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, numbered from 0."""
        n, h = self.attention.shape[:2]
        return tuple(Layer(i, "", self.stack, self.stack_id, h, h) for i in range(n))

    @property
    def derived_layers(self) -> tuple[Layer, ...]:
        """Means over heads or layers, and rollout."""
        return derived_layers(self.layers)

    @property
    def subtitle(self) -> str:
        """The sizes, for the widget's head line."""
        return f"given weights · {sizes_said(self.layers, *self.attention.shape[2:])}"

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return the weights of a head."""
        weights = self.weights(layer, head)
        return HeadInputs(None, None, None, 1.0, weights=weights, temperature=self.temperature)

    def weights(
        self, layer: int, head: int | None = None, rows: Sequence[int] | None = None
    ) -> NDArray:
        """Return the weights (h, n_q, n_k) of `layer`."""
        return part(self._of_layer(layer), head, rows)

    def _of_layer(self, layer: int) -> NDArray:
        return self.attention[index("layer", layer, range(len(self.attention)))]

    def replace(self, name: str, value: Any, layer: int, head: int) -> GivenSource:
        """Return the source with other labels or another temperature.

        Raises
        ------
        TypeError
            If `value` has a wrong type.
        ValueError
            If `value` does not fit, or given weights have no input `name`.
        """
        if name == "temperature":
            return replace(self, temperature=number(name, value, at_least=0))
        if name == "tokens":
            labels = check_labels(name, value, self.tokens)
            assert labels is not None
            return replace(self, tokens=labels)
        if name == "key_tokens":
            return replace(self, key_tokens=check_labels(name, value, self.key_tokens))
        raise ValueError(
            f"{name}: given weights have no such input; want tokens, key_tokens (labels), "
            "temperature or mask"
        )

    def of(self, stack: str | StackId) -> Source:
        """Return the source itself, or the derived source that shows `stack`."""
        return derive(self, find_stack(self.stacks, stack).derived)


def _odd_rows(attention: NDArray) -> str:
    """Return a sentence on the rows of (l, h, n_q, n_k) that do not sum to 1; "" if all do."""
    off = np.abs(attention.sum(axis=-1) - 1)
    odd = int((off > _ROUNDING).sum())
    if not odd:
        return ""
    worst = np.unravel_index(int(off.argmax()), off.shape)
    total = float(attention[worst].sum())
    where = f"row {worst[2]}" + (
        f" of layer {worst[0]}, head {worst[1]}" if off.shape[:2] != (1, 1) else ""
    )
    return (
        f"{odd} of {off.size} rows do not sum to 1 ({where} sums to {total:.3g}). "
        "They are shown as they came."
    )
