"""Measures that add to the attention weights: norms of values, and attention rollout.

A weight is the share of a value in the output. It does not show how large the value is, how the
output projection changes the value, or which tokens the value got information from in earlier
layers.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from attnwidget.maths.validate import Float


def output_norms(V: NDArray, W_o: NDArray) -> Float:
    """Return ‖v_j W_O‖, shape (n_k,): each value's norm after the head's output projection.

    V is (n_k, d_v), W_o (d_v, d_model). Times the weight α_ij this is ‖α_ij f(x_j)‖ of Kobayashi
    et al. 2020, "Attention is Not Only a Weight", arXiv 2004.10102. As in the paper, the bias of
    W_O is left out, because it belongs to no key.
    """
    norms: Float = np.linalg.norm(np.asarray(V) @ W_o, axis=-1)
    return norms


def rollout(layers: Iterable[NDArray], *, residual: float = 0.5) -> Float:
    """Return attention rollout, (l, n, n): how much of token j is in token i after each layer.

    `layers` are maps (h, n, n), from the first layer to the last. The method is from Abnar &
    Zuidema 2020, "Quantifying Attention Flow in Transformers", arXiv 2005.00928: take the mean
    over the heads, mix it with the identity in the share `residual` (for the residual
    connection), normalise each row to sum 1, and multiply the layers' maps. A row that sees no
    key counts as a row of the identity.
    """
    rolled: list[Float] = []
    for layer in layers:
        mean = np.asarray(layer, np.float64).mean(axis=0)
        mixed = (1 - residual) * mean + residual * np.eye(len(mean))
        blind = np.flatnonzero(mixed.sum(axis=1) == 0)
        mixed[blind, blind] = 1
        mixed /= mixed.sum(axis=1, keepdims=True)
        rolled.append(mixed @ rolled[-1] if rolled else mixed)
    return np.stack(rolled)
