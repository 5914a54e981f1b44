"""Copies of a text in a batch: inputs and outputs of a pass, repeated or taken apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def repeated(value: Any, copies: int) -> Any:
    """Return a structure of tensors of one text as that of `copies` of the text, as new tensors."""

    def repeat(tensor: Any) -> Any:
        is_of_text = copies > 1 and tensor.ndim > 0 and len(tensor) == 1
        return tensor.repeat(copies, *(1,) * (tensor.ndim - 1)) if is_of_text else tensor.clone()

    return _map(value, repeat)


def of_copy(value: Any, copy: int, copies: int) -> Any:
    """Return the outputs of a pass of `copies` of a text as those of one text."""

    def part(tensor: Any) -> Any:
        is_of_each = tensor.ndim > 0 and len(tensor) == copies
        return tensor[copy : copy + 1] if is_of_each else tensor

    return _map(value, part) if copies > 1 else value


def _map(value: Any, function: Callable[[Any], Any]) -> Any:
    """Return a structure with `function` of each tensor in it."""
    import torch

    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, Mapping):
        changed = {name: _map(each, function) for name, each in value.items()}
        return type(value)(**changed) if hasattr(value, "to_tuple") else changed
    if isinstance(value, (tuple, list)):
        parts = [_map(each, function) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value
