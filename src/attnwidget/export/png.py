"""PNG files of pixels, with the standard library alone."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TRUE_COLOR, _INDEXED = 2, 3


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels (rows, columns, 3) as a PNG file."""
    rows, columns, _ = pixels.shape
    return _file(pixels.reshape(rows, columns * 3), columns, _TRUE_COLOR)


def indexed_png(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """Return pixels (rows, columns), which are places in a palette (n, 3), as a PNG file."""
    return _file(pixels, pixels.shape[1], _INDEXED, _chunk(b"PLTE", palette.tobytes()))


def _file(flat: NDArray[np.uint8], columns: int, kind: int, palette: bytes = b"") -> bytes:
    rows = len(flat)
    # The byte before each row says that the row stands as it is.
    lines = np.zeros((rows, flat.shape[1] + 1), np.uint8)
    lines[:, 1:] = flat
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, kind, 0, 0, 0))
    data = _chunk(b"IDAT", zlib.compress(lines.tobytes(), 3))
    return b"\x89PNG\r\n\x1a\n" + header + palette + data + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
