"""How a generation that runs in a cell is stopped, by a page or by another thread.

The message of a page on the widget's own comm waits until the cell has ended, because ipykernel
routes the message to the thread that has last sent on this comm. A comm that the page opens is
handled by a thread beside the cell (a subshell), where the kernel and the notebook have subshells.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from IPython import get_ipython

try:
    from ipywidgets.comm import get_comm_manager
except ImportError:  # ipywidgets 7, which Colab has

    def get_comm_manager() -> Any:
        """Return the kernel's manager of comms, None outside of a kernel."""
        return getattr(getattr(get_ipython(), "kernel", None), "comm_manager", None)


# The page opens a comm of this name, with the key of the generation.
_TARGET = "attnwidget.stop"
_running: dict[str, Event] = {}


@contextmanager
def stoppable(stop: Event) -> Iterator[str]:
    """Have a page set `stop`; yields the key by which the page names the generation."""
    key = secrets.token_hex(8)
    _running[key] = stop
    manager = get_comm_manager()
    if manager is not None:
        manager.register_target(_TARGET, _set_stop)
    try:
        yield key
    finally:
        del _running[key]


def _set_stop(_comm: Any, message: dict[str, Any]) -> None:
    """Stop the generation that the message names; one that has ended is left as it is."""
    try:
        stop = _running.get(message["content"]["data"]["key"])
    except (TypeError, KeyError):  # no page of ours has sent it
        return
    if stop is not None:
        stop.set()
