"""Attributes of a class of others, replaced for as long as somebody needs them."""

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
    """The `attributes` that stand in a class `owner` meanwhile."""

    owner: Any
    attributes: Mapping[str, Any]
    _users: int = 0
    _before: dict[str, Any] = field(default_factory=dict)

    def install(self) -> None:
        """Put the attributes in place."""
        self._before = {name: self.owner.__dict__.get(name, _ABSENT) for name in self.attributes}
        for name, value in self.attributes.items():
            setattr(self.owner, name, value)

    def remove(self) -> None:
        """Put back what was there before, inherited attributes included."""
        for name, value in self._before.items():
            if value is _ABSENT:
                delattr(self.owner, name)
            else:
                setattr(self.owner, name, value)


_patches: dict[Callable[[], Patch], Patch] = {}


@contextmanager
def patched(make: Callable[[], Patch]) -> Iterator[None]:
    """Have the patch that `make` returns in force; several threads may need it at a time."""
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
