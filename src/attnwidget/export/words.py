"""Tokens and numbers as the card writes them (js/explain/tokens.ts and js/explain/numbers.ts)."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Decimal

MINUS = "−"
# Control characters, characters without width, and marks that would change the direction of the
# surrounding words.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
# Joiners and variation selectors, which change the characters beside them and are invisible alone.
_ALONE = re.compile("[\u034f\u200c\u200d\ufe00-\ufe0f]+")
# Marks on a letter, more than any language writes.
_MARKS = 6
# Characters that XML and UTF-8 do not have.
_FOREIGN = re.compile("[\ud800-\udfff\ufffe\uffff]")
# Characters of a title or a caption: more than a figure has room for.
_LONGEST = 2000
_LINE_ENDS = re.compile("\r\n|[\n\r\u2028\u2029]")


def visible(token: str) -> str:
    """Return a token with symbols for invisible characters: spaces, line ends, controls."""
    if token == "":
        return "∅"
    label = _INVISIBLE.sub("·", _LINE_ENDS.sub("⏎", token).replace("\t", "⇥"))
    label = _few_marks(_FOREIGN.sub("\ufffd", label))
    if label.isspace():
        return "␣" * len(label)
    if _ALONE.fullmatch(label):
        return "·" * len(label)
    # An accent without its letter stands over a circle, as in Unicode's own tables.
    return f"◌{label}" if unicodedata.category(label[0])[0] == "M" else label


def plain(text: str) -> str:
    """Return a title or a caption without control characters, with single spaces, cut if long."""
    text = _FOREIGN.sub("\ufffd", re.sub(r"\s+", " ", text).strip())
    text = _few_marks(_INVISIBLE.sub("·", text))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _few_marks(text: str) -> str:
    """Return a text with at most so many marks on a letter: a stack of them covers other lines."""
    if text.isascii():
        return text
    kept, count = [], 0
    for letter in text:
        count = count + 1 if unicodedata.category(letter)[0] == "M" else 0
        if count <= _MARKS:
            kept.append(letter)
    return "".join(kept)


def characters(text: str) -> list[str]:
    """Split a text into characters; accents, joiners and variation marks stay with their letter."""
    parts: list[str] = []
    for letter in text:
        is_mark = unicodedata.category(letter) in {"Mn", "Me", "Mc"} or letter == "\u200d"
        if parts and (is_mark or parts[-1][-1] == "\u200d"):
            parts[-1] += letter
        else:
            parts.append(letter)
    return parts


def number(value: float) -> str:
    """Return about three significant digits."""
    size = abs(value)
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else f"{MINUS}∞"
    if size < 1e-3 or size >= 1e5:
        return _power(value)
    return _decimals(value, 4 if size < 0.1 else 2 if size < 100 else 1).replace("-", MINUS)


def two(value: float) -> str:
    """Return two decimals, or more if two would round the number to 0."""
    size = abs(value)
    if size >= 1e5 or 0 < size < 5e-3:
        return number(value)
    return fixed(value, 2)


def fixed(value: float, digits: int) -> str:
    """Return this many decimals, with the minus sign of typography."""
    if not math.isfinite(value):
        return number(value)
    text = _decimals(value, digits)
    return text.lstrip("-") if not text.strip("-0.") else text.replace("-", MINUS)


def column_format(values: Iterable[float]) -> Callable[[float], str]:
    """Return a format for a column of numbers: as many decimals for each as the largest needs."""
    size = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if size >= 1e5 or 0 < size < 1e-3:
        return lambda value: _power(value) if math.isfinite(value) else number(value)
    digits = 4 if size < 0.1 else 3 if size < 10 else 2 if size < 1000 else 1
    return lambda value: fixed(value, digits)


def _decimals(value: float, digits: int) -> str:
    """Return decimals as JavaScript writes them: 0.125 is 0.13, where Python writes 0.12."""
    step = Decimal(1).scaleb(-digits)
    return str(Decimal(float(value)).quantize(step, ROUND_HALF_UP))


def _power(value: float) -> str:
    """Return a number with a power of ten, such as 1.25e−7."""
    if value == 0:
        return "0.00e+0"
    exact = Decimal(float(value))
    exponent = exact.adjusted()
    digits = exact.scaleb(-exponent).quantize(Decimal("0.01"), ROUND_HALF_UP)
    if abs(digits) >= 10:
        digits, exponent = digits.scaleb(-1).quantize(Decimal("0.01")), exponent + 1
    return f"{digits}e{exponent:+d}".replace("-", MINUS)
