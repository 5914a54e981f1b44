"""The bytes that a page gets for a map, and the limits for a notice and for an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnwidget.sources.api import HeadInputs, Source

# Above so many cells of a map, the notice states how much is sent.
STATED = 1_000_000
# Above so many cells, a map goes to a page only where `large=True` asks for it.
LARGEST = 8_000_000
_DERIVED_BYTES = 9  # scores, attention and mask of a cell


def page_bytes(inputs: HeadInputs) -> int:
    """Return the bytes of the arrays that a page gets for one map.

    A cell has scores and attention (float32) and the mask (a byte); what the source itself masks
    is another byte, a bias another float32. Q, K, V and the output are float32 too.
    """
    n_q, n_k = inputs.shape
    heads = inputs.Q.shape[0] if inputs.Q is not None and inputs.Q.ndim > 2 else 1
    size = n_q * n_k * (8 * heads + 1 + (inputs.locked is not None))
    given = (inputs.Q, inputs.K, inputs.V, inputs.bias)
    size += sum(4 * array.size for array in given if array is not None)
    if inputs.V is not None:
        size += 4 * heads * n_q * inputs.V.shape[-1]
    return size


def cells(source: Source) -> int:
    """Return the number of cells of a map of the stack shown."""
    n_q, n_k = map_shape(source)
    return n_q * n_k


def check_size(source: Source, layer: int, large: bool) -> None:
    """Raise ValueError if a map of `layer` is too large for a page, unless `large` is True."""
    if large or cells(source) <= LARGEST:
        return
    n_q, n_k = map_shape(source)
    size = _DERIVED_BYTES * n_q * n_k if source.is_derived else page_bytes(source.head(layer, 0))
    raise ValueError(
        f"large: got {n_q:,} × {n_k:,} tokens, {cells(source):,} cells a map, want at most "
        f"{LARGEST:,}: the page would get {megabytes(size)} for each map that is looked at. "
        "from_model(..., large=True) sends it all the same, but not before the widget is "
        "displayed: until then w.weights(layer, head, rows=..., cols=...) gives weights of any "
        "size, rows and columns without a page"
    )


def size_notice(inputs: HeadInputs, several: bool) -> str:
    """Return how much a page gets for a large map, "" for another; `several`: one of many maps."""
    n_q, n_k = inputs.shape
    if n_q * n_k <= STATED:
        return ""
    again = ", and about as much for each other layer or head that is looked at" if several else ""
    return f"The page gets {megabytes(page_bytes(inputs))} for this map{again}."


def megabytes(size: int) -> str:
    """Return bytes as "42 MB": millions of bytes."""
    return f"{size / 1e6:,.0f} MB"


def map_shape(source: Source) -> tuple[int, int]:
    """Return (n_q, n_k) of the maps of the stack shown."""
    keys = source.tokens if source.key_tokens is None else source.key_tokens
    return len(source.tokens), len(keys)
