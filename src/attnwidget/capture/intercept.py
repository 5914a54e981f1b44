"""Listen to transformers' AttentionInterface in the thread that runs a model.

The attention function that the model was loaded with (sdpa, eager, or a user's function) runs as
usual. A listener gets its arguments and its result. Forward passes in other threads use the
interface unchanged.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from attnwidget.capture.patched import Patch, patched

_here = threading.local()
# Of the modules whose output is edited, the functions that return the edited output.
_editors: dict[Any, list[Callable[[Attended], Any]]] = {}
_EAGER = "eager_attention_forward"


@dataclass(frozen=True, eq=False)
class Attended:
    """The arguments and the `output` of a call of an attention function.

    Shapes: `query` (b, h, n_q, d_k), `key` (b, h_kv, n_k, d_k), `value` (b, h_kv, n_k, d_v). `mask`
    has the form that the function takes. `is_eager` is True for the eager function of the modelling
    file, which masks no cell if `mask` is None.
    """

    module: Any
    query: Any
    key: Any
    value: Any
    mask: Any
    options: dict[str, Any]
    is_eager: bool
    output: Any


@dataclass(frozen=True)
class Listener:
    """Functions that are called `before` and `after` each attention call, or if it `failed`."""

    before: Callable[[], None]
    after: Callable[[Attended], None]
    failed: Callable[[], None]


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call `listener` for each attention call that this thread makes through the interface."""
    listeners = _here.__dict__.setdefault("listeners", [])
    with _installed():
        listeners.append(listener)
        try:
            yield
        finally:
            listeners.pop()


@contextmanager
def editing(module: Any, edit: Callable[[Attended], Any]) -> Iterator[None]:
    """Replace the output of each attention call of `module`, in all threads, by that of `edit`.

    Listeners get the edited output.
    """
    with _installed():
        editors = _editors.setdefault(module, [])
        editors.append(edit)
        try:
            yield
        finally:
            editors.remove(edit)
            if not editors:
                del _editors[module]


@contextmanager
def _installed() -> Iterator[None]:
    with ExitStack() as patches:
        for make in (_interface, *_eager_functions()):
            patches.enter_context(patched(make))
        yield


def _interface() -> Patch:
    """Return a patch with which the interface's functions call the listener of the thread."""
    from transformers import AttentionInterface

    getitem = AttentionInterface.__getitem__

    def heard_getitem(self: Any, name: str) -> Any:
        return _heard(getitem(self, name), False)

    methods: dict[str, Any] = {"__getitem__": heard_getitem}
    get_interface = getattr(AttentionInterface, "get_interface", None)
    if get_interface is None:  # transformers 5.0; see `_eager_functions`
        return Patch(AttentionInterface, methods)

    def heard_get_interface(self: Any, name: str, default: Callable[..., Any]) -> Any:
        function = get_interface(self, name, default)
        return _heard(function, function is default)

    methods["get_interface"] = heard_get_interface
    return Patch(AttentionInterface, methods)


def _eager_functions() -> list[Callable[[], Patch]]:
    """Return the patches of the eager functions of the modelling files that are loaded.

    A model of transformers 5.0 calls the eager function of its file directly. From 5.1 on, it asks
    the interface for the function, and there are no such patches.
    """
    from transformers import AttentionInterface

    if hasattr(AttentionInterface, "get_interface"):
        return []
    files = [name for name in sys.modules if name.startswith("transformers.models.")]
    return [_eager_of(name) for name in files if _EAGER in vars(sys.modules[name])]


@cache
def _eager_of(file: str) -> Callable[[], Patch]:
    def make() -> Patch:
        module = sys.modules[file]
        function = getattr(module, _EAGER)

        def heard_eager(*arguments: Any, **options: Any) -> Any:
            return _heard(function, True)(*arguments, **options)

        return Patch(module, {_EAGER: heard_eager})

    return make


def _heard(function: Any, is_eager: bool) -> Any:
    """Return `function`, wrapped so that each call also calls editors and the thread's listener."""
    listeners = _here.__dict__.get("listeners")
    if not (listeners or _editors) or getattr(function, "is_heard", False):
        return function
    listener: Listener | None = listeners[-1] if listeners else None

    def attend(
        module: Any, query: Any, key: Any, value: Any, attention_mask: Any = None,
        *more: Any, **options: Any,
    ) -> Any:  # fmt: skip
        if listener is not None:
            listener.before()
        try:
            output = function(module, query, key, value, attention_mask, *more, **options)
            attended = Attended(
                module, query, key, value, attention_mask, options, is_eager, output
            )
            for edit in tuple(_editors.get(module, ())):
                attended = replace(attended, output=edit(attended))
        except BaseException:
            if listener is not None:
                listener.failed()
            raise
        if listener is not None:
            listener.after(attended)
        return attended.output

    attend.is_heard = True  # type: ignore[attr-defined]
    return attend
