"""Readers of figures for the tests: SVG files parsed back, and the card's colours from its code."""

from __future__ import annotations

import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

ROOT = Path(__file__).parents[1]
SVG = "{http://www.w3.org/2000/svg}"
_RAMPS = (ROOT / "js" / "draw" / "ramps.ts").read_text()
_COLOR = (ROOT / "js" / "draw" / "color.ts").read_text()
_STYLES = (ROOT / "js" / "styles" / "base.css").read_text()


def stops(name: str) -> np.ndarray:
    """Return the colours of a map from the card's code, 0 to 1."""
    digits = re.search(rf"\b{name}:\s+\"([0-9a-f]+)\"", _RAMPS)[1]
    return np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(-1, 3)


def signed_stops() -> np.ndarray:
    digits = re.search(r"light: \"([0-9a-f ]+)\"", _COLOR)[1].replace(" ", "")
    return np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(-1, 3)


def ramp(share: float, colors: np.ndarray) -> tuple[int, ...]:
    """Return the colour of a share: of 256 colours, by linear interpolation.

    The page has the numbers as float32.
    """
    at = int(min(1, max(0, float(np.float32(share)))) * 255 + 0.5) / 255
    places = np.linspace(0, 1, len(colors))
    return tuple(round(float(np.interp(at, places, colors[:, c]))) for c in range(3))


def css(name: str) -> str:
    """Return a colour of the light card."""
    return re.search(rf"--aw-{name}: (#[0-9a-f]+);", _STYLES)[1]


def rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color[1:]))


def saved(w, **options) -> ElementTree.Element:
    """Return the SVG of a widget, parsed."""
    file = io.BytesIO()
    assert w.save_svg(file, **options) is None
    return ElementTree.fromstring(file.getvalue())


def groups(svg: ElementTree.Element) -> list[dict[tuple[int, int], tuple[int, ...]]]:
    """Return the colour of each cell (row, column), of each group of cells."""
    result = []
    for group in svg.iter(f"{SVG}g"):
        cells = [(int(r.get("y")), int(r.get("x")), rgb(r.get("fill"))) for r in group]
        result.append({(y, x): color for y, x, color in cells})
        assert len(result[-1]) == len(cells)
    return result


def texts(svg: ElementTree.Element) -> list[str]:
    return [text.text for text in svg.iter(f"{SVG}text")]


def places(svg: ElementTree.Element) -> tuple[np.ndarray, np.ndarray]:
    """Return where the first group of cells begins, and the size of a cell, in file units."""
    numbers = [float(n) for n in re.findall(r"[-\d.]+", next(svg.iter(f"{SVG}g")).get("transform"))]
    return np.array(numbers[:2]), np.array(numbers[2:])


def crossed(svg: ElementTree.Element, color: str, shape: tuple[int, int]) -> np.ndarray:
    """Return how many lines of a colour cross each cell of the first group (rows, columns)."""
    start, size = places(svg)
    counts = np.zeros(shape, int)
    for path in svg.iter(f"{SVG}path"):
        if path.get("stroke") != color:
            continue
        for line in re.findall(r"M([-\d.]+) ([-\d.]+)L([-\d.]+) ([-\d.]+)", path.get("d")):
            a, b = np.array(line, float).reshape(2, 2)
            at = (a + (b - a) * np.linspace(0, 1, 600)[:, None] - start) / size
            # The file rounds the ends: a point near an edge may be on either side of it.
            clear = (np.abs(at - np.rint(at)) * size > 0.5).all(axis=1)
            for x, y in {tuple(point) for point in np.floor(at[clear]).astype(int).tolist()}:
                counts[y, x] += 1
    return counts
