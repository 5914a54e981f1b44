"""`Jobs`: work beside the session, of which the latest counts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context

# Work gets a function that says whether the work is to stop.
Work = Callable[[Callable[[], bool]], None]


class Jobs:
    """Does a single piece of work at a time: newer work stops the older.

    A thread is there only while there is work. Without threads (Pyodide) the work is done at once.
    """

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._stop: threading.Event | None = None
        self._next: tuple[Context, Work, threading.Event] | None = None
        self._is_busy = False
        self._idle = threading.Event()
        self._idle.set()

    def stop(self) -> None:
        """Stop the work that is under way, if any."""
        with self._gate:
            self._replaced(None)
            self._next = None

    def latest(self, work: Work) -> None:
        """Do `work` in a thread; stop the work that is under way."""
        with self._gate:
            stop = threading.Event()
            self._replaced(stop)
            self._next = copy_context(), work, stop
            if self._is_busy:
                return
            self._is_busy = True
            self._idle.clear()
        try:
            threading.Thread(target=self._loop, daemon=True).start()
        except RuntimeError:  # no threads here
            self._loop()

    def wait(self, seconds: float) -> None:
        """Wait until the thread has no work, at most for so many seconds."""
        self._idle.wait(seconds)

    @contextmanager
    def here(self) -> Iterator[Callable[[], bool]]:
        """Stop the work that is under way, because this thread does newer work.

        Yields the function that says whether this thread's work is to stop.
        """
        stop = threading.Event()
        with self._gate:
            self._replaced(stop)
            self._next = None
        try:
            yield stop.is_set
        finally:
            with self._gate:
                if self._stop is stop:
                    self._stop = None

    def _replaced(self, stop: threading.Event | None) -> None:
        if self._stop is not None:
            self._stop.set()
        self._stop = stop

    def _loop(self) -> None:
        while True:
            with self._gate:
                job, self._next = self._next, None
                if job is None:
                    self._is_busy = False
                    self._idle.set()
                    return
            context, work, stop = job
            context.run(work, stop.is_set)
