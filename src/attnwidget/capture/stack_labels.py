"""`StackLabels`: the labels of the queries and keys of each captured stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from attnwidget.capture.positions import shared_tokens
from attnwidget.sources.stacks import Layer, StackId, Text

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from attnwidget.capture.inputs import Reading
    from attnwidget.capture.records import Call

# The label of an attention sink, the column with the weight that goes to no token.
SINK = "sink"


@dataclass(frozen=True)
class StackLabels:
    """The tokens of a stack. `key_tokens` is None if the keys are the queries' tokens."""

    tokens: tuple[str, ...]
    key_tokens: tuple[str, ...] | None
    text: Text | None
    key_text: Text | None

    def with_sink(self) -> StackLabels:
        """Return the labels with a key for the sink."""
        keys = self.tokens if self.key_tokens is None else self.key_tokens
        return replace(self, key_tokens=(*keys, SINK))


def stack_labels(
    model: PreTrainedModel, layer_calls: Sequence[tuple[Layer, Call]], reading: Reading
) -> dict[StackId, StackLabels]:
    """Return the labels of each stack that `model` used while it read `reading`."""
    calls: dict[StackId, list[Call]] = {}
    for layer, call in layer_calls:
        calls.setdefault(layer.stack_id, []).append(call)
    labels = {}
    for stack_id, stack_calls in calls.items():
        labels[stack_id] = (
            _cross_labels(stack_calls, calls, reading, model)
            if stack_id.part == "cross"
            else _labels(stack_id, stack_calls, reading, model)
        )
        if any(call.sink is not None for call in stack_calls):
            labels[stack_id] = labels[stack_id].with_sink()
    return labels


def _labels(
    stack_id: StackId, calls: Sequence[Call], reading: Reading, model: PreTrainedModel
) -> StackLabels:
    _, n_q, n_k = calls[-1].shape
    modules = [call.module for call in calls]
    tokens, text = shared_tokens(stack_id.part, n_q, reading, model, modules)
    if n_q == n_k:
        return StackLabels(tokens, None, text, text)
    keys, key_text = shared_tokens(stack_id.part, n_k, reading, model, modules)
    return StackLabels(tokens, keys, text, key_text)


def _cross_labels(
    calls: Sequence[Call],
    every: dict[StackId, list[Call]],
    reading: Reading,
    model: PreTrainedModel,
) -> StackLabels:
    """Return the labels of cross-attention: the decoder's queries, the encoder's keys."""
    _, n_q, n_k = calls[-1].shape
    query_part = "decoder" if any(stack_id.part == "decoder" for stack_id in every) else "self"
    tokens, text = shared_tokens(query_part, n_q, reading, model, [call.module for call in calls])
    # The keys are the encoder's positions if there are equally many.
    encoder = every.get(StackId("encoder"), [])
    modules = [call.module for call in encoder] if encoder and encoder[-1].shape[1] == n_k else []
    keys, key_text = shared_tokens("encoder", n_k, reading, model, modules)
    return StackLabels(tokens, keys, text, key_text)
