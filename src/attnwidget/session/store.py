"""`Store`: a state that only commands change; mirrors send each change and call observers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar


class RefusedError(Exception):
    """A command that does not fit the state, which has not changed."""


class RefusedTypeError(RefusedError, TypeError):
    """A command with a value of a wrong type."""


class RefusedValueError(RefusedError, ValueError):
    """A command with a value that does not fit the state."""


S = TypeVar("S")
T = TypeVar("T")


class Command(Protocol[S]):
    """A function from a state to the next state.

    `apply` returns the same object if nothing changes, and raises TypeError or ValueError for a
    value that does not fit. With `may_wait`, a refused command is tried again at the end of a
    group, because it may fit after another command of the group.
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
    """An object that follows a store: `send_change` runs inside the lock, `tell_change` after."""

    def send_change(self, change: Change[T]) -> None:
        """Send the change; no code of a user may run here."""
        ...

    def tell_change(self, change: Change[T]) -> None:
        """Call the observers."""
        ...

    def send_again(self) -> None:
        """Send the whole state, because an interrupt may have stopped a message."""
        ...


@dataclass(eq=False)
class Batch(Generic[S]):
    """The commands of a group: the state before, who made them, and those that wait for the end.

    `change` is the change of the whole group and `errors` are those of sending it, once the group
    has ended; None where nothing has changed.
    """

    before: S
    atomic: bool
    by: list[str] = field(default_factory=list)
    waiting: dict[str, tuple[Command[S], str, RefusedError]] = field(default_factory=dict)
    change: Change[S] | None = None
    errors: list[BaseException] = field(default_factory=list)


class Store(Generic[S]):
    """Holds one immutable state. The lock is held from the check of a command to its message.

    It is never held while an observer runs, so that two stores that follow each other in two
    threads do not wait for each other.
    """

    def __init__(self, state: S) -> None:
        self._now = state
        self.lock = threading.RLock()
        self._mirrors: tuple[Mirror[S], ...] = ()
        self._batch: Batch[S] | None = None

    @property
    def now(self) -> S:
        """The state."""
        return self._now

    @property
    def settled(self) -> S:
        """The state without the commands of a group that has not ended."""
        batch = self._batch
        return self._now if batch is None else batch.before

    @property
    def is_in_batch(self) -> bool:
        """Whether the commands of a group are being gathered."""
        return self._batch is not None

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
            change, errors = self._do(command, by)
            is_due = self._batch is None
        if is_due:
            self.tell(change, errors)
        return change

    def try_do(self, command: Command[S], *, by: str = "python") -> bool:
        """Do `command` unless another thread holds the lock; return whether it was done."""
        if not self.lock.acquire(blocking=False):
            return False
        try:
            change, errors = self._do(command, by)
            is_due = self._batch is None
        finally:
            self.lock.release()
        if is_due:
            self.tell(change, errors)
        return True

    def _do(self, command: Command[S], by: str) -> tuple[Change[S], list[BaseException]]:
        """Do `command` inside the lock; return the change, and the errors of sending it."""
        before, batch = self._now, self._batch
        try:
            after = self._next(before, command)
        except (TypeError, ValueError) as error:
            refusal = as_refusal(error)
            if batch is None or not batch.atomic or not command.may_wait:
                raise refusal from None
            batch.waiting[command.may_wait] = command, by, refusal
            return Change(before, before, by), []
        if batch is not None:
            batch.waiting.pop(command.may_wait, None)
            if after is not before:
                batch.by.append(by)
        change = Change(before, after, by)
        self._now = after
        return change, self._send(change) if batch is None else []

    @contextmanager
    def batch(self, *, atomic: bool = True, is_told: bool = True) -> Iterator[Batch[S]]:
        """Make one change of several commands; `atomic`: any exception takes all of them back.

        A refused command of an atomic batch is tried again at the end, because a later command may
        make it fit. If `is_told` is False, the caller tells the observers of the
        `change` and the `errors` of the batch.
        """
        batch = Batch(self._now, atomic)
        try:
            with self.lock:
                if self._batch is not None:
                    yield self._batch
                    return
                batch.before = self._now
                try:
                    self._batch = batch
                    yield batch
                    self.settle()
                    self._commit(batch)
                except BaseException:
                    if atomic:
                        self._now = batch.before
                    else:
                        self._commit(batch)
                    raise
                finally:
                    self._batch = None
        finally:
            if is_told and batch.change is not None:
                self.tell(batch.change, batch.errors)

    def settle(self) -> None:
        """Do the commands of the batch that wait, in any order in which the state takes them.

        Raises
        ------
        RefusedError
            Where the state takes no command that is left.
        """
        batch = self._batch
        while batch is not None and batch.waiting:
            waiting, batch.waiting = batch.waiting, {}
            for command, by, _ in waiting.values():
                self._do(command, by)
            if batch.waiting.keys() == waiting.keys():
                raise next(iter(batch.waiting.values()))[2]

    def _commit(self, batch: Batch[S]) -> None:
        """Make one change of what the batch has done, and send it."""
        if self._now is batch.before or batch.change is not None:
            return
        after = self._joined(batch, self._now)
        by = batch.by[0] if len(set(batch.by)) == 1 else _joint(batch.by)
        change = Change(batch.before, after, by)
        self._now, self._batch = after, None
        batch.change = change
        batch.errors = self._send(change)

    def _next(self, before: S, command: Command[S]) -> S:
        """Return the state after `command`; a subclass adds what follows from it."""
        return command.apply(before)

    def _joined(self, batch: Batch[S], after: S) -> S:
        """Return `after` as the state after the commands of a batch."""
        del batch
        return after

    def _send(self, change: Change[S]) -> list[BaseException]:
        """Have every mirror send the change; return their errors, which are raised after telling.

        An interrupt may cut a message off: everything is sent again.
        """
        errors: list[BaseException] = []
        if change.after is not change.before:
            for mirror in self._mirrors:
                errors += _errors_of(mirror.send_change, change)
        if any(isinstance(error, KeyboardInterrupt) for error in errors):
            for mirror in self._mirrors:
                errors += _errors_of(mirror.send_again)
        return errors

    def tell(self, change: Change[S], errors: Sequence[BaseException] = ()) -> None:
        """Have every mirror call its observers; then raise the first error, `errors` before all."""
        every = list(errors)
        if change.after is not change.before:
            for mirror in self._mirrors:
                every += _errors_of(mirror.tell_change, change)
        if every:
            raise every[0]


def _joint(by: Sequence[str]) -> str:
    """Return who made a change of several commands: "page" if pages alone did."""
    return "python" if "python" in by else "page"


def _errors_of(function: Callable[..., None], *arguments: Any) -> list[BaseException]:
    """Call `function`, and return the error that it raises, if any."""
    try:
        function(*arguments)
    except (Exception, KeyboardInterrupt) as error:
        return [error]
    return []


def as_refusal(error: Exception) -> RefusedError:
    """Return a TypeError or ValueError as a refusal."""
    if isinstance(error, RefusedError):
        return error
    kind = RefusedTypeError if isinstance(error, TypeError) else RefusedValueError
    return kind(str(error))
