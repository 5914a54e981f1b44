"""A model lent for one run, and left as it was found.

A run changes nothing in a model. The thread that runs sees the model in evaluation mode and with
the attention implementation of the moment when it was lent; sdpa stands in for an implementation
that cannot be recorded. Other threads see the model as it is, and what they do to it meanwhile
(hooks, ``train()``, loaded weights) stays. Attributes that the model itself sets on the way are put
back, because BigBird swaps its attention modules for a short text and rotary embeddings grow with a
long one.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from attnwidget.capture.patched import Patch, patched
from attnwidget.capture.recognise import modules_by_name, sets_attributes

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_here = threading.local()
_gate = threading.Lock()
_locks: WeakKeyDictionary[Any, threading.RLock] = WeakKeyDictionary()
_REGISTERS = ("_modules", "_buffers", "_parameters")
# transformers installs its own hooks once, and remembers that it did.
_KEPT = "_output_capturing_hooks_installed"
_ABSENT = object()


@dataclass(eq=False)
class _Loan:
    """What one thread sees of a model: its `modules`, and `implementations` by configuration."""

    modules: frozenset[int]
    implementations: dict[int, Any]
    # What the run itself has set: where, by which name, what was there, and what is there now.
    changes: dict[tuple[int, str], tuple[Any, Any, Any]] = field(default_factory=dict)


@contextmanager
def borrowed(model: PreTrainedModel) -> Iterator[dict[Any, str]]:
    """Lend `model` to this thread, one run at a time, in evaluation mode; give its modules' names.

    Lock order: a model's lock, then a widget's. Who holds a widget's lock does not run a model.

    Raises
    ------
    ValueError
        For a model with a scripted module in training mode, which would stay in it.
    """
    with _gate:
        lock = _locks.setdefault(model, threading.RLock())
    with lock, ExitStack() as contexts:
        modules = modules_by_name(model)
        training = [module for module in modules if module.training]
        _refuse_scripted(model, training)
        loan = _Loan(frozenset(map(id, modules)), _implementations(model, modules))
        contexts.enter_context(patched(_evaluation))
        contexts.enter_context(patched(_implementation))
        if any(sets_attributes(module) for module in modules):
            contexts.enter_context(patched(_watch_setting))
        if training:
            # In evaluation LeViT fills a cache that it would clear at the next train().
            contexts.enter_context(_dictionaries(modules))
        if "torch._dynamo" in sys.modules and any(map(_is_compiled, modules)):
            contexts.enter_context(_uncompiled())
        loans = _here.__dict__.setdefault("loans", [])
        loans.append(loan)
        try:
            yield modules
        finally:
            loans.pop()
            _put_back(loan)


def _loan() -> _Loan | None:
    loans = _here.__dict__.get("loans")
    return loans[-1] if loans else None


def _refuse_scripted(model: PreTrainedModel, training: Collection[Any]) -> None:
    from torch.jit import ScriptModule

    if any(isinstance(module, ScriptModule) for module in training):
        raise ValueError(
            f"model: {type(model).__name__} has a scripted module in training mode, whose dropout "
            "would change the weights; want model.eval() first"
        )


# Attributes of torch's and transformers' classes that depend on the thread while a model is lent


def _evaluation() -> Patch:
    """Return a patch by which the modules that are lent to a thread are in evaluation there."""
    from torch.nn import Module

    def training(module: Any) -> bool:
        loan = _loan()
        if loan is not None and id(module) in loan.modules:
            return False
        try:
            value: bool = module.__dict__["training"]
        except KeyError:  # a scripted module keeps it elsewhere
            raise AttributeError("training") from None
        return value

    def train(module: Any, mode: bool) -> None:
        module.__dict__["training"] = mode

    return Patch(Module, {"training": property(training, train)})


def _implementation() -> Patch:
    """Return a patch by which configurations name the implementation that a thread was lent."""
    from transformers import PreTrainedConfig

    own = PreTrainedConfig.__dict__["_attn_implementation"]

    def implementation(config: Any) -> Any:
        loan = _loan()
        if loan is not None and id(config) in loan.implementations:
            return loan.implementations[id(config)]
        return own.fget(config)

    return Patch(PreTrainedConfig, {"_attn_implementation": property(implementation, own.fset)})


def _watch_setting() -> Patch:
    """Return a patch that notes what the running thread sets in the modules lent to it."""
    from torch.nn import Module

    def noting(method: Callable[..., None]) -> Callable[..., None]:
        def set_noted(module: Any, name: str, *value: Any, **options: Any) -> None:
            loan = _loan()
            if loan is None or id(module) not in loan.modules or name == _KEPT:
                method(module, name, *value, **options)
                return
            before = _entry(module, name)
            method(module, name, *value, **options)
            place = id(module), name
            first = loan.changes[place][1] if place in loan.changes else before
            loan.changes[place] = module, first, _entry(module, name)

        return set_noted

    return Patch(
        Module,
        {
            "__setattr__": noting(Module.__setattr__),
            "register_buffer": noting(Module.register_buffer),
        },
    )


def _entry(module: Any, name: str) -> Any:
    """Return the dictionary in which `module` holds `name` and the value there; _ABSENT if none."""
    for place in (module.__dict__, *(module.__dict__[register] for register in _REGISTERS)):
        if name in place:
            return place, place[name]
    return _ABSENT


def _put_back(loan: _Loan) -> None:
    for (_, name), (module, before, after) in reversed(loan.changes.items()):
        now = _entry(module, name)
        if not _same(now, after) or _same(now, before):
            continue  # another thread has set it since, or it is as it was
        if now is not _ABSENT and (before is _ABSENT or before[0] is not now[0]):
            del now[0][name]
        if before is not _ABSENT:
            before[0][name] = before[1]


def _same(a: Any, b: Any) -> bool:
    if a is _ABSENT or b is _ABSENT:
        return a is b
    return a[0] is b[0] and a[1] is b[1]


@contextmanager
def _dictionaries(modules: Collection[Any]) -> Iterator[None]:
    """Put back what plain dictionaries and lists hold that modules have as attributes."""
    kept = [
        (value, value.copy())
        for module in modules
        for name, value in module.__dict__.items()
        if type(value) in {dict, list} and not name.startswith("_")
    ]
    try:
        yield
    finally:
        for value, before in kept:
            if isinstance(value, list):
                value[:] = before
            elif value.keys() != before.keys():
                value.clear()
                value.update(before)


# Compiled code, which nothing can be seen in


def _is_compiled(module: Any) -> bool:
    forward = module.__dict__.get("forward")
    return (
        getattr(module, "_compiled_call_impl", None) is not None
        or hasattr(forward, "_torchdynamo_orig_callable")
        or type(module).__name__ == "OptimizedModule"
    )


class _Eager:
    """torch's stance, one for the whole process, as long as any thread runs a compiled model."""

    users = 0
    stance: Any = None


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Have compiled functions run as they were written."""
    import torch

    with _gate:
        if not _Eager.users:
            _Eager.stance = torch.compiler.set_stance("force_eager")
            _Eager.stance.__enter__()
        _Eager.users += 1
    try:
        yield
    finally:
        with _gate:
            _Eager.users -= 1
            if not _Eager.users:
                _Eager.stance.__exit__(None, None, None)


def _implementations(model: PreTrainedModel, modules: Collection[Any]) -> dict[int, Any]:
    """Return what each configuration names while the model is lent, by ``id(configuration)``.

    Fused kernels (flash, flex) take masks of their own kinds and return no weights: sdpa stands in
    for them, or eager where a model has no sdpa.
    """
    implementations: dict[int, Any] = {}
    for config, owner in _configs(model, modules):
        name = config._attn_implementation
        is_name = isinstance(name, str)
        if is_name and (name.startswith(("flash", "flex", "paged")) or "/" in name):
            name = "sdpa" if getattr(owner, "_supports_sdpa", False) else "eager"
        implementations[id(config)] = name
    return implementations


def _configs(
    model: PreTrainedModel, modules: Collection[Any]
) -> list[tuple[PreTrainedConfig, Any]]:
    """Return every configuration that a module of `model` may read, and the model it is of."""
    from transformers import PreTrainedConfig, PreTrainedModel

    configs: dict[int, tuple[PreTrainedConfig, Any]] = {}
    with_config = [(module.__dict__.get("config"), module) for module in modules]
    waiting = [
        (config, owner) for config, owner in with_config if isinstance(owner, PreTrainedModel)
    ]
    waiting += [(config, model) for config, _ in with_config]
    while waiting:
        config, owner = waiting.pop(0)
        if isinstance(config, PreTrainedConfig) and id(config) not in configs:
            configs[id(config)] = config, owner
            waiting += [(getattr(config, key, None), owner) for key in config.sub_configs]
    return list(configs.values())
