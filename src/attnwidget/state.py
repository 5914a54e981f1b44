"""The state that Python and the browser share: the synced traits, and what keeps them right."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import traitlets

from attnwidget.arrays import Array, Checked, Computed, change, same
from attnwidget.checks import cell, choice, index
from attnwidget.computation import Computation
from attnwidget.edits import Edit, EditLog, Patch
from attnwidget.guard import Notified, RefusedTypeError, RefusedValueError, exclusive
from attnwidget.history import History
from attnwidget.masks import as_mask
from attnwidget.wire import pack

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import ArrayLike, NDArray

    from attnwidget.sources.base import Source

VIEWS = ("heatmap", "bertviz-head", "bertviz-model")
CMAPS = ("viridis", "magma", "inferno", "plasma", "cividis", "turbo", "greys", "blues")
COLOR_SCALES = ("unit", "row", "map")

_SOURCE = ("tokens", "embeddings", "W_q", "W_k", "W_v", "layers", "subtitle")
_SHOWN = ("Q", "K", "V", "scale", "locked")
_INPUTS = (*_SOURCE[:5], *_SHOWN[:4])
_SHOWN_STATE = ("layer", "head", "view", "cmap", "color_scale", "selection")
_COMPUTED = ("scores", "mask", "attention", "output")
_AS_COMPUTED = "As the model computed it. A click is a what-if on the shown head."
_NOT_RE_RUN = "What-if on this head alone: the model itself has not been re-run."


def _synced(trait: Any) -> Any:
    return trait.tag(sync=True, echo_update=False)


class AttentionState(anywidget.AnyWidget):
    """The synced traits of one widget.

    Inputs may be set at any time; what follows from them is recomputed once and sent in one
    message. What can't be set raises before anything changes.
    """

    tokens = Checked(())
    embeddings = Array()
    W_q = Array()
    W_k = Array()
    W_v = Array()
    Q = Array()
    K = Array()
    V = Array()
    scale = Checked(1.0)
    scores = Computed()
    mask = Computed()
    attention = Computed()
    output = Computed()
    locked = Array(read_only=True)

    layers = Checked((), read_only=True).tag(
        to_json=lambda layers, _: [vars(layer) for layer in layers]
    )
    layer = Checked(0)
    head = Checked(0)
    view = Checked("heatmap")
    cmap = Checked("viridis")
    color_scale = Checked("unit")
    selection = Checked(None)
    title = _synced(traitlets.Unicode())
    subtitle = _synced(traitlets.Unicode(read_only=True))
    notice = _synced(traitlets.Unicode(read_only=True))
    error = _synced(traitlets.Unicode())

    shown = Checked((0, 0), read_only=True)
    revision = _synced(traitlets.Int(0, read_only=True))
    history = Checked((0, 0), read_only=True)
    _edits = _synced(traitlets.Dict())
    _patch: Any = Checked(None).tag(to_json=lambda patch, widget: widget._pack_patch(patch))

    def _open(
        self,
        source: Source,
        *,
        mask: ArrayLike | None = None,
        layer: int | None = None,
        head: int = 0,
        title: str | None = None,
        **state: str,
    ) -> None:
        """Start from `source`; everything is checked before a comm is opened."""
        # A notebook may hand the browser's messages to a thread beside the one that runs cells.
        self._mutex = threading.RLock()
        self._source = source
        self._history = History()
        self._log = EditLog()
        first = source.layers[0].index if layer is None else layer
        self._show(source, self._check_layer(first), self._check_head(head, first), mask)
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
        return choice(name, value, {"view": VIEWS, "cmap": CMAPS}.get(name, COLOR_SCALES))

    @traitlets.observe(*_INPUTS)
    def _input_set(self, event: Any) -> None:
        name, new = event["name"], event["new"]
        shown = self._source if name in _SOURCE else self._inputs
        if new is not getattr(shown, name):  # set from outside, not by `_show`
            source = self._source.replace(name, new, self.layer, self.head)
            self._show(source, self.layer, self.head, self._own_mask())

    @traitlets.observe("layer", "head")
    def _head_picked(self, _event: Any) -> None:
        if (self.layer, self.head) == self.shown:
            return
        head = min(self.head, self._n_heads(self.layer) - 1)
        self._show(self._source, self.layer, head, self._own_mask())

    def _own_mask(self) -> NDArray[np.bool_]:
        """Return what was masked by hand: the mask without what the model itself masks."""
        mask = self._computation.mask
        return mask if self.locked is None else mask & ~self.locked

    @exclusive
    def _show(self, source: Source, layer: int, head: int, mask: ArrayLike | None) -> None:
        """Compute the maps of one head and set every trait that follows, in one message."""
        inputs = source.head(layer, head)
        n_q, n_k = inputs.Q.shape[-2], inputs.K.shape[-2]
        before = getattr(self, "_computation", None)
        if before is not None and before.mask.shape != (n_q, n_k):
            mask = _fit(np.asarray(mask), n_q, n_k)
            self._history = History()
        own = as_mask(mask, n_q, n_k)
        computation = Computation(inputs, own if inputs.locked is None else own | inputs.locked)
        values = {name: getattr(source, name, None) for name in _SOURCE}
        values |= {name: getattr(inputs, name) for name in _SHOWN}
        values |= {"layer": layer, "head": head, "shown": (layer, head)}
        events = [change(self, name, self._trait_values.get(name), v) for name, v in values.items()]
        events += [
            change(self, n, getattr(before, n, None), getattr(computation, n)) for n in _COMPUTED
        ]
        # Everything is in place before anyone hears of anything: an observer sees one state.
        self._source, self._inputs, self._computation = source, inputs, computation
        self._trait_values.update(values)
        with self.hold_sync(), Notified() as notified:
            if self.selection and not _inside(self.selection, (n_q, n_k)):
                self.set_trait("selection", None)
            for event in events:
                if not same(event["old"], event["new"]):
                    notified.call(self.notify_change, event)
            self._after_edit()

    # The mask: one way in for Python and the browser

    @exclusive
    def _set_mask(self, mask: ArrayLike | None) -> None:
        self._remask(as_mask(mask, *self._computation.mask.shape))

    @exclusive
    def _remask(
        self,
        mask: NDArray[np.bool_],
        *,
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
        before = computation.mask
        rows = computation.remask(mask)
        if record and rows.size:
            self._history.record(before, stroke)
        sent = rows if touched is None else np.union1d(rows, touched)
        with self.hold_sync(), Notified() as notified:
            if sent.size or origin != "python":
                self._queue_patch(Patch(sent, origin))
            for name in watched if rows.size else ():
                # The rows are on their way: observers hear of the array, the wire does not.
                event = change(self, name, old[name], getattr(computation, name))
                notified.call(traitlets.HasTraits.notify_change, self, event)
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
        if self._source.layers[0].module:
            edited = self._own_mask().any() or not self._source.is_own(self.layer, self.head)
            self.set_trait("notice", _NOT_RE_RUN if edited else _AS_COMPUTED)
        self.set_trait("history", self._history.depth)
        self.set_trait("revision", self.revision + 1)

    @exclusive
    def _travel(self, move: str, **sent: Any) -> bool:
        mask = getattr(self._history, move)(self._computation.mask)
        self._remask(self._computation.mask if mask is None else mask, record=False, **sent)
        return mask is not None

    @traitlets.observe("_edits")
    def _edited(self, event: Any) -> None:
        with Notified() as notified:
            for edit in self._log.fresh(event["new"], self._computation.mask.shape):
                notified.call(self._apply, edit)

    def _apply(self, edit: Edit) -> None:
        current = self._computation.mask
        sent: dict[str, Any] = {"touched": edit.rows(current.shape[1]), "origin": edit.client}
        if edit.move:
            self._travel(edit.move, **sent)
            return
        mask = current.copy()
        mask.flat[edit.on] = True
        mask.flat[edit.off] = False
        self._remask(mask, stroke=(edit.client, edit.stroke), **sent)

    def notify_change(self, event: Any) -> None:
        """Send a change together with all that follows from it: one message."""
        with self._mutex, self.hold_sync():
            super().notify_change(event)

    # What comes from the browser may be wrong or late: it is answered in words, and with the truth.

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take the browser's state; what can't be taken is said in `error`, and taken back."""
        selection = sync_data.get("selection")
        try:
            with self._mutex:
                if selection and not _inside(selection, self._computation.mask.shape):
                    sync_data = {**sync_data, "selection": None}  # of a map that is gone
                super().set_state(sync_data)
        except Exception as error:
            known = isinstance(error, (traitlets.TraitError, ValueError))
            self.error = str(error) if known else f"{type(error).__name__}: {error}"
            self.log.debug("the browser's state was refused", exc_info=True)
            self.send_state([name for name in sync_data if name in self.keys])


def _inside(cell: tuple[int, int], shape: tuple[int, int]) -> bool:
    return 0 <= cell[0] < shape[0] and 0 <= cell[1] < shape[1]


def _fit(mask: NDArray[np.bool_], n_q: int, n_k: int) -> NDArray[np.bool_]:
    """Return `mask` for another number of tokens: positions that still exist keep their mask."""
    fitted = np.zeros((n_q, n_k), dtype=bool)
    part = mask[:n_q, :n_k]
    fitted[: part.shape[0], : part.shape[1]] = part
    return fitted
