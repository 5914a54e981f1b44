"""Eager weights of modules that `eager_weights` cannot see, because the modules return none.

This file uses nothing of attnwidget. The modules run as they are, in a copy of the model that was
built with eager attention. Two things are read on the way: what comes out of a softmax inside a
module of a named class, and what torch's own multi-head attention computes for each head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedModel

from zoo.oracle import Weights, eager_copy, eager_weights

Oracle = Callable[[PreTrainedModel, Mapping[str, Any]], Weights]


def watching(*classes: str) -> Oracle:
    """Return an oracle that takes the weights of modules of these `classes` from their softmax.

    The other modules have the weights of `eager_weights`. In torch's MultiheadAttention, and in
    modules that call torch's function for it (WavLM), each head has weights of its own; what such
    modules return is the mean over heads.
    """

    def oracle(model: PreTrainedModel, inputs: Mapping[str, Any]) -> Weights:
        other = eager_copy(model)
        names = {module: name for name, module in other.named_modules()}
        found: dict[str, list[torch.Tensor]] = {}
        running: list[torch.nn.Module] = []

        def keep(weights: torch.Tensor) -> None:
            found.setdefault(names[running[-1]], []).append(weights.detach().float())

        class Watch(TorchFunctionMode):  # type: ignore[misc]
            def __torch_function__(
                self, function: Any, types: Any, args: Any = (), kwargs: Any = None
            ) -> Any:
                kwargs = kwargs or {}
                result = function(*args, **kwargs)
                if function is F.multi_head_attention_forward:
                    by_head = {**kwargs, "need_weights": True, "average_attn_weights": False}
                    keep(function(*args, **by_head)[1])
                if getattr(function, "__name__", "") == "softmax" and running:
                    inside = next((m for m in running[::-1] if names[m] and _is(m, classes)), None)
                    if inside is not None:
                        found.setdefault(names[inside], []).append(_laid_out(inside, result))
                return result

        handles = []
        for module in names:
            handles += [
                module.register_forward_pre_hook(lambda module, _: running.append(module)),
                module.register_forward_hook(lambda *_: _ended(running), always_call=True),
            ]
        with Watch(), torch.no_grad():
            other(**inputs)
        for handle in handles:
            handle.remove()
        seen = {(name, call): w for name, all_ in found.items() for call, w in enumerate(all_)}
        return {**eager_weights(model, inputs), **seen}

    return oracle


def _is(module: torch.nn.Module, classes: tuple[str, ...]) -> bool:
    return type(module).__name__ in classes


def _ended(running: list[torch.nn.Module]) -> None:
    running.pop()


def _laid_out(module: torch.nn.Module, weights: torch.Tensor) -> torch.Tensor:
    """Return the weights as (windows of the first image, then of the second, h, n_q, n_k)."""
    weights = weights.detach().float()
    if weights.ndim == 5:  # Hiera: (batch, heads, windows, n_q, n_k)
        weights = weights.transpose(1, 2).flatten(0, 1)
    if weights.ndim == 3:  # (batch · heads, n_q, n_k), the heads of a row side by side
        weights = weights.unflatten(0, (-1, int(module.num_heads)))
    return weights
