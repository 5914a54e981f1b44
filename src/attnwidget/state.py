"""What is shown: the source, its maps and mask, kept right through every set."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from attnwidget.arrays import change, same
from attnwidget.checks import cell, choice, index
from attnwidget.computation import Computation
from attnwidget.edits import EditLog, Patch
from attnwidget.guard import Notified, RefusedTypeError, RefusedValueError, exclusive
from attnwidget.history import History, Snapshot
from attnwidget.masks import as_mask
from attnwidget.mistakes import MISTAKES
from attnwidget.presets import check_presets, preset_mask, rebase, recognise
from attnwidget.report import Report
from attnwidget.traits import CMAPS, COLOR_SCALES, QUANTITIES, VIEWS, AttentionTraits
from attnwidget.wire import pack

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from attnwidget.sources.base import HeadInputs, Source

_SOURCE = (
    "tokens", "key_tokens", "embeddings", "key_embeddings", "W_q", "W_k", "W_v",
    "d_model", "d_k", "d_v", "n_heads", "seed", "init", "positional",
)  # fmt: skip
_TOLD = ("layers", "subtitle", "overridden")
_HEAD = ("Q", "K", "V", "scale", "temperature")
_SHOWN = (*_HEAD, "bias", "row_mass", "locked")
_INPUTS = (*_SOURCE, *_HEAD)
_SHOWN_STATE = (
    "layer", "head", "view", "cmap", "color_scale", "quantity", "selection", "presets", "mistake",
    "report",
)  # fmt: skip
_CHOICES = {
    "view": VIEWS, "cmap": CMAPS, "color_scale": COLOR_SCALES, "quantity": QUANTITIES,
}  # fmt: skip
_COMPUTED = ("scores", "mask", "attention", "output")
_AS_COMPUTED = "As the model computed it. A click is a what-if on the shown head."
_NOT_RE_RUN = "What-if on this head alone: the model itself has not been re-run."


class AttentionState(AttentionTraits):
    """The state of one widget.

    Inputs may be set at any time; what follows from them is recomputed once and sent in one
    message. What can't be set raises before anything changes.
    """

    def _open(
        self,
        source: Source,
        *,
        mask: ArrayLike | None = None,
        presets: Any = None,
        layer: int | None = None,
        head: int = 0,
        title: str | None = None,
        **state: Any,
    ) -> None:
        """Start from `source`; everything is checked before a comm is opened."""
        # A notebook may hand the browser's messages to a thread beside the one that runs cells.
        self._mutex = threading.RLock()
        self._source = source
        self._history = History()
        self._presets_in_force: Mapping[str, Any] = {}
        self._log = EditLog()
        first = self._check_layer(source.layers[0].index if layer is None else layer)
        head = self._check_head(head, first)
        shape = source.head(first, head).shape
        own = as_mask(mask, *shape)
        wanted = check_presets(presets, shape[1])
        if presets is None:
            wanted = recognise(own, source.tokens, source.key_tokens)
        own |= preset_mask(wanted, source.tokens, source.key_tokens)
        self._show(source, first, head, own, wanted)
        if title is not None:
            self.title = title
        for name, value in state.items():
            setattr(self, name, value)
        super().__init__()

    # What is shown, and its checks

    def _check_layer(self, layer: Any) -> int:
        return index("layer", layer, [one.index for one in self._source.layers])

    def _check_head(self, head: Any, layer: int) -> int:
        return index("head", head, range(self._n_heads(layer)))

    def _n_heads(self, layer: int) -> int:
        return next(one.n_heads for one in self._source.layers if one.index == layer)

    @traitlets.validate(*_INPUTS, *_SHOWN_STATE)
    def _check(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        try:
            if name in _INPUTS:
                checked = self._source.check(name, value, self.layer, self.head)
                follows = self._source.replace(name, checked, self.layer, self.head)
                follows.head(self.layer, self.head)  # raises for what can't be computed with
                return checked
            return self._check_state(name, value)
        # As TraitErrors too, for traitlets takes a group of values back on no other error.
        except TypeError as error:
            raise RefusedTypeError(str(error)) from None
        except ValueError as error:
            raise RefusedValueError(str(error)) from None

    def _check_state(self, name: str, value: Any) -> Any:
        if name == "layer":
            return self._check_layer(value)
        if name == "head":
            return self._check_head(value, self._check_layer(self.layer))
        if name == "selection":
            return None if value is None else cell(name, value, self._computation.mask.shape)
        if name == "presets":
            return check_presets(value, self._computation.mask.shape[1])
        if name == "report":
            if value is not None and not isinstance(value, Report):
                raise TypeError("report: it is made by check() or a mistake; it can only be None")
            return value
        if name in {"mistake", "quantity"} or value == "steps":
            self._need_values(name, value)
        if name == "mistake":
            return None if value is None else choice(name, value, tuple(MISTAKES))
        return choice(name, value, _CHOICES[name])

    def _need_values(self, name: str, value: Any) -> None:
        if value not in {None, "attention"} and self._inputs.Q is None:
            raise ValueError(f"{name}: {value!r} needs Q, K and V; weights given as they are do")

    @traitlets.observe(*_INPUTS)
    def _input_set(self, event: Any) -> None:
        name, new = event["name"], event["new"]
        shown = self._source if name in _SOURCE else self._inputs
        if new is not getattr(shown, name, None):  # set from outside, not by `_show`
            # A slider sends many values: they undo together.
            self._record(stroke=name if name == "temperature" else None)
            self._show(self._source.replace(name, new, self.layer, self.head))

    @traitlets.observe("layer", "head")
    def _head_picked(self, _event: Any) -> None:
        if (self.layer, self.head) != self.shown:
            head = min(self.head, self._n_heads(self.layer) - 1)
            self._show(self._source, self.layer, head)

    @traitlets.observe("presets")
    def _presets_set(self, event: Any) -> None:
        if event["new"] is not self._presets_in_force:
            self._record()
            self._show(self._source, presets=event["new"])

    @traitlets.observe("mistake")
    def _mistake_set(self, event: Any) -> None:
        if event["new"] is None:
            self.report = None
        else:
            self._report_mistake()

    def _report_mistake(self) -> None:
        if self.mistake is not None:
            i, head = self._inputs, self.head
            Q, K = (a[head] if a.ndim > 2 else a for a in (i.Q, i.K) if a is not None)
            mask = self._computation.mask
            self.report = Report.of_mistake(self.mistake, Q, K, mask, i.scale, self.revision)

    def _own_mask(self) -> NDArray[np.bool_]:
        """Return what was masked here: the mask without what the model itself masks."""
        return self._without_locked(self._computation.mask, self._inputs)

    def _without_locked(self, mask: NDArray[np.bool_], inputs: HeadInputs) -> NDArray[np.bool_]:
        return mask if inputs.locked is None else mask & ~inputs.locked

    def _carried(
        self, source: Source, inputs: HeadInputs, presets: Mapping[str, Any]
    ) -> NDArray[np.bool_]:
        """Return the mask for another source: presets made anew, edits by hand where they were."""
        old = preset_mask(self._presets_in_force, self._source.tokens, self._source.key_tokens)
        new = preset_mask(presets, source.tokens, source.key_tokens)
        mask, old = _fit(self._own_mask(), inputs.shape), _fit(old, inputs.shape)
        if self.locked is not None and self.locked.shape == old.shape:
            old &= ~self.locked
        return rebase(mask, old, self._without_locked(new, inputs))

    def _record(self, stroke: Hashable = None) -> None:
        self._history.record(self._snapshot(), stroke)

    def _snapshot(self) -> Snapshot:
        return Snapshot.of(self._source, self._presets_in_force, self._own_mask())

    @exclusive
    def _show(
        self,
        source: Source,
        layer: int | None = None,
        head: int | None = None,
        mask: NDArray[np.bool_] | None = None,
        presets: Mapping[str, Any] | None = None,
        origin: str = "python",
    ) -> None:
        """Compute the maps of one head and set every trait that follows, in one message.

        What is None stays as it is: the layer, the head, the presets, what is masked by hand.
        """
        layer = self.layer if layer is None else layer
        h = next(one.n_heads for one in source.layers if one.index == layer)
        head = min(self.head if head is None else head, h - 1)
        inputs = source.head(layer, head)
        before = getattr(self, "_computation", None)
        presets = self._presets_in_force if presets is None else presets
        own = self._carried(source, inputs, presets) if mask is None else mask
        computation = Computation(inputs, own if inputs.locked is None else own | inputs.locked)
        values = {name: getattr(source, name, None) for name in (*_SOURCE, *_TOLD)}
        values |= {name: getattr(inputs, name) for name in _SHOWN}
        values |= {"layer": layer, "head": head, "shown": (layer, head), "presets": presets}
        events = [change(self, name, self._trait_values.get(name), v) for name, v in values.items()]
        events += [
            change(self, n, getattr(before, n, None), getattr(computation, n)) for n in _COMPUTED
        ]
        # Everything is in place before anyone hears of anything: an observer sees one state.
        self._source, self._inputs, self._computation = source, inputs, computation
        self._presets_in_force = presets
        self._trait_values.update(values)
        with self.hold_sync(), Notified() as notified:
            if self.selection and not _inside(self.selection, inputs.shape):
                self.set_trait("selection", None)
            for event in events:
                if not same(event["old"], event["new"]):
                    notified.call(self.notify_change, event)
            self._queue_patch(Patch(np.empty(0, np.intp), origin))
            self._after_edit()

    # The mask: one way in for Python and the browser

    @exclusive
    def _set_mask(self, mask: ArrayLike | None) -> None:
        own = as_mask(mask, *self._computation.mask.shape)
        presets = recognise(own, self._source.tokens, self._source.key_tokens)
        self._remask(own, presets=presets)

    @exclusive
    def _remask(
        self,
        mask: NDArray[np.bool_],
        *,
        presets: Mapping[str, Any] | None = None,
        stroke: Hashable = None,
        touched: NDArray[np.intp] | None = None,
        origin: str = "python",
        record: bool = True,
    ) -> None:
        """Recompute the rows that `mask` changes and send them, with those `touched` elsewhere."""
        computation = self._computation
        if self.locked is not None:
            mask = mask | self.locked
        watched = [n for n in _COMPUTED[1:] if self._is_observed(n)]
        old = {name: getattr(computation, name) for name in watched}
        before, named = self._snapshot(), self._presets_in_force
        rows = computation.remask(mask)
        if presets is not None:
            self._presets_in_force = self._trait_values["presets"] = presets
        if record and (rows.size or self._presets_in_force != named):
            self._history.record(before, stroke)
        sent = rows if touched is None else np.union1d(rows, touched)
        with self.hold_sync(), Notified() as notified:
            if sent.size or origin != "python":
                self._queue_patch(Patch(sent, origin))
            for name in watched if rows.size else ():
                # The rows are on their way: observers hear of the array, the wire does not.
                event = change(self, name, old[name], getattr(computation, name))
                notified.call(traitlets.HasTraits.notify_change, self, event)
            if self._presets_in_force != named:
                event = change(self, "presets", named, self._presets_in_force)
                notified.call(self.notify_change, event)
            self._after_edit()

    def _queue_patch(self, patch: Patch) -> None:
        """Say which rows to send: their values are read when they go, once for several edits."""
        waiting = self._patch if self._holding_sync and "_patch" in self._states_to_send else None
        self._patch = waiting.merged(patch) if waiting else patch

    def _pack_patch(self, patch: Patch | None) -> dict[str, Any] | None:
        if patch is None:
            return None
        rows = patch.rows[patch.rows < self._computation.mask.shape[0]]
        parts = {"rows": rows.astype(np.int32), **self._computation.rows(rows)}
        packed = {name: pack(part) for name, part in parts.items()}
        return {"acks": dict(self._log.acks), "origin": patch.origin, **packed}

    def _is_observed(self, name: str) -> bool:
        notifiers = self._trait_notifiers
        return any(notifiers.get(key, {}).get("change") for key in (name, traitlets.All))

    def _after_edit(self) -> None:
        notice = getattr(self._source, "notice", "")
        if self._source.layers[0].module:
            edited = self._own_mask().any() or not self._source.is_own(self.layer, self.head)
            notice = _NOT_RE_RUN if edited else _AS_COMPUTED
        self.set_trait("notice", notice)
        self.set_trait("history", self._history.depth)
        self.set_trait("revision", self.revision + 1)
        self._report_mistake()

    def notify_change(self, event: Any) -> None:
        """Send a change together with all that follows from it: one message."""
        with self._mutex, self.hold_sync():
            super().notify_change(event)


def _inside(cell: tuple[int, int], shape: tuple[int, int]) -> bool:
    return 0 <= cell[0] < shape[0] and 0 <= cell[1] < shape[1]


def _fit(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return `mask` for other numbers of tokens: positions that still exist keep their mask."""
    fitted = np.zeros(shape, dtype=bool)
    part = mask[: shape[0], : shape[1]]
    fitted[: part.shape[0], : part.shape[1]] = part
    return fitted
