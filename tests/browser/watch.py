"""What a page may not do while a test runs: reach outside, open a dialog, throw, log an error."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import (
        BrowserContext,
        ConsoleMessage,
        Dialog,
        Request,
        Route,
        WebError,
    )

INSIDE = re.compile(r"(https?|wss?)://127\.0\.0\.1(:\d+)?(/|$)|(data|blob|about|file):")
OUTSIDE = re.compile(rf"^(?!{INSIDE.pattern})")

#: Noise of JupyterLab's own, whole messages only, each with its reason.
ALLOWED: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"Could not restore the debugger state: "
            r"Canceled future for debug_request message before replies were done"
        ),
        "the debugger's first question was still open when the test closed the notebook",
    ),
)


class Watch:
    """Refuse and record every request beyond 127.0.0.1; record uncaught and console errors."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self._problems: list[str] = []
        self.console: deque[str] = deque(maxlen=60)
        context.route(OUTSIDE, self._refuse)
        context.on("request", self._request)
        context.on("page", lambda page: page.on("websocket", lambda s: self._address(s.url)))
        context.on("dialog", self._dialog)
        context.on("weberror", self._error)
        context.on("console", self._message)

    def drain(self) -> list[str]:
        """Hand over what went wrong since the last call, in order, and forget it."""
        for page in self._context.pages:
            # Events reach Python while it waits for an answer: an answer flushes those before it.
            page.evaluate("() => new Promise(done => setTimeout(done))")
        problems, self._problems = self._problems, []
        return problems

    def _refuse(self, route: Route) -> None:
        route.abort()

    def _request(self, request: Request) -> None:
        self._address(request.url)

    def _address(self, url: str) -> None:
        if url and not INSIDE.match(url):
            self._problems.append(f"request beyond 127.0.0.1: {url[:200]}")

    def _dialog(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload":  # the notebook's own: a page is left with unsaved cells
            dialog.accept()
            return
        self._problems.append(f"dialog: {dialog.message[:200]}")
        dialog.dismiss()

    def _error(self, error: WebError) -> None:
        text = str(error.error)
        self.console.append(f"uncaught: {text}")
        self._record("uncaught error", text, error.error.stack or "")

    def _message(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")
        if message.type == "error":
            where = message.location
            # What a sandboxed frame asks for as it loads is seen only here, once it was refused.
            self._address(where["url"])
            self._record("console error", message.text, f"{where['url']}:{where['lineNumber']}")

    def _record(self, kind: str, text: str, where: str) -> None:
        if not any(pattern.fullmatch(text) for pattern, _ in ALLOWED):
            self._problems.append(f"{kind}: {text}\n    {where}")
