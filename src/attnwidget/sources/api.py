"""What every source of attention gives a session, and nothing about how it gets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from attnwidget.sources.inputs import HeadInputs
from attnwidget.sources.stacks import Layer, StackId, Text

__all__ = ["HeadInputs", "Layer", "Source", "StackId", "Text", "stack"]


class Source(Protocol):
    """A sentence, given weights, a model that has run, or maps made of maps; never changed.

    Every source has every attribute. An attribute that a source knows nothing of is None, "" or
    (), as `attnwidget.sources.base.BaseSource` has it.
    """

    # What is shown

    @property
    def stack(self) -> StackId:
        """The stack shown; `tokens` and the layers asked for are the stack's."""

    @property
    def kind(self) -> str:
        """The display name of the stack shown."""

    @property
    def stacks(self) -> Mapping[str, StackId]:
        """Every stack by its display name, derived stacks too."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every attention layer of every stack, in the model's order."""

    @property
    def derived_layers(self) -> tuple[Layer, ...]:
        """Layers that are made of others: means over heads or layers, rollout."""

    @property
    def is_model(self) -> bool:
        """Whether a model ran: its weights are what it computed with."""

    @property
    def is_derived(self) -> bool:
        """Whether the maps shown are made of other maps."""

    @property
    def in_windows(self) -> bool:
        """Whether the layers of the stack shown see windows of an image, each its own (Swin)."""

    @property
    def subtitle(self) -> str:
        """What this is, in a few words."""

    @property
    def notice(self) -> str:
        """What a reader of the maps has to know, in sentences."""

    @property
    def doubt(self) -> str:
        """Which layers have weights that are not those that the model computed with."""

    @property
    def model(self) -> Any:
        """The model whose own maps are shown."""

    @property
    def reading(self) -> Any:
        """What the model was run on."""

    # The tokens of the stack shown

    @property
    def tokens(self) -> tuple[str, ...]:
        """The n_q display strings of the queries."""

    @property
    def key_tokens(self) -> tuple[str, ...] | None:
        """The n_k display strings of the keys, None where they are the same tokens."""

    @property
    def text(self) -> Text | None:
        """What a tokenizer knows of the queries' tokens, None where there is none."""

    @property
    def key_text(self) -> Text | None:
        """What a tokenizer knows of the keys' tokens."""

    @property
    def special(self) -> tuple[bool, ...]:
        """Which of the queries' tokens are special ([CLS], padding); () where none is known."""

    @property
    def sentence_b_start(self) -> int | None:
        """Where the second sentence of a pair starts."""

    @property
    def merge(self) -> str | None:
        """What a row is, "tokens" or "words"; None where tokens can't be put together."""

    @property
    def hide_special(self) -> bool | None:
        """Whether special tokens are left out; None where no token is special."""

    # The settings and the numbers of a sentence

    @property
    def seed(self) -> int | None:
        """What the random numbers are drawn from."""

    @property
    def init(self) -> str | None:
        """How the weight matrices are drawn."""

    @property
    def positional(self) -> str | None:
        """How positions come into the numbers."""

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
        """How many heads a sentence has, all in view at once."""

    @property
    def embeddings(self) -> NDArray | None:
        """X, (n_q, d_model)."""

    @property
    def key_embeddings(self) -> NDArray | None:
        """What keys and values are made from, (n_k, d_model); None where it is X."""

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
    def overridden(self) -> Mapping[str, list[int]] | None:
        """The cells set by hand, by array, as runs over flat indices."""

    # The maps

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return the inputs of the map shown for `layer` and `head`."""

    def weights(
        self, layer: int, head: int | None = None, rows: Sequence[int] | None = None
    ) -> NDArray:
        """Return the attention of `layer`, as the source computes it.

        (h, n_q, n_k), or (n_q, n_k) of one `head`; `rows` are the queries wanted, in their order.
        A weight that flows into a sink is left out. Raises ValueError for an unknown layer or head.
        """

    def maps(self, layer: int) -> NDArray:
        """Return the weights (h, n_q, n_k) with the column of a sink, where there is one."""

    def output_norms(self, layer: int, head: int) -> NDArray | None:
        """Return ‖v_j W_O‖ of a head's values, (n_k,); None where W_O or V isn't known."""

    def is_own(self, layer: int, head: int) -> bool:
        """Whether the inputs of this head are as the source made them, none set by hand."""

    # What may be set

    def replace(self, name: str, value: Any, layer: int, head: int) -> Source:
        """Return the source with the input `name` set and what is downstream of it made anew.

        The source checks the value. Raises TypeError or ValueError where `value` doesn't fit, or
        the source has no such input.
        """

    def of(self, kind: str | StackId) -> Source:
        """Return the source with another stack shown; ValueError where there is no such stack."""

    def reset(self) -> Source:
        """Return the source without what was set by hand; itself where nothing was."""


def stack(source: Source) -> tuple[Layer, ...]:
    """Return the layers of the stack that `source` shows."""
    every = (*source.layers, *source.derived_layers)
    return tuple(layer for layer in every if layer.stack == source.stack)
