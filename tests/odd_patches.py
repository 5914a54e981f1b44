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


def labels_of(source: ModelSource, stack: str) -> tuple[tuple[str, ...], str]:
    """Return the labels of a stack, and the name of its first attention module."""
    # Beside maps of another size (SigLIP's pooling) a stack has the size in its name.
    stacks = [layer.stack for layer in source.layers if "head" not in layer.module]
    stack = stack if stack in stacks else next(name for name in stacks if name.split()[0] == stack)
    layer = next(layer for layer in source.layers if layer.stack == stack)
    return source.of(layer.stack).tokens, layer.module


def stack_of(
    model: Any, inputs: Mapping[str, Any], module: str, n: int, stack: str = "self"
) -> tuple[str, ...]:
    """Return the labels of a stack, by `module`, of `n` positions, texts read by a tokenizer."""
    reading = read_inputs(model, tokenizer(), inputs)
    return stack_tokens(stack, n, reading, model, module)[0]
