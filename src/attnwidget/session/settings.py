"""The settings that have a name, with their choices and their checks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attnwidget.lessons.mistakes import MISTAKES
from attnwidget.maths.masks import as_mask
from attnwidget.maths.presets import check_presets, recognise
from attnwidget.maths.statistics import STATISTICS
from attnwidget.maths.validate import cell, choice, index
from attnwidget.session.knock_outs import set_effect_position, set_knockouts, set_shown_run
from attnwidget.session.rerun import set_checkpoint
from attnwidget.session.size import check_size
from attnwidget.session.transitions import (
    GROUPING,
    OF_HEAD,
    OF_SOURCE,
    around_locked,
    equal,
    lacking,
    show,
    turn_to,
    value_of,
    with_mask,
)
from attnwidget.sources.api import stack_layers

if TYPE_CHECKING:
    from attnwidget.session.snapshot import Snapshot

VIEWS = (
    "heatmap",
    "steps",
    "lines",
    "neuron",
    "grid",
    "bertviz-head",
    "bertviz-model",
    "bertviz-neuron",
)
CMAPS = ("viridis", "magma", "inferno", "plasma", "cividis", "turbo", "greys", "blues")
# "auto" is "unit", from 0 to 1, for up to 16 tokens, and "sqrt" for more tokens.
COLOR_SCALES = ("auto", "unit", "row", "map", "sqrt")
GRID_ORDERS = ("layer", "statistic")
QUANTITIES = ("attention", "scores", "value-norm", "output-norm", "output-shift")


def with_input(now: Snapshot, name: str, value: Any, stroke: Hashable = None) -> Snapshot:
    """Return the state with an input set; an equal value changes nothing.

    Inputs that are set in one `stroke` undo together.
    """
    source = now.source.replace(name, value, now.layer, now.head)
    before = value_of(now, name)
    if name in GROUPING:
        same = equal(getattr(source, name), before)
        return now if same else turn_to(now.evolve(history=now.recorded()), source)
    if stroke is None and name == "temperature":
        stroke = name  # a slider of a program sends many values
    after = show(now, source)
    if equal(value_of(after, name), before):
        return now
    return after.evolve(history=now.recorded(stroke))


def _set_mask(now: Snapshot, value: Any) -> Snapshot:
    own = as_mask(value, *now.shape)
    presets = recognise(own, now.source.tokens, now.source.key_tokens)
    return with_mask(now, around_locked(now, own), presets)


def _set_presets(now: Snapshot, value: Any) -> Snapshot:
    presets = check_presets(value, now.shape[1])
    if presets == now.presets:
        return now
    return show(now.evolve(history=now.recorded()), now.source, presets=presets)


def _set_stack(now: Snapshot, value: Any) -> Snapshot:
    source = now.source.of(value)
    if source.stack == now.source.stack:
        return now
    check_size(source, stack_layers(source)[0].index, now.is_large)
    return turn_to(now, source)


def _set_layer(now: Snapshot, value: Any) -> Snapshot:
    layer = index("layer", value, [each.index for each in stack_layers(now.source)])
    return now if layer == now.layer else show(now, now.source, layer)


def _set_head(now: Snapshot, value: Any) -> Snapshot:
    head = index("head", value, range(now.shown_layer.n_heads))
    return now if head == now.head else show(now, now.source, head=head)


def _choice(name: str, options: tuple[str, ...]) -> Callable[[Snapshot, Any], Snapshot]:
    def set_choice(now: Snapshot, value: Any) -> Snapshot:
        value = choice(name, value, options)
        return now if value == getattr(now, name) else now.evolve(**{name: value})

    return set_choice


def _set_view(now: Snapshot, value: Any) -> Snapshot:
    value = choice("view", value, VIEWS)
    if value in {"steps", "neuron"}:
        _need_values(now, "view", value)
    return now if value == now.view else now.evolve(view=value)


def _set_quantity(now: Snapshot, value: Any) -> Snapshot:
    value = choice("quantity", value, QUANTITIES)
    need = lacking(now, value)
    if need:
        raise ValueError(f"quantity: {value!r} needs {need}")
    return now if value == now.quantity else now.evolve(quantity=value)


def _need_values(now: Snapshot, name: str, value: str) -> None:
    inputs = now.inputs
    if inputs.Q is None:
        raise ValueError(f"{name}: {value!r} needs Q, K and V; given weights have none")
    if inputs.V is None and name == "view":
        raise ValueError(f"{name}: {value!r} needs V, which was not captured in this layer")


def _set_selection(now: Snapshot, value: Any) -> Snapshot:
    value = None if value is None else cell("selection", value, now.shape)
    return now if value == now.selection else now.evolve(selection=value)


def _set_heads_on(now: Snapshot, value: Any) -> Snapshot:
    """Set the heads that the lines show, in ascending order; all heads of the layer are None."""
    if value is not None:
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise TypeError(f"heads_on: got {value!r}, want a list of heads, or None for all")
        heads = range(now.shown_layer.n_heads)
        value = tuple(sorted({index("heads_on", head, heads) for head in value}))
        value = None if value == tuple(heads) else value
    return now if value == now.heads_on else now.evolve(heads_on=value)


def _set_mistake(now: Snapshot, value: Any) -> Snapshot:
    if value is not None:
        _need_values(now, "mistake", value)
        value = choice("mistake", value, tuple(MISTAKES))
    return now if value == now.mistake else now.evolve(mistake=value, checked=None)


def _set_report(now: Snapshot, value: Any) -> Snapshot:
    if value is now.report:
        return now
    if value is not None:
        raise TypeError("report: it is made by check() or a mistake; it can only be None")
    return now.evolve(mistake=None, checked=None)


def _set_title(now: Snapshot, value: Any) -> Snapshot:
    if not isinstance(value, str | None):
        raise TypeError(f"title: got {type(value).__name__}, want a str, or None for none")
    return now if (value or "") == now.title else now.evolve(title=value or "")


SETTERS: Mapping[str, Callable[[Snapshot, Any], Snapshot]] = {
    "mask": _set_mask,
    "presets": _set_presets,
    "stack": _set_stack,
    "layer": _set_layer,
    "head": _set_head,
    "view": _set_view,
    "cmap": _choice("cmap", CMAPS),
    "color_scale": _choice("color_scale", COLOR_SCALES),
    "quantity": _set_quantity,
    "selection": _set_selection,
    "heads_on": _set_heads_on,
    "grid_order": _choice("grid_order", GRID_ORDERS),
    "grid_statistic": _choice("grid_statistic", tuple(STATISTICS)),
    "mistake": _set_mistake,
    "report": _set_report,
    "title": _set_title,
    "knockouts": set_knockouts,
    "shown_run": set_shown_run,
    "effect_position": set_effect_position,
    "checkpoint": set_checkpoint,
}
SETTABLE = (*OF_SOURCE, *OF_HEAD, *SETTERS)
