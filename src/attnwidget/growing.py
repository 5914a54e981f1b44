"""A widget whose source grows while it is made: on screen from the first token on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attnwidget.notebook import show_now

if TYPE_CHECKING:
    from attnwidget.sources.base import Source

# Seconds between two drawings: a fast model writes quicker than a page draws.
_PAUSE = 0.05


class Growing:
    """Opens a widget on the first source that comes, and shows the others in it."""

    def __init__(self, make: Callable[[Source], Any], kind: str | None) -> None:
        self._make = make
        self._kind = kind
        self._widget: Any = None
        self._shown = 0.0

    def grow(self, source: Source) -> None:
        """Show `source`, unless another was shown just now."""
        if time.monotonic() - self._shown >= _PAUSE:
            self.last(source)

    def last(self, source: Source) -> Any:
        """Show `source`, and return the widget."""
        if self._widget is None:
            self._widget = self._make(source if self._kind is None else source.of(self._kind))
            show_now(self._widget)
        else:
            self._widget._show(source.of(self._widget.kind))
        self._shown = time.monotonic()
        return self._widget
