"""Compute the inputs and the weights of a head of a captured call, in NumPy."""

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
    """Return the inputs of head `head` of `call`. A sink becomes an additional key without a value.

    `has_sink` is True if the stack has the column of a sink. A layer without a sink then masks the
    column.
    """
    group = call.group(head)
    V = None if call.v is None else _numpy(call.v[group])
    if call.scores is not None:
        return _head_of_scores(call, locked, head, V)
    assert call.q is not None
    assert call.k is not None
    assert V is not None
    Q, K, B = _numpy(call.q[head]), _numpy(call.k[group]), bias(call, head)
    if has_sink:
        n_q, n_k = call.shape[1:]
        K, V = (np.concatenate([array, np.zeros_like(array[:1])]) for array in (K, V))
        score = 0.0 if call.sink is None else float(call.sink[head])
        B = np.zeros((n_q, n_k), np.float32) if B is None else B
        B = np.concatenate([B, np.full((n_q, 1), score, np.float32)], axis=1)
        if locked is not None or call.sink is None:
            locked = np.zeros((n_q, n_k), bool) if locked is None else locked
            locked = np.concatenate([locked, np.full((n_q, 1), call.sink is None)], axis=1)
    for array in (Q, K, V, B, locked):
        if array is not None:
            array.setflags(write=False)
    return HeadInputs(Q=Q, K=K, V=V, scale=call.scale, locked=locked, bias=B, softcap=call.softcap)


def _head_of_scores(
    call: Call, locked: NDArray[np.bool_] | None, head: int, V: NDArray | None
) -> HeadInputs:
    assert call.scores is not None
    unmasked = np.where(False if locked is None else locked, 0, _numpy(call.scores[head]))
    if call.q is None or call.k is None:
        return HeadInputs(None, None, V, 1.0, locked=locked, bias=unmasked.astype(np.float32))
    Q, K = _numpy(call.q[head]), _numpy(call.k[call.group(head)])
    scale, B = linear(Q, K, unmasked, locked)
    return HeadInputs(Q=Q, K=K, V=V, scale=scale, locked=locked, bias=B)


def with_input(inputs: HeadInputs, name: str, value: Any, model: str) -> HeadInputs:
    """Return `inputs` with Q, K, V, scale or temperature set; `model` is the name for errors.

    Raises
    ------
    TypeError
        If `value` has a wrong type.
    ValueError
        If `value` does not fit, or a captured model has no input `name`.
    """
    if name == "scale":
        return replace(inputs, scale=number(name, value))
    if name == "temperature":
        return replace(inputs, temperature=number(name, value, at_least=0))
    arrays = {"Q": inputs.Q, "K": inputs.K, "V": inputs.V}
    if name not in arrays:
        raise ValueError(
            f"{name}: a captured model has no such input; want tokens (labels), or Q, K, V, scale, "
            "temperature of the head shown"
        )
    array = arrays[name]
    if array is None:
        raise ValueError(
            f"{name}: {model} does not use transformers' AttentionInterface, and its {name} could "
            "not be read"
        )
    n, width = array.shape
    checked: dict[str, Any] = {name: floats(name, value, (n, None if name == "V" else width))}
    return replace(inputs, **checked)


def head_weights(inputs: HeadInputs, has_sink: bool) -> NDArray[np.float32]:
    """Return the weights (n_q, n_k) of a head, without the column of a sink."""
    if inputs.weights is not None and inputs.temperature == 1:
        given: NDArray[np.float32] = inputs.weights
        return given[:, :-1] if has_sink else given
    s = inputs.scores(np.float32)
    weights = softmax(s, inputs.locked, out=s, temperature=inputs.temperature)
    return (weights[:, :-1] if has_sink else weights).astype(np.float32)


def layer_weights(call: Call, locked: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Return the weights (h, n_q, n_k) of all heads of `call`, without the column of a sink."""
    n_k = call.shape[2]
    s, locked = layer_scores(call, locked)
    weights: NDArray[np.float32] = softmax(s, locked, out=s)
    return weights[..., :n_k]


def layer_scores(
    call: Call, locked: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Return the scores of all heads of `call`, (h, n_q, n_k), and `locked`.

    A sink adds a last column to both. The scores are a new array.
    """
    h, n_q, n_k = call.shape
    if call.scores is not None:
        return np.array(_numpy(call.scores)), locked
    assert call.q is not None
    assert call.k is not None
    q, k = _viewed(call.q), _viewed(call.k)
    groups = q.reshape(len(k), h // len(k), n_q, q.shape[-1])
    s = scores(groups, k[:, None], scale=call.scale, softcap=call.softcap).reshape(h, n_q, n_k)
    B = bias(call)
    if B is not None:
        s += B
    if call.sink is not None:
        column = np.broadcast_to(call.sink.cpu().numpy()[:, None, None], (h, n_q, 1))
        s = np.concatenate([s, column.astype(s.dtype)], axis=-1)
        if locked is not None:
            free = np.zeros((*locked.shape[:-1], 1), bool)
            locked = np.concatenate([locked, free], axis=-1)
    return s, locked


def _viewed(tensor: torch.Tensor) -> NDArray[np.float32]:
    """Return `tensor` as a NumPy array, if possible as a view."""
    import torch

    array: NDArray[np.float32] = tensor.to("cpu", torch.float32).numpy()
    return array


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    import torch

    array: NDArray[np.float32] = tensor.to("cpu", torch.float32).contiguous().numpy()
    array.setflags(write=False)
    return array
