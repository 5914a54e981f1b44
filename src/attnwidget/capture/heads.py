"""One head of a captured call in NumPy: what it computed with, and its weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.capture.records import Call, bias, linear
from attnwidget.maths.attention import scores, softmax
from attnwidget.maths.validate import floats, number
from attnwidget.sources.inputs import HeadInputs

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


def head_inputs(
    call: Call, locked: NDArray[np.bool_] | None, head: int, has_sink: bool = False
) -> HeadInputs:
    """Return what head `head` of `call` computed with; a sink is one more key, without a value.

    `has_sink` says that the stack has the column of a sink: a layer without a sink masks it.
    """
    group = call.group(head)
    V = None if call.v is None else _numpy(call.v[group])
    if call.scores is not None:
        return _seen_head(call, locked, head, V)
    assert call.q is not None
    assert call.k is not None
    assert V is not None
    Q, K, added = _numpy(call.q[head]), _numpy(call.k[group]), bias(call, head)
    if has_sink:
        n_q, n_k = call.shape[1:]
        K, V = (np.concatenate([one, np.zeros_like(one[:1])]) for one in (K, V))
        score = 0.0 if call.sink is None else float(call.sink[head])
        added = np.zeros((n_q, n_k), np.float32) if added is None else added
        added = np.concatenate([added, np.full((n_q, 1), score, np.float32)], axis=1)
        if locked is not None or call.sink is None:
            locked = np.zeros((n_q, n_k), bool) if locked is None else locked
            locked = np.concatenate([locked, np.full((n_q, 1), call.sink is None)], axis=1)
    made = (Q, K, V, added, locked)
    for array in made:
        if array is not None:
            array.setflags(write=False)
    Q, K, V, added, locked = made
    return HeadInputs(
        Q=Q, K=K, V=V, scale=call.scale, locked=locked, bias=added, softcap=call.softcap
    )


def _seen_head(
    call: Call, locked: NDArray[np.bool_] | None, head: int, V: NDArray | None
) -> HeadInputs:
    assert call.scores is not None
    seen = np.where(False if locked is None else locked, 0, _numpy(call.scores[head]))
    if call.q is None or call.k is None:
        return HeadInputs(None, None, V, 1.0, locked=locked, bias=seen.astype(np.float32))
    Q, K = _numpy(call.q[head]), _numpy(call.k[call.group(head)])
    scale, added = linear(Q, K, seen, locked)
    return HeadInputs(Q=Q, K=K, V=V, scale=scale, locked=locked, bias=added)


def with_input(inputs: HeadInputs, name: str, value: Any, model: str) -> HeadInputs:
    """Return `inputs` with Q, K, V, scale or temperature set; `model` is named in errors.

    Raises
        TypeError: if the value is of the wrong type.
        ValueError: if its shape or values don't fit, or a captured model has no such input.
    """
    if name == "scale":
        return replace(inputs, scale=number(name, value))
    if name == "temperature":
        return replace(inputs, temperature=number(name, value, at_least=0))
    arrays = {"Q": inputs.Q, "K": inputs.K, "V": inputs.V}
    if name not in arrays:
        raise ValueError(
            f"{name}: a captured model doesn't give it; want tokens (labels), or Q, K, V, scale, "
            "temperature of the head shown"
        )
    array = arrays[name]
    if array is None:
        raise ValueError(f"{name}: {model} computes attention by itself; {name} wasn't seen")
    n, width = array.shape
    checked: dict[str, Any] = {name: floats(name, value, (n, None if name == "V" else width))}
    return replace(inputs, **checked)


def head_weights(one: HeadInputs, has_sink: bool) -> NDArray[np.float32]:
    """Return the weights (n_q, n_k) of `one`, without what flows into a sink."""
    s = one.scores(np.float32)
    weights = softmax(s, one.locked, out=s, temperature=one.temperature)
    return (weights[:, :-1] if has_sink else weights).astype(np.float32)


def layer_weights(call: Call, locked: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Return the weights (h, n_q, n_k) of all heads of `call`, without what flows into a sink."""
    n_k = call.shape[2]
    s, locked = layer_scores(call, locked)
    weights: NDArray[np.float32] = softmax(s, locked, out=s)
    return weights[..., :n_k]


def layer_scores(
    call: Call, locked: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Return the scores of all heads of `call`, (h, n_q, n_k), and `locked`, both with a sink's.

    A sink is a last column of both; the array is the caller's own.
    """
    h, n_q, n_k = call.shape
    if call.scores is not None:
        return np.array(_numpy(call.scores)), locked
    assert call.q is not None
    assert call.k is not None
    q, k = _viewed(call.q), _viewed(call.k)
    groups = q.reshape(len(k), h // len(k), n_q, q.shape[-1])
    s = scores(groups, k[:, None], scale=call.scale, softcap=call.softcap).reshape(h, n_q, n_k)
    added = bias(call)
    if added is not None:
        s += added
    if call.sink is not None:
        column = np.broadcast_to(call.sink.cpu().numpy()[:, None, None], (h, n_q, 1))
        s = np.concatenate([s, column.astype(s.dtype)], axis=-1)
        if locked is not None:
            free = np.zeros((*locked.shape[:-1], 1), bool)
            locked = np.concatenate([locked, free], axis=-1)
    return s, locked


def _viewed(tensor: torch.Tensor) -> NDArray[np.float32]:
    """Return `tensor` in NumPy, a view of the same numbers where that is possible."""
    import torch

    array: NDArray[np.float32] = tensor.to("cpu", torch.float32).numpy()
    return array


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    import torch

    array: NDArray[np.float32] = tensor.to("cpu", torch.float32).contiguous().numpy()
    array.setflags(write=False)
    return array
