"""Tokens and numbers as the card writes them (js/explain/tokens.ts and js/explain/numbers.ts)."""

from __future__ import annotations

import math
import re
import unicodedata

MINUS = "−"
# Control characters, and marks that would change the direction of the surrounding words.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
# Characters that XML and UTF-8 do not have.
_FOREIGN = re.compile("[\ud800-\udfff\ufffe\uffff]")
_LINE_ENDS = re.compile("\r\n|[\n\r\u2028\u2029]")


def visible(token: str) -> str:
    """Return a token with symbols for invisible characters: spaces, line ends, controls."""
    if token == "":
        return "∅"
    label = _INVISIBLE.sub("·", _LINE_ENDS.sub("⏎", token).replace("\t", "⇥"))
    label = _FOREIGN.sub("\ufffd", label)
    return "␣" * len(label) if label.isspace() else label


def plain(text: str) -> str:
    """Return a title or a caption without control characters, with single spaces."""
    text = _FOREIGN.sub("\ufffd", re.sub(r"\s+", " ", text).strip())
    return _INVISIBLE.sub("·", text)


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
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}e{int(exponent):+d}".replace("-", MINUS)
    return f"{value:.{4 if size < 0.1 else 2 if size < 100 else 1}f}".replace("-", MINUS)


def weight(value: float) -> str:
    """Return a weight with three decimals; a smaller weight as `number`."""
    return number(value) if value != 0 and value < 5e-4 else f"{value:.3f}"


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
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if not text.strip("-0.") else text.replace("-", MINUS)
