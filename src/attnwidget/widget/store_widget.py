"""A widget whose fields mirror a store: messages to the page, and calls of observers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

import numpy as np
import traitlets
from traitlets import Bunch

from attnwidget.session.store import Batch, Change, Command, RefusedError, Store
from attnwidget.session.transitions import equal
from attnwidget.widget.field import BY, Field
from attnwidget.widget.guard import GuardedWidget
from attnwidget.wire.incoming import in_words

# The errors of the observers that are being called, None where no change is told.
_ERRORS: ContextVar[_Errors | None] = ContextVar("errors", default=None)


class StoreWidget(GuardedWidget):
    """A widget whose fields mirror a store.

    `store` is there before this class's constructor runs, because that opens the comm. The message
    of a change is sent inside the store's lock, and observers are called after it. All observers
    are called, whatever one of them raises; the first error is raised at the end.
    """

    store: Store[Any]
    # Properties that observers hear of, and how each is read from a state.
    announced: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    _detach: Callable[[], None] | None = None
    # Events of a group whose observers wait for the end of it, None outside of groups.
    _delayed: list[Any] | None = None

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

    def changed_names(self, change: Change[Any], but: Set[str] = frozenset()) -> list[str]:
        """Return the fields whose values differ, without the fields `but`."""
        before, after = change.before, change.after
        rows = {name: field.row for name, field in self.fields().items() if name not in but}
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

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return these traits packed, all of them where `key` is None.

        Traits with their default values are in the state too, because the page has no defaults: of
        a state without defaults, as `ipywidgets.embed` saves it, even the module would be missing.
        """
        del drop_defaults
        state: dict[str, Any] = super().get_state(key)
        return state

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
                try:
                    refusal = self._taken(sync_data)
                finally:
                    self.send_fields(self._other_than(sync_data))
                if refusal is not None:
                    self.error = in_words(refusal)
                    self.send_fields(self._truth(sync_data))
                elif before and self.error == before and "error" not in sync_data:
                    self.error = self.standing_error()  # what was refused before is past
        finally:
            BY.reset(token)

    def _other_than(self, sync_data: dict[str, Any]) -> list[str]:
        """Return the fields whose values are not what a page has sent."""
        now, fields = self.store.now, self.fields()
        rows = {name: fields[name].row for name in sync_data if name in fields}
        return [n for n, row in rows.items() if not _is_json(row.packed(now), sync_data[n])]

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
        with _all_called():
            readers = {name: field.row.read for name, field in self.fields().items()}
            for name, read in {**readers, **self.announced}.items():
                if not self._is_observed(name):
                    continue
                old, new = read(change.before), read(change.after)
                # A later change, of an observer or of another thread, tells the value that holds.
                if not equal(old, new) and equal(new, read(self.store.settled)):
                    new = new.view(_Comparable) if isinstance(new, np.ndarray) else new
                    event = Bunch(name=name, old=old, new=new, owner=self, type="change")
                    traitlets.HasTraits.notify_change(self, event)

    def observe(self, handler: Any, names: Any = traitlets.All, type: Any = "change") -> None:  # noqa: A002
        """Call `handler` when a trait changes; see `traitlets.HasTraits.observe`."""
        observed: set[Any] = self.__dict__.setdefault("_observed", set())
        observed.update([names] if isinstance(names, str) or names is traitlets.All else names)
        super().observe(_Guard(handler), names, type)

    def unobserve(self, handler: Any, names: Any = traitlets.All, type: Any = "change") -> None:  # noqa: A002
        """Take `handler` away; see `traitlets.HasTraits.unobserve`."""
        super().unobserve(_Guard(handler), names, type)

    def _is_observed(self, name: str) -> bool:
        observed = self.__dict__.get("_observed", set())
        return name in observed or traitlets.All in observed

    def notify_change(self, event: Any) -> None:
        """Send a trait that is not a field, and call its observers.

        At the end of a group the observers wait until the lock of the store is released.
        """
        if event["name"] in self.fields():
            return  # `send_change` and `tell_change` did both
        if self._delayed is None:
            super().notify_change(event)
        else:
            super().notify_change(Bunch({**event, "type": "sent"}))
            self._delayed.append(event)

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
        if self._delayed is not None:
            yield  # a group inside a group is part of it
            return
        batch: Batch[Any] | None = None
        delayed: list[Any] = []
        try:
            with self.store.batch(is_told=False) as batch:
                self._delayed = delayed
                try:
                    with super().hold_trait_notifications():
                        try:
                            yield
                            self.store.settle()
                        except traitlets.TraitError:
                            raise
                        except BaseException as error:
                            # traitlets takes its traits back on no other error than its own.
                            raise _TakenBackError(error) from None
                finally:
                    self._delayed = None
        except _TakenBackError as stand_in:
            delayed.clear()
            raise stand_in.error from None
        finally:
            with _all_called():
                for event in delayed:
                    traitlets.HasTraits.notify_change(self, event)
                if batch is not None and batch.change is not None and not self.store.is_in_batch:
                    self.store.tell(batch.change, batch.errors)

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


class _Errors(list[BaseException]):
    """The errors of observers that are being called."""

    is_open = True


@contextmanager
def _all_called() -> Iterator[None]:
    """Have all observers called inside, whatever they raise, and raise the first error then."""
    errors = _Errors()
    token = _ERRORS.set(errors)
    try:
        yield
    finally:
        errors.is_open = False  # a thread that an observer has started keeps the context
        _ERRORS.reset(token)
    if errors:
        raise errors[0]


class _Guard:
    """An observer that keeps its error for the end, because traitlets stops at the first error."""

    def __init__(self, handler: Any) -> None:
        self.handler = handler

    def __eq__(self, other: object) -> bool:
        return self.handler == (other.handler if isinstance(other, _Guard) else other)

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, event: Any) -> None:
        handler, errors = self.handler, _ERRORS.get()
        if event["type"] == "sent":
            return
        if isinstance(handler, traitlets.EventHandler) and handler.name is not None:
            handler = getattr(event["owner"], handler.name)
        if errors is None or not errors.is_open:
            handler(event)
            return
        try:
            handler(event)
        except (Exception, KeyboardInterrupt) as error:
            errors.append(error)


def _is_json(value: Any, sent: Any) -> bool:
    """Whether a packed value is what a page has sent, as JSON has it; arrays are not compared."""
    try:
        return bool(json.loads(json.dumps(value)) == sent)
    except (TypeError, ValueError):
        return True


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
