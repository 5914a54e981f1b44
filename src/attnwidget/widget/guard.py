"""How the state is kept whole: one thread at a time, refusals taken back, observers all heard."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import traitlets


class RefusedTypeError(traitlets.TraitError, TypeError):
    """A value of a type that the trait does not take."""


class RefusedValueError(traitlets.TraitError, ValueError):
    """A value that does not fit the widget as it is."""


def exclusive(method: Any) -> Any:
    """Let one thread at a time into the state: what is read is still so when it is changed."""

    @functools.wraps(method)
    def guarded(self: Any, *arguments: Any, **keywords: Any) -> Any:
        with self._mutex:
            return method(self, *arguments, **keywords)

    return guarded


class Notified:
    """Observers are all called, whatever one of them raises; the first error is raised after."""

    def __init__(self) -> None:
        self._error: BaseException | None = None

    def __enter__(self) -> Notified:
        return self

    def call(self, function: Any, *arguments: Any) -> None:
        """Call and keep the first error for the end."""
        try:
            function(*arguments)
        except (Exception, KeyboardInterrupt) as error:
            self._error = self._error or error

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self._error is not None:
            raise self._error


class _TakenBack(traitlets.TraitError):
    """Stands for an error of another kind, which traitlets would not take a group back on."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


@contextmanager
def whole_group(hold: Any) -> Iterator[None]:
    """Enter `hold`, traitlets' context of a group of values; any error takes all of it back."""
    try:
        with hold:
            try:
                yield
            except traitlets.TraitError:
                raise
            except BaseException as error:
                raise _TakenBack(error) from None
    except _TakenBack as stand_in:
        raise stand_in.error from None


@contextmanager
def at_once(owner: Any) -> Iterator[None]:
    """Let what changes now be heard of now, also within a group of values that waits."""
    held, lock = owner.__dict__.pop("notify_change", None), owner._cross_validation_lock
    owner._cross_validation_lock = False
    try:
        yield
    finally:
        owner._cross_validation_lock = lock
        if held is not None:
            owner.notify_change = held
