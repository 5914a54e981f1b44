"""BertViz's head view and model view, each as one offline document.

BertViz (Vig 2019, arXiv 1906.05714) writes a page for require.js with libraries from a CDN.
Its markup, script and parameters are taken as they are; the libraries stand beside them, and
nothing in the document can ask a network for anything.
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
        The layer shown first, one of those included; the first one where None.
    layers:
        The model's own numbers of the layers given; 0, 1, ... where None.
    include_layers:
        Which of them BertViz is given, by the same numbers; all where None.
    heads:
        In the head view, the heads that are switched on at first; all where None.
    include_heads:
        In the model view, the heads that are drawn; all where None.
    sentence_b_start:
        The position, 1 to n - 1, where the second sentence starts: BertViz then offers the
        attention inside and between the two.
    prettify_tokens:
        Whether BertViz writes ``Ġ`` and ``▁`` as a space and drops ``</w>``.
    theme, display_mode:
        ``"light"``, the default, or ``"dark"``; `display_mode` is BertViz's name for it.
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
    copies = 1 if b is None else 2  # the whole, and again its four parts
    fixed = fixed_bytes(kind, words * (2 * copies))
    kept, reason = within(
        len(included), included.index(first), stacks, together=kind == "model", copies=copies,
        fixed=fixed, max_bytes=limit,
    )  # fmt: skip
    shown = [included[i] for i in kept]
    notice = f"{_layers(shown)} ({len(shown)} of {len(included)}): {reason}." if reason else ""
    said = {"tokens": words, "sentence_b_start": b}
    return write(kind, stacks, shown, first, switched, said, prettify_tokens, theme, notice)


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
    """Return BertViz's view of an encoder-decoder's attention, with its filter, as one document.

    Parameters
    ----------
    encoder, decoder, cross:
        Each one array for each layer: (h, n_e, n_e), (h, n_d, n_d) and (h, n_d, n_e), a row for
        a query; at least one of the three. They may have different layers: BertViz is told which
        attention has which, and its layer menu offers no others.
    encoder_tokens, decoder_tokens:
        n_e and n_d strings, wherever the attention given speaks of them.
    layers:
        The model's own numbers of the layers, by kind: ``{"cross": [1, 3]}``; 0, 1, ... for a
        kind that isn't in it.
    layer, include_layers, heads, include_heads, prettify_tokens, theme, display_mode, max_bytes:
        As for `document`. A kind of attention that has none of the layers kept is left out, and
        the document says so.

    Raises
    ------
    TypeError, ValueError, ImportError, RuntimeError
        As `document`, and ValueError where the head view would be wrong: its kinds of attention
        must have one number of heads.
    """
    choice("kind", kind, KINDS)
    theme = shown_theme(theme, display_mode)
    limit = size("max_bytes", max_bytes)
    given = {k: w for k, w in zip(_LABELS, (encoder, decoder, cross), strict=True) if w is not None}
    if not given:
        raise ValueError("encoder, decoder, cross: got none of them, want at least one")
    unknown = set(layers or {}) - set(given)
    if unknown:
        raise ValueError(f"layers: got {sorted(unknown)}, want among {', '.join(given)}")
    numbers = {k: layer_numbers(k, w, (layers or {}).get(k)) for k, w in given.items()}
    known = sorted({number for found in numbers.values() for number in found})
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
        fixed=fixed_bytes(kind, [text for one in stacks for text in (*one.rows, *one.columns)]),
        max_bytes=limit,
    )  # fmt: skip
    shown = [included[i] for i in kept]
    notes = [f"{_layers(shown)} ({len(shown)} of {len(included)}): {reason}."] if reason else []
    have = owned(stacks, shown)
    if any(found != shown for found in have.values()):
        parts = (f"{_LABELS[k]}: {_layers(i).lower()}" for k, i in have.items())
        notes.append(f"{'; '.join(parts)}.")
    stacks = [one for one in stacks if have[one.name]]
    return write(
        kind, stacks, shown, first, switched, dict(words), prettify_tokens, theme, " ".join(notes)
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
    """Return the stacks with the heads to draw, and those that are switched on at first."""
    common = range(min(one.n_heads for one in stacks))
    if kind == "head":
        if include_heads is not None:
            raise ValueError(
                "include_heads: BertViz's head view draws every head, its colour is its number; "
                "want heads=, those switched on at first, or kind='model'"
            )
        same_heads(stacks)
        return stacks, None if heads is None else chosen("heads", heads, common)
    if heads is not None:
        raise ValueError(
            "heads: BertViz's model view has none to switch; want include_heads=, or kind='head'"
        )
    if include_heads is None:
        return stacks, None
    drawn = chosen("include_heads", include_heads, common)
    return [replace(one, heads=drawn) for one in stacks], None
