"""The stacks of a source: which attention a map is of, its layers, and its tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from attnwidget.maths.validate import choice

Part = Literal["self", "encoder", "decoder", "cross", "vision", "audio"]
Derivation = Literal["", "mean-heads", "mean-layers", "rollout"]

_DERIVATION_NAMES: Mapping[Derivation, str] = MappingProxyType(
    {
        "mean-heads": "mean over heads",
        "mean-layers": "mean over layers",
        "rollout": "rollout",
    }
)


@dataclass(frozen=True)
class StackId:
    """One stack of a source: layers whose maps have the same rows and columns.

    `part` is "self" in a single stack, "encoder", "decoder" and "cross" in an encoder-decoder,
    "vision" or "audio" in a tower beside text. `size` is (n_q, n_k) where the layers of a part
    have maps of several sizes, which are stacks of their own. `derived` says how the maps are made
    of the maps of another stack, "" where they are a source's own.
    """

    part: Part
    size: tuple[int, int] | None = None
    derived: Derivation = ""

    def derive(self, derivation: Derivation) -> StackId:
        """Return the stack that is made of this one; "" returns the stack that this is made of."""
        return replace(self, derived=derivation)

    def name(self, several: bool) -> str:
        """Return the display name.

        A derived stack is named after its own stack only where the source has `several`.
        """
        own = self.part if self.size is None else f"{self.part} {self.size[0]}×{self.size[1]}"
        if not self.derived:
            return own
        derivation = _DERIVATION_NAMES[self.derived]
        return f"{own} · {derivation}" if several else derivation


def find_stack(stacks: Mapping[str, StackId], kind: str | StackId) -> StackId:
    """Return the stack that is named `kind`, or `kind` itself; `stacks` are by display name.

    Raises
        ValueError: if `stacks` does not have it.
    """
    if isinstance(kind, StackId) and kind in stacks.values():
        return kind
    return stacks[choice("kind", kind, tuple(stacks))]


@dataclass(frozen=True)
class Layer:
    """One attention layer of a source.

    `index` is the model's own numbering, `module` the qualified module name that tells
    layers apart, `stack` is the stack that the layer belongs to and `kind` its display name.

    `proved` says of a model's layer whether its weights, times V, are what the model's attention
    returned: True where a few rows were compared and are equal, False where they differ, None where
    the output could not be seen, and for layers of no model.
    """

    index: int
    module: str
    kind: str
    stack: StackId
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


def sizes_said(layers: Sequence[Layer], n_q: int, n_k: int, what: str = "token") -> str:
    """Return "23 tokens · 6 layers × 12 heads" of the layers of a stack."""

    def count(n: int, one: str) -> str:
        return f"{n} {one}{'s' * (n != 1)}"

    tokens = count(n_q, what) if n_q == n_k else f"{n_q} × {count(n_k, what)}"
    return f"{tokens} · {count(len(layers), 'layer')} × {count(layers[0].n_heads, 'head')}"
