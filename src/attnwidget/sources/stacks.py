"""The stacks of a source, their layers, and their tokens."""

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
    """The identity of a stack: layers whose maps have the same rows and columns.

    `part` is "self" for a single stack, "encoder", "decoder" and "cross" for an encoder-decoder,
    "vision" or "audio" for a tower beside text. `size` is (n_q, n_k) if the layers of a part have
    maps of several sizes, because each size is then a stack. `derived` names the derivation of the
    maps from those of another stack, "" for maps that are not derived.
    """

    part: Part
    size: tuple[int, int] | None = None
    derived: Derivation = ""

    def derive(self, derivation: Derivation) -> StackId:
        """Return the stack derived from this stack; "" returns the stack that is not derived."""
        return replace(self, derived=derivation)

    def name(self, several: bool) -> str:
        """Return the display name.

        The name of a derived stack includes the stack that it is derived from only if the source
        has `several` stacks.
        """
        own = self.part if self.size is None else f"{self.part} {self.size[0]}×{self.size[1]}"
        if not self.derived:
            return own
        derivation = _DERIVATION_NAMES[self.derived]
        return f"{own} · {derivation}" if several else derivation


def find_stack(stacks: Mapping[str, StackId], stack: str | StackId) -> StackId:
    """Return the identity of a stack that is given by its display name or its identity.

    `stacks` are all stacks by display name.

    Raises
    ------
    ValueError
        If `stacks` has no such stack.
    """
    if isinstance(stack, StackId) and stack in stacks.values():
        return stack
    return stacks[choice("stack", stack, tuple(stacks))]


@dataclass(frozen=True)
class Layer:
    """An attention layer of a source.

    `index` is the layer's number in the model, `module` the qualified name of the layer's module.
    `stack` is the display name of the layer's stack, and `stack_id` the identity of the stack.

    `proved` is the result of a comparison of weights · V with the output of the model's attention,
    for a few rows: True if they are equal, False if they differ, None if the output could not be
    read or the source is not a model.
    """

    index: int
    module: str
    stack: str
    stack_id: StackId
    n_heads: int
    n_kv_heads: int
    proved: bool | None = None


@dataclass(frozen=True)
class Text:
    """The n tokens of a stack, and the tokenizer's facts about them.

    `special` marks special tokens such as [CLS] and padding. `words` has for each token the number
    of the word that it belongs to, None for no word, -1 if the label must tell. `second` is the
    position where the second sentence of a pair starts.
    """

    tokens: tuple[str, ...]
    special: tuple[bool, ...] = ()
    words: tuple[int | None, ...] = ()
    second: int | None = None

    def without_last(self) -> Text:
        """Return the text without the last token."""
        return replace(
            self, tokens=self.tokens[:-1], special=self.special[:-1], words=self.words[:-1]
        )


def sizes_said(layers: Sequence[Layer], n_q: int, n_k: int, what: str = "token") -> str:
    """Return the sizes of a stack as text: "23 tokens · 6 layers × 12 heads"."""

    def count(n: int, noun: str) -> str:
        return f"{n} {noun}{'s' * (n != 1)}"

    tokens = count(n_q, what) if n_q == n_k else f"{n_q} × {count(n_k, what)}"
    return f"{tokens} · {count(len(layers), 'layer')} × {count(layers[0].n_heads, 'head')}"
