"""What a weight means: how much of a value it carries, and what reaches a layer from below.

A weight says how much is taken of a value, not how large that value is, nor what the output
projection makes of it, nor where its token had looked before.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from attnwidget.maths.validate import Float


def output_norms(V: NDArray, W_o: NDArray) -> Float:
    """Return ‖v_j W_O‖, shape (n_k,): what each value is after its head's output projection.

    V is (n_k, d_v), W_o (d_v, d_model). With the weights α_ij in front it is ‖α_ij f(x_j)‖ of
    Kobayashi et al. 2020, "Attention is Not Only a Weight", arXiv 2004.10102; the bias of W_O,
    which no key brings, is left out as there.
    """
    norms: Float = np.linalg.norm(np.asarray(V) @ W_o, axis=-1)
    return norms


def rollout(layers: Iterable[NDArray], *, residual: float = 0.5) -> Float:
    """Return attention rollout, (l, n, n): how much of token j is in token i after each layer.

    `layers` are maps (h, n, n), from the first layer up. Abnar & Zuidema 2020, "Quantifying
    Attention Flow in Transformers", arXiv 2005.00928: the mean over heads, mixed with the
    identity in the share `residual` for the residual connection, rows brought back to sum 1, and
    multiplied layer by layer. A row that sees nothing passes its own token on.
    """
    made: list[Float] = []
    for layer in layers:
        mean = np.asarray(layer, np.float64).mean(axis=0)
        mixed = (1 - residual) * mean + residual * np.eye(len(mean))
        blind = np.flatnonzero(mixed.sum(axis=1) == 0)
        mixed[blind, blind] = 1
        mixed /= mixed.sum(axis=1, keepdims=True)
        made.append(mixed @ made[-1] if made else mixed)
    return np.stack(made)
