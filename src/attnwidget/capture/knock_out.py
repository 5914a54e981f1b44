"""Run a model with parts of its attention knocked out.

The edits work in every pass of the model, in any thread, until the context ends; `generate` is a
sequence of such passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from attnwidget.capture.arrange import part_of
from attnwidget.capture.edited_calls import Place
from attnwidget.capture.lend import uncompiled
from attnwidget.capture.longformer import is_banded
from attnwidget.capture.recognise import (
    always_asks_interface,
    head_count,
    looks_like_attention,
    modules_by_name,
)
from attnwidget.capture.supported import check_model
from attnwidget.sources.knockouts import KnockOut, check_knockouts

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_FUSED_KERNELS = re.compile(r"flash|flex|paged|/")


@contextmanager
def knock_out(model: PreTrainedModel, knockouts: Any) -> Iterator[None]:
    """Take parts of the attention out of `model` until the context ends.

    A replacement for the argument `head_mask`, which transformers 5 removed::

        with knock_out(model, [{"layer": 3, "head": 7}]):
            outputs = model(**inputs)

    `knockouts` is a list of `KnockOut`s or of dictionaries with some of ``stack``, ``layer``,
    ``head``, ``query``, ``key`` and ``kind``; what is left out stands for all. The kinds are
    "remove" (the score becomes -inf before the softmax; Geva et al. 2023, arXiv 2304.14767), "zero"
    (the weight becomes 0 after the softmax), "mean" and "first"; see
    `attnwidget.sources.knockouts.KINDS`. A query without any key left gives zeros. Positions count
    from the start of the text, and an edit holds for each text of a batch. Within a call of
    ``generate``, positions count from the start of the prompt.

    The edits of a cell are done in this order: remove, mean, first, zero. The model is left as it
    was, also after an error.

    Raises
    ------
    TypeError
        If `model` or `knockouts` has a wrong type.
    ValueError
        If the model has no such stack, layer or head, or the attention of a layer cannot be edited.
    """
    check_model(model)
    with editing_places(model, resolved(model, check_knockouts(knockouts))):
        yield


@contextmanager
def editing_places(model: PreTrainedModel, places: Sequence[Place]) -> Iterator[None]:
    """Edit the attention of `places` of the model until the context ends."""
    with ExitStack() as contexts:
        contexts.enter_context(uncompiled(modules_by_name(model)))
        for place in places:
            contexts.enter_context(place.edited(model))
        yield


def resolved(
    model: PreTrainedModel,
    knockouts: Sequence[KnockOut],
    attention: list[tuple[str, int | None, Any]] | None = None,
    names: dict[Any, str] | None = None,
) -> list[Place]:
    """Return the attention modules that `knockouts` change, each with its knock-outs.

    `attention` are the model's `attention_modules`, and `names` the names of all modules, if they
    are known.

    Raises
    ------
    ValueError
        If the model has no such stack, layer or head, or the attention of a layer cannot be edited.
    """
    return resolved_for_copies(model, [knockouts], attention, names)


def resolved_for_copies(
    model: PreTrainedModel,
    copies: Sequence[Sequence[KnockOut]],
    attention: list[tuple[str, int | None, Any]] | None = None,
    names: dict[Any, str] | None = None,
) -> list[Place]:
    """Return the attention modules with the knock-outs of each copy of the text in a batch.

    Raises
    ------
    ValueError
        As `resolved`.
    """
    modules = attention_modules(model) if attention is None else attention
    names = modules_by_name(model) if names is None else names
    places: dict[Any, Place] = {}
    for copy, i, edit in ((c, i, e) for c, edits in enumerate(copies) for i, e in enumerate(edits)):
        name = f"knockouts[{i}]"
        stacks = {part for part, _, _ in modules}
        if edit.stack not in {None, *stacks}:
            raise ValueError(
                f"{name}.stack: got {edit.stack!r}, want one of {', '.join(sorted(stacks))}"
            )
        found = [entry for entry in modules if edit.stack in {None, entry[0]}]
        if edit.layer is not None:
            found = _of_layer(found, name, edit.layer)
        for _, number, module in found:
            _check(model, names[module], module, name, edit)
            is_cross = part_of(model, names[module]) == "cross"
            if module not in places:
                own: list[list[KnockOut]] = [[] for _ in copies]
                places[module] = Place(module, names[module], is_cross, number, own)
            places[module].copies[copy].append(edit)
    return list(places.values())


def _of_layer(
    found: list[tuple[str, int | None, Any]], name: str, layer: int
) -> list[tuple[str, int | None, Any]]:
    for part in {part for part, _, _ in found}:
        named = [number for stack, number, _ in found if stack == part]
        if None in named or len(set(named)) < len(named):
            raise ValueError(
                f"{name}.layer: the modules of the stack {part!r} do not say which layer they are; "
                "want layer=None"
            )
    chosen = [entry for entry in found if entry[1] == layer]
    if not chosen:
        numbers = sorted({number for _, number, _ in found if number is not None})
        raise ValueError(f"{name}.layer: got {layer}, want one of {', '.join(map(str, numbers))}")
    return chosen


def attention_modules(model: PreTrainedModel) -> list[tuple[str, int | None, Any]]:
    """Return stack, layer and module of all attention, in the order of the modules."""
    names = modules_by_name(model)
    inner = list(dict.fromkeys(_innermost(model)))
    parts = [part_of(model, names[module]) for module in inner]
    if len(set(parts)) == 1 and parts[0] in {"vision", "audio"}:
        parts = ["self"] * len(parts)
    depth = getattr(model.config, "num_hidden_layers", 0)
    found: list[tuple[str, int | None, Any]] = []
    for part, module in zip(parts, inner, strict=True):
        number = getattr(module, "layer_idx", None)
        if not isinstance(number, int):
            numbers = (int(word) for word in names[module].split(".") if word.isdecimal())
            # A module that several layers share (ALBERT) is no layer.
            is_shared = parts.count(part) == 1 and isinstance(depth, int) and depth > 1
            number = None if is_shared else next(numbers, None)
        found.append((part, number, module))
    return found


def _innermost(module: Any) -> Iterator[Any]:
    """Yield the attention modules without an attention module inside."""
    looks = looks_like_attention(module)
    if looks and hasattr(module, "set_attention_type"):
        yield module  # BigBird exchanges the attention inside of it during a pass
        return
    found = [each for child in module.children() for each in _innermost(child)]
    yield from found
    if not found and (looks or always_asks_interface(module)):
        yield module


def _check(model: PreTrainedModel, path: str, module: Any, name: str, edit: KnockOut) -> None:
    heads = head_count(module) or head_count(getattr(module, "config", None) or object())
    if edit.head is not None and heads is not None and edit.head >= heads:
        raise ValueError(f"{name}.head: got {edit.head}, want 0..{heads - 1}, the heads of {path}")
    if is_banded(module):
        raise ValueError(
            f"{name}: {type(module).__name__} computes a band of the map, which cannot be edited"
        )
    implementation = getattr(getattr(module, "config", None), "_attn_implementation", None)
    if isinstance(implementation, str) and _FUSED_KERNELS.search(implementation):
        raise ValueError(
            f"{name}: the attention of {type(model).__name__} is {implementation!r}, whose rows "
            'cannot be edited; want model.set_attn_implementation("sdpa") or "eager"'
        )
