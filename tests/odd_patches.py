"""What a tower is given for an input and for the same input with one odd patch; its labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from models import tokenizer
from torch import nn

from attnwidget.capture.inputs import read_inputs
from attnwidget.capture.positions import stack_tokens
from attnwidget.capture.source import ModelSource


def entering(model: nn.Module, module: str, inputs: Mapping[str, Any]) -> torch.Tensor:
    """Return what `module` is given first, (n, width), the first entry of a batch."""
    given: list[torch.Tensor] = []

    def hook(_module: nn.Module, args: Any, kwargs: Any) -> None:
        given.append(kwargs["hidden_states"] if "hidden_states" in kwargs else args[0])

    handle = model.get_submodule(module).register_forward_pre_hook(hook, with_kwargs=True)
    try:
        with torch.no_grad():
            model(**inputs)
    finally:
        handle.remove()
    states = given[0]
    return states.reshape(-1, states.shape[-1]) if states.ndim == 2 else states[0].flatten(0, -2)


def changed(before: torch.Tensor, after: torch.Tensor) -> list[int]:
    """Return the positions at which two sequences (n, width) differ."""
    return (before - after).abs().amax(-1).gt(1e-5).nonzero().flatten().tolist()


def odd(inputs: Mapping[str, Any], name: str, place: Any, size: float = 3) -> dict[str, Any]:
    """Return `inputs` with other numbers at one place of the tensor `name`."""
    other = inputs[name].clone()
    # Not the same number everywhere, which a normalisation would take away.
    noise = torch.randn(other[place].shape, generator=torch.Generator().manual_seed(5))
    other[place] += size * noise
    return {**inputs, name: other}


def labels_of(source: ModelSource, kind: str) -> tuple[tuple[str, ...], str]:
    """Return the labels of a stack, and the name of its first attention module."""
    # Beside maps of another size (SigLIP's pooling) a kind has the size in its name.
    kinds = [layer.kind for layer in source.layers if "head" not in layer.module]
    kind = kind if kind in kinds else next(one for one in kinds if one.split()[0] == kind)
    layer = next(layer for layer in source.layers if layer.kind == kind)
    return source.of(layer.kind).tokens, layer.module


def stack_of(
    model: Any, inputs: Mapping[str, Any], module: str, n: int, kind: str = "self"
) -> tuple[str, ...]:
    """Return the labels of a stack, by `module`, of `n` positions, texts read by a tokenizer."""
    reading = read_inputs(model, tokenizer(), inputs)
    return stack_tokens(kind, n, reading, model, module)[0]
