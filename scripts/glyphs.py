"""Draw the characters of the pictures in notebooks: src/attnwidget/export/glyphs.npz.

The font is DejaVu Sans, which matplotlib has. Run the script again only if the characters or the
size change: `.venv/bin/python scripts/glyphs.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.font_manager import findfont, get_font
from matplotlib.ft2font import LoadFlags

SIZE = 21
RANGES = [(0x20, 0x7E), (0xA0, 0x17F), (0x391, 0x3C9), (0x410, 0x44F)]
OTHERS = "–—‘’“”„…•‖√∅∞→−␣⏎⇥▁·ёЁ€€−≤≥"
TARGET = Path(__file__).parents[1] / "src" / "attnwidget" / "export" / "glyphs.npz"


def main() -> None:
    """Write the file."""
    font = get_font(findfont("DejaVu Sans"))
    font.set_size(SIZE, 72)
    known = font.get_charmap()
    codes = {*(c for low, high in RANGES for c in range(low, high + 1)), *map(ord, OTHERS)}
    rows, pixels = [], []
    for code in sorted(codes & set(known)):
        font.set_text(chr(code), 0.0, flags=LoadFlags.NO_HINTING)
        advance = round(font.load_char(code, LoadFlags.NO_HINTING).linearHoriAdvance / 65536)
        font.draw_glyphs_to_bitmap()
        image = np.asarray(font.get_image())
        _, descent = font.get_width_height()[0], font.get_descent() / 64
        left = round(font.get_bitmap_offset()[0] / 64)
        height, width = image.shape
        rows.append((code, advance, width, height, left, round(height - descent)))
        pixels.append((image // 16).astype(np.uint8).ravel())
    flat = np.concatenate(pixels)
    flat = np.append(flat, np.zeros(len(flat) % 2, np.uint8))
    packed = flat[::2] << 4 | flat[1::2]
    np.savez_compressed(TARGET, glyphs=np.array(rows, np.int16), pixels=packed, size=SIZE)
    print(f"{len(rows)} characters, {TARGET.stat().st_size} bytes")


main()
