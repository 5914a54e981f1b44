"""A state that is changed by commands alone: checked first, then sent, then told to observers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class RefusedError(Exception):
    """A command that the state does not take; nothing has changed."""


class RefusedTypeError(RefusedError, TypeError):
    """A command with a value of a wrong type."""


class RefusedValueError(RefusedError, ValueError):
    """A command with a value that does not fit the state."""


S = TypeVar("S")
T = TypeVar("T")


class Command(Protocol[S]):
    """Something to do: a function from a state to the next state.

    `apply` returns the same object where nothing changes, and raises TypeError or ValueError for
    what the state does not take. `may_wait` says that a refused command is tried again at the end
    of a group, because another command of the group may make room for it.
    """

    @property
    def may_wait(self) -> str:
        """The name of what is set, by which a later command replaces it; "" if it cannot wait."""
        ...

    def apply(self, now: S) -> S:
        """Return the state after the command."""
        ...


@dataclass(frozen=True, eq=False)
class Change(Generic[S]):
    """The step from one state to the next, and who made it: "python", "page" or a page's name."""

    before: S
    after: S
    by: str


class Mirror(Protocol[T]):
    """Who follows a store. `send_change` is called inside the lock, `tell_change` after it."""

    def send_change(self, change: Change[T]) -> None:
        """Put the change on its way; no code of a user may run here."""
        ...

    def tell_change(self, change: Change[T]) -> None:
        """Call the observers."""
        ...

    def send_again(self) -> None:
        """Send the whole state, because an interrupt may have cut a message off."""
        ...


@dataclass(eq=False)
class _Batch(Generic[S]):
    """The commands of a group: who made them, and those that wait for the end."""

    atomic: bool
    by: list[str] = field(default_factory=list)
    waiting: dict[str, tuple[Command[S], str, RefusedError]] = field(default_factory=dict)


class Store(Generic[S]):
    """Holds one immutable state. The lock is held from the check of a command to its message.

    It is never held while an observer runs, so that two stores that follow each other in two
    threads do not wait for each other.
    """

    def __init__(self, state: S) -> None:
        self._now = state
        self.lock = threading.RLock()
        self._mirrors: tuple[Mirror[S], ...] = ()
        self._batch: _Batch[S] | None = None

    @property
    def now(self) -> S:
        """The state."""
        return self._now

    def attach(self, mirror: Mirror[S]) -> Callable[[], None]:
        """Have `mirror` follow the state; return the function that ends it."""
        with self.lock:
            self._mirrors = (*self._mirrors, mirror)

        def detach() -> None:
            with self.lock:
                self._mirrors = tuple(other for other in self._mirrors if other is not mirror)

        return detach

    def do(self, command: Command[S], *, by: str = "python") -> Change[S]:
        """Do `command`, then send and tell the change; within a batch, at its end.

        Raises
        ------
        RefusedError
            Also a TypeError or a ValueError, before anything has changed.
        """
        with self.lock:
            change, is_due = self._do(command, by)
        if is_due:
            self._tell(change)
        return change

    def try_do(self, command: Command[S], *, by: str = "python") -> bool:
        """Do `command` unless another thread holds the lock; return whether it was done."""
        if not self.lock.acquire(blocking=False):
            return False
        try:
            change, is_due = self._do(command, by)
        finally:
            self.lock.release()
        if is_due:
            self._tell(change)
        return True

    def _do(self, command: Command[S], by: str) -> tuple[Change[S], bool]:
        """Do `command` inside the lock; return the change, and whether observers are to hear."""
        before, batch = self._now, self._batch
        try:
            after = self._next(before, command)
        except (TypeError, ValueError) as error:
            refusal = _refused(error)
            if batch is None or not batch.atomic or not command.may_wait:
                raise refusal from None
            batch.waiting[command.may_wait] = command, by, refusal
            return Change(before, before, by), False
        change = Change(before, after, by)
        if batch is not None:
            batch.waiting.pop(command.may_wait, None)
        if after is before:
            return change, False
        self._now = after
        if batch is not None:
            batch.by.append(by)
            return change, False
        self._send(change)
        return change, True

    @contextmanager
    def batch(self, *, atomic: bool = True) -> Iterator[None]:
        """Make one change of several commands; `atomic`: any exception takes all of them back.

        What a command of an atomic batch is refused for may be set later in the batch: the command
        is tried again at the end.
        """
        with self.lock:
            if self._batch is not None:
                yield
                return
            before, self._batch = self._now, _Batch(atomic)
            batch = self._batch
            change = None
            try:
                yield
                self._settle(batch)
            except BaseException:
                if atomic:
                    self._now = before
                raise
            finally:
                self._batch = None
                after = self._now
                if after is not before:
                    after = self._now = self._joined(before, after, atomic)
                    by = batch.by[0] if len(set(batch.by)) == 1 else "python"
                    change = Change(before, after, by)
                    self._send(change)
        if change is not None:
            self._tell(change)

    def _settle(self, batch: _Batch[S]) -> None:
        """Do the commands that wait, in any order in which the state takes them."""
        while batch.waiting:
            waiting, batch.waiting = batch.waiting, {}
            for command, by, _ in waiting.values():
                self.do(command, by=by)
            if batch.waiting.keys() == waiting.keys():
                raise next(iter(batch.waiting.values()))[2]

    def _next(self, before: S, command: Command[S]) -> S:
        """Return the state after `command`; a subclass adds what follows from it."""
        return command.apply(before)

    def _joined(self, before: S, after: S, atomic: bool) -> S:
        """Return `after` as the state after the commands of a batch."""
        del before, atomic
        return after

    def _send(self, change: Change[S]) -> None:
        try:
            for mirror in self._mirrors:
                mirror.send_change(change)
        except KeyboardInterrupt:
            for mirror in self._mirrors:
                mirror.send_again()
            raise

    def _tell(self, change: Change[S]) -> None:
        errors: list[BaseException] = []
        for mirror in self._mirrors:
            try:
                mirror.tell_change(change)
            except (Exception, KeyboardInterrupt) as error:  # noqa: PERF203
                errors.append(error)
        if errors:
            raise errors[0]


def _refused(error: Exception) -> RefusedError:
    if isinstance(error, RefusedError):
        return error
    kind = RefusedTypeError if isinstance(error, TypeError) else RefusedValueError
    return kind(str(error))
