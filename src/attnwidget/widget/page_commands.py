"""A page's commands: each is done once, and each message of them is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.session.store import RefusedError
from attnwidget.wire.commands import CommandLog, command_of
from attnwidget.wire.pack import pack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.session import Session
    from attnwidget.session.snapshot import Snapshot
    from attnwidget.session.store import Change

_NONE: NDArray[np.intp] = np.empty(0, np.intp)


class PageCommands:
    """What the pages of one session have sent, and the answer that is due to them.

    The answer names the last command of each page, the commands that were refused, the query rows
    that changed, and who changed them: a page, or "python". It gathers until it is sent, and says
    which revision it continues: a page that has another revision has missed a message.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._log = CommandLog()
        self._rows = _NONE
        self._by: str | None = None
        self._sent_revision = session.now.revision

    def take(self, message: Any) -> RefusedError | None:
        """Do the commands of a page's message that are new; return the first refusal.

        Each command stands alone: a refused command takes back no other. The error of a command
        that is not a refusal is raised when the other commands are done.
        """
        refusal: RefusedError | None = None
        failure: Exception | None = None
        with self._session.batch(atomic=False):
            # Inside the lock: a second delivery of the message waits until these commands are done.
            try:
                client, commands = self._log.fresh(message)
            except ValueError as error:
                return RefusedError(str(error))
            for seq, sent in commands:
                words = ""
                try:
                    self._do(client, sent)
                except (TypeError, ValueError) as error:
                    words = str(error)
                    refusal = refusal or RefusedError(words)
                except Exception as error:  # it is raised below: the page is answered all the same
                    words = f"{type(error).__name__}: {error}"
                    failure = failure or error
                self._log.answer(client, seq, words)
        if failure is not None:
            raise failure
        return refusal

    def _do(self, client: str, sent: Any) -> None:
        command, rows, by = command_of(client, sent, self._session.now.shape)
        self._add(rows, client)
        if command is not None:
            self._session.do(command, by=by)

    def note(self, change: Change[Snapshot]) -> bool:
        """Note the rows and the author of a change; return whether rows say all of it."""
        before, after = change.before, change.after
        is_by_row = after.inputs is before.inputs
        rows = after.maps.rows_since(before.maps) if is_by_row else _NONE
        self._add(rows, "python" if change.by == "page" else change.by)
        return is_by_row

    def answer(self) -> dict[str, Any]:
        """Return the answer, packed."""
        maps = self._session.now.maps
        rows = self._rows[self._rows < maps.mask.shape[0]]
        parts = {"rows": rows.astype(np.int32), **maps.rows(rows)}
        refused = {
            client: {str(seq): words for seq, words in refusals.items()}
            for client, refusals in self._log.refused.items()
        }
        return {
            "from": self._sent_revision,
            "revision": self._session.now.revision,
            "acks": dict(self._log.acks),
            "refused": refused,
            "by": self._by or "python",
            **{name: pack(part) for name, part in parts.items()},
        }

    def sent(self) -> None:
        """Start a new answer, which continues the state that was sent."""
        self._rows, self._by = _NONE, None
        self._sent_revision = self._session.now.revision

    def _add(self, rows: NDArray[np.intp], by: str) -> None:
        self._rows = np.union1d(self._rows, rows)
        self._by = by if self._by in {None, by} else "python"
