"""Functions from a state to the next state: another source, head or mask is shown."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.presets import carried, check_presets, fit_presets, preset_mask
from attnwidget.session.size import map_shape
from attnwidget.sources.api import axes, stack_layers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.history import Step
    from attnwidget.session.snapshot import Snapshot
    from attnwidget.sources.api import Source

# Inputs that group tokens and so change the rows and columns of the map.
GROUPING = ("merge", "hide_special")
# Inputs that the source holds, and inputs of the head that is shown.
OF_SOURCE = (
    "tokens", "key_tokens", "embeddings", "key_embeddings", "W_q", "W_k", "W_v",
    "d_model", "d_k", "d_v", "n_heads", "seed", "init", "positional", *GROUPING,
)  # fmt: skip
OF_HEAD = ("Q", "K", "V", "scale", "temperature")


def value_of(now: Snapshot, name: str) -> Any:
    """Return an input of the state."""
    return getattr(now.inputs if name in OF_HEAD else now.source, name)


def equal(a: Any, b: Any) -> bool:
    """Whether two values are equal: arrays if their type and all their numbers are."""
    if a is b:
        return True
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return type(a) is type(b) and bool(a == b)


def show(
    now: Snapshot,
    source: Source,
    layer: int | None = None,
    head: int | None = None,
    *,
    own: NDArray[np.bool_] | None = None,
    presets: Mapping[str, Any] | None = None,
) -> Snapshot:
    """Return the state with a head of `source` on screen; None stays as it is.

    The layer and the head are those on screen as far as the source has them. Without `own`,
    presets are made anew, and edits by hand stay where they were.
    """
    layers = {each.index: each for each in stack_layers(source)}
    layer = now.layer if layer is None else layer
    layer = layer if layer in layers else next(iter(layers))
    head = min(now.head if head is None else head, layers[layer].n_heads - 1)
    after = now.evolve(source=source, layer=layer, head=head)
    n_k = after.inputs.shape[1]
    presets = fit_presets(now.presets if presets is None else presets, n_k)
    if own is None:
        is_as_before = presets is now.presets and after.inputs.shape == now.own.shape
        same_tokens = (source.tokens, source.key_tokens) == (
            now.source.tokens,
            now.source.key_tokens,
        )
        if is_as_before and same_tokens:
            own = now.own
        else:
            old = preset_mask(now.presets, now.source.tokens, now.source.key_tokens)
            own = carried(now.own, old, preset_mask(presets, source.tokens, source.key_tokens))
    return without_what_is_gone(after.evolve(own=own, presets=presets))


def turn_to(now: Snapshot, source: Source) -> Snapshot:
    """Return the state with a source of other rows and columns, which have their own mask."""
    aside = {**now.aside, axes(now.source): (now.own, now.presets)}
    layers = [layer.index for layer in stack_layers(source)]
    layer = now.layer if now.layer in layers else layers[0]
    shape = map_shape(source)
    fresh = np.zeros(shape, bool), check_presets(None, shape[1])
    own, presets = aside.get(axes(source), fresh)
    selection = followed(now, source)
    now = now.evolve(aside=aside, selection=selection)
    return show(now, source, layer, own=own, presets=presets)


def followed(now: Snapshot, source: Source) -> tuple[int, int] | None:
    """Return the cell of `source` that has the tokens of the selected cell, None if none has.

    A cell of another stack has other tokens, so that the selection keeps its place there.
    """
    if now.selection is None or source.stack != now.source.stack:
        return now.selection
    sides = zip(now.selection, now.source.groups, source.groups, strict=True)
    query, key = (
        next((i for i, group in enumerate(after) if before[at][0] in group), None)
        for at, before, after in sides
    )
    return None if query is None or key is None else (query, key)


def without_what_is_gone(now: Snapshot) -> Snapshot:
    """Return the state without views, quantities and a selection that the map does not have."""
    inputs = now.inputs
    changes: dict[str, Any] = {}
    if not inputs.has_values and now.view in {"steps", "neuron"}:
        changes["view"] = "heatmap"
    if inputs.Q is None and now.mistake is not None:
        changes["mistake"] = None
    if lacking(now, now.quantity):
        changes["quantity"] = "attention"
    heads = now.shown_layer.n_heads
    if now.heads_on is not None and any(head >= heads for head in now.heads_on):
        changes["heads_on"] = tuple(head for head in now.heads_on if head < heads) or None
    if now.selection is not None:
        query, key = now.selection
        if query >= inputs.shape[0] or key >= inputs.shape[1]:
            changes["selection"] = None
    return now.evolve(**changes) if changes else now


def lacking(now: Snapshot, quantity: str) -> str:
    """Return in words the arrays that `quantity` needs and the map lacks, "" if there are none."""
    if quantity == "output-norm" and now.output_norms is None:
        return "W_O, which isn't known here"
    if quantity == "scores" and now.inputs.row_mass is not None:
        return "a softmax's own; given weights have none"
    if quantity in {"value-norm", "output-shift"} and now.inputs.V is None:
        return "V; what is shown has none"
    return ""


def returned(now: Snapshot, step: Step) -> Snapshot:
    """Return the state that `step` remembers, with the layer and head on screen if they exist."""
    if step.knocked_out != now.experiment.knocked_out:
        experiment = replace(now.experiment, knocked_out=step.knocked_out)
        now = now.evolve(experiment=experiment)
    if step.source is now.source.of_run(None):
        return now.evolve(own=step.mask, presets=step.presets)
    stays = stack_layers(step.source) == stack_layers(now.source)
    layer, head = (None, None) if stays else (step.layer, step.head)
    after = show(now, step.source, layer, head, own=step.mask, presets=step.presets)
    # A cell of other rows and columns is another cell.
    same = axes(step.source) == axes(now.source)
    return after if same else after.evolve(selection=step.selection)


def with_mask(
    now: Snapshot,
    own: NDArray[np.bool_],
    presets: Mapping[str, Any] | None = None,
    stroke: Hashable = None,
    among: NDArray[np.intp] | None = None,
) -> Snapshot:
    """Return the state under another mask; edits of one `stroke` undo together.

    `among` are the rows in which the masks can differ, sorted; None for all rows.
    """
    presets = now.presets if presets is None else presets
    rows = slice(None) if among is None else among
    if np.array_equal(own[rows], now.own[rows]) and presets == now.presets:
        return now
    after = now.evolve(own=own, presets=presets, among=among)
    is_seen = presets != now.presets or after.maps.rows_since(now.maps).size > 0
    return after.evolve(history=now.recorded(stroke)) if is_seen else after


def around_locked(now: Snapshot, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `mask` with what was under locked cells: another layer may not lock them."""
    locked = now.inputs.locked
    return mask if locked is None else np.where(locked, now.own, mask)
