"""How the state is kept whole: one thread at a time, refusals taken back, observers all heard."""

from __future__ import annotations

import functools
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
        self._error: Exception | None = None

    def __enter__(self) -> Notified:
        return self

    def call(self, function: Any, *arguments: Any) -> None:
        """Call and keep the first error for the end."""
        try:
            function(*arguments)
        except Exception as error:
            self._error = self._error or error

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self._error is not None:
            raise self._error
