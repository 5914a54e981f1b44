"""Write the maps of a source as a BertViz document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnwidget.sources.api import stack_layers
from attnwidget.sources.stacks import StackId

if TYPE_CHECKING:
    from attnwidget.bertviz.page import Document
    from attnwidget.sources.api import Source

# The model types that BertViz's neuron view has classes for.
_NEURONS = ("bert", "roberta", "gpt2")
_BOTH_SIDES = (StackId("encoder"), StackId("decoder"), StackId("cross"))


def bertviz_document(
    source: Source, kind: str, layer: int | None, head: int, options: Mapping[str, Any]
) -> Document:
    """Return BertViz's view `kind` of `source`, with `layer` and `head` shown first.

    Raises
    ------
    TypeError, ValueError
        If an option does not fit, or BertViz has no view of the stack shown.
    """
    included = options.get("include_layers")
    if isinstance(included, Sequence) and layer not in included:
        layer = None  # show the first of the included layers
    if kind == "neuron":
        return _neurons(source, layer, head, options)
    from attnwidget.bertviz.document import document, document_encoder_decoder

    if _has_both_sides(source):
        heads = {layer.n_heads for layer in source.layers}
        # BertViz's head view can show stacks together only if they have equally many heads.
        stack_ids = (source.stack_id,) if kind == "head" and len(heads) > 1 else _BOTH_SIDES
        sources: dict[str, Source] = {stack_id.part: source.of(stack_id) for stack_id in stack_ids}
        numbers = {
            name: [layer.index for layer in stack_layers(of)] for name, of in sources.items()
        }
        maps = {name: [of.weights(i) for i in numbers[name]] for name, of in sources.items()}
        return document_encoder_decoder(
            kind,
            encoder=maps.get("encoder"),
            decoder=maps.get("decoder"),
            cross=maps.get("cross"),
            encoder_tokens=list(source.of(StackId("encoder")).tokens),
            decoder_tokens=list(source.of(StackId("decoder")).tokens),
            layer=layer,
            layers=numbers,
            **options,
        )
    if source.key_tokens is not None:
        raise ValueError(
            "bertviz: got maps with key_tokens, but BertViz's views want a single list of tokens "
            "for queries and keys"
        )
    layers = [layer.index for layer in stack_layers(source)]
    weights = [source.weights(number) for number in layers]
    pair = {"sentence_b_start": source.sentence_b_start} if source.sentence_b_start else {}
    return document(
        kind, weights, list(source.tokens), layer=layer, layers=layers, **{**pair, **options}
    )


def bertviz_views(source: Source) -> tuple[str, ...]:
    """Return the names of BertViz's views of the stack that `source` shows."""
    if source.model is None:
        return ()
    views: tuple[str, ...] = ()
    if _has_both_sides(source) or source.stack_id.part != "cross":
        views = ("bertviz-head", "bertviz-model")
    if source.stack_id == StackId("self") and source.model.config.model_type in _NEURONS:
        views += ("bertviz-neuron",)
    return views


def _has_both_sides(source: Source) -> bool:
    """Return whether the source shows an encoder-decoder, whose stacks BertViz shows together."""
    stacks = {layer.stack_id for layer in source.layers}
    return source.stack_id in _BOTH_SIDES and stacks >= set(_BOTH_SIDES)


def _neurons(source: Source, layer: int | None, head: int, options: Mapping[str, Any]) -> Document:
    if source.model is None:
        raise ValueError(
            "bertviz: BertViz's neuron view needs a model (BERT, RoBERTa, GPT-2); "
            'view="neuron" shows any source with Q and K'
        )
    from attnwidget.bertviz.neuron import neuron_document

    text = source.reading.texts.get("source")
    known = {k: v for k, v in options.items() if k != "prettify_tokens"}
    return neuron_document(
        source.model,
        source.reading.inputs,
        list(source.tokens),
        **{"sentence_b_start": text and text.second, "layer": layer, "head": head, **known},
    )
