"""BertViz's own views as one offline document.

BertViz (Vig 2019, arXiv 1906.05714) writes a page for require.js with libraries from a CDN.
Its markup, script and parameters are taken as they are; the libraries stand beside them, and
nothing in the document can ask a network for anything.
"""

from __future__ import annotations

import html
import json
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.checks import choice, index, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

KINDS = ("head", "model")
THEMES = ("light", "dark")
MAX_BYTES = 32_000_000
# One SVG line a weight, all drawn at once: 1.2 million took Chromium 27 s.
MAX_LINES = 800_000
DECIMALS = 4

_LIBRARIES = Path(__file__).parent / "static" / "bertviz_libs.js"
_PAGE = Path(__file__).parent / "bertviz_page.html"
_BERTVIZ_BYTES = 30_000  # its markup and script, without parameters
_WEIGHT_BYTES = 2 + DECIMALS + 1  # "0.1234,"
_NUMBERS = np.array(
    [f"{i / 10**DECIMALS:.{DECIMALS}f}".rstrip("0").rstrip(".") for i in range(10**DECIMALS + 1)],
    dtype=object,
)


class Document(str):
    """A self-contained HTML document: a `str` that draws itself where a notebook shows it.

    It needs no network and no other file, and may be put into any page as the `srcdoc` of an
    ``<iframe sandbox="allow-scripts">``; what that stands on shows through. To the page around
    it, it posts ``{attnwidgetHeight}`` in CSS pixels once drawn, and whenever that changes.
    """

    kind: str
    theme: str
    _height: int

    def __new__(cls, text: str, *, kind: str, theme: str, height: int) -> Document:
        """Take the text as it is, and what a frame around it must know."""
        self = super().__new__(cls, text)
        self.kind, self.theme, self._height = kind, theme, height
        return self

    def __repr__(self) -> str:
        return f"<attnwidget Document: BertViz {self.kind} view, {len(self) / 1e6:.2f} MB>"

    def _repr_html_(self) -> str:
        # With its own colour behind it, it can be read in a notebook of the other theme too.
        background = "#fff" if self.theme == "light" else "#18191c"
        return (
            f'<iframe sandbox="allow-scripts" title="BertViz {self.kind} view" '
            f'style="width: 100%; height: {min(self._height, 900)}px; border: 0; '
            f'color-scheme: normal; background: {background}" '
            f'srcdoc="{html.escape(self)}"></iframe>'
        )

    def save(self, path: str | Path) -> None:
        """Write the document to `path`, for any browser, with or without a network."""
        Path(path).write_text(self, encoding="utf-8")


