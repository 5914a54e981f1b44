"""Read the attention weights from the outputs of a transformers model, as an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.validate import floats, index

if TYPE_CHECKING:
    from numpy.typing import NDArray

STACKS = {
    "self": "attentions",
    "encoder": "encoder_attentions",
    "decoder": "decoder_attentions",
    "cross": "cross_attentions",
}
_EMPTY = (
    "the outputs hold no attention weights: transformers' default attention (sdpa) returns none. "
    'Load the model with attn_implementation="eager" and call it with output_attentions=True, or '
    "use AttentionWidget.from_model, which needs no such settings"
)


def read_outputs(outputs: Any, stack: str | None = None, batch_index: int = 0) -> NDArray:
    """Return the weights (l, h, n_q, n_k) of row `batch_index` of the batch.

    `outputs` is the output of a transformers model, or a tuple with a tensor for each layer:
    (b, h, n_q, n_k) or (h, n_q, n_k). `stack` is "encoder", "decoder" or "cross" for the outputs of
    an encoder-decoder.

    Raises
    ------
    TypeError
        If `outputs` is not a model's output, or the weights are not real numbers.
    ValueError
        If `outputs` has no weights of this stack, the layers have different shapes, or there is no
        row `batch_index`.
    """
    layers = _layers(outputs, stack)
    rows = [_row(i, layer, batch_index) for i, layer in enumerate(layers)]
    for i, row in enumerate(rows):
        if row.shape != rows[0].shape:
            raise ValueError(
                f"outputs: layer {i} has shape {row.shape} and layer 0 {rows[0].shape}; want "
                "layers of one shape (pass those that have it as a tuple)"
            )
    return np.stack(rows)


def _layers(outputs: Any, stack: str | None) -> Sequence[Any]:
    attributes = {k: getattr(outputs, name, None) for k, name in STACKS.items()}
    known = {k: value for k, value in attributes.items() if value is not None}
    if isinstance(outputs, Sequence) and not isinstance(outputs, str) and not known:
        layers: Any = outputs
    elif stack is not None:
        if stack not in STACKS:
            raise ValueError(f"stack: got {stack!r}, want one of {', '.join(STACKS)}")
        layers = known.get(stack)
        if layers is None:
            raise ValueError(f"stack: these outputs have no {stack!r}, only {', '.join(known)}")
    elif "self" in known:
        layers = known["self"]
    elif len(known) > 1:
        raise ValueError(f"stack: got None for several stacks, want one of {', '.join(known)}")
    elif known:
        layers = next(iter(known.values()))
    elif hasattr(outputs, "keys") or not hasattr(outputs, "__len__"):
        if hasattr(outputs, "last_hidden_state") or hasattr(outputs, "logits"):
            raise ValueError(f"outputs: {_EMPTY}")
        kind_of = type(outputs).__name__
        raise TypeError(f"outputs: got {kind_of}, want a model's outputs or a tuple of tensors")
    else:
        layers = outputs
    if len(layers) == 0:
        raise ValueError(f"outputs: {_EMPTY}")
    return layers


def _row(i: int, layer: Any, batch_index: int) -> NDArray:
    if layer is None:
        raise ValueError(f"outputs: layer {i} has no attention; pass the others as a tuple")
    weights = floats(f"outputs: layer {i}", layer)
    if weights.ndim == 4:
        return weights[index("batch_index", batch_index, range(len(weights)))]
    if weights.ndim != 3:
        raise ValueError(
            f"outputs: layer {i} has shape {weights.shape}, want (batch, heads, queries, keys) or "
            "(heads, queries, keys)"
        )
    return weights
