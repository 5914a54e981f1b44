"""Keep the outputs of a model's layers, so that a later pass starts at the layer that is edited.

A layer is an element of a ModuleList with attention inside. In a later pass of the same inputs, a
layer below the edited attention returns the output that was kept, and its code does not run. The
model's own code for embeddings, positions and masks runs as usual.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attnwidget.capture.recognise import looks_like_attention, uses_interface

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ABSENT = object()


@dataclass(eq=False)
class _Ran:
    """When a module ran, in steps of the pass: at first, and for the last time; how often."""

    began: int
    ended: int = -1
    times: int = 1
    output: Any = None


@dataclass(eq=False)
class LayerCache:
    """The outputs of the layers of a pass, from which a later pass of the same inputs goes on.

    `batch` is the number of texts of the pass. `nbytes` are the bytes of the outputs. `is_full`
    says that the outputs had more than the allowed bytes, so that none is kept, and a later pass
    runs whole.
    """

    batch: int
    nbytes: int = 0
    is_full: bool = False
    _ran: dict[Any, _Ran] = field(default_factory=dict)
    _layers: tuple[Any, ...] = ()

    def below(self, modules: Collection[Any]) -> list[Any]:
        """Return the layers that ended before the first of these attention modules began."""
        begins = [self._ran[module].began for module in modules if module in self._ran]
        first = min(begins, default=-1)
        return [
            layer
            for layer in self._layers
            if layer in self._ran
            and self._ran[layer].times == 1
            and 0 <= self._ran[layer].ended < first
        ]

    @contextmanager
    def restarting(self, modules: Collection[Any], copies: int = 1) -> Iterator[None]:
        """Have the layers below the attention `modules` return what was kept, in this thread.

        The inputs of the pass are `copies` of the inputs of the kept pass, one after the other. The
        pass must have ``use_cache=False``, because a layer that does not run adds no keys to a
        cache. Other threads run the whole model.
        """
        with ExitStack() as contexts:
            for layer in self.below(modules):
                contexts.enter_context(
                    _returning(layer, self._ran[layer].output, self.batch, copies)
                )
            yield


@contextmanager
def keeping_layers(
    model: PreTrainedModel, batch: int = 1, max_bytes: int | None = None
) -> Iterator[LayerCache]:
    """Keep the outputs of the layers in the pass that this thread runs, of `batch` texts.

    Where the outputs have more than `max_bytes`, none of them is kept.
    """
    layers, attention = _layers(model)
    cache = LayerCache(batch, _layers=tuple(layers))
    here, step = threading.get_ident(), 0

    def begin(module: Any, _args: Any) -> None:
        nonlocal step
        if threading.get_ident() != here:
            return
        step += 1
        ran = cache._ran.get(module)
        if ran is None:
            cache._ran[module] = _Ran(step)
        else:
            ran.times += 1

    def end(module: Any, _args: Any, output: Any) -> None:
        nonlocal step
        if threading.get_ident() != here:
            return
        step += 1
        ran = cache._ran[module]
        ran.ended = step
        if ran.times > 1 or cache.is_full:
            return
        # A copy, because the model may change the tensor in place later.
        ran.output = _map(output, lambda tensor: tensor.detach().clone())
        cache.nbytes += _bytes(output)
        if max_bytes is not None and cache.nbytes > max_bytes:
            cache.is_full = True
            cache._layers, cache.nbytes = (), 0
            for other in cache._ran.values():
                other.output = None

    with ExitStack() as contexts:
        for module in dict.fromkeys([*layers, *attention]):
            contexts.callback(module.register_forward_pre_hook(begin).remove)
        for module in layers:
            contexts.callback(module.register_forward_hook(end).remove)
        yield cache


def _layers(model: PreTrainedModel) -> tuple[list[Any], list[Any]]:
    """Return the layers, which are outermost elements of lists, and every attention module."""
    from torch.nn import ModuleList

    layers: list[Any] = []
    attention: list[Any] = []

    def visit(module: Any, is_inside: bool) -> bool:
        """Return whether the module has attention, or is attention."""
        has = looks_like_attention(module) or uses_interface(module)
        if has:
            attention.append(module)
        for child in module.children():
            is_list = isinstance(child, ModuleList) and not is_inside
            inner = [visit(each, is_inside or is_list) for each in _elements(child)]
            if is_list and any(inner):
                layers.extend(_elements(child))
            has = has or any(inner)
        return has

    visit(model, False)
    return list(dict.fromkeys(layers)), list(dict.fromkeys(attention))


def _elements(module: Any) -> list[Any]:
    from torch.nn import ModuleList

    return list(module.children()) if isinstance(module, ModuleList) else [module]


@contextmanager
def _returning(layer: Any, output: Any, batch: int, copies: int) -> Iterator[None]:
    """Replace the forward function of a layer, for this thread alone."""
    here, own = threading.get_ident(), layer.forward
    before = layer.__dict__.get("forward", _ABSENT)

    def fresh(tensor: Any) -> Any:
        # The model may change what it gets in place.
        again = repeated(tensor, batch, copies)
        return again if again.data_ptr() != tensor.data_ptr() else again.clone()

    def forward(*args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != here:
            return own(*args, **kwargs)
        return _map(output, fresh)

    layer.__dict__["forward"] = forward
    try:
        yield
    finally:
        if layer.__dict__.get("forward") is forward:
            if before is _ABSENT:
                del layer.__dict__["forward"]
            else:
                layer.__dict__["forward"] = before


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


def repeated(tensor: Any, batch: int, copies: int) -> Any:
    """Return `copies` of a tensor with `batch` texts, along the first axis."""
    if copies == 1 or tensor.ndim == 0 or len(tensor) != batch:
        return tensor
    return tensor.repeat(copies, *(1,) * (tensor.ndim - 1))


def of_copy(value: Any, copy: int, copies: int) -> Any:
    """Return the outputs of a pass of `copies` texts as those of a single text."""

    def part(tensor: Any) -> Any:
        of_each = tensor.ndim > 0 and len(tensor) == copies
        return tensor[copy : copy + 1] if of_each else tensor

    return _map(value, part) if copies > 1 else value


def _bytes(value: Any) -> int:
    total = 0

    def add(tensor: Any) -> Any:
        nonlocal total
        total += tensor.numel() * tensor.element_size()
        return tensor

    _map(value, add)
    return total
