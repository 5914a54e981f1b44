"""BertViz's head view and model view as documents that need no network.

BertViz (Vig 2019, arXiv 1906.05714) writes a page for require.js with libraries from a CDN. The
document contains BertViz's markup, script and parameters, and the libraries, so that it makes no
network request.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnwidget.bertviz.maps import (
    MAX_BYTES,
    Stack,
    chosen,
    layer_numbers,
    owned,
    same_heads,
    span,
    stack,
    within,
)
from attnwidget.bertviz.page import Document, fixed_bytes, shown_theme
from attnwidget.bertviz.write import write
from attnwidget.maths.validate import choice, index, size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["KINDS", "Document", "document", "document_encoder_decoder"]

KINDS = ("head", "model")


def document(
    kind: str,
    weights: Sequence[NDArray[Any]],
    tokens: Sequence[str],
    *,
    layer: int | None = None,
    layers: Sequence[int] | None = None,
    include_layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    include_heads: Sequence[int] | None = None,
    sentence_b_start: int | None = None,
    prettify_tokens: bool = True,
    theme: str | None = None,
    display_mode: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Document:
    """Return BertViz's head view or model view of `weights` as an HTML document.

    Parameters
    ----------
    kind:
        ``"head"`` (a layer at a time, with a colour for each head) or ``"model"`` (every layer and
        head as a small map).
    weights:
        An array (h, n, n) for each layer, with numbers from 0 to 1. They are rounded to 4 decimals,
        because smaller differences are not visible.
    tokens:
        n strings, which are shown as plain text.
    layer:
        The layer shown first. By default the first of the included layers.
    layers:
        The model's numbers of the layers in `weights`. By default 0, 1, ...
    include_layers:
        The numbers of the layers that the document contains. By default all.
    heads:
        In the head view, the heads that are switched on at first. By default all.
    include_heads:
        In the model view, the heads that are drawn. By default all.
    sentence_b_start:
        The position, 1 to n - 1, where the second sentence starts. BertViz then offers a filter for
        the attention within and between the sentences.
    prettify_tokens:
        Whether BertViz writes ``Ġ`` and ``▁`` as a space and removes ``</w>``.
    theme, display_mode:
        ``"light"``, the default, or ``"dark"``. `display_mode` is BertViz's name of this option.
    max_bytes:
        The size limit of the document. If the document would exceed this limit, or the limit on
        lines that a browser can draw (`MAX_LINES`), only the layers nearest to `layer` are kept,
        and the document states this.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or a single layer exceeds a limit.
    ImportError
        Without ``attnwidget[models]``.
    RuntimeError
        If the package was not built, or this version of BertViz writes another page.
    """
    choice("kind", kind, KINDS)
    theme = shown_theme(theme, display_mode)
    limit = size("max_bytes", max_bytes)
    words = _strings("tokens", tokens)
    b = sentence_b_start
    if b is not None:
        why = "the second sentence has at least one token"
        size("sentence_b_start", b, at_most=len(words) - 1, why=why)
    numbers = layer_numbers("weights", weights, layers)
    included = chosen("include_layers", include_layers, numbers)
    first = included[0] if layer is None else index("layer", layer, included)
    whole = stack("weights", weights, numbers, words, words, first=first)
    stacks, switched = _heads(kind, [whole], heads, include_heads)
    copies = 1 if b is None else 2  # for a pair, BertViz has the map and its four parts
    fixed = fixed_bytes(kind, words * (2 * copies))
    kept, reason = within(
        len(included), included.index(first), stacks, together=kind == "model", copies=copies,
        fixed=fixed, max_bytes=limit,
    )  # fmt: skip
    kept_layers = [included[i] for i in kept]
    notice = (
        f"{_layers(kept_layers)} ({len(kept_layers)} of {len(included)}): {reason}."
        if reason
        else ""
    )
    arguments = {"tokens": words, "sentence_b_start": b}
    return write(
        kind, stacks, kept_layers, first, switched, arguments, prettify_tokens, theme, notice
    )


def document_encoder_decoder(
    kind: str,
    *,
    encoder: Sequence[NDArray[Any]] | None = None,
    decoder: Sequence[NDArray[Any]] | None = None,
    cross: Sequence[NDArray[Any]] | None = None,
    encoder_tokens: Sequence[str] | None = None,
    decoder_tokens: Sequence[str] | None = None,
    layer: int | None = None,
    layers: Mapping[str, Sequence[int]] | None = None,
    include_layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    include_heads: Sequence[int] | None = None,
    prettify_tokens: bool = True,
    theme: str | None = None,
    display_mode: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Document:
    """Return BertViz's view of the attention of an encoder-decoder, as an HTML document.

    Parameters
    ----------
    kind:
        ``"head"`` or ``"model"``, as for `document`.
    encoder, decoder, cross:
        For each of the three, an array for each layer: (h, n_e, n_e), (h, n_d, n_d) and
        (h, n_d, n_e), with a row for each query. At least one of the three is required. They may
        have different layers; BertViz's layer menu then offers the layers of the chosen attention.
    encoder_tokens, decoder_tokens:
        n_e and n_d strings, required if the given attention refers to them.
    layers:
        The model's numbers of the layers, by kind: ``{"cross": [1, 3]}``. By default 0, 1, ...
    layer, include_layers, heads, include_heads, prettify_tokens, theme, display_mode, max_bytes:
        As for `document`. A kind of attention without any of the kept layers is left out, and the
        document states this.

    Raises
    ------
    TypeError, ValueError, ImportError, RuntimeError
        For the reasons of `document`. ValueError also if the kinds of attention in a head view have
        different numbers of heads, because BertViz would draw them wrongly.
    """
    choice("kind", kind, KINDS)
    theme = shown_theme(theme, display_mode)
    limit = size("max_bytes", max_bytes)
    given = {k: w for k, w in zip(_LABELS, (encoder, decoder, cross), strict=True) if w is not None}
    if not given:
        raise ValueError("encoder, decoder, cross: got None for all, want at least one array")
    unknown = set(layers or {}) - set(given)
    if unknown:
        raise ValueError(f"layers: got {sorted(unknown)}, want among {', '.join(given)}")
    numbers = {k: layer_numbers(k, w, (layers or {}).get(k)) for k, w in given.items()}
    known = sorted({number for some in numbers.values() for number in some})
    included = chosen("include_layers", include_layers, known)
    offered = [i for i in numbers[next(iter(given))] if i in included]
    first = (offered or included)[0] if layer is None else index("layer", layer, included)
    sides = {"encoder_tokens": encoder_tokens, "decoder_tokens": decoder_tokens}
    words = {
        f"{side}_tokens": _strings(f"{side}_tokens", sides[f"{side}_tokens"])
        for side in ("encoder", "decoder")
        if side in given or "cross" in given
    }
    stacks = []
    for name, weights in given.items():
        rows = words["encoder_tokens" if name == "encoder" else "decoder_tokens"]
        columns = words["decoder_tokens" if name == "decoder" else "encoder_tokens"]
        stacks.append(stack(name, weights, numbers[name], rows, columns, first=first))
    stacks, switched = _heads(kind, stacks, heads, include_heads)
    kept, reason = within(
        len(included), included.index(first), stacks, together=kind == "model", copies=1,
        fixed=fixed_bytes(kind, [t for stack in stacks for t in (*stack.rows, *stack.columns)]),
        max_bytes=limit,
    )  # fmt: skip
    kept_layers = [included[i] for i in kept]
    notes = (
        [f"{_layers(kept_layers)} ({len(kept_layers)} of {len(included)}): {reason}."]
        if reason
        else []
    )
    layers_of = owned(stacks, kept_layers)
    if any(some != kept_layers for some in layers_of.values()):
        parts = (f"{_LABELS[k]}: {_layers(i).lower()}" for k, i in layers_of.items())
        notes.append(f"{'; '.join(parts)}.")
    stacks = [stack for stack in stacks if layers_of[stack.name]]
    return write(
        kind,
        stacks,
        kept_layers,
        first,
        switched,
        dict(words),
        prettify_tokens,
        theme,
        " ".join(notes),
    )


_LABELS = {"encoder": "Encoder", "decoder": "Decoder", "cross": "Cross"}


def _layers(numbers: Sequence[int]) -> str:
    if not numbers:
        return "None of these layers"
    return f"Layer{'s' * (len(numbers) > 1)} {span(numbers)}"


def _strings(name: str, tokens: Sequence[str] | None) -> list[str]:
    if tokens is None:
        raise ValueError(f"{name}: got None, want a string for each position of this attention")
    if isinstance(tokens, str) or not all(isinstance(token, str) for token in tokens):
        raise TypeError(f"{name}: got {type(tokens).__name__}, want a sequence of str")
    if not len(tokens):
        raise ValueError(f"{name}: got none, want at least one")
    return list(tokens)


def _heads(
    kind: str,
    stacks: list[Stack],
    heads: Sequence[int] | None,
    include_heads: Sequence[int] | None,
) -> tuple[list[Stack], list[int] | None]:
    """Return the stacks with the heads to draw, and the heads that are switched on at first."""
    common = range(min(stack.n_heads for stack in stacks))
    if kind == "head":
        if include_heads is not None:
            raise ValueError(
                "include_heads: BertViz's head view draws every head, because the colour is the "
                "head's number; want heads=, the heads switched on at first, or kind='model'"
            )
        same_heads(stacks)
        return stacks, None if heads is None else chosen("heads", heads, common)
    if heads is not None:
        raise ValueError(
            "heads: BertViz's model view has no heads to switch; want include_heads=, or "
            "kind='head'"
        )
    if include_heads is None:
        return stacks, None
    drawn = chosen("include_heads", include_heads, common)
    return [replace(stack, heads=drawn) for stack in stacks], None