def document(
    kind: str,
    weights: Sequence[NDArray[Any]],
    tokens: Sequence[str],
    *,
    layer: int | None = None,
    layers: Sequence[int] | None = None,
    theme: str = "light",
    max_bytes: int = MAX_BYTES,
) -> Document:
    """Return BertViz's head view or model view of `weights` as one offline HTML document.

    Parameters
    ----------
    kind:
        ``"head"`` (one layer at a time, its heads in colours) or ``"model"`` (every layer and
        head, small).
    weights:
        One array (h, n, n) for each layer, values 0 to 1. BertViz gets them rounded to 4
        decimals, which no opacity shows.
    tokens:
        n strings; they are shown as text, whatever they hold.
    layer:
        The layer shown first, one of `layers`; the first one where None.
    layers:
        The model's own numbers of the layers given; 0, 1, ... where None.
    theme:
        ``"light"`` or ``"dark"``.
    max_bytes:
        The largest document wanted. Where it, or what a browser can draw (`MAX_LINES`), would
        be passed, only the layers nearest to `layer` are kept, and the document says so.

    Raises
    ------
    TypeError, ValueError
        For an argument that doesn't fit, or where not even one layer stays within the limits.
    ImportError
        Without ``attnwidget[models]``.
    RuntimeError
        If the package was not built, or this version of BertViz writes another page.
    """
    choice("kind", kind, KINDS)
    choice("theme", theme, THEMES)
    limit = size("max_bytes", max_bytes)
    tokens = _strings(tokens)
    numbers = _numbers(layers, len(weights))
    first = numbers[0] if layer is None else index("layer", layer, numbers)
    at = numbers.index(first)
    n_heads, n = _map_shape(weights[at], first, len(tokens))
    libraries, page = _libraries(), _PAGE.read_text(encoding="utf-8")
    words = sum(len(json.dumps(token)) + 5 * token.count("<") for token in tokens)
    fixed = len(libraries) + len(page) + 2 * words + _BERTVIZ_BYTES
    kept, reason = _within(kind, len(numbers), at, n_heads, n, limit, fixed)
    matrices = [_checked(weights[i], numbers[i], (n_heads, n, n)) for i in kept]
    shown = [numbers[i] for i in kept]
    markup, script = _from_bertviz(kind, shown, first, n_heads, tokens, matrices, theme)
    notice = ""
    if reason:
        which = f"Layer {shown[0]}" if len(shown) == 1 else f"Layers {shown[0]} to {shown[-1]}"
        notice = f"<p>{which} ({len(shown)} of {len(numbers)}): {reason}.</p>"
    parts = {
        "theme": theme,
        "kind": kind,
        "notice": notice,
        "libraries": libraries,
        "markup": markup,
        "script": script,
    }
    text = re.sub(r"\[\[(\w+)\]\]", lambda match: parts[match[1]], page)
    height = _height(kind, len(shown), n_heads, n) + (30 if notice else 0)
    return Document(text, kind=kind, theme=theme, height=height)


# What is given


def _strings(tokens: Sequence[str]) -> list[str]:
    if isinstance(tokens, str) or not all(isinstance(token, str) for token in tokens):
        raise TypeError(f"tokens: got {type(tokens).__name__}, want a sequence of str")
    if not len(tokens):
        raise ValueError("tokens: got none, want at least one")
    return list(tokens)


def _numbers(layers: Sequence[int] | None, count: int) -> list[int]:
    if not count:
        raise ValueError("weights: got no layer, want at least one")
    if layers is None:
        return list(range(count))
    numbers = [size("layers", number, at_least=0) for number in layers]
    if len(set(numbers)) != count or len(numbers) != count:
        raise ValueError(f"layers: got {numbers}, want {count} different numbers, one a layer")
    return numbers


def _map_shape(matrix: NDArray[Any], layer: int, n: int) -> tuple[int, int]:
    shape = np.shape(matrix)
    if len(shape) != 3 or shape[0] < 1 or shape[1:] != (n, n):
        raise ValueError(f"weights: layer {layer} has shape {shape}, want (any, {n}, {n})")
    return int(shape[0]), n


