"""The documents that a source can be written as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnwidget.sources.api import stack

if TYPE_CHECKING:
    from attnwidget.bertviz.page import Document
    from attnwidget.sources.api import Source

# What BertViz has classes for.
_NEURONS = ("bert", "roberta", "gpt2")
_BOTH_SIDES = ("encoder", "decoder", "cross")


def bertviz_document(
    source: Source, kind: str, layer: int | None, head: int, options: Mapping[str, Any]
) -> Document:
    """Return BertViz's view `kind` of `source`, `layer` and `head` shown first.

    Raises TypeError and ValueError as the documents do, and ValueError for a stack that BertViz
    has no view of.
    """
    wanted = options.get("include_layers")
    if isinstance(wanted, Sequence) and layer not in wanted:
        layer = None  # what the card shows is left out: the first of those included
    if kind == "neuron":
        return _neurons(source, layer, head, options)
    from attnwidget.bertviz.document import document, document_encoder_decoder

    kinds = {one.kind for one in source.layers}
    if source.kind in _BOTH_SIDES and kinds >= set(_BOTH_SIDES):
        heads = {one.n_heads for one in source.layers}
        # BertViz's head view has one number of heads for all: else the shown stack stands alone.
        names = (source.kind,) if kind == "head" and len(heads) > 1 else _BOTH_SIDES
        stacks = {name: source.of(name) for name in names}
        numbers = {name: [one.index for one in stack(its)] for name, its in stacks.items()}
        maps = {n: [its.weights(i) for i in numbers[n]] for n, its in stacks.items()}
        return document_encoder_decoder(
            kind,
            encoder=maps.get("encoder"),
            decoder=maps.get("decoder"),
            cross=maps.get("cross"),
            encoder_tokens=list(source.of("encoder").tokens),
            decoder_tokens=list(source.of("decoder").tokens),
            layer=layer,
            layers=numbers,
            **options,
        )
    if source.key_tokens is not None:
        raise ValueError("bertviz: its views want one list of tokens; these have key_tokens too")
    numbers_here = [one.index for one in stack(source)]
    here = [source.weights(number) for number in numbers_here]
    text = getattr(source, "text", None)
    split = {"sentence_b_start": text.second} if text is not None and text.second else {}
    return document(
        kind, here, list(source.tokens), layer=layer, layers=numbers_here, **{**split, **options}
    )


def bertviz_views(source: Source) -> tuple[str, ...]:
    """Return the names of BertViz's views that `source`, as it is shown, has."""
    model = getattr(source, "model", None)
    if model is None:
        return ()
    both = {one.kind for one in source.layers} >= set(_BOTH_SIDES)
    found: tuple[str, ...] = ()
    if (both and source.kind in _BOTH_SIDES) or source.kind.partition(" ")[0] != "cross":
        found = ("bertviz-head", "bertviz-model")
    if source.kind == "self" and model.config.model_type in _NEURONS:
        found += ("bertviz-neuron",)
    return found


def _neurons(source: Source, layer: int | None, head: int, options: Mapping[str, Any]) -> Document:
    model = getattr(source, "model", None)
    if model is None:
        raise ValueError(
            "bertviz: its neuron view is of a model (BERT, RoBERTa, GPT-2); "
            'view="neuron" is there for everything with Q and K'
        )
    from attnwidget.bertviz.neuron import neuron_document

    reading = source.reading  # type: ignore[attr-defined]
    text = reading.texts.get("source")
    known = {k: v for k, v in options.items() if k != "prettify_tokens"}
    return neuron_document(
        model,
        reading.inputs,
        list(source.tokens),
        **{"sentence_b_start": text and text.second, "layer": layer, "head": head, **known},
    )
