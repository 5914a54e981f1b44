"""A scene as SVG: cells as rectangles, text as text, with the standard library alone."""

from __future__ import annotations

import base64
import re
from functools import singledispatch
from xml.sax.saxutils import escape

from attnwidget.export.png import png
from attnwidget.export.scene import Box, Cells, Polygon, Scene, Strokes, Text

# Units of a file in a millimetre. Browsers with a least size of fonts enlarge sizes below 1.
UNITS = 10
# The last families have characters of East Asia and of scripts from right to left.
FONTS = (
    "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', 'Noto Sans', 'Noto Sans CJK SC', "
    "'PingFang SC', 'Hiragino Sans', 'Microsoft YaHei', 'Malgun Gothic', 'Noto Sans Arabic', "
    "'Noto Sans Hebrew', sans-serif"
)
# Characters that XML does not allow in any form.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg(scene: Scene, unit: str = "mm") -> bytes:
    """Return a scene as an SVG file, with its size in millimetres ("mm") or inches ("in")."""
    width, height = (
        _short(side / (25.4 if unit == "in" else 1), 4) for side in (scene.width, scene.height)
    )
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}{unit}" height="{height}{unit}" '
        f'viewBox="0 0 {_at(scene.width)} {_at(scene.height)}" role="img" '
        f'font-family="{FONTS}">\n'
        f"<title>{_safe(scene.title)}</title>\n<desc>{_safe(scene.description)}</desc>\n"
        f'<rect width="100%" height="100%" fill="{scene.background}"/>\n'
    ]
    parts += [_drawn(item) for item in scene.items]
    return "".join([*parts, "</svg>\n"]).encode()


def _safe(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))


def _short(value: float, digits: int = 1) -> str:
    text = f"{value:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _at(millimetres: float) -> str:
    return _short(millimetres * UNITS)


@singledispatch
def _drawn(item: object) -> str:
    raise TypeError(f"item: got {type(item).__name__}, want an item of a scene")


@_drawn.register(Cells)
def _cells(item: Cells) -> str:
    rows, columns, _ = item.colors.shape
    if item.is_image:
        data = base64.b64encode(png(item.colors)).decode()
        return (
            f'<image x="{_at(item.x)}" y="{_at(item.y)}" width="{_at(columns * item.width)}" '
            f'height="{_at(rows * item.height)}" preserveAspectRatio="none" '
            f'style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>\n'
        )
    # In the group, a cell has the size 1, which keeps the numbers of the cells short.
    w, h = (_short(1 - item.gap / side, 3) for side in (item.width, item.height))
    scale = f"{_short(item.width * UNITS, 4)} {_short(item.height * UNITS, 4)}"
    group = f'<g transform="translate({_at(item.x)} {_at(item.y)}) scale({scale})"'
    edges = "" if item.gap else ' shape-rendering="crispEdges"'
    size = f'width="{w}" height="{h}"'
    rectangles = [
        f'<rect x="{c}" y="{r}" {size} fill="#{color.hex()}"/>'
        for r, row in enumerate(item.colors)
        for c, color in enumerate(_bytes_of(row.tobytes()))
    ]
    return f"{group}{edges}>{''.join(rectangles)}</g>\n"


def _bytes_of(row: bytes) -> list[bytes]:
    return [row[at : at + 3] for at in range(0, len(row), 3)]


@_drawn.register(Strokes)
def _strokes(item: Strokes) -> str:
    path = "".join(f"M{_at(a)} {_at(b)}L{_at(c)} {_at(d)}" for a, b, c, d in item.segments)
    if not path:
        return ""
    opacity = "" if item.opacity == 1 else f' stroke-opacity="{_short(item.opacity, 2)}"'
    dashes = " ".join(_at(length) for length in item.dash)
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<path d="{path}" fill="none" stroke="{item.color}" '
        f'stroke-width="{_short(item.width * UNITS, 2)}"{opacity}{dash}/>\n'
    )


@_drawn.register(Box)
def _box(item: Box) -> str:
    place = (
        f'x="{_at(item.x)}" y="{_at(item.y)}" width="{_at(item.width)}" height="{_at(item.height)}"'
    )
    line = ""
    if item.line is not None:
        line = f' stroke="{item.line}" stroke-width="{_short(item.line_width * UNITS, 2)}"'
    opacity = "" if item.opacity == 1 else f' opacity="{_short(item.opacity, 2)}"'
    return f'<rect {place} fill="{item.fill or "none"}"{line}{opacity}/>\n'


@_drawn.register(Polygon)
def _polygon(item: Polygon) -> str:
    points = " ".join(f"{_at(x)},{_at(y)}" for x, y in item.points)
    return f'<polygon points="{points}" fill="{item.fill}"/>\n'


@_drawn.register(Text)
def _text(item: Text) -> str:
    x, y = _at(item.x), _at(item.y)
    anchor = "" if item.anchor == "start" else f' text-anchor="{item.anchor}"'
    turn = ""
    if item.rotation:
        turn = f' transform="rotate({_short(-item.rotation)} {x} {y})"'
    bold = ' font-weight="600"' if item.is_bold else ""
    italic = ' font-style="italic"' if item.is_italic else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{_short(item.size * UNITS, 2)}" fill="{item.color}"'
        f"{anchor}{bold}{italic}{turn}>{_safe(item.text)}</text>\n"
    )
