"""What can be done to a session. Each command checks, and returns the state that follows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.lessons.mistakes import MISTAKES
from attnwidget.lessons.report import Report
from attnwidget.maths.masks import as_mask
from attnwidget.maths.presets import carried, check_presets, fit_presets, preset_mask, recognise
from attnwidget.maths.validate import cell, choice, index
from attnwidget.session.size import check_size, map_shape
from attnwidget.sources.api import stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.session.history import Step
    from attnwidget.session.snapshot import Snapshot
    from attnwidget.sources.api import Source

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
COLOR_SCALES = ("unit", "row", "map")
QUANTITIES = ("attention", "scores", "value-norm", "output-norm", "output-shift")

# How tokens are put together: the map has other rows and columns after it.
GROUPING = ("merge", "hide_special")
# Inputs that the source holds, and inputs of the head that is shown.
OF_SOURCE = (
    "tokens", "key_tokens", "embeddings", "key_embeddings", "W_q", "W_k", "W_v",
    "d_model", "d_k", "d_v", "n_heads", "seed", "init", "positional", *GROUPING,
)  # fmt: skip
OF_HEAD = ("Q", "K", "V", "scale", "temperature")


@dataclass(frozen=True)
class Set:
    """Set an input, a choice or the mask by its name."""

    name: str
    value: Any

    @property
    def may_wait(self) -> str:
        """Return the name: a later value of the same group replaces a refused value."""
        return self.name

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the value in force, and with all that follows from it."""
        if self.name in OF_SOURCE or self.name in OF_HEAD:
            return _with_input(now, self.name, self.value)
        return _SETTERS[self.name](now, self.value)


@dataclass(frozen=True)
class Toggle:
    """Mask one cell, or free it. A page paints cells instead, because that can be done twice."""

    query: int
    key: int
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the cell in the other state."""
        n_q, n_k = now.shape
        query, key = index("query", self.query, range(n_q)), index("key", self.key, range(n_k))
        locked = now.inputs.locked
        if locked is not None and locked[query, key]:
            raise ValueError(f"toggle: the model itself masks ({query}, {key}); it stays masked")
        own = now.own.copy()
        own[query, key] ^= True
        return _masked(now, own)


@dataclass(frozen=True, eq=False)
class PaintCells:
    """Mask the cells `on` and free the cells `off` (flat indices of the map).

    `presets` are those in force afterwards, None where they stay; edits of one `stroke` undo
    together.
    """

    on: NDArray[np.intp]
    off: NDArray[np.intp]
    presets: Any = None
    stroke: Hashable = None
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the cells painted; cells that the source masks stay masked."""
        presets = self.presets
        if presets is not None:
            presets = check_presets(presets, now.shape[1])
        mask = now.maps.mask.copy()
        mask.flat[self.on] = True
        mask.flat[self.off] = False
        return _masked(now, _around_locked(now, mask), presets, self.stroke)


@dataclass(frozen=True, eq=False)
class SetNumber:
    """Set one number of an array by hand.

    `shape` is the shape of the array and `shown` the layer, head and stack that the edit was made
    on: on another array, or on another head of a model, it does nothing.
    """

    name: str
    at: tuple[int, ...]
    number: float
    shape: tuple[int, ...]
    shown: tuple[int, int, str]
    stroke: Hashable = None
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the number set."""
        array = value_of(now, self.name)
        # A sentence's heads are all in the array, and `at` names one; a model's come one by one.
        is_void = (
            array is None
            or array.shape != self.shape
            or (len(self.shape) == 2 and self.shown != now.shown)
        )
        if is_void or array[self.at] == self.number:
            return now
        changed = array.copy()
        changed[self.at] = self.number
        source = now.source.replace(self.name, changed, now.layer, now.head)
        return show(now.evolve(history=now.recorded(self.stroke)), source)


@dataclass(frozen=True)
class Travel:
    """Undo the last edit, or redo the edit that was undone last."""

    move: str
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state before or after the edit; the same state where there is none."""
        travel = now.history.undone if self.move == "undo" else now.history.redone
        result = travel(now.step())
        if result is None:
            return now
        history, step = result
        return _returned(now.evolve(history=history, aside=step.aside), step)


UNDO, REDO = Travel("undo"), Travel("redo")


@dataclass(frozen=True)
class Reset:
    """Take back every number that was set by hand; the mask and the settings stay."""

    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state without numbers set by hand."""
        source = now.source.reset()
        if source is now.source:
            return now
        return show(now.evolve(history=now.recorded()), source)


@dataclass(frozen=True, eq=False)
class ShowReport:
    """Show what the check of a function has found, in place of a mistake."""

    report: Report
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the report."""
        return now.evolve(mistake=None, checked=self.report)


@dataclass(frozen=True, eq=False)
class ShowSource:
    """Show a source that continues the source on screen: a model has written a token."""

    source: Source
    may_wait: str = ""

    def apply(self, now: Snapshot) -> Snapshot:
        """Return the state with the source; the mask by hand stays where the positions exist."""
        return show(now, self.source)


# Inputs


def value_of(now: Snapshot, name: str) -> Any:
    """Return an input of the state."""
    return getattr(now.inputs if name in OF_HEAD else now.source, name)


