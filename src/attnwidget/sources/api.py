"""What every source of attention gives the widget, and nothing about how it gets it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from attnwidget.maths.attention import scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# float32 ends at 3.4e38.
_LARGEST = 1e17
_LARGEST_SCORE = 1e37


@dataclass(frozen=True)
class Layer:
    """One attention layer of a source.

    `index` is the model's own numbering, `module` the qualified module name that tells
    layers apart, `kind` is ``"self"`` in a single stack.

    `proved` says of a model's layer whether its weights, times V, are what the model's attention
    returned: True where a few rows were compared and are equal, False where they differ, None where
    the output could not be seen, and for layers of no model.
    """

    index: int
    module: str
    kind: str
    n_heads: int
    n_kv_heads: int
    proved: bool | None = None


@dataclass(frozen=True)
class Text:
    """The n tokens of one stack, and what the tokenizer knows of them.

    `special` marks [CLS], padding and the like, `words` numbers the word that a token belongs to
    (None for none, -1 where its label tells), `second` is where the second sentence of a pair
    starts.
    """

    tokens: tuple[str, ...]
    special: tuple[bool, ...] = ()
    words: tuple[int | None, ...] = ()
    second: int | None = None

    def without_last(self) -> Text:
        """Return the text but for its last token."""
        return replace(
            self, tokens=self.tokens[:-1], special=self.special[:-1], words=self.words[:-1]
        )


@dataclass(frozen=True)
class HeadInputs:
    """What one attention map is computed from.

    Shapes: `Q` (n_q, d_k), `K` (n_k, d_k), `V` (n_k, d_v), each with a leading axis h where
    several heads are shown at once. `softcap` bounds the scores, `bias` (n_q, n_k), or
    (h, n_q, n_k), is added to them after that, and `temperature` divides them before the softmax.
    `locked` is a bool (n_q, n_k), True where the source itself masks (causal, padding), or None
    where it masks nothing.

    Where Q and K are unknown, `bias` is the scores as a model computed them. Weights computed
    elsewhere come as `weights` (n_q, n_k), without Q, K and V: their scores are
    log(weights), and a row keeps the sum that it came with.
    """

    Q: NDArray | None
    K: NDArray | None
    V: NDArray | None
    scale: float
    locked: NDArray | None = None
    bias: NDArray | None = None
    temperature: float = 1.0
    weights: NDArray | None = None
    softcap: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for what would not stay finite in the float32 that the page holds."""
        given = {name: getattr(self, name) for name in ("Q", "K", "V", "bias")}
        sizes = {k: float(np.abs(a).max(initial=0)) for k, a in given.items() if a is not None}
        for name, size in sizes.items():
            if not size <= _LARGEST:
                raise ValueError(
                    f"{name}: it reaches {size:.3g}, want finite, at most {_LARGEST:g}"
                )
        if self.Q is None:
            return
        score = sizes["Q"] * sizes["K"] * self.Q.shape[-1] * abs(self.scale)
        if not score <= _LARGEST_SCORE:
            raise ValueError(
                f"scale: with {self.scale:g} a score may reach {score:.3g}, want finite, at most "
                f"{_LARGEST_SCORE:g}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(n_q, n_k) of the map."""
        if self.weights is not None:
            return self.weights.shape[-2], self.weights.shape[-1]
        if self.Q is None or self.K is None:
            assert self.bias is not None
            return self.bias.shape[-2], self.bias.shape[-1]
        return self.Q.shape[-2], self.K.shape[-2]

    def scores(self, dtype: type) -> NDArray:
        """Q Kᵀ · scale + bias, (n_q, n_k), as `dtype`; log(weights) of given weights."""
        if self.weights is not None:
            with np.errstate(divide="ignore"):
                logs: NDArray = np.log(self.weights).astype(dtype)
            return logs
        added: NDArray | None = None if self.bias is None else np.asarray(self.bias, dtype=dtype)
        if self.Q is None or self.K is None:
            assert added is not None
            return added.copy()
        Q: NDArray = np.asarray(self.Q, dtype=dtype)
        K: NDArray = np.asarray(self.K, dtype=dtype)
        return scores(Q, K, scale=self.scale, softcap=self.softcap, bias=added)

    @property
    def row_mass(self) -> NDArray | None:
        """What each row of given weights sums to, (n_q,); None where softmax makes it 1."""
        if self.weights is None:
            return None
        mass: NDArray = self.weights.sum(axis=-1, dtype=np.float64)
        mass.flags.writeable = False
        return mass


class Source(Protocol):
    """A toy sentence or a captured model, seen from the widget. Never changed in place."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """The n display strings."""
        ...

    @property
    def key_tokens(self) -> tuple[str, ...] | None:
        """The n_k display strings of the keys, None where they are the same tokens."""
        ...

    @property
    def kind(self) -> str:
        """The stack shown; `tokens` and the layers asked for are its own."""
        ...

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every attention layer of every stack, in the model's order."""
        ...

    @property
    def derived_layers(self) -> tuple[Layer, ...]:
        """Layers that are made of others: means over heads or layers, rollout."""
        ...

    @property
    def subtitle(self) -> str:
        """What this is, in a few words."""
        ...

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return the inputs of the map shown for `layer` and `head`."""
        ...

    def weights(self, layer: int) -> NDArray:
        """Return the attention (h, n_q, n_k) of all heads of `layer`, as the source computes it."""
        ...

    def maps(self, layer: int) -> NDArray:
        """Return the same as it is on screen: with the column of a sink, where there is one."""
        ...

    def is_own(self, layer: int, head: int) -> bool:
        """Whether the inputs of this head are as the source made them, none set by hand."""
        ...

    def check(self, name: str, value: Any, layer: int, head: int) -> Any:
        """Return `value` as it would be stored; raise TypeError or ValueError where it can't be."""
        ...

    def replace(self, name: str, value: Any, layer: int, head: int) -> Source:
        """Return the source with the input `name` set and what is downstream of it made anew."""
        ...

    def of(self, kind: str) -> Source:
        """Return the source with another stack shown; ValueError where it has none such."""
        ...

    def reset(self) -> Source:
        """Return the source without what was set by hand; itself where nothing was."""
        ...


def sizes_said(layers: Sequence[Layer], n_q: int, n_k: int, what: str = "token") -> str:
    """Return "23 tokens · 6 layers × 12 heads" of the layers of a stack."""

    def count(n: int, one: str) -> str:
        return f"{n} {one}{'s' * (n != 1)}"

    tokens = count(n_q, what) if n_q == n_k else f"{n_q} × {count(n_k, what)}"
    return f"{tokens} · {count(len(layers), 'layer')} × {count(layers[0].n_heads, 'head')}"


def stack(source: Source) -> tuple[Layer, ...]:
    """Return the layers of the stack that `source` shows."""
    every = (*source.layers, *source.derived_layers)
    return tuple(layer for layer in every if layer.kind == source.kind)
