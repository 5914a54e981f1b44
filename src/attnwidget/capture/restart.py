"""Run a model from a layer on: the layers before return what they returned in an earlier pass."""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attnwidget.capture.recognise import modules_by_name

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

#: The outputs of the layers are kept up to this many bytes.
BUDGET = 256 * 2**20
_ABSENT = object()


class Tape:
    """The output of each layer of a model in a pass, and the order in which the layers ran.

    A layer is an entry of a list of modules that contains attention. `is_full` says that the
    outputs needed more than `budget` bytes, so that none is kept.
    """

    def __init__(self, model: PreTrainedModel, attention: Collection[Any], budget: int) -> None:
        names = modules_by_name(model)
        self.layers = _layers(names, [names[module] for module in attention])
        self.is_full = False
        self._attention = list(attention)
        self._names = names
        self._budget = budget
        self._seen: set[int] = set()
        self._outputs: dict[Any, Any] = {}
        self._versions: dict[Any, list[int]] = {}
        self._begun: dict[Any, int] = {}
        self._ended: dict[Any, int] = {}
        self._runs: Counter[Any] = Counter()
        self._time = 0

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the layers and the attention modules that this thread runs."""

        def layer(module: Any, forward: Callable[[], Any]) -> Any:
            self._begin(module)
            result = forward()
            self._runs[module] += 1
            self._ended[module] = self._tick()
            self._keep(module, result)
            return result

        me, hooks = threading.get_ident(), []

        def begin(module: Any, _args: Any) -> None:
            if threading.get_ident() == me:
                self._begin(module)

        try:
            hooks = [module.register_forward_pre_hook(begin) for module in self._attention]
            with _in_place_of(self.layers, layer):
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def begun(self, module: Any) -> int | None:
        """Return when a module ran first, None if it did not run."""
        return self._begun.get(module)

    def before(self, modules: Collection[Any]) -> list[Any]:
        """Return the layers that had ended before the first of `modules` began.

        Nothing in them can depend on these modules. Without the layers inside of other layers, and
        without any layer if one of `modules` did not run or an output was overwritten.
        """
        times = [self._begun.get(module) for module in modules]
        if not times or None in times:
            return []
        first = min(time for time in times if time is not None)
        ended = [
            module
            for module in self._outputs
            if self._runs[module] == 1 and self._ended[module] < first
        ]
        if not all(self._is_intact(module) for module in ended):
            return []
        names = {f"{self._names[module]}." for module in ended}
        return [module for module in ended if not _is_inside(self._names[module], names)]

    @contextmanager
    def returning(
        self, layers: Collection[Any], change: Callable[[Any], Any] = lambda output: output
    ) -> Iterator[None]:
        """Let `layers` return what they returned, in this thread, without computing it.

        `change` is called with each output, and returns what the layer returns.
        """
        with _in_place_of(layers, lambda module, _forward: change(self._outputs[module])):
            yield

    def _tick(self) -> int:
        self._time += 1
        return self._time

    def _begin(self, module: Any) -> None:
        self._begun.setdefault(module, self._tick())

    def _keep(self, module: Any, result: Any) -> None:
        tensors = _tensors(result)
        if self.is_full or tensors is None:
            return
        for tensor in tensors:
            if tensor.data_ptr() not in self._seen:
                self._seen.add(tensor.data_ptr())
                self._budget -= tensor.numel() * tensor.element_size()
        if self._budget < 0:
            self.is_full = True
            self._outputs.clear()
            return
        self._outputs[module] = result
        self._versions[module] = [tensor._version for tensor in tensors]

    def _is_intact(self, module: Any) -> bool:
        tensors = _tensors(self._outputs[module]) or []
        return [tensor._version for tensor in tensors] == self._versions[module]


def _layers(names: dict[Any, str], attention: Collection[str]) -> list[Any]:
    """Return the entries of the lists of modules that contain attention."""
    from torch.nn import ModuleList

    lists = [module for module in names if isinstance(module, ModuleList) and len(module) > 1]
    found: dict[Any, None] = {}
    for each in lists:
        name = f"{names[each]}."
        if any(inner.startswith(name) for inner in attention):
            found |= dict.fromkeys(each)
    return list(found)


def _is_inside(name: str, others: Collection[str]) -> bool:
    return any(name.startswith(other) for other in others)


def _tensors(value: Any) -> list[torch.Tensor] | None:
    """Return the tensors of an output; None if the output has something else, such as a cache."""
    import torch

    if isinstance(value, torch.Tensor):
        return [value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return []
    if isinstance(value, dict):
        value = tuple(value.values())
    if not isinstance(value, (tuple, list)):
        return None
    parts = [_tensors(part) for part in value]
    if any(part is None for part in parts):
        return None
    return [tensor for part in parts if part for tensor in part]


@contextmanager
def _in_place_of(
    modules: Collection[Any], function: Callable[[Any, Callable[[], Any]], Any]
) -> Iterator[None]:
    """Call ``function(module, forward)`` in the place of each module's forward, in this thread."""
    me = threading.get_ident()

    def stand_in(module: Any, forward: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(forward)
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != me:
                return forward(*args, **kwargs)
            return function(module, lambda: forward(*args, **kwargs))

        return call

    changed: list[tuple[Any, Any, Any]] = []
    try:
        for module in modules:
            own, new = module.__dict__.get("forward", _ABSENT), stand_in(module, module.forward)
            # Past torch's __setattr__, because this is no change of the model.
            module.__dict__["forward"] = new
            changed.append((module, own, new))
        yield
    finally:
        for module, own, new in reversed(changed):
            if module.__dict__.get("forward") is not new:
                continue  # another thread has set it since
            if own is _ABSENT:
                del module.__dict__["forward"]
            else:
                module.__dict__["forward"] = own
