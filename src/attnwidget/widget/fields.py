"""Traits that hold NumPy arrays: read-only, compared by value, on the wire as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from traitlets.utils.bunch import Bunch

from attnwidget.wire.pack import pack

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _to_json(value: NDArray | None, _widget: object) -> dict[str, Any] | None:
    return pack(value)


def same(a: Any, b: Any) -> bool:
    """Whether two trait values are equal: arrays if their type and all their values are."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a is b or (a.dtype == b.dtype and np.array_equal(a, b))
    return type(a) is type(b) and bool(a == b)


class Checked(traitlets.Any):
    """A value that its owner's validator always decides on, None included.

    Setting it is exclusive: the owner's ``_mutex`` is held from the check to the last observer.
    """

    def __init__(self, default: Any = None, **keywords: Any) -> None:
        super().__init__(default, **keywords)
        self.tag(sync=True, echo_update=False)

    def _validate(self, obj: Any, value: Any) -> Any:
        return value if obj._cross_validation_lock else self._cross_validate(obj, value)

    def set(self, obj: Any, value: Any) -> None:
        """Store `value`; observers hear of it unless it equals what was there."""
        with obj._mutex:
            new = self._validate(obj, value)
            old = obj._trait_values.get(self.name, self.default_value)
            obj._trait_values[self.name] = new
            if not same(old, new):
                obj._notify_trait(self.name, old, new)


class Array(Checked):
    """A read-only array (or None) that is set as a whole."""

    info_text = "a NumPy array"

    def __init__(self, **keywords: Any) -> None:
        super().__init__(None, **keywords)
        self.tag(to_json=_to_json)


class Computed(Array):
    """An array that the owner's computation holds, read through the trait.

    The owner has a ``_computation`` with an attribute of the trait's name. Setting is the
    owner's ``_set_<name>``; a trait without one is read-only.
    """

    def get(self, obj: Any, cls: Any = None) -> NDArray:
        """Return the computation's array."""
        return getattr(obj._computation, self.name)

    def set(self, obj: Any, value: Any) -> None:
        """Hand `value` to the owner."""
        setter = getattr(obj, f"_set_{self.name}", None)
        if setter is None:
            raise traitlets.TraitError(
                f"{self.name} is computed from Q, K, V, scale and mask: set one of those"
            )
        setter(value)


class _Differences(np.ndarray):
    """Where two arrays differ, as booleans; true where they differ anywhere."""

    def __bool__(self) -> bool:
        return bool(np.asarray(self).any())


class _Heard(np.ndarray):
    """An array as observers get it: ``if array != other`` asks whether they differ anywhere.

    `traitlets.link` compares so, and an array of NumPy has no truth value.
    """

    def __ne__(self, other: Any) -> Any:
        mine, its = np.asarray(self), np.asarray(other)
        if mine.shape != its.shape:
            return True
        return np.asarray(mine != its).view(_Differences)


def heard(event: Any) -> Any:
    """Return a change record whose new array `traitlets.link` can compare."""
    if not isinstance(event.get("new"), np.ndarray):
        return event
    return Bunch({**event, "new": event["new"].view(_Heard)})


def change(owner: Any, name: str, old: Any, new: Any) -> Bunch:
    """Return the change record that traitlets hands to observers."""
    return Bunch(name=name, old=old, new=new, owner=owner, type="change")
