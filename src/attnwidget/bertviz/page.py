"""`Document`: a page around BertViz's views, with all libraries and an optional notice."""

from __future__ import annotations

import html
import json
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnwidget.maths.validate import choice

if TYPE_CHECKING:
    from collections.abc import Sequence

THEMES = ("light", "dark")

_LIBRARIES = Path(__file__).parents[1] / "static" / "bertviz_libs.js"
_PAGE = Path(__file__).parent / "page.html"
_BERTVIZ_BYTES = {"head": 20_000, "model": 25_000, "neuron": 50_000}  # without parameters
_NOTICE_HEIGHT = 30


class Document(str):
    """A self-contained HTML document: a `str` that a notebook displays as a page.

    The document needs no network and no other file. Any page can show it as the `srcdoc` of an
    ``<iframe sandbox="allow-scripts">``; its background is transparent. The document posts its
    height, ``{attnwidgetHeight}`` in CSS pixels, to the outer page after drawing and after changes.
    """

    kind: str
    theme: str
    _height: int

    def __new__(cls, text: str, *, kind: str, theme: str, height: int) -> Document:
        """Return the text as a document with a kind, a theme, and a height in CSS pixels."""
        self = super().__new__(cls, text)
        self.kind, self.theme, self._height = kind, theme, height
        return self

    def __repr__(self) -> str:
        return f"<attnwidget Document: BertViz {self.kind} view, {len(self) / 1e6:.2f} MB>"

    def _repr_html_(self) -> str:
        # Set a background, so that the view is readable in a notebook of the other theme, too.
        background = "#fff" if self.theme == "light" else "#18191c"
        return (
            f'<iframe sandbox="allow-scripts" title="BertViz {self.kind} view" '
            f'style="width: 100%; height: {min(self._height, 900)}px; border: 0; '
            f'color-scheme: normal; background: {background}" '
            f'srcdoc="{html.escape(self)}"></iframe>'
        )

    def save(self, path: str | Path) -> None:
        """Write the document to the file `path`, which any browser can show without a network."""
        Path(path).write_text(self, encoding="utf-8")


class Slots:
    """Large JSON texts for parts of a value, which would be slow to write as nested lists."""

    def __init__(self) -> None:
        """Start without texts."""
        self._mark = uuid.uuid4().hex
        self._texts: list[str] = []

    def put(self, text: str) -> str:
        """Keep the JSON `text`, and return a mark that `dumps` replaces by the text."""
        self._texts.append(text)
        return f"{self._mark}-{len(self._texts) - 1}"

    def dumps(self, value: Any) -> str:
        """Return `value` as JSON for a script element, with every mark replaced by its text."""
        # Escape `<`, because it could end the script element. json.dumps escapes non-ASCII.
        text = json.dumps(value).replace("<", r"\u003c")
        return re.sub(rf'"{self._mark}-(\d+)"', lambda match: self._texts[int(match[1])], text)


def shown_theme(theme: str | None, display_mode: str | None) -> str:
    """Return the theme, which BertViz calls `display_mode`; "light" by default.

    Raises
    ------
    ValueError
        If the theme is unknown, or the two arguments differ.
    """
    for name, value in (("theme", theme), ("display_mode", display_mode)):
        if value is not None:
            choice(name, value, THEMES)
    if theme and display_mode and theme != display_mode:
        raise ValueError(
            f"display_mode: got {display_mode!r} and theme={theme!r}; it is BertViz's name for "
            "theme, want one of them"
        )
    return theme or display_mode or "light"


def fixed_bytes(kind: str, texts: Sequence[str]) -> int:
    """Return the largest size in bytes of a document with these texts, without its numbers."""
    words = sum(len(json.dumps(text)) + 5 * text.count("<") + 2 for text in texts)
    page = len(_PAGE.read_text(encoding="utf-8"))
    return len(_libraries()) + page + words + _BERTVIZ_BYTES[kind]


def compose(
    kind: str,
    theme: str,
    markup: str,
    script: str,
    *,
    height: int,
    notice: str = "",
    layers: Sequence[Sequence[int]] = (),
) -> Document:
    """Return the document around BertViz's `markup` and `script`.

    `height` is the view's height in CSS pixels, for pages that do not read the posted height.
    `notice` is plain text above the view. `layers` are the numbers of the layers of each of
    BertViz's attention filters, from which the page makes the layer menu.
    """
    parts = {
        "theme": theme,
        "kind": kind,
        "notice": f"<p>{html.escape(notice)}</p>" if notice else "",
        "libraries": _libraries(),
        "markup": markup,
        "script": script,
        "layers": json.dumps([list(numbers) for numbers in layers]),
    }
    page = _PAGE.read_text(encoding="utf-8")
    text = re.sub(r"\[\[(\w+)\]\]", lambda match: parts[match[1]], page)
    return Document(text, kind=kind, theme=theme, height=height + bool(notice) * _NOTICE_HEIGHT)


def missing(error: ImportError) -> ImportError:
    """Return the error with the command that installs BertViz."""
    return ImportError(
        f'BertViz\'s views need torch and bertviz: pip install "attnwidget[models]" ({error})'
    )


def unknown_page() -> RuntimeError:
    """Return the error for a version of BertViz that writes another page."""
    return RuntimeError("BertViz: this version writes another page than bertviz 1.4 does")


def _libraries() -> str:
    try:
        return _LIBRARIES.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RuntimeError(
            f"{_LIBRARIES.name} is missing: attnwidget was not built; run `make build` in the "
            "checkout, or install from a wheel"
        ) from None
