"""Questions of a page that run the model: answered by a thread, so that the kernel goes on.

The newest question of a kind counts. An older question that is still running is stopped where it
can be, and answered with an error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from attnwidget.session.rerun import ShowRun
from attnwidget.widget.model_methods import captured, effect_between, scan_of
from attnwidget.wire.experiment import effect_message
from attnwidget.wire.incoming import in_words

if TYPE_CHECKING:
    from attnwidget.session.session import Session
    from attnwidget.session.snapshot import Snapshot

_NEWER = "A newer question has taken the place of this question."
_STOPPED = "The question was stopped."
# So many messages on the progress of a question are sent at most.
_MESSAGES = 100

# What a long question of a page does: it gets the state, the question, a function to call with the
# progress, and a function that says whether to stop. It returns the answer and a command, if any.
LongAnswer = tuple[dict[str, Any], Any]
LongQuestion = Callable[
    ["Snapshot", dict[str, Any], Callable[[int, int], None], Callable[[], bool]], LongAnswer
]


def _run(
    now: Snapshot,
    question: dict[str, Any],
    _progress: Callable[[int, int], None],
    _is_stopped: Callable[[], bool],
) -> LongAnswer:
    text = question.get("text")
    if isinstance(text, list):
        text = tuple(text)  # JSON has no pairs
    if text is None or text == "":
        raise ValueError("text: got no text, want at least one word")
    return {}, ShowRun(captured(now, "run").read_again(text, None))


def _scan(
    now: Snapshot,
    question: dict[str, Any],
    progress: Callable[[int, int], None],
    is_stopped: Callable[[], bool],
) -> LongAnswer:
    target = question.get("target")
    if isinstance(target, list):
        target = tuple(target)
    limits = {name: question.get(name) for name in ("layer", "head", "query", "key")}
    result = scan_of(
        now,
        target,
        question.get("over", "heads"),
        question.get("kind", "remove"),
        limits,
        question.get("position"),
        progress=progress,
        is_stopped=is_stopped,
    )
    return {"scan": result.as_dict()}, None


def _compare_runs(
    now: Snapshot,
    question: dict[str, Any],
    _progress: Callable[[int, int], None],
    _is_stopped: Callable[[], bool],
) -> LongAnswer:
    first, second, position = (question.get(name) for name in ("first", "second", "position"))
    return {"effect": effect_message(effect_between(now, first, second, position))}, None


LONG: Mapping[str, LongQuestion] = {"run": _run, "scan": _scan, "compare_runs": _compare_runs}


class LongQuestions:
    """The long questions of the pages of one session; `send` sends a message to the pages."""

    def __init__(self, session: Session, send: Callable[[dict[str, Any]], None]) -> None:
        self._session, self._send = session, send
        self._gate = threading.Lock()
        self._newest: dict[str, threading.Event] = {}

    def answer(self, question: dict[str, Any], reply: dict[str, Any]) -> None:
        """Answer a question in a thread; `reply` has the id of the question."""
        kind, stop = question["type"], threading.Event()
        with self._gate:
            older = self._newest.get(kind)
            self._newest[kind] = stop
        if older is not None:
            older.set()
        context = copy_context()
        arguments = (self._work, kind, question, reply, stop)
        try:
            threading.Thread(target=context.run, args=arguments, daemon=True).start()
        except RuntimeError:  # no threads here (Pyodide)
            self._work(kind, question, reply, stop)

    def stop(self, kind: Any) -> None:
        """Stop the question of a kind that is running, if any."""
        with self._gate:
            running = self._newest.get(kind) if isinstance(kind, str) else None
        if running is not None:
            running.set()

    def _work(
        self, kind: str, question: dict[str, Any], reply: dict[str, Any], stop: threading.Event
    ) -> None:
        try:
            content, command = LONG[kind](
                self._session.now, question, self._progress(reply), stop.is_set
            )
            with self._gate:
                is_newest = self._newest.get(kind) is stop
            if command is not None:
                if not is_newest or stop.is_set():
                    raise ValueError(_STOPPED if is_newest else _NEWER)
                self._session.do(command)
            elif not is_newest:
                raise ValueError(_NEWER)
        except (TypeError, ValueError) as error:
            content = {"error": in_words(error)}
        except Exception as error:  # the page must hear of it
            content = {"error": in_words(f"{type(error).__name__}: {error}")}
        finally:
            with self._gate:
                if self._newest.get(kind) is stop:
                    del self._newest[kind]
        self._send({**reply, **content})

    def _progress(self, reply: dict[str, Any]) -> Callable[[int, int], None]:
        sent = 0

        def progress(done: int, total: int) -> None:
            nonlocal sent
            if done * _MESSAGES // max(total, 1) > sent:
                sent = done * _MESSAGES // max(total, 1)
                self._send({"type": "progress", "of": reply["id"], "done": done, "total": total})

        return progress
