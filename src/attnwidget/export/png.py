"""PNG files of pixels, with the standard library alone."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels (rows, columns, 3) as a PNG file."""
    rows, columns, _ = pixels.shape
    flat = np.ascontiguousarray(pixels).reshape(rows, columns * 3)
    # Each row as the difference to the row above (filter 2): rows of one cell are zeros then.
    filtered = np.empty((rows, columns * 3 + 1), np.uint8)
    filtered[:, 0] = 2
    filtered[:, 1:] = flat
    filtered[1:, 1:] -= flat[:-1]
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
