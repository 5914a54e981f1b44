"""Text as pixels, with characters that were drawn in advance (scripts/glyphs.py)."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The pixels above and below the base line of a text.
ASCENT, DESCENT = 19, 6


@cache
def _glyphs() -> dict[str, tuple[int, int, int, NDArray[np.uint8]]]:
    """Return advance, left bearing, height above the base line, and pixels of each character."""
    with np.load(Path(__file__).with_name("glyphs.npz")) as file:
        rows, packed = file["glyphs"], file["pixels"]
    flat = np.stack([packed >> 4, packed & 15], axis=1).ravel() // 4
    known, start = {}, 0
    for code, advance, width, height, left, top in rows.tolist():
        pixels = flat[start : start + width * height].reshape(height, width)
        known[chr(code)] = (advance, left, top, pixels)
        start += width * height
    return known


def can_write(text: str) -> bool:
    """Whether there is a picture of every character."""
    return all(letter in _glyphs() for letter in text)


def width(text: str) -> int:
    """Return the width of a text in pixels."""
    glyphs = _glyphs()
    return sum(glyphs[letter][0] for letter in text)


@lru_cache(maxsize=512)
def lettering(text: str) -> NDArray[np.uint8]:
    """Return a text as ink from 0 to 3, (height, width)."""
    glyphs = _glyphs()
    ink = np.zeros((ASCENT + DESCENT, width(text) + 4), np.uint8)
    x = 1
    for letter in text:
        advance, left, top, pixels = glyphs[letter]
        height, across = pixels.shape
        y0, x0 = max(0, ASCENT - top), max(0, x + left)
        part = ink[y0 : y0 + height, x0 : x0 + across]
        np.maximum(part, pixels[: part.shape[0], : part.shape[1]], out=part)
        x += advance
    ink.setflags(write=False)
    return ink
