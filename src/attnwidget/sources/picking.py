"""Weights of a source by layer, head, rows and columns, without what nobody asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.validate import index
from attnwidget.sources.api import stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.sources.api import Source


def pick(source: Source, layer: Any, head: Any, rows: Any, cols: Any) -> NDArray:
    """Return weights (h, n_q, n_k) of `layer`, or (n_q, n_k) of `head`; `rows`, `cols` of them.

    Of a captured model, only the head asked for is computed, and only its rows.

    Raises
    ------
    ValueError
        For a layer, head or position that isn't there.
    """
    heads = {one.index: one.n_heads for one in stack(source)}
    layer = index("layer", layer, list(heads))
    head = None if head is None else index("head", head, range(heads[layer]))
    at = _positions("rows", rows, len(source.tokens))
    queries = None if at is None else np.atleast_1d(at).tolist()
    found = source.weights(layer, head, queries)
    found = found[..., 0, :] if at is not None and at.ndim == 0 else found
    picked = _positions("cols", cols, found.shape[-1])
    return found if picked is None else np.take(found, picked, axis=-1)


def _positions(name: str, wanted: Any, n: int) -> NDArray[np.intp] | None:
    if wanted is None:
        return None
    try:
        return np.asarray(np.arange(n)[wanted])
    except (IndexError, TypeError) as error:
        raise ValueError(f"{name}: got {wanted!r}, want positions from 0 to {n - 1}") from error
