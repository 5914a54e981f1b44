"""Replace attributes of a class of another library for the time that a thread needs them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_gate = threading.Lock()
_ABSENT = object()


@dataclass(eq=False)
class Patch:
    """The `attributes` that replace those of a class `owner`."""

    owner: Any
    attributes: Mapping[str, Any]
    _users: int = 0
    _before: dict[str, Any] = field(default_factory=dict)

    def install(self) -> None:
        """Set the attributes."""
        self._before = {name: self.owner.__dict__.get(name, _ABSENT) for name in self.attributes}
        for name, value in self.attributes.items():
            setattr(self.owner, name, value)

    def remove(self) -> None:
        """Restore the attributes, and delete those that the class inherited before."""
        for name, value in self._before.items():
            if value is _ABSENT:
                delattr(self.owner, name)
            else:
                setattr(self.owner, name, value)


_patches: dict[Callable[[], Patch], Patch] = {}


@contextmanager
def patched(make: Callable[[], Patch]) -> Iterator[None]:
    """Keep the patch that `make` returns installed; several threads may share the patch."""
    with _gate:
        if make not in _patches:
            _patches[make] = make()
            _patches[make].install()
        patch = _patches[make]
        patch._users += 1
    try:
        yield
    finally:
        with _gate:
            patch._users -= 1
            if not patch._users:
                _patches.pop(make).remove()
