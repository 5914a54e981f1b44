"""The mirror of a session in Jupyter: messages to the page, its commands and questions."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from attnwidget.export.summary import short, summary
from attnwidget.maths.validate import index
from attnwidget.session.commands import Set
from attnwidget.session.size import LARGEST, cells
from attnwidget.widget.long_questions import LONG, LongQuestions
from attnwidget.widget.messages import answer, asks_at_once, early_answer
from attnwidget.widget.page_commands import PageCommands
from attnwidget.widget.store_widget import StoreWidget
from attnwidget.wire.commands import EDITABLE
from attnwidget.wire.incoming import NAME, check, in_words, well_formed
from attnwidget.wire.schema import SCHEMA

if TYPE_CHECKING:
    from attnwidget.session.session import Session
    from attnwidget.session.snapshot import Snapshot
    from attnwidget.session.store import Change

# A run that ends within so many seconds is in the answer to its click; after a longer run, a second
# message comes.
SHORT_RUN = 0.02
_BY_ROW = frozenset(name for name, row in SCHEMA.items() if row.by_row)


class SessionMirror(StoreWidget):
    """A widget that mirrors a session.

    Commands of a page come in `_commands`, until they are answered in `_change`; questions come
    as messages, and each gets an answer.
    """

    store: Session
    # Whether a notebook keeps a picture of the heatmap beside the widget.
    static_picture = True
    announced: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "output_shift": attrgetter("output_shift")
    }
    _commands = traitlets.Dict().tag(sync=True, echo_update=False)
    _change = traitlets.Any(read_only=True).tag(
        sync=True, echo_update=False, to_json=lambda _, w: w._page.answer()
    )
    # The answer to what a page asks at once, sent before it is asked for.
    _early_answer = traitlets.Any(read_only=True).tag(
        sync=True, echo_update=False, to_json=lambda _, w: early_answer(w.store.now)
    )

    def __init__(self, session: Session) -> None:
        self._page = PageCommands(session)
        self._long = LongQuestions(session, lambda content: self.send(well_formed(content)))
        # The comm of a large map is opened, which sends the state, when the widget is displayed.
        self._is_held_back = cells(session.now.source) > LARGEST
        super().__init__(session)
        self.on_msg(self._answer)

    def setting(self, name: str, value: Any) -> Set:
        """Return the command that sets a field."""
        return Set(name, value)

    def why_computed(self, name: str) -> str:
        """Return why a field cannot be set."""
        del name
        return "it is computed from Q, K, V, scale and mask: set one of those"

    def send_change(self, change: Change[Snapshot]) -> None:
        """Send what changed in one message: of a change of the mask, the rows that changed."""
        is_new = change.after.revision != change.before.revision
        # Fields that go by row are not compared, because that would make and read whole maps.
        is_by_row = is_new and self._page.note(change)
        names = self.changed_names(change, but=_BY_ROW if is_by_row else frozenset())
        if is_new:
            names += ["_change"] + ["_early_answer"] * asks_at_once(change.before)
        elif names and change.by == "python":
            names.append("_change")  # by which a page sees whether it has missed a message
        self.send_fields(names)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return these traits packed, all of them where `key` is None."""
        state = super().get_state(key, drop_defaults)
        if "_change" in state and self.fields().keys() <= state.keys():
            state["_change"]["from"] = None  # the whole state continues no other
        return state

    def send_state(self, key: Any = None) -> None:
        """Send these traits, all of them where `key` is None."""
        with self.store.lock:
            super().send_state(key)
            if key is None or "_change" in key:
                self._page.sent()

    def _taken(self, sync_data: dict[str, Any]) -> Exception | None:
        # Commands are taken first and apart: a refused trait beside them takes back none of them.
        if "_commands" in sync_data:
            rest = {name: value for name, value in sync_data.items() if name != "_commands"}
            experiment = self.store.now.experiment
            try:
                refusal: Exception | None = self._page.take(sync_data["_commands"])
                if self.store.now.experiment is not experiment:
                    self.store.wait_for_run(SHORT_RUN)
            finally:
                # An observer may have raised: the page gets its answer, and the rest is taken.
                self.send_fields(["_change"])
                other = self._taken(rest) if rest else None
            return refusal or other
        selection = sync_data.get("selection")
        if selection and not _is_inside(selection, self.store.now.shape):
            sync_data = {**sync_data, "selection": None}  # it was made on a map that is gone
        return super()._taken(sync_data)

    def _truth(self, sync_data: dict[str, Any]) -> list[str]:
        names = super()._truth({n: v for n, v in sync_data.items() if n != "_commands"})
        if not {"_commands", "scale", "temperature"}.isdisjoint(sync_data):
            # The page has drawn what was refused: it gets every number back.
            names += [*EDITABLE, "scores", "mask", "attention", "output", "_change"]
        return names

    def _answer(self, _widget: object, question: Any, _buffers: object) -> None:
        # Another message is not ours: a program may listen to messages of its own with `on_msg`.
        if not isinstance(question, dict) or "type" not in question:
            return
        if question["type"] == "resync":
            # A page has missed a message. Its module and stylesheet are not sent again.
            self.send_state({*self.fields(), "error", "_change"})
            return
        if question["type"] == "stop":
            self._long.stop(question.get("of"))
            return
        sender = question.get("id")
        reply = {"id": sender if isinstance(sender, str) and len(sender) <= NAME else None}
        try:
            check(question)
            if isinstance(question["type"], str) and question["type"] in LONG:
                self._long.answer(question, reply)
                return
            content, buffers = answer(self.store.now, question)
        except (TypeError, ValueError) as error:  # in words for whoever asked
            content, buffers = {"error": in_words(error)}, []
        except Exception as error:  # whatever else went wrong, the view that asked says it
            content, buffers = {"error": in_words(f"{type(error).__name__}: {error}")}, []
        self.send(well_formed({**reply, **content}), buffers)

    def __repr__(self) -> str:
        """Return the title and the size: the arrays would fill pages."""
        return f"<{type(self).__name__} {short(self.store.now)}>"

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict, dict] | None:
        """Return the view of the widget, with a paragraph and a picture for readers without it."""
        bundle: tuple[dict, dict] | None = super()._repr_mimebundle_(**options)
        if bundle is not None:
            now = self.store.now
            words = bundle[0]["text/plain"] = well_formed(summary(now))
            image = _picture(now) if self.static_picture else None
            if image is not None:
                data, (width, height) = image
                bundle[0]["image/png"] = b64encode(data).decode()
                bundle[1]["image/png"] = {"width": width, "height": height, "alt": words}
        return bundle

    def open(self) -> None:
        """Open the comm, which sends the state; of a large map not before it is displayed."""
        if not self._is_held_back:
            super().open()

    @property
    def model_id(self) -> str:
        """The comm's name, by which a page finds the widget: the comm is opened when it is read."""
        if self._is_held_back:
            self._is_held_back = False
            self.open()
        name: str = super().model_id
        return name

    def close(self) -> None:
        """Close the comm; the page removes what it shows of the widget."""
        self._is_held_back = False
        super().close()


def _picture(now: Snapshot) -> tuple[bytes, tuple[int, int]] | None:
    # Imported by the first display, because a program may show no widget.
    from attnwidget.export.picture import picture

    try:
        return picture(now)
    except ValueError:  # a head that cannot be shown: the paragraph says why
        return None


def _is_inside(selection: Any, shape: tuple[int, int]) -> bool:
    try:
        query, key = (index("selection", each, range(2**53)) for each in selection)
    except (TypeError, ValueError):
        return True  # it is refused in words
    return query < shape[0] and key < shape[1]
