"""The state that Python and the browser share: the synced traits, and what keeps them right."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import traitlets

from attnwidget.arrays import Array, Computed, change, same
from attnwidget.checks import choice, index
from attnwidget.computation import Computation
from attnwidget.edits import EditLog
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
_COMPUTED = ("scores", "mask", "attention", "output")
_NOT_RE_RUN = "What-if on this head alone: the model itself has not been re-run."


def _synced(trait: Any) -> Any:
    return trait.tag(sync=True, echo_update=False)


def exclusive(method: Any) -> Any:
    """Let one thread at a time into the state: what is read is still so when it is changed."""

    @functools.wraps(method)
    def guarded(self: AttentionState, *arguments: Any, **keywords: Any) -> Any:
        with self._mutex:
            return method(self, *arguments, **keywords)

    return guarded


class AttentionState(anywidget.AnyWidget):
    """The synced traits of one widget.

    Inputs may be set at any time; what follows from them is recomputed once and sent in one
    message. What can't be set raises before anything changes.
    """

    tokens = _synced(traitlets.Any(()))
    embeddings = Array()
    W_q = Array()
    W_k = Array()
    W_v = Array()
    Q = Array()
    K = Array()
    V = Array()
    scale = _synced(traitlets.Any(1.0))
    scores = Computed()
    mask = Computed()
    attention = Computed()
    output = Computed()
    locked = Array(read_only=True)

    layers = traitlets.Any((), read_only=True).tag(
        sync=True, to_json=lambda layers, _: [vars(layer) for layer in layers]
    )
    layer = _synced(traitlets.Any(0))
    head = _synced(traitlets.Any(0))
    view = _synced(traitlets.Any("heatmap"))
    cmap = _synced(traitlets.Any("viridis"))
    color_scale = _synced(traitlets.Any("unit"))
    selection = _synced(traitlets.Any(None))
    title = _synced(traitlets.Unicode())
    subtitle = _synced(traitlets.Unicode(read_only=True))
    notice = _synced(traitlets.Unicode(read_only=True))
    error = _synced(traitlets.Unicode())

    shown = _synced(traitlets.Any((0, 0), read_only=True))
    revision = _synced(traitlets.Int(0, read_only=True))
    history = _synced(traitlets.Any((0, 0), read_only=True))
    _edits = _synced(traitlets.Dict())
    _patch = _synced(traitlets.Any(None))

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
        one = next(one for one in self._source.layers if one.index == layer)
        return index("head", head, range(one.n_heads))

    @traitlets.validate(*_INPUTS)
    def _check_input(self, proposal: Any) -> Any:
        return self._source.check(proposal["trait"].name, proposal["value"], self.layer, self.head)

    @traitlets.validate("layer", "head", "view", "cmap", "color_scale", "selection")
    def _check_state(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        if name == "layer":
            return self._check_layer(value)
        if name == "head":
            return self._check_head(value, self.layer)
        if name == "selection":
            return _check_selection(value, self._computation.mask.shape)
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
        n_heads = next(one.n_heads for one in self.layers if one.index == self.layer)
        self._show(self._source, self.layer, min(self.head, n_heads - 1), self._own_mask())

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
        with self.hold_sync():
            for event in events:
                if not same(event["old"], event["new"]):
                    self.notify_change(event)
            if self.selection and not _inside(self.selection, (n_q, n_k)):
                self.selection = None
            self._after_edit()

    # The mask: one way in for Python and the browser

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
        with self.hold_sync():
            if sent.size or origin != "python":
                parts = {"rows": sent.astype(np.int32), **computation.rows(sent)}
                packed = {name: pack(part) for name, part in parts.items()}
                self._patch = {"acks": dict(self._log.acks), "origin": origin, **packed}
            for name in watched if rows.size else ():
                # The rows are on their way: observers hear of the array, the wire does not.
                event = change(self, name, old[name], getattr(computation, name))
                traitlets.HasTraits.notify_change(self, event)
            self._after_edit()

    def _is_observed(self, name: str) -> bool:
        notifiers = self._trait_notifiers
        return any(notifiers.get(key, {}).get("change") for key in (name, traitlets.All))

    def _after_edit(self) -> None:
        own = bool(self._own_mask().any())
        is_model = bool(self._source.layers[0].module)
        self.set_trait("notice", _NOT_RE_RUN if own and is_model else "")
        self.set_trait("history", self._history.depth)
        self.set_trait("revision", self.revision + 1)

    @exclusive
    def _travel(self, move: str, **sent: Any) -> bool:
        mask = getattr(self._history, move)(self._computation.mask)
        self._remask(self._computation.mask if mask is None else mask, record=False, **sent)
        return mask is not None

    @traitlets.observe("_edits")
    def _edited(self, event: Any) -> None:
        mask = self._computation.mask
        for edit in self._log.fresh(event["new"], mask.size):
            sent: dict[str, Any] = {"touched": edit.rows(mask.shape[1]), "origin": edit.client}
            if edit.move:
                self._travel(edit.move, **sent)
                continue
            mask = self._computation.mask.copy()
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
        try:
            with self._mutex:
                super().set_state(sync_data)
        except (TypeError, ValueError, KeyError, traitlets.TraitError) as error:
            self.error = str(error)
            self.send_state([name for name in sync_data if name in self.keys])


def _check_selection(value: Any, shape: tuple[int, int]) -> tuple[int, int] | None:
    if value is None:
        return None
    query, key = value
    return index("selection", query, range(shape[0])), index("selection", key, range(shape[1]))


def _inside(cell: tuple[int, int], shape: tuple[int, int]) -> bool:
    return cell[0] < shape[0] and cell[1] < shape[1]


def _fit(mask: NDArray[np.bool_], n_q: int, n_k: int) -> NDArray[np.bool_]:
    """Return `mask` for another number of tokens: positions that still exist keep their mask."""
    fitted = np.zeros((n_q, n_k), dtype=bool)
    part = mask[:n_q, :n_k]
    fitted[: part.shape[0], : part.shape[1]] = part
    return fitted
