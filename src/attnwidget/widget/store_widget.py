"""A widget whose fields mirror a store: messages to the page, and calls of observers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

import anywidget
import numpy as np
import traitlets
from traitlets import Bunch

from attnwidget.session.store import Change, Command, RefusedError, Store
from attnwidget.session.transitions import equal
from attnwidget.widget.field import BY, Field

# The errors of the observers that are being called, None where no change is told.
_ERRORS: ContextVar[list[BaseException] | None] = ContextVar("errors", default=None)


class StoreWidget(anywidget.AnyWidget):
    """A widget whose fields mirror a store.

    `store` is there before this class's constructor runs, because that opens the comm. The message
    of a change is sent inside the store's lock, and observers are called after it. All observers
    are called, whatever one of them raises; the first error is raised at the end.
    """

    store: Store[Any]
    # Properties that observers hear of, and how each is read from a state.
    announced: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    _detach: Callable[[], None] | None = None
    error = traitlets.Unicode().tag(sync=True, echo_update=False)

    def __init__(self, store: Store[Any], **traits: Any) -> None:
        self.store = store
        super().__init__(**traits)
        self._detach = store.attach(self)

    @classmethod
    def fields(cls) -> dict[str, Field[Any]]:
        """Return the fields by name."""
        known: dict[str, Field[Any]] | None = cls.__dict__.get("_fields")
        if known is None:
            traits = {n: t for n, t in cls.class_traits().items() if isinstance(t, Field)}
            # Observers are called in the schema's order.
            known = {n: traits[n] for trait in traits.values() for n in trait.schema if n in traits}
            cls._fields = known
        return known

    def setting(self, name: str, value: Any) -> Command[Any]:
        """Return the command that sets a field."""
        raise NotImplementedError

    def why_computed(self, name: str) -> str:
        """Return why a field cannot be set, and what can be set instead."""
        del name
        return "it is computed; it can't be set"

    def add_traits(self, **traits: Any) -> None:
        """Add the traits that the widget does not have yet.

        anywidget adds `_esm`, `_css` and an id to each widget, and traitlets makes a class for each
        widget that is added to: half of the time that a widget takes. This class has these traits.
        """
        new = {name: trait for name, trait in traits.items() if not self.has_trait(name)}
        if new:
            super().add_traits(**new)

    # From the store to the page: inside the lock

    def changed_names(self, change: Change[Any]) -> list[str]:
        """Return the fields whose values differ."""
        before, after = change.before, change.after
        rows = {name: field.row for name, field in self.fields().items()}
        parts = {row.part for row in rows.values() if row.part}
        same = {part for part in parts if getattr(before, part) is getattr(after, part)}
        return [
            name
            for name, row in rows.items()
            if row.part not in same and not equal(row.read(before), row.read(after))
        ]

    def send_change(self, change: Change[Any]) -> None:
        """Send what changed in one message."""
        self.send_fields(self.changed_names(change))

    def send_fields(self, names: list[str]) -> None:
        """Send these fields in one message, or with the message that is held back."""
        with self.hold_sync():
            for name in names:
                # ipywidgets notes that the name is to be sent. Nobody observes this type of event.
                super().notify_change(Bunch(name=name, owner=self, type="sent"))

    def send_again(self) -> None:
        """Send every field, because an interrupt may have cut a message off."""
        self.send_state()

    # From the page to the store

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take the state of a page. A refusal is said in `error`, and the page gets the truth back.

        The error of an observer is not a refusal: it is raised, so that its traceback is printed.
        """
        token = BY.set("page")
        try:
            with self.hold_sync():
                before = self.error
                refusal = self._taken(sync_data)
                if refusal is not None:
                    self.error = str(refusal)
                    self.send_fields(self._truth(sync_data))
                elif before and self.error == before and "error" not in sync_data:
                    self.error = self.standing_error()  # what was refused before is past
        finally:
            BY.reset(token)

    def _taken(self, sync_data: dict[str, Any]) -> Exception | None:
        """Take the state of a page; return the refusal."""
        try:
            super().set_state(sync_data)
        except (RefusedError, traitlets.TraitError) as refusal:
            return refusal
        return None

    def _truth(self, sync_data: dict[str, Any]) -> list[str]:
        """Return the names that a page gets back when its state is refused."""
        return [name for name in sync_data if name in self.keys]

    def standing_error(self) -> str:
        """Return what `error` says where nothing is refused."""
        return ""

    # From the store to observers: after the lock

    def tell_change(self, change: Change[Any]) -> None:
        """Call every observer of every field whose value differs; raise the first error."""
        errors: list[BaseException] = []
        token = _ERRORS.set(errors)
        try:
            readers = {name: field.row.read for name, field in self.fields().items()}
            for name, read in {**readers, **self.announced}.items():
                if not self._is_observed(name):
                    continue
                old, new = read(change.before), read(change.after)
                if not equal(old, new):
                    new = new.view(_Comparable) if isinstance(new, np.ndarray) else new
                    self.notify_change(
                        Bunch(name=name, old=old, new=new, owner=self, type="change")
                    )
        finally:
            _ERRORS.reset(token)
        if errors:
            raise errors[0]

    def observe(self, handler: Any, names: Any = traitlets.All, type: Any = "change") -> None:  # noqa: A002
        """Call `handler` when a trait changes; see `traitlets.HasTraits.observe`."""
        observed: set[Any] = self.__dict__.setdefault("_observed", set())
        observed.update([names] if isinstance(names, str) or names is traitlets.All else names)
        guards: dict[Any, _Guard] = self.__dict__.setdefault("_guards", {})
        super().observe(guards.setdefault(handler, _Guard(handler)), names, type)

    def unobserve(self, handler: Any, names: Any = traitlets.All, type: Any = "change") -> None:  # noqa: A002
        """Take `handler` away; see `traitlets.HasTraits.unobserve`."""
        super().unobserve(self.__dict__.get("_guards", {}).get(handler, handler), names, type)

    def _is_observed(self, name: str) -> bool:
        observed = self.__dict__.get("_observed", set())
        return name in observed or traitlets.All in observed

    def notify_change(self, event: Any) -> None:
        """Call the observers of a field, which was sent already; send any other trait."""
        if event["name"] in self.fields():
            traitlets.HasTraits.notify_change(self, event)
        else:
            super().notify_change(event)

    # Groups

    @contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Hold messages back, and send one at the end."""
        held = super().hold_sync()
        held.__enter__()
        try:
            yield
        finally:
            # Another thread may be adding names to what is sent.
            with self.store.lock:
                held.__exit__(None, None, None)

    @contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Take several values together: all of them in one message, or none."""
        try:
            with self.store.batch(), super().hold_trait_notifications():
                try:
                    yield
                except traitlets.TraitError:
                    raise
                except BaseException as error:
                    # traitlets takes ordinary traits back on no other error than its own.
                    raise _TakenBackError(error) from None
        except _TakenBackError as stand_in:
            raise stand_in.error from None

    def close(self) -> None:
        """Close the comm and stop following the store; the page removes what it shows."""
        if self._detach is not None:  # None in a widget that was refused
            self._detach()
        super().close()


class _TakenBackError(traitlets.TraitError):
    """Stands for an error of another kind inside a group."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class _Guard:
    """An observer that keeps its error for the end, because traitlets stops at the first error."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler

    def __call__(self, event: Any) -> None:
        handler, errors = self._handler, _ERRORS.get()
        if isinstance(handler, traitlets.EventHandler) and handler.name is not None:
            handler = getattr(event["owner"], handler.name)
        if errors is None:
            handler(event)
            return
        try:
            handler(event)
        except (Exception, KeyboardInterrupt) as error:
            errors.append(error)


class _Difference(np.ndarray):
    """Where two arrays differ, as booleans; true where they differ anywhere."""

    def __bool__(self) -> bool:
        return bool(np.asarray(self).any())


class _Comparable(np.ndarray):
    """An array as observers get it: ``if array != other`` asks whether they differ anywhere.

    `traitlets.link` compares so, and an array of NumPy has no truth value.
    """

    def __ne__(self, other: Any) -> Any:
        mine, theirs = np.asarray(self), np.asarray(other)
        return True if mine.shape != theirs.shape else np.asarray(mine != theirs).view(_Difference)
