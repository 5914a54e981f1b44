"""The interface that every source of attention has, and that a session reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from attnwidget.maths.grouping import Groups
from attnwidget.sources.inputs import HeadInputs
from attnwidget.sources.runs import Outcome, Runner
from attnwidget.sources.stacks import Layer, StackId, Text

__all__ = ["HeadInputs", "Layer", "Source", "StackId", "Text", "stack_layers"]


class Source(Protocol):
    """A source of attention maps: a sentence, given weights, a captured model, or derived maps.

    A source never changes: `replace`, `of` and `reset` return a new source. Every source has every
    attribute. If an attribute does not apply to a source, it has the neutral value of
    `attnwidget.sources.base.BaseSource`: None, "", () or False.
    """

    # The stack and its layers

    @property
    def stack_id(self) -> StackId:
        """The identity of the stack shown, to which `tokens`, `head`, `weights`, `maps` belong."""

    @property
    def stack(self) -> str:
        """The display name of the stack shown."""

    @property
    def stacks(self) -> Mapping[str, StackId]:
        """Every stack by display name, also the derived stacks."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every attention layer of every stack, in the model's order."""

    @property
    def derived_layers(self) -> tuple[Layer, ...]:
        """Every derived layer of every stack: means over heads or layers, and rollout."""

    @property
    def is_model(self) -> bool:
        """Whether the maps were captured from a model, or derived from such maps."""

    @property
    def is_derived(self) -> bool:
        """Whether the maps shown are computed from other maps."""

    @property
    def in_windows(self) -> bool:
        """Whether each layer of the stack shown attends within windows of an image (Swin)."""

    @property
    def subtitle(self) -> str:
        """The name and the sizes of the source, for the widget's head line."""

    @property
    def notice(self) -> str:
        """Sentences that a reader of the maps needs, "" if there are none."""

    @property
    def doubt(self) -> str:
        """A sentence that names the layers whose weights differ from the model's, "" if none do."""

    @property
    def model(self) -> Any:
        """The model that the maps shown were captured from; None for derived maps."""

    @property
    def reading(self) -> Any:
        """The input that the model was run on."""

    @property
    def runner(self) -> Runner | None:
        """The model that can run again with knock-outs; None without such a model."""

    @property
    def input_text(self) -> str | tuple[str, str] | None:
        """The text that a model was run on, "" for other inputs; None if it reads no text."""

    @property
    def checkpoint(self) -> int | None:
        """The step of a training at which the model was run, None outside of a training."""

    # The tokens of the stack shown

    @property
    def tokens(self) -> tuple[str, ...]:
        """The n_q display strings of the queries."""

    @property
    def key_tokens(self) -> tuple[str, ...] | None:
        """The n_k display strings of the keys, None if the keys are the queries' tokens."""

    @property
    def text(self) -> Text | None:
        """The tokenizer's facts about the queries' tokens, None without a tokenizer."""

    @property
    def key_text(self) -> Text | None:
        """The tokenizer's facts about the keys' tokens, None without a tokenizer."""

    @property
    def special(self) -> tuple[bool, ...]:
        """For each query, whether its token is special ([CLS], padding); () if not known."""

    @property
    def sentence_b_start(self) -> int | None:
        """The position of the first token of a pair's second sentence."""

    @property
    def merge(self) -> str | None:
        """The unit of a row, "tokens" or "words"; None if the tokens do not form words."""

    @property
    def hide_special(self) -> bool | None:
        """Whether special tokens are left out; None if no token is special."""

    @property
    def groups(self) -> tuple[Groups, Groups]:
        """The tokens of each query and of each key, as positions among all tokens."""

    # The settings and the numbers of a sentence

    @property
    def seed(self) -> int | None:
        """The seed of the random numbers."""

    @property
    def init(self) -> str | None:
        """The distribution that the weight matrices are drawn from."""

    @property
    def positional(self) -> str | None:
        """The encoding of positions."""

    @property
    def d_model(self) -> int | None:
        """Width of the embeddings."""

    @property
    def d_k(self) -> int | None:
        """Width of a query and a key."""

    @property
    def d_v(self) -> int | None:
        """Width of a value."""

    @property
    def n_heads(self) -> int | None:
        """The number of heads of a sentence, which are all shown together."""

    @property
    def embeddings(self) -> NDArray | None:
        """X, (n_q, d_model)."""

    @property
    def key_embeddings(self) -> NDArray | None:
        """The embeddings of the keys and values, (n_k, d_model); None if these are X."""

    @property
    def W_q(self) -> NDArray | None:
        """(d_model, d_k)."""

    @property
    def W_k(self) -> NDArray | None:
        """(d_model, d_k)."""

    @property
    def W_v(self) -> NDArray | None:
        """(d_model, d_v)."""

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the arrays that the source was made with."""

    @property
    def replaced(self) -> tuple[str, ...]:
        """The names of the arrays that the source was made with and no longer has."""

    @property
    def overridden(self) -> Mapping[str, list[int]] | None:
        """The cells set by hand, by name of the array, as runs over flat indices."""

    # The maps

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return the inputs of the map shown for `layer` and `head`."""

    def weights(
        self, layer: int, head: int | None = None, rows: Sequence[int] | None = None
    ) -> NDArray:
        """Return the attention weights of `layer`, as the source computes them.

        The result is (h, n_q, n_k), or (n_q, n_k) if a `head` is given. `rows` selects queries and
        their order. The column of an attention sink is left out.

        Raises
        ------
        ValueError
            If there is no such layer or head.
        """

    def maps(self, layer: int) -> NDArray:
        """Return the weights (h, n_q, n_k) of `layer`, including the column of a sink."""

    def output_norms(self, layer: int, head: int) -> NDArray | None:
        """Return ‖v_j W_O‖ of a head's values, (n_k,); None if W_O or V is not known."""

    def is_own(self, layer: int, head: int) -> bool:
        """Return whether no input of this head was set by hand."""

    # Changes

    def replace(self, name: str, value: Any, layer: int, head: int) -> Source:
        """Return the source with the input `name` set, and recompute everything that depends on it.

        Raises
        ------
        TypeError, ValueError
            If `value` does not fit, or the source has no such input.
        """

    def of(self, stack: str | StackId) -> Source:
        """Return the source with another stack shown.

        Raises
        ------
        ValueError
            If there is no such stack.
        """

    def of_run(self, outcome: Outcome | None) -> Source:
        """Return the source with the maps of a run of `runner`; None for the captured run.

        The source itself, if it has these maps.
        """

    def reset(self) -> Source:
        """Return the source with the values it was made with; the same source if it has them."""


def stack_layers(source: Source) -> tuple[Layer, ...]:
    """Return the layers of the stack that `source` shows."""
    every = (*source.layers, *source.derived_layers)
    return tuple(layer for layer in every if layer.stack_id == source.stack_id)


def axes(source: Source) -> tuple[Any, ...]:
    """Return the values, except the tokens, that determine the rows and columns of a map."""
    return source.stack, source.merge, source.hide_special
