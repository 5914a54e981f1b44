"""`BaseSource`: the neutral values of the attributes that do not apply to a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnwidget.maths.validate import index
from attnwidget.sources.stacks import StackId, Text, find_stack
from attnwidget.sources.text import as_tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.maths.grouping import Groups
    from attnwidget.sources.api import Source
    from attnwidget.sources.runs import Outcome, Runner
    from attnwidget.sources.stacks import Layer


class BaseSource:
    """The base class of every source.

    A subclass has to define the attributes without a neutral value: `stack_id`, `stack`, `layers`,
    `tokens`, `key_tokens`, `subtitle`, `head`, `weights` and `replace`.
    """

    @property
    def stacks(self: Source) -> Mapping[str, StackId]:
        """The stacks of all layers, by display name."""
        return {layer.stack: layer.stack_id for layer in (*self.layers, *self.derived_layers)}

    @property
    def derived_layers(self) -> tuple[Layer, ...]:
        """No layers."""
        return ()

    @property
    def is_model(self) -> bool:
        """False."""
        return False

    @property
    def is_derived(self) -> bool:
        """False."""
        return False

    @property
    def in_windows(self) -> bool:
        """False."""
        return False

    @property
    def notice(self) -> str:
        """No notice."""
        return ""

    @property
    def doubt(self) -> str:
        """No doubt."""
        return ""

    @property
    def model(self) -> Any:
        """No model."""
        return None

    @property
    def reading(self) -> Any:
        """No reading."""
        return None

    @property
    def runner(self) -> Runner | None:
        """No model that can run again."""
        return None

    @property
    def input_text(self) -> str | tuple[str, str] | None:
        """No model that reads a text."""
        return None

    @property
    def checkpoint(self) -> int | None:
        """No training."""
        return None

    @property
    def text(self) -> Text | None:
        """No text from a tokenizer."""
        return None

    @property
    def key_text(self) -> Text | None:
        """No text from a tokenizer."""
        return None

    @property
    def special(self) -> tuple[bool, ...]:
        """No token is known to be special."""
        return ()

    @property
    def sentence_b_start(self) -> int | None:
        """No second sentence."""
        return None

    @property
    def merge(self) -> str | None:
        """No words."""
        return None

    @property
    def hide_special(self) -> bool | None:
        """No special tokens."""
        return None

    @property
    def groups(self: Source) -> tuple[Groups, Groups]:
        """Each token by itself."""
        keys = self.tokens if self.key_tokens is None else self.key_tokens
        return tuple((i,) for i in range(len(self.tokens))), tuple((i,) for i in range(len(keys)))

    @property
    def seed(self) -> int | None:
        """No seed."""
        return None

    @property
    def init(self) -> str | None:
        """No distribution."""
        return None

    @property
    def positional(self) -> str | None:
        """No encoding of positions."""
        return None

    @property
    def d_model(self) -> int | None:
        """No width."""
        return None

    @property
    def d_k(self) -> int | None:
        """No width."""
        return None

    @property
    def d_v(self) -> int | None:
        """No width."""
        return None

    @property
    def n_heads(self) -> int | None:
        """No number of heads to set."""
        return None

    @property
    def embeddings(self) -> NDArray | None:
        """No embeddings."""
        return None

    @property
    def key_embeddings(self) -> NDArray | None:
        """No embeddings."""
        return None

    @property
    def W_q(self) -> NDArray | None:
        """No projection."""
        return None

    @property
    def W_k(self) -> NDArray | None:
        """No projection."""
        return None

    @property
    def W_v(self) -> NDArray | None:
        """No projection."""
        return None

    @property
    def given(self) -> tuple[str, ...]:
        """No arrays."""
        return ()

    @property
    def replaced(self) -> tuple[str, ...]:
        """No array that the source was made with was replaced."""
        return ()

    @property
    def overridden(self) -> Mapping[str, list[int]] | None:
        """No numbers set by hand."""
        return None

    def maps(self: Source, layer: int) -> NDArray:
        """Return the weights of `layer`, because there is no sink."""
        return self.weights(layer)

    def output_norms(self, layer: int, head: int) -> NDArray | None:
        """Return None, because W_O is not known."""
        return None

    def is_own(self, layer: int, head: int) -> bool:
        """Return True, because no input of a head can be set."""
        return True

    def of(self: Source, stack: str | StackId) -> Source:
        """Return the source itself, because it has a single stack."""
        find_stack(self.stacks, stack)
        return self

    def of_run(self: Source, outcome: Outcome | None) -> Source:
        """Return the source itself, because there is no other run."""
        del outcome
        return self

    def reset(self: Source) -> Source:
        """Return the source itself, because no value can be set by hand."""
        return self


def part(weights: NDArray, head: int | None, rows: Sequence[int] | None) -> NDArray:
    """Return a `head` and `rows` (queries) of weights (h, n_q, n_k); None selects all."""
    if head is not None:
        weights = weights[index("head", head, range(len(weights)))]
    return weights if rows is None else weights[..., list(rows), :]


def check_labels(name: str, value: Any, known: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return `value` as new labels for the tokens `known`; None if both are None.

    Raises
    ------
    TypeError
        If `value` is not text.
    ValueError
        If the number of labels is not the number of tokens.
    """
    if value is None and known is None:
        return None
    labels = as_tokens(value, name)
    if known is None or len(labels) != len(known):
        n_known = "none" if known is None else str(len(known))
        raise ValueError(f"{name}: got {len(labels)}, want {n_known}: a label for each token")
    return labels
