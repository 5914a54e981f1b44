"""What every figure has: the title above, the caption below, and the margin around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnwidget.export.metrics import POINT, lines, shorten
from attnwidget.export.palette import Palette
from attnwidget.export.scene import Canvas, Scene
from attnwidget.export.summary import summary
from attnwidget.export.words import plain, visible

if TYPE_CHECKING:
    from attnwidget.export.scene import Item
    from attnwidget.session.snapshot import Snapshot

MARGIN = 1.5
TITLE = 8 * POINT
LABEL = 7 * POINT
SMALL = 6 * POINT
SMALLEST = 5 * POINT
# The distance between two lines, in heights of the font.
LEADING = 1.3
# A title has at most so many lines.
_TITLE_LINES = 3


@dataclass(frozen=True)
class Style:
    """What a caller chooses of a figure; `title` None is the title that the figure itself has."""

    width: float
    palette: Palette
    title: str | None = None
    caption: str | None = None
    has_bar: bool = True


class Frame:
    """A figure that grows downwards: the title, then what a view draws, then the caption."""

    def __init__(self, now: Snapshot, style: Style, title: str) -> None:
        self.now = now
        self.style = style
        self.canvas = Canvas()
        self.title = plain(title if style.title is None else style.title)
        self.top = MARGIN
        room = style.width - 2 * MARGIN
        parts = lines(self.title, room, TITLE)
        if len(parts) > _TITLE_LINES:
            rest = " ".join(parts[_TITLE_LINES - 1 :])
            parts[_TITLE_LINES - 1 :] = [shorten(f"{rest}…", room, TITLE)]
        for line in parts:
            middle = self.top + TITLE * 0.6
            self.canvas.text(MARGIN, middle, line, TITLE, style.palette.text, is_bold=True)
            self.top += TITLE * LEADING
        if parts:
            self.top += 1

    def scene(self, bottom: float, note: str = "") -> Scene:
        """Return the figure; `bottom` is where the drawing of the view ends."""
        palette = self.style.palette
        for text, size, color in (
            (note, SMALL, palette.muted),
            (plain(self.style.caption or ""), LABEL, palette.text),
        ):
            parts = lines(text, self.style.width - 2 * MARGIN, size)
            bottom += 1.5 if parts else 0
            for line in parts:
                self.canvas.text(MARGIN, bottom + size * 0.6, line, size, color)
                bottom += size * LEADING
        items: tuple[Item, ...] = tuple(self.canvas.items)
        name = self.title or "Attention"
        return Scene(
            self.style.width,
            bottom + MARGIN,
            palette.background,
            items,
            name,
            summary(self.now),
        )


def place_of(now: Snapshot, *parts: str) -> str:
    """Return the words of a title: the widget's title, the stack, and `parts`."""
    source = now.source
    stacks = {layer.stack for layer in source.layers}
    names = [now.title] if now.title else []
    if len(stacks) > 1 or source.is_derived:
        names.append(source.stack)
    return " · ".join([*names, *(part for part in parts if part)])


def layer_and_head(now: Snapshot, *, has_head: bool = True) -> str:
    """Return "layer 3, head 5", without what there is only one of."""
    from attnwidget.sources.api import stack_layers

    words = [f"layer {now.layer}"] if len(stack_layers(now.source)) > 1 else []
    if has_head and now.shown_layer.n_heads > 1:
        words.append(f"head {now.head}")
    return ", ".join(words)


def mistake_words(now: Snapshot) -> str:
    """Return which mistake is drawn, "" without."""
    from attnwidget.export.quantity import mistaken

    report = mistaken(now)
    return "" if report is None else f"with the mistake {report.name}"


class Tokens:
    """The tokens of queries and keys, and how a label of each is written."""

    def __init__(self, now: Snapshot, palette: Palette) -> None:
        source = now.source
        self.queries = source.tokens
        self.keys = source.tokens if source.key_tokens is None else source.key_tokens
        self._special = source.special
        self._is_self = source.key_tokens is None
        self._first = (None, None) if now.generation is None else now.generation.first
        self._palette = palette

    def style(self, side: str, at: int) -> tuple[str, bool, bool]:
        """Return colour, boldness and slope: special tokens are set off, and generated tokens."""
        is_known = side == "query" or self._is_self
        if is_known and at < len(self._special) and self._special[at]:
            return self._palette.muted, False, True
        first = self._first[side == "key"]
        if first is not None and first <= at < len(self.queries):
            return self._palette.accent, True, False
        return self._palette.text, False, False

    def name(self, side: str, at: int) -> str:
        """Return the token with visible spaces."""
        return visible((self.queries if side == "query" else self.keys)[at][:1000])
