"""BertViz's head view and model view as documents that need no network.

BertViz (Vig 2019, arXiv 1906.05714) writes a page for require.js with libraries from a CDN. The
document contains BertViz's markup, script and parameters, and the libraries, so that it makes no
network request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnwidget.bertviz.maps import layer_numbers, owned, stack
from attnwidget.bertviz.options import KINDS, DocumentOptions, layer_text
from attnwidget.bertviz.page import Document
from attnwidget.bertviz.write import write
from attnwidget.maths.validate import size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["KINDS", "Document", "document", "document_encoder_decoder"]

_LABELS = {"encoder": "Encoder", "decoder": "Decoder", "cross": "Cross"}


def document(
    kind: str,
    weights: Sequence[NDArray[Any]],
    tokens: Sequence[str],
    *,
    layers: Sequence[int] | None = None,
    sentence_b_start: int | None = None,
    **keywords: Any,
) -> Document:
    """Return BertViz's head view or model view of `weights` as an HTML document.

    The keywords that are not in the signature are the fields of `DocumentOptions`.

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
    options = DocumentOptions.of(kind, keywords)
    words = _strings("tokens", tokens)
    b = sentence_b_start
    if b is not None:
        why = "the second sentence has at least one token"
        size("sentence_b_start", b, at_most=len(words) - 1, why=why)
    numbers = layer_numbers("weights", weights, layers)
    included = options.included_layers(numbers)
    first = options.first_layer(included, included[0])
    whole = stack("weights", weights, numbers, words, words, first=first)
    stacks, switched = options.choose_heads([whole])
    copies = 1 if b is None else 2  # for a pair, BertViz has the map and its four parts
    kept_layers, notes = options.fitting_layers(
        stacks, included, first, words * (2 * copies), copies=copies
    )
    arguments = {"tokens": words, "sentence_b_start": b}
    return write(options, stacks, kept_layers, first, switched, arguments, " ".join(notes))


def document_encoder_decoder(
    kind: str,
    *,
    encoder: Sequence[NDArray[Any]] | None = None,
    decoder: Sequence[NDArray[Any]] | None = None,
    cross: Sequence[NDArray[Any]] | None = None,
    encoder_tokens: Sequence[str] | None = None,
    decoder_tokens: Sequence[str] | None = None,
    layers: Mapping[str, Sequence[int]] | None = None,
    **keywords: Any,
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
        The model's numbers of the layers, by stack: ``{"cross": [1, 3]}``. By default 0, 1, ...
    layer, include_layers, heads, include_heads, prettify_tokens, theme, display_mode, max_bytes:
        As for `document`. A stack without any of the kept layers is left out, and the document
        states this.

    Raises
    ------
    TypeError, ValueError, ImportError, RuntimeError
        For the reasons of `document`. ValueError also if the stacks in a head view have different
        numbers of heads, because BertViz would draw them wrongly.
    """
    options = DocumentOptions.of(kind, keywords)
    maps = {k: w for k, w in zip(_LABELS, (encoder, decoder, cross), strict=True) if w is not None}
    if not maps:
        raise ValueError("encoder, decoder, cross: got None for all, want at least one array")
    unknown = set(layers or {}) - set(maps)
    if unknown:
        raise ValueError(f"layers: got {sorted(unknown)}, want among {', '.join(maps)}")
    numbers = {k: layer_numbers(k, w, (layers or {}).get(k)) for k, w in maps.items()}
    included = options.included_layers(sorted({i for some in numbers.values() for i in some}))
    of_first_stack = [i for i in numbers[next(iter(maps))] if i in included]
    first = options.first_layer(included, (of_first_stack or included)[0])
    words: dict[str, list[str]] = {}
    if "encoder" in maps or "cross" in maps:
        words["encoder_tokens"] = _strings("encoder_tokens", encoder_tokens)
    if "decoder" in maps or "cross" in maps:
        words["decoder_tokens"] = _strings("decoder_tokens", decoder_tokens)
    stacks = []
    for name, weights in maps.items():
        rows = words["encoder_tokens" if name == "encoder" else "decoder_tokens"]
        columns = words["decoder_tokens" if name == "decoder" else "encoder_tokens"]
        stacks.append(stack(name, weights, numbers[name], rows, columns, first=first))
    stacks, switched = options.choose_heads(stacks)
    texts = [text for stack in stacks for text in (*stack.rows, *stack.columns)]
    kept_layers, notes = options.fitting_layers(stacks, included, first, texts)
    layers_of = owned(stacks, kept_layers)
    if any(some != kept_layers for some in layers_of.values()):
        parts = (f"{_LABELS[k]}: {layer_text(i).lower()}" for k, i in layers_of.items())
        notes.append(f"{'; '.join(parts)}.")
    stacks = [stack for stack in stacks if layers_of[stack.name]]
    return write(options, stacks, kept_layers, first, switched, words, " ".join(notes))


def _strings(name: str, tokens: Sequence[str] | None) -> list[str]:
    if tokens is None:
        raise ValueError(f"{name}: got None, want a string for each position of this attention")
    if isinstance(tokens, str) or not all(isinstance(token, str) for token in tokens):
        raise TypeError(f"{name}: got {type(tokens).__name__}, want a sequence of str")
    if not len(tokens):
        raise ValueError(f"{name}: got none, want at least one")
    return list(tokens)
