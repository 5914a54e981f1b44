"""Arrays as chunks of bytes in base64, each chunk compressed where that makes it smaller."""

from __future__ import annotations

import base64
import gzip
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The steps of a rounded number: 0 is the smallest number of the array, `STEPS` the largest.
STEPS = 65535
# A range in which steps are too coarse, such as that of a bias with "minus infinity" in it.
_WIDE = 10_000.0


class Chunks:
    """The arrays of a page. Equal arrays are stored once.

    `place` adds an array to the open chunk, and returns where it is. `close` ends the chunk;
    `discard` forgets it and the arrays in it.
    """

    def __init__(self) -> None:
        self.closed: list[dict[str, Any]] = []
        self._parts: list[bytes] = []
        self._at = 0
        self._places: dict[bytes, dict[str, Any]] = {}

    def place(self, array: NDArray, *, rounded: bool = False) -> dict[str, Any]:
        """Add an array, as it is or in steps of uint16; return its place for the page."""
        placed, data = _encoded(array, rounded)
        key = hashlib.sha256(repr(placed).encode() + data).digest()
        known = self._places.get(key)
        if known is not None:
            return known
        placed = {"chunk": len(self.closed), "at": self._at, **placed}
        self._parts.append(data)
        self._at += len(data)
        self._places[key] = placed
        return placed

    def close(self) -> int:
        """End the open chunk; return its characters."""
        chunk = _packed(b"".join(self._parts))
        self.closed.append(chunk)
        self._parts, self._at = [], 0
        return len(chunk["data"])

    def discard(self) -> None:
        """Forget the last closed chunk, and the arrays in it."""
        self.closed.pop()
        last = len(self.closed)
        self._places = {k: v for k, v in self._places.items() if v["chunk"] < last}


def rounded(array: NDArray) -> NDArray[np.float32]:
    """Return the numbers that a page reads where an array is placed in steps."""
    placed, data = _encoded(array, is_rounded=True)
    if placed["dtype"] != "uint16":
        return array.astype(np.float32)
    steps = np.frombuffer(data, "<u2").reshape(array.shape)
    return (placed["low"] + steps * placed["step"]).astype(np.float32)


def _encoded(array: NDArray, is_rounded: bool) -> tuple[dict[str, Any], bytes]:
    shape = {"shape": list(array.shape)}
    if is_rounded and array.dtype.kind == "f" and array.size:
        low, high = float(array.min()), float(array.max())
        if np.isfinite(high - low) and high - low <= _WIDE:
            step = (high - low) / STEPS or 1.0
            steps = np.rint((array.astype(np.float64) - low) / step).astype("<u2")
            return {"dtype": "uint16", "low": low, "step": step, **shape}, steps.tobytes()
    kinds = {"f": ("float32", "<f4"), "b": ("uint8", "u1"), "i": ("int32", "<i4")}
    name, dtype = kinds.get(array.dtype.kind, ("uint8", "u1"))
    return {"dtype": name, **shape}, np.ascontiguousarray(array, dtype).tobytes()


def _packed(data: bytes) -> dict[str, Any]:
    small = gzip.compress(data, 9, mtime=0)
    is_packed = len(small) < len(data)
    text = base64.b64encode(small if is_packed else data).decode("ascii")
    return {"isPacked": is_packed, "data": text}
