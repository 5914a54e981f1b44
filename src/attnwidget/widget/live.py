"""A widget whose source grows while a model generates: on screen from the first token on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

from attnwidget.session.commands import EndGeneration, ShowSource
from attnwidget.session.size import LARGEST, check_size
from attnwidget.sources.api import stack_layers
from attnwidget.widget.notebook import show_now
from attnwidget.widget.stopping import stoppable

if TYPE_CHECKING:
    from attnwidget.capture.source import ModelSource
    from attnwidget.sources.api import Source
    from attnwidget.sources.generation import Generation

_ENDED = (
    "The generation ended here, because with the next token the map would have more than "
    f"{LARGEST:,} cells; large=True goes on."
)
# Seconds between two drawings: a fast model generates faster than a page draws.
_PAUSE = 0.05


class MapTooLarge(KeyboardInterrupt):
    """Ends the generation as an interrupt does, which keeps the rows so far."""


class Growing:
    """Opens a widget on the first source, and shows each later source in the same widget.

    `make` returns a widget of a source and of the text generated so far.
    """

    def __init__(
        self,
        make: Callable[[Source, Generation | None], Any],
        stack: str | None,
        large: bool = False,
    ) -> None:
        self._make = make
        self._stack = stack
        self._large = large
        self._stop = Event()
        self._fits: ModelSource | None = None
        self._is_full = False
        self._widget: Any = None
        self._drawn = 0.0

    def run(self, generate: Callable[..., ModelSource]) -> Any:
        """Show what ``generate(grown, is_stopped=..., key=...)`` generates; return the widget.

        Where `generate` raises an error, the widget on screen states that the generation failed.
        """
        try:
            with stoppable(self._stop) as key:
                source = generate(self.grow, is_stopped=self._stop.is_set, key=key)
            return self.last(source)
        except BaseException:
            if self._widget is not None:
                self._widget.store.do(EndGeneration("failed"))
            raise

    def grow(self, source: ModelSource) -> None:
        """Show `source`, unless a source was shown just now.

        Where the map has become too large for a page, the generation ends as after an interrupt.
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

    def _draw(self, source: ModelSource) -> None:
        """Show `source`, unless another thread holds the widget.

        That thread may wait for the model, which this thread holds: both would wait for ever.
        """
        if self._widget is None:
            self.last(source)
        elif self._widget.store.try_do(ShowSource(self._on_stack(source), source.generation)):
            self._drawn = time.monotonic()

    def last(self, source: ModelSource) -> Any:
        """Show `source`, and return the widget."""
        if self._is_full and self._fits is not None and self._fits.generation is not None:
            source = self._fits.with_notice(f"{_ENDED} {self._fits.notice}")
            source = source.with_generation(replace(self._fits.generation, state="full"))
        if self._widget is None:
            self._widget = self._make(self._on_stack(source), source.generation)
            self._widget._stop_generation = self._stop
            show_now(self._widget)
        else:
            self._widget.store.do(ShowSource(self._on_stack(source), source.generation))
        self._drawn = time.monotonic()
        return self._widget

    def _on_stack(self, source: ModelSource) -> Source:
        stack = self._stack if self._widget is None else self._widget.stack
        return source if stack is None else source.of(stack)
