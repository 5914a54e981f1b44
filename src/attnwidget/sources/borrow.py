"""A model lent for one run, and left as it was found.

A run changes nothing in a model. The thread that runs sees the model in evaluation mode, and sees
sdpa in place of an attention implementation that cannot be recorded. Other threads see the model
as it is, and what they do to it meanwhile (hooks, ``train()``, loaded weights) stays. Attributes
that the model itself sets on the way are put back, because BigBird swaps its attention modules for
a short text and rotary embeddings grow with a long one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from attnwidget.sources.recognise import sets_attributes

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
    """What one thread sees of a model: `evaluated` modules, `implementations` by configuration."""

    modules: frozenset[int]
    evaluated: frozenset[int]
    implementations: dict[int, str]
    # What the run itself has set: where, by which name, what was there, and what is there now.
    changes: dict[tuple[int, str], tuple[Any, Any, Any]] = field(default_factory=dict)


@contextmanager
def borrowed(model: PreTrainedModel, modules: Collection[Any]) -> Iterator[None]:
    """Lend `model`, made of `modules`, to this thread: one run at a time, in evaluation mode.

    Lock order: a model's lock is taken before a widget's, never after.
    """
    with _gate:
        lock = _locks.setdefault(model, threading.RLock())
    with lock, ExitStack() as held:
        training = frozenset(id(module) for module in modules if module.training)
        implementations = _stand_ins(model, modules)
        loan = _Loan(frozenset(map(id, modules)), training, implementations)
        if any(sets_attributes(module) for module in modules):
            held.enter_context(_patched(_watch_setting))
        if training:
            held.enter_context(_patched(_evaluation))
        if implementations:
            held.enter_context(_patched(_implementation))
        if any(module._compiled_call_impl is not None for module in modules):
            import torch

            # What a compiled graph computes inside cannot be seen.
            held.enter_context(torch.compiler.set_stance("force_eager"))
        loans = _here.__dict__.setdefault("loans", [])
        loans.append(loan)
        try:
            yield
        finally:
            loans.pop()
            _put_back(loan)


def _loan() -> _Loan | None:
    loans = _here.__dict__.get("loans")
    return loans[-1] if loans else None


# Attributes of torch's and transformers' classes that depend on the thread while a model is lent


@dataclass(eq=False)
class _Patch:
    """Attributes of a class, in the place of others for as long as anybody needs them."""

    owner: Any
    attributes: dict[str, Any]
    users: int = 0
    before: dict[str, Any] = field(default_factory=dict)

    def install(self) -> None:
        self.before = {name: self.owner.__dict__.get(name, _ABSENT) for name in self.attributes}
        for name, value in self.attributes.items():
            setattr(self.owner, name, value)

    def remove(self) -> None:
        for name, value in self.before.items():
            if value is _ABSENT:
                delattr(self.owner, name)
            else:
                setattr(self.owner, name, value)


_patches: dict[Callable[[], _Patch], _Patch] = {}


@contextmanager
def _patched(make: Callable[[], _Patch]) -> Iterator[None]:
    """Have the patch that `make` returns in force; several threads may need it at a time."""
    with _gate:
        if make not in _patches:
            _patches[make] = make()
            _patches[make].install()
        patch = _patches[make]
        patch.users += 1
    try:
        yield
    finally:
        with _gate:
            patch.users -= 1
            if not patch.users:
                _patches.pop(make).remove()


def _evaluation() -> _Patch:
    """Return a patch by which the modules that are lent to a thread are in evaluation there."""
    from torch.nn import Module

    def training(module: Any) -> bool:
        loan = _loan()
        if loan is not None and id(module) in loan.evaluated:
            return False
        try:
            value: bool = module.__dict__["training"]
        except KeyError:  # a scripted module keeps it elsewhere
            raise AttributeError("training") from None
        return value

    def train(module: Any, mode: bool) -> None:
        module.__dict__["training"] = mode

    return _Patch(Module, {"training": property(training, train)})


def _implementation() -> _Patch:
    """Return a patch by which configurations name the implementation that a thread was lent."""
    from transformers import PreTrainedConfig

    own = PreTrainedConfig.__dict__["_attn_implementation"]

    def implementation(config: Any) -> Any:
        loan = _loan()
        found = None if loan is None else loan.implementations.get(id(config))
        return own.fget(config) if found is None else found

    return _Patch(PreTrainedConfig, {"_attn_implementation": property(implementation, own.fset)})


def _watch_setting() -> _Patch:
    """Return a patch that notes what the running thread sets in the modules lent to it."""
    from torch.nn import Module

    def noting(method: Callable[..., None]) -> Callable[..., None]:
        def set_noted(module: Any, name: str, *value: Any, **options: Any) -> None:
            loan = _loan()
            if loan is None or id(module) not in loan.modules or name == _KEPT:
                method(module, name, *value, **options)
                return
            before = _held(module, name)
            method(module, name, *value, **options)
            place = id(module), name
            first = loan.changes[place][1] if place in loan.changes else before
            loan.changes[place] = module, first, _held(module, name)

        return set_noted

    return _Patch(
        Module,
        {
            "__setattr__": noting(Module.__setattr__),
            "register_buffer": noting(Module.register_buffer),
        },
    )


def _held(module: Any, name: str) -> Any:
    """Return the dictionary in which `module` holds `name` and the value there; _ABSENT if none."""
    for place in (module.__dict__, *(module.__dict__[register] for register in _REGISTERS)):
        if name in place:
            return place, place[name]
    return _ABSENT


def _put_back(loan: _Loan) -> None:
    for (_, name), (module, before, after) in reversed(loan.changes.items()):
        now = _held(module, name)
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


def _stand_ins(model: PreTrainedModel, modules: Collection[Any]) -> dict[int, str]:
    """Return what each configuration names instead where its implementation can't be recorded.

    Fused kernels (flash, flex) take masks of their own kinds and return no weights: sdpa stands in
    for them, or eager where a model has no sdpa.
    """
    found: dict[int, str] = {}
    for config, owner in _configs(model, modules):
        name = config._attn_implementation
        if name is not None and (name.startswith(("flash", "flex", "paged")) or "/" in name):
            found[id(config)] = "sdpa" if getattr(owner, "_supports_sdpa", False) else "eager"
    return found


def _configs(
    model: PreTrainedModel, modules: Collection[Any]
) -> list[tuple[PreTrainedConfig, Any]]:
    """Return every configuration that a module of `model` may read, and the model it is of."""
    from transformers import PreTrainedConfig, PreTrainedModel

    found: dict[int, tuple[PreTrainedConfig, Any]] = {}
    with_config = [(module.__dict__.get("config"), module) for module in modules]
    waiting = [(config, one) for config, one in with_config if isinstance(one, PreTrainedModel)]
    waiting += [(config, model) for config, _ in with_config]
    while waiting:
        config, owner = waiting.pop(0)
        if isinstance(config, PreTrainedConfig) and id(config) not in found:
            found[id(config)] = config, owner
            waiting += [(getattr(config, key, None), owner) for key in config.sub_configs]
    return list(found.values())
