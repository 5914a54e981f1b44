"""A comm that writes down what would cross the wire."""

from __future__ import annotations

import copy
from typing import Any

from ipywidgets.widgets.widget import _put_buffers

# ipywidgets 7 takes a comm of ipykernel's class alone, and installs ipykernel.
try:
    from ipykernel.comm import Comm
except ImportError:
    Comm = object


class RecordingComm(Comm):
    """Stands where Jupyter's comm stands; keeps every message sent."""

    kernel = object()
    comm_id = "recording"

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, Any], list[Any]]] = []

    def send(self, data: dict[str, Any], buffers: list[Any] | None = None, **_: Any) -> None:
        self.sent.append((data, list(buffers or [])))

    def on_msg(self, _callback: Any) -> None:
        pass

    def close(self, *_: Any, **__: Any) -> None:
        pass

    def states(self) -> list[dict[str, Any]]:
        """Every update, with its buffers where they belong."""
        found = []
        for data, buffers in self.sent:
            if data.get("method") == "update":
                state = copy.deepcopy(data["state"])
                _put_buffers(state, data["buffer_paths"], buffers)
                found.append(state)
        return found

    def bytes(self) -> int:
        return sum(memoryview(b).nbytes for _, buffers in self.sent for b in buffers)
