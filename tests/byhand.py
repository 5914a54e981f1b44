"""Attention worked out by torch in float64, and what a page sends: for tests of the widget."""

from __future__ import annotations

import math

import numpy as np
import torch


def maps(Q, K, V, mask, *, scale=None, bias=0.0, temperature=1.0):
    """Weights and output; a row without a key is zero, temperature 0 shares among the largest."""
    q, k, v = (torch.as_tensor(np.array(a, dtype=float)) for a in (Q, K, V))
    scale = 1 / math.sqrt(k.shape[-1]) if scale is None else scale
    scores = q @ k.mT * scale + torch.as_tensor(np.array(bias, dtype=float))
    scores = scores.masked_fill(torch.as_tensor(np.array(mask)), -torch.inf)
    if temperature == 0:
        best = (scores == scores.amax(-1, keepdim=True)) & scores.isfinite()
        weights = best / best.sum(-1, keepdim=True).clamp(min=1)
    else:
        weights = torch.softmax(scores / temperature, -1).nan_to_num(0.0)
    weights = weights.double()
    return weights.numpy(), (weights @ v).numpy()


def follows(w, X=None, X_k=None, **how):
    """Hold a widget's Q, K, V to X W and its maps to `maps`."""
    if X is not None:
        X_k = X if X_k is None else X_k
        for name, made in (("Q", X @ w.W_q), ("K", X_k @ w.W_k), ("V", X_k @ w.W_v)):
            np.testing.assert_allclose(getattr(w, name), made, atol=1e-12)
    weights, output = maps(w.Q, w.K, w.V, w.mask, **how)
    np.testing.assert_allclose(w.attention, weights, atol=1e-12)
    np.testing.assert_allclose(w.output, output, atol=1e-11)


def state(w):
    """Every synced value of a widget, to compare later."""
    return {n: getattr(w, n) for n in w.trait_names(sync=True) if n != "comm"}


def unchanged(w, before):
    for name, old in before.items():
        new = getattr(w, name)
        same = np.array_equal(new, old) if isinstance(old, np.ndarray) else new == old
        assert same, name


def commands(shape, *commands, client="p"):
    """What the browser sends: commands, numbered, about a map of this shape.

    A command that does not say what it does paints.
    """
    numbered = [command(i, shape, **each) for i, each in enumerate(commands, 1)]
    return {"_commands": {"client": client, "commands": numbered}}


def command(seq, shape, /, do="paint", **fields):
    """A command of the browser with the fields of its kind."""
    about = {} if do == "set" else {"shape": list(shape)}
    cells = {"on": [], "off": []} if do in ("paint", "undo", "redo") else {}
    stroke = {"stroke": seq} if do in ("paint", "number") else {}
    return {"seq": seq, "do": do, **about, **cells, **stroke, **fields}


def number(w, name, at, value, wrong=()):
    """A number of an array, set in the browser; with what is `wrong` about it."""
    shape = {"array_shape": list(getattr(w, name).shape), "shown": list(w.shown)}
    sent = {"do": "number", "name": name, "at": list(at), "value": value, **shape}
    return {**sent, **dict(wrong)}


def unpack(packed):
    return np.frombuffer(packed["data"], packed["dtype"]).reshape(packed["shape"]).copy()