def _with_input(now: Snapshot, name: str, value: Any) -> Snapshot:
    source = now.source.replace(name, value, now.layer, now.head)
    before = value_of(now, name)
    if name in GROUPING:
        same = equal(getattr(source, name), before)
        return now if same else turn_to(now, source)
    # A slider sends many values: they undo together.
    stroke = name if name == "temperature" else None
    after = show(now, source)
    if equal(value_of(after, name), before):
        return now
    return after.evolve(history=now.recorded(stroke))


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
    layers = {each.index: each for each in stack(source)}
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
    """Return the state with a source of other rows and columns; each has a mask of its own."""
    aside = {**now.aside, axes(now.source): (now.own, now.presets)}
    layers = [layer.index for layer in stack(source)]
    layer = now.layer if now.layer in layers else layers[0]
    shape = map_shape(source)
    fresh = np.zeros(shape, bool), check_presets(None, shape[1])
    own, presets = aside.get(axes(source), fresh)
    return show(now.evolve(aside=aside), source, layer, own=own, presets=presets)


def axes(source: Source) -> tuple[Any, ...]:
    """Return what decides about the rows and columns of a map, but for the tokens."""
    return source.kind, source.merge, source.hide_special


def without_what_is_gone(now: Snapshot) -> Snapshot:
    """Return the state without views, quantities and a selection that the map does not have."""
    inputs = now.inputs
    changes: dict[str, Any] = {}
    if not inputs.has_values and now.view in {"steps", "neuron"}:
        changes["view"] = "heatmap"
    if inputs.Q is None and now.mistake is not None:
        changes["mistake"] = None
    if _lacking(now, now.quantity):
        changes["quantity"] = "attention"
    if now.selection is not None:
        query, key = now.selection
        if query >= inputs.shape[0] or key >= inputs.shape[1]:
            changes["selection"] = None
    return now.evolve(**changes) if changes else now


def _returned(now: Snapshot, step: Step) -> Snapshot:
    """Return the state that `step` remembers, with the layer and head on screen if they exist."""
    if step.source is now.source:
        return now.evolve(own=step.mask, presets=step.presets)
    stays = stack(step.source) == stack(now.source)
    layer, head = (None, None) if stays else (step.layer, step.head)
    return show(now, step.source, layer, head, own=step.mask, presets=step.presets)


# The mask


def _masked(
    now: Snapshot,
    own: NDArray[np.bool_],
    presets: Mapping[str, Any] | None = None,
    stroke: Hashable = None,
) -> Snapshot:
    presets = now.presets if presets is None else presets
    if np.array_equal(own, now.own) and presets == now.presets:
        return now
    after = now.evolve(own=own, presets=presets)
    is_seen = presets != now.presets or not np.array_equal(after.maps.mask, now.maps.mask)
    return after.evolve(history=now.recorded(stroke)) if is_seen else after


def _around_locked(now: Snapshot, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `mask` with what was under locked cells: another layer may not lock them."""
    locked = now.inputs.locked
    return mask if locked is None else np.where(locked, now.own, mask)


def _set_mask(now: Snapshot, value: Any) -> Snapshot:
    own = as_mask(value, *now.shape)
    presets = recognise(own, now.source.tokens, now.source.key_tokens)
    return _masked(now, _around_locked(now, own), presets)


def _set_presets(now: Snapshot, value: Any) -> Snapshot:
    presets = check_presets(value, now.shape[1])
    if presets == now.presets:
        return now
    return show(now.evolve(history=now.recorded()), now.source, presets=presets)


# Which head


def _set_kind(now: Snapshot, value: Any) -> Snapshot:
    source = now.source.of(value)
    if source.kind == now.source.kind:
        return now
    check_size(source, stack(source)[0].index, now.is_large)
    return turn_to(now, source)


def _set_layer(now: Snapshot, value: Any) -> Snapshot:
    layer = index("layer", value, [each.index for each in stack(now.source)])
    return now if layer == now.layer else show(now, now.source, layer)


def _set_head(now: Snapshot, value: Any) -> Snapshot:
    head = index("head", value, range(now.shown_layer.n_heads))
    return now if head == now.head else show(now, now.source, head=head)


# How it is shown


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
    lacking = _lacking(now, value)
    if lacking:
        raise ValueError(f"quantity: {value!r} needs {lacking}")
    return now if value == now.quantity else now.evolve(quantity=value)


def _lacking(now: Snapshot, quantity: str) -> str:
    """Return what `quantity` needs and the map does not have, in words; "" for nothing."""
    if quantity == "output-norm" and now.output_norms is None:
        return "W_O, which isn't known here"
    if quantity == "scores" and now.inputs.row_mass is not None:
        return "a softmax's own; given weights have none"
    if quantity in {"value-norm", "output-shift"} and now.inputs.V is None:
        return "V; what is shown has none"
    return ""


def _need_values(now: Snapshot, name: str, value: str) -> None:
    inputs = now.inputs
    if inputs.Q is None:
        raise ValueError(f"{name}: {value!r} needs Q, K and V; given weights have none")
    if inputs.V is None and name == "view":
        raise ValueError(f"{name}: {value!r} needs V; it was not seen in this layer")


def _set_selection(now: Snapshot, value: Any) -> Snapshot:
    value = None if value is None else cell("selection", value, now.shape)
    return now if value == now.selection else now.evolve(selection=value)


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


_SETTERS: Mapping[str, Callable[[Snapshot, Any], Snapshot]] = {
    "mask": _set_mask,
    "presets": _set_presets,
    "kind": _set_kind,
    "layer": _set_layer,
    "head": _set_head,
    "view": _set_view,
    "cmap": _choice("cmap", CMAPS),
    "color_scale": _choice("color_scale", COLOR_SCALES),
    "quantity": _set_quantity,
    "selection": _set_selection,
    "mistake": _set_mistake,
    "report": _set_report,
    "title": _set_title,
}
SETTABLE = (*OF_SOURCE, *OF_HEAD, *_SETTERS)
