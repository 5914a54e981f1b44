"""Timing in a page, by one rule for every view in it, and the memory of what draws it.

A view is shown when what says so holds at an animation frame, and that frame's own work (style,
layout, paint) is done. What another process does after that to bring it to the screen is not
counted, for either side.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# `shown` gives [milliseconds from start, frames], null past the limit. `after` waits for a real
# event and counts from its own time stamp: its last listener, when the view has heard of it.
PROBE = """(() => {
  const painted = () => new Promise(done => {
    const channel = new MessageChannel();
    channel.port1.onmessage = done;
    channel.port2.postMessage(0);
  });
  const shown = async (holds, start, limit = 60000) => {
    for (let frames = 1; ; frames++) {
      await new Promise(requestAnimationFrame);
      await painted();
      if (holds()) return [performance.now() - start, frames];
      if (performance.now() - start > limit) return null;
    }
  };
  const after = (kind, within, holds) => {
    window.took = new Promise(done => {
      const heard = event => {
        if (!event.target.closest?.(within)) return;
        removeEventListener(kind, heard);
        done(shown(holds, event.timeStamp));
      };
      addEventListener(kind, heard);
    });
  };
  window.bench = { shown, after };
})()"""


class Took(NamedTuple):
    """Milliseconds, and the animation frames that began in them."""

    ms: float
    frames: int


def took(answer: list[float] | None) -> Took | None:
    """Return what `shown` found, None where the limit was reached."""
    return None if answer is None else Took(answer[0], int(answer[1]))


def still(page: Page) -> None:
    """Wait for a frame with nothing to do but what was asked before."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")


def rendering(browser: Browser, page: Page) -> float | None:
    """Return the bytes that belong to Chromium's renderers alone, after a collection in `page`.

    All renderers together: which one shows a page is Chromium's choice. None where the system
    doesn't tell.
    """
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    session.detach()
    system = browser.new_browser_cdp_session()
    processes = system.send("SystemInfo.getProcessInfo")["processInfo"]
    system.detach()
    found = [_private(int(p["id"])) for p in processes if p["type"] == "renderer"]
    return None if None in found else float(sum(found))


def _private(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Private_"))


class Received:
    """Bytes that come to the page over its WebSockets from now on."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self._session.on("Network.webSocketFrameReceived", self._frame)
        self._session.send("Network.enable")

    def stop(self) -> int:
        """Return the number of bytes."""
        self._page.evaluate("() => new Promise(done => setTimeout(done))")
        self._session.detach()
        return self.bytes

    def _frame(self, event: Any) -> None:
        response = event["response"]
        data = response["payloadData"]
        text = response["opcode"] == 1  # else it is base64
        self.bytes += len(data.encode()) if text else len(data) * 3 // 4 - data[-2:].count("=")
