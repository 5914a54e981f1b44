"""A widget that checks what a page sends before anything is done with it."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from attnwidget.session.store import RefusedError
from attnwidget.widget.field import Field
from attnwidget.wire.incoming import check, in_words, state_of, well_formed
from attnwidget.wire.pack import pack

# What ipywidgets and anywidget synchronise: the code of the card, and how it is laid out.
_OF_THE_HOST = frozenset(anywidget.AnyWidget.class_traits(sync=True)) | {
    "_esm",
    "_css",
    "_anywidget_id",
}


class GuardedWidget(anywidget.AnyWidget):
    """A widget whose page may set what a control of the card sets, and nothing else.

    A message that cannot be read is refused in `error`. A name that the widget does not have is
    ignored, as ipywidgets does, because a host may add names of its own.
    """

    error = traitlets.Unicode().tag(sync=True, echo_update=False)

    def _handle_msg(self, msg: Any) -> None:
        try:
            method, state = state_of(msg)
        except ValueError as error:
            self.error = in_words(error)
            return
        data = {"method": method, "state": state, "content": msg["content"]["data"].get("content")}
        super()._handle_msg({"content": {"data": data}, "buffers": msg.get("buffers") or []})

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Set the traits that a page may set; raise RefusedError for the others."""
        traits = self.traits(sync=True)
        taken = {name: value for name, value in sync_data.items() if name in traits}
        for name, value in taken.items():
            trait = traits[name]
            is_array = isinstance(trait, Field) and trait.row.is_settable and trait.row.pack is pack
            if is_array or trait.read_only or name in _OF_THE_HOST:
                raise RefusedError(f"{name}: a page can't set it, only a program in Python can")
            if name == "error" and value != "":
                raise RefusedError("error: a page can only clear it")
            try:
                check(value)
            except ValueError as error:
                raise RefusedError(f"{name}: {error}") from None
        super().set_state(taken)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return these traits packed, all of them where `key` is None; their text is Unicode."""
        state: dict[str, Any] = well_formed(super().get_state(key, drop_defaults))
        return state