def _checked(matrix: NDArray[Any], layer: int, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Return the weights as whole multiples of 10^-DECIMALS."""
    matrix = np.asarray(matrix)
    if matrix.shape != shape:
        raise ValueError(f"weights: layer {layer} has shape {matrix.shape}, want {shape}")
    if matrix.dtype.kind not in "fiu":
        raise TypeError(f"weights: layer {layer} has dtype {matrix.dtype}, want real numbers")
    # float16 has no 0.1234; written as a negation so that NaN fails too.
    steps = np.rint(matrix.astype(np.float64) * 10**DECIMALS)
    if not (steps.min() >= 0 and steps.max() <= 10**DECIMALS):
        raise ValueError(
            f"weights: layer {layer} spans {matrix.min():g} to {matrix.max():g}, want 0 to 1"
        )
    return steps.astype(np.uint16)


def _within(
    kind: str, count: int, at: int, n_heads: int, n: int, max_bytes: int, fixed: int
) -> tuple[range, str]:
    """Return the positions of the layers that fit, `at` among them, and why the others don't."""
    lines = n_heads * n * n
    layer_bytes = lines * _WEIGHT_BYTES + 2 * n_heads * (n + 1)
    by_size = (max_bytes - fixed) // layer_bytes
    # The head view draws one layer at a time, the model view all of them.
    by_lines = MAX_LINES // lines if kind == "model" or lines > MAX_LINES else count
    keep = min(by_size, by_lines)
    if keep < 1:
        raise ValueError(
            f"weights: one layer of {n_heads} heads at {n} tokens is {lines:,} lines for BertViz, "
            f"in a document of up to {fixed + layer_bytes:,} bytes; want at most {MAX_LINES:,} "
            f"lines and {max_bytes:,} bytes: fewer tokens, or the heatmap"
        )
    if keep >= count:
        return range(count), ""
    if by_lines < by_size:
        reason = f"all would be {count * lines:,} lines, more than the {MAX_LINES:,} drawn"
    else:
        total = (fixed + count * layer_bytes) / 1e6
        reason = f"all could be {total:.3g} MB, more than the {max_bytes / 1e6:.3g} MB allowed"
    start = min(max(at - (keep - 1) // 2, 0), count - keep)
    return range(start, start + keep), reason


# What BertViz makes of it


def _from_bertviz(
    kind: str,
    layers: list[int],
    first: int,
    n_heads: int,
    tokens: list[str],
    matrices: list[NDArray[Any]],
    theme: str,
) -> tuple[str, str]:
    """Return BertViz's markup and script, its parameters holding these weights.

    BertViz lays out its page around zeros, and the weights are written in their place: the same
    page, several times sooner than through nested lists of every number.
    """
    try:
        import torch
        from bertviz import head_view, model_view
    except ImportError as error:
        raise ImportError(
            f'BertViz\'s views need torch and bertviz: pip install "attnwidget[models]" ({error})'
        ) from error
    n = len(tokens)
    zeros = torch.zeros(1, 1, 1, 1)
    if kind == "head":  # whose page doesn't say how many heads there are
        stand_in = [zeros.expand(1, 1, n, n)] * (max(layers) + 1)
        page = head_view(stand_in, tokens, layer=first, include_layers=layers, html_action="return")
    else:
        stand_in = [zeros.expand(1, n_heads, n, n)] * (max(layers) + 1)
        page = model_view(
            stand_in, tokens, display_mode=theme, include_layers=layers, html_action="return"
        )
    match = re.fullmatch(
        r'<script src="[^"]*"></script>(?P<markup>.*?)<script type="text/javascript">'
        r"(?P<before>.*?const params = )(?P<rest>.*)</script>\s*",
        page.data,
        re.DOTALL,
    )
    if match is None:
        raise RuntimeError("BertViz: this version writes another page than bertviz 1.4 does")
    params, end = json.JSONDecoder().raw_decode(match["rest"])
    # After the parameters comes a comment in which BertViz repeats them all.
    _comment, _, after = match["rest"][end:].partition("\n")
    mark = uuid.uuid4().hex
    params["attention"][0]["attn"] = mark
    # JSON inside a script: only `<` could end it early. All else but ASCII is escaped already.
    written = json.dumps(params).replace("<", r"\u003c")
    written = written.replace(f'"{mark}"', _nested(matrices))
    return match["markup"].strip(), f"{match['before']}{written};\n{after}"


def _nested(matrices: list[NDArray[Any]]) -> str:
    """Return JSON of (layer, head, query, key)."""
    layers = []
    for matrix in matrices:
        heads = ["],[".join(map(",".join, head)) for head in _NUMBERS[matrix].tolist()]
        layers.append("[[" + "]],[[".join(heads) + "]]")
    return "[[" + "],[".join(layers) + "]]"


def _libraries() -> str:
    try:
        return _LIBRARIES.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RuntimeError(
            f"{_LIBRARIES.name} is missing: attnwidget was not built; run `make build` in the "
            "checkout, or install from a wheel"
        ) from None


def _height(kind: str, n_layers: int, n_heads: int, n: int) -> int:
    """Return the height in pixels that BertViz's views take, for pages that can't listen."""
    if kind == "head":
        return round(22.5 * n) + 80
    thumbnails = n_layers * (n * 84 / n_heads + 10) + 38
    return round(max(thumbnails, 18 * n + 55)) + 50
