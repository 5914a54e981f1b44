"""A sequence diagram of Mermaid as SVG, because Mermaid's own script comes from another host.

Only participants (`participant A as NAME`) and messages (`A->>B: text`) are understood.
"""

from __future__ import annotations

import html
import re

_PARTICIPANT = re.compile(r"participant (\w+) as (.+)")
_MESSAGE = re.compile(r"(\w+)->>(\w+): (.+)")
_MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.M | re.S)
_COLUMN, _ROW, _TOP, _HALF = 170, 48, 62, 68
_LETTER = 6.3  # the mean width of a letter
_LINE = 15


def with_diagrams(text: str) -> str:
    """Return a page with its diagrams as SVG."""
    return _MERMAID.sub(lambda block: diagram(block.group(1)), text)


def diagram(source: str) -> str:
    """Return the SVG of a sequence diagram.

    Raises
    ------
    ValueError
        If a line is neither a participant nor a message.
    """
    names: dict[str, str] = {}
    messages: list[tuple[str, str, str]] = []
    for line in filter(None, map(str.strip, source.splitlines())):
        if line == "sequenceDiagram":
            continue
        if participant := _PARTICIPANT.fullmatch(line):
            names[participant[1]] = participant[2]
        elif message := _MESSAGE.fullmatch(line):
            messages.append((message[1], message[2], message[3]))
        else:
            raise ValueError(f"the diagram has a line that is not understood: {line!r}")
    places = {name: _HALF + 10 + i * _COLUMN for i, name in enumerate(names)}
    width, height = _COLUMN * len(names) + 190, _TOP + _ROW * len(messages) + 20
    parts = [_head(names[name], x, height) for name, x in places.items()]
    for i, (sender, receiver, words) in enumerate(messages):
        y = _TOP + _ROW * (i + 0.7)
        parts.append(_arrow(places[sender], places[receiver], y, words, width))
    return (
        f'<svg class="sequence" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="The messages of a click, in the order of the list below">'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto-start-reverse"><path d="M0 0 8 4 0 8Z"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


def _head(name: str, x: float, height: int) -> str:
    box = f'<rect x="{x - _HALF}" y="4" width="{2 * _HALF}" height="30" rx="6"/>'
    line = f'<line class="life" x1="{x}" y1="34" x2="{x}" y2="{height}"/>'
    return f'{line}{box}<text x="{x}" y="23" text-anchor="middle">{html.escape(name)}</text>'


def _arrow(start: float, end: float, y: float, words: str, width: float) -> str:
    if start == end:
        path = f"M{start} {y - 8}h26v14h-22"
        return (
            f'<path class="message" d="{path}" marker-end="url(#head)"/>'
            f"{_words(words, start + 34, y + 10, width - start - 40, 'start')}"
        )
    side = -4 if end > start else 4
    arrow = f'<path class="message" d="M{start} {y}H{end + side}" marker-end="url(#head)"/>'
    room = max(abs(end - start) - 12, 2.2 * _COLUMN)
    middle = max((start + end) / 2, 0.5 * min(room, len(words) * _LETTER) + 6)
    return arrow + _words(words, middle, y - 6, room, "middle")


def _words(words: str, x: float, y: float, room: float, anchor: str) -> str:
    lines: list[str] = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and len(longer) * _LETTER > room:
            lines.append(word)
        else:
            lines[-1] = longer
    top = y - _LINE * (len(lines) - 1)
    spans = "".join(
        f'<tspan x="{x:g}" y="{top + _LINE * i:g}">{html.escape(line)}</tspan>'
        for i, line in enumerate(lines)
    )
    return f'<text class="words" text-anchor="{anchor}">{spans}</text>'
