"""The attention of a widget, computed by torch."""

from __future__ import annotations

import numpy as np
import torch


def reference(Q, K, V, mask, scale=None):
    """Attention and output by torch in float64; rows without a key are zero."""
    q, k, v = (torch.as_tensor(np.array(a, dtype=float)) for a in (Q, K, V))
    keep = torch.as_tensor(~np.array(mask))
    if scale is None:
        scale = k.shape[-1] ** -0.5
    weights = torch.softmax((q @ k.mT * scale).masked_fill(~keep, -torch.inf), -1).nan_to_num(0.0)
    return weights.numpy(), (weights @ v).numpy()


def check(w):
    weights, output = reference(w.Q, w.K, w.V, w.mask, w.scale)
    np.testing.assert_allclose(w.attention, weights, atol=1e-12)
    np.testing.assert_allclose(w.output, output, atol=1e-12)
