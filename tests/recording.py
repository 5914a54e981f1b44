"""A comm that writes down what would cross the wire."""

from __future__ import annotations

from typing import Any


class RecordingComm:
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
        return [data["state"] for data, _ in self.sent if data.get("method") == "update"]

    def bytes(self) -> int:
        return sum(memoryview(b).nbytes for _, buffers in self.sent for b in buffers)
