"""Select weights of a source by layer, head, rows and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.validate import index
from attnwidget.sources.api import stack_layers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.sources.api import Source


def pick(source: Source, layer: Any, head: Any, rows: Any, cols: Any) -> NDArray:
    """Return weights (h, n_q, n_k) of `layer`, or (n_q, n_k) of `head`, at `rows` and `cols`.

    A captured model computes only the given head and rows.

    Raises
    ------
    TypeError
        If `layer` or `head` is not a whole number.
    ValueError
        If there is no such layer, head or position.
    """
    heads = {layer.index: layer.n_heads for layer in stack_layers(source)}
    layer = index("layer", layer, list(heads))
    head = None if head is None else index("head", head, range(heads[layer]))
    queries = _positions("rows", rows, len(source.tokens))
    query_list = None if queries is None else np.atleast_1d(queries).tolist()
    weights = source.weights(layer, head, query_list)
    weights = weights[..., 0, :] if queries is not None and queries.ndim == 0 else weights
    keys = _positions("cols", cols, weights.shape[-1])
    return weights if keys is None else np.take(weights, keys, axis=-1)


def _positions(name: str, selection: Any, n: int) -> NDArray[np.intp] | None:
    if selection is None:
        return None
    try:
        return np.asarray(np.arange(n)[selection])
    except (IndexError, TypeError) as error:
        raise ValueError(f"{name}: got {selection!r}, want positions from 0 to {n - 1}") from error
