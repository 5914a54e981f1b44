"""The documents that a source can be written as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnwidget.sources.api import stack
from attnwidget.sources.stacks import StackId

if TYPE_CHECKING:
    from attnwidget.bertviz.page import Document
    from attnwidget.sources.api import Source

# What BertViz has classes for.
_NEURONS = ("bert", "roberta", "gpt2")
_BOTH_SIDES = (StackId("encoder"), StackId("decoder"), StackId("cross"))


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

    if _has_both_sides(source):
        heads = {one.n_heads for one in source.layers}
        # BertViz's head view has one number of heads for all: else the shown stack stands alone.
        wanted_here = (source.stack,) if kind == "head" and len(heads) > 1 else _BOTH_SIDES
        stacks: dict[str, Source] = {one.part: source.of(one) for one in wanted_here}
        numbers = {name: [one.index for one in stack(its)] for name, its in stacks.items()}
        maps = {n: [its.weights(i) for i in numbers[n]] for n, its in stacks.items()}
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
        raise ValueError("bertviz: its views want one list of tokens; these have key_tokens too")
    numbers_here = [one.index for one in stack(source)]
    here = [source.weights(number) for number in numbers_here]
    split = {"sentence_b_start": source.sentence_b_start} if source.sentence_b_start else {}
    return document(
        kind, here, list(source.tokens), layer=layer, layers=numbers_here, **{**split, **options}
    )


def bertviz_views(source: Source) -> tuple[str, ...]:
    """Return the names of BertViz's views that `source`, as it is shown, has."""
    if source.model is None:
        return ()
    found: tuple[str, ...] = ()
    if _has_both_sides(source) or source.stack.part != "cross":
        found = ("bertviz-head", "bertviz-model")
    if source.stack == StackId("self") and source.model.config.model_type in _NEURONS:
        found += ("bertviz-neuron",)
    return found


def _has_both_sides(source: Source) -> bool:
    """Whether the stack shown is of an encoder-decoder, which BertViz shows as a whole."""
    stacks = {one.stack for one in source.layers}
    return source.stack in _BOTH_SIDES and stacks >= set(_BOTH_SIDES)


def _neurons(source: Source, layer: int | None, head: int, options: Mapping[str, Any]) -> Document:
    if source.model is None:
        raise ValueError(
            "bertviz: its neuron view is of a model (BERT, RoBERTa, GPT-2); "
            'view="neuron" is there for everything with Q and K'
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
