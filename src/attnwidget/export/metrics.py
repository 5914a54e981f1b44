"""The width of a text, estimated without a font; a token shortened until it fits."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from attnwidget.export.words import characters, visible

# A point in millimetres.
POINT = 25.4 / 72
# Widths of the characters from " " to "~" in thousandths of the size, in DejaVu Sans, which is
# wider than Helvetica and Arial: where a text fits in DejaVu Sans, it fits in these fonts.
_WIDTHS = (
    318,
    401,
    460,
    838,
    636,
    950,
    780,
    275,
    390,
    390,
    500,
    838,
    318,
    361,
    318,
    337,
    636,
    636,
    636,
    636,
    636,
    636,
    636,
    636,
    636,
    636,
    337,
    337,
    838,
    838,
    838,
    531,
    1000,
    684,
    686,
    698,
    770,
    632,
    575,
    775,
    752,
    295,
    295,
    656,
    557,
    863,
    748,
    787,
    603,
    787,
    695,
    635,
    611,
    732,
    684,
    989,
    685,
    611,
    685,
    390,
    337,
    390,
    838,
    500,
    500,
    613,
    635,
    550,
    635,
    615,
    352,
    635,
    634,
    278,
    278,
    579,
    278,
    974,
    634,
    612,
    635,
    635,
    411,
    521,
    392,
    634,
    592,
    818,
    592,
    592,
    525,
    636,
    337,
    636,
    838,
)
_WIDE, _OTHER, _NARROW = 1000, 700, 400


@lru_cache(maxsize=4096)
def _thousandths(letter: str) -> int:
    at = ord(letter) - 32
    if 0 <= at < len(_WIDTHS):
        return _WIDTHS[at]
    if unicodedata.category(letter) in {"Mn", "Me", "Cf"}:
        return 0
    if unicodedata.east_asian_width(letter) in "WF":
        return _WIDE
    return _NARROW if letter in "·ıíìîïľłť" else _WIDE if letter in "…∞—⏎⇥␣" else _OTHER


def text_width(text: str, size: float) -> float:
    """Return the width of a text in the unit of `size`, the height of the font."""
    return sum(map(_thousandths, text)) * size / 1000


def shorten(text: str, width: float, size: float) -> str:
    """Return the longest start of `text` that fits `width`; a shortened text ends with "…"."""
    # A label shows a few dozen characters, so a very long token is cut before it is measured.
    start = text[:600]
    if len(start) == len(text) and text_width(text, size) <= width:
        return text
    room = width - text_width("…", size)
    kept: list[str] = []
    for part in characters(start):
        room -= text_width(part, size)
        if room < 0:
            break
        kept.append(part)
    return "".join(kept) + "…"


def label(token: str, width: float, size: float) -> str:
    """Return a token as a label that fits `width`."""
    return shorten(visible(token[:1000]), width, size)


def lines(text: str, width: float, size: float) -> list[str]:
    """Break a text into lines that fit `width`, at spaces where there are spaces."""
    result: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if text_width(longer, size) <= width:
            line = longer
            continue
        if line:
            result.append(line)
        line = ""
        for part in characters(word):
            if line and text_width(line + part, size) > width:
                result.append(line)
                line = ""
            line += part
    return [*result, line] if line else result
