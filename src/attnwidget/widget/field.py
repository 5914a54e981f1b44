"""A synced trait that has no value of its own: it reads a store, and setting it is a command."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

import traitlets

from attnwidget.session.store import as_refusal
from attnwidget.wire.schema import Row

V = TypeVar("V")

# Who sets a field: a cell, or the page whose message is being taken. A variable of the context,
# because a cell may set the widget in another thread meanwhile.
BY: ContextVar[str] = ContextVar("by", default="python")


class Field(traitlets.TraitType[Any, Any], Generic[V]):
    """A synced trait that reads the widget's store; a field whose row is not settable is read-only.

    traitlets lets `set_trait`, and so a message of a page, set traits that are read-only; a field
    refuses that too.
    """

    def __init__(self, schema: Mapping[str, Row], **keywords: Any) -> None:
        super().__init__(**keywords)
        self.schema = schema
        self.tag(sync=True, echo_update=False)

    def class_init(self, cls: Any, name: str | None) -> None:
        """Take the row of the schema that has the field's name."""
        super().class_init(cls, name)
        self.row = self.schema[str(name)]
        pack = self.row.pack
        if pack is not None:
            self.tag(to_json=lambda value, _widget: pack(value))

    def subclass_init(self, cls: Any) -> None:
        """Leave out traitlets' own values, as `traitlets.Any` does."""

    def get(self, obj: Any, cls: Any = None) -> Any:
        """Return the value in the store."""
        return self.row.read(obj.store.now)

    def set(self, obj: Any, value: Any) -> None:
        """Set the value by a command of the store."""
        name = str(self.name)
        if not self.row.is_settable:
            raise traitlets.TraitError(f"{name}: {obj.why_computed(name)}")
        # traitlets sets a value twice in its constructor. In a group, a value in force replaces a
        # value that was refused before.
        if value is self.get(obj) and not obj.store.is_in_batch:
            return
        try:
            value = self._cross_validate(obj, value)
        except (TypeError, ValueError) as error:
            raise as_refusal(error) from error
        obj.store.do(obj.setting(name, value), by=BY.get())
