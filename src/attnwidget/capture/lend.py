"""Lend a model to a thread for a run, without a lasting change of the model.

The thread that runs the model sees it in evaluation mode, with the attention implementation that
the model had at the start; sdpa replaces an implementation that cannot be recorded. Other threads
see the model unchanged, and their changes (hooks, ``train()``, loaded weights) stay. Attributes
that the model sets during the run are restored, because BigBird replaces its attention modules for
a short text, and rotary embeddings grow with a long text.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
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
# transformers installs hooks once, and stores in this attribute that it did.
_KEPT = "_output_capturing_hooks_installed"
_ABSENT = object()


@dataclass(eq=False)
class _Loan:
    """A thread's view of a model: the `modules`, and `implementations` by configuration."""

    modules: frozenset[int]
    implementations: dict[int, Any]
    # The attributes that the run has set, by module and name: module, value before, value after.
    changes: dict[tuple[int, str], tuple[Any, Any, Any]] = field(default_factory=dict)


@contextmanager
def borrowed(
    model: PreTrainedModel, names: dict[Any, str] | None = None
) -> Iterator[dict[Any, str]]:
    """Lend `model` to this thread in evaluation mode, and yield the names of its modules.

    `names` are these names, if they are known.

    Only a single thread can borrow a model at a time. Lock order: a model's lock, then a widget's
    lock. A thread that holds a widget's lock must not run a model (deadlock).

    Raises
    ------
    ValueError
        If a scripted module is in training mode, because it would stay in training mode.
    """
    with _gate:
        lock = _locks.setdefault(model, threading.RLock())
    with lock, ExitStack() as contexts:
        modules = modules_by_name(model) if names is None else names
        training = [module for module in modules if module.training]
        _refuse_scripted(model, training)
        loan = _Loan(frozenset(map(id, modules)), _implementations(model, modules))
        contexts.enter_context(patched(_evaluation))
        contexts.enter_context(patched(_implementation))
        if any(sets_attributes(module) for module in modules):
            contexts.enter_context(patched(_watch_setting))
        if training:
            # In evaluation mode LeViT fills a cache, which it would clear at the next train().
            contexts.enter_context(_dictionaries(modules))
        contexts.enter_context(uncompiled(modules))
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
    """Return a patch with which a thread sees its lent modules in evaluation mode."""
    from torch.nn import Module

    def training(module: Any) -> bool:
        loan = _loan()
        if loan is not None and id(module) in loan.modules:
            return False
        try:
            value: bool = module.__dict__["training"]
        except KeyError:  # a scripted module stores the attribute elsewhere
            raise AttributeError("training") from None
        return value

    def train(module: Any, mode: bool) -> None:
        module.__dict__["training"] = mode

    return Patch(Module, {"training": property(training, train)})


def _implementation() -> Patch:
    """Return a patch with which a thread sees the attention implementations of its loan."""
    from transformers import PreTrainedConfig

    own = PreTrainedConfig.__dict__["_attn_implementation"]

    def implementation(config: Any) -> Any:
        loan = _loan()
        if loan is not None and id(config) in loan.implementations:
            return loan.implementations[id(config)]
        return own.fget(config)

    return Patch(PreTrainedConfig, {"_attn_implementation": property(implementation, own.fset)})


def _watch_setting() -> Patch:
    """Return a patch that records the attributes that a thread sets in its lent modules."""
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
    """Return the dictionary of `module` that has `name`, and the value; _ABSENT if none has."""
    for place in (module.__dict__, *(module.__dict__[register] for register in _REGISTERS)):
        if name in place:
            return place, place[name]
    return _ABSENT


def _put_back(loan: _Loan) -> None:
    for (_, name), (module, before, after) in reversed(loan.changes.items()):
        now = _entry(module, name)
        if not _same(now, after) or _same(now, before):
            continue  # another thread has set the attribute since, or it has the old value
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
    """Restore the contents of plain dictionaries and lists that are attributes of modules."""
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


# Compiled code, in which no torch function and no hook can be seen


def _is_compiled(module: Any) -> bool:
    forward = module.__dict__.get("forward")
    return (
        getattr(module, "_compiled_call_impl", None) is not None
        or hasattr(forward, "_torchdynamo_orig_callable")
        or type(module).__name__ == "OptimizedModule"
    )


class _Eager:
    """torch's compiler stance, which all threads share while any of them runs a compiled model."""

    users = 0
    stance: Any = None


@contextmanager
def uncompiled(modules: Iterable[Any]) -> Iterator[None]:
    """Make compiled functions run as plain Python, if one of `modules` is compiled."""
    if "torch._dynamo" not in sys.modules or not any(map(_is_compiled, modules)):
        yield
        return
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
    """Return the attention implementation during the loan, by ``id(configuration)``.

    sdpa replaces fused kernels (flash, flex), because they take other kinds of masks and return no
    weights. Eager attention replaces them if the model does not support sdpa.
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
    """Return every configuration that a module of `model` may read, with its model."""
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
