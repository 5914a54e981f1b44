"""A widget whose source grows while it is made: on screen from the first token on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attnwidget.session.commands import ShowSource
from attnwidget.session.size import LARGEST, check_size
from attnwidget.sources.api import stack_layers
from attnwidget.widget.notebook import show_now

if TYPE_CHECKING:
    from attnwidget.sources.api import Source

_ENDED = (
    f"The writing ended here, because with the next token the map would have more than {LARGEST:,} "
    "cells; large=True goes on."
)
# Seconds between two drawings: a fast model writes quicker than a page draws.
_PAUSE = 0.05


class MapTooLarge(KeyboardInterrupt):
    """Ends the writing as an interrupt does, which keeps the tokens that were written."""


class Growing:
    """Opens a widget on the first source, and shows each later source in the same widget."""

    def __init__(
        self, make: Callable[[Source], Any], stack: str | None, large: bool = False
    ) -> None:
        self._make = make
        self._stack = stack
        self._large = large
        self._fits: Any = None
        self._is_full = False
        self._widget: Any = None
        self._drawn = 0.0

    def grow(self, source: Source) -> None:
        """Show `source`, unless a source was shown just now.

        Where the map has become too large for a page, the writing ends as after an interrupt.
        Raises ValueError where the first map is too large already.
        """
        on_stack = self._on_stack(source)
        try:
            check_size(on_stack, stack_layers(on_stack)[0].index, self._large)
        except ValueError:
            if self._fits is None:
                raise
            self._is_full = True
            raise MapTooLarge from None
        self._fits = source
        if time.monotonic() - self._drawn >= _PAUSE:
            self._draw(source)

    def _draw(self, source: Source) -> None:
        """Show `source`, unless another thread holds the widget.

        That thread may wait for the model, which this thread holds: both would wait for ever.
        """
        if self._widget is None:
            self.last(source)
        elif self._widget.store.try_do(ShowSource(self._on_stack(source))):
            self._drawn = time.monotonic()

    def last(self, source: Source) -> Any:
        """Show `source`, and return the widget."""
        if self._is_full:
            source = self._fits.with_notice(f"{_ENDED} {self._fits.notice}")
        if self._widget is None:
            self._widget = self._make(self._on_stack(source))
            show_now(self._widget)
        else:
            self._widget.store.do(ShowSource(self._on_stack(source)))
        self._drawn = time.monotonic()
        return self._widget

    def _on_stack(self, source: Source) -> Source:
        stack = self._stack if self._widget is None else self._widget.stack
        return source if stack is None else source.of(stack)
