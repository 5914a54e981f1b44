"""What is shown: the maps of one head, computed, set and sent as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from attnwidget.bertviz.of_source import bertviz_views
from attnwidget.lessons.report import Report
from attnwidget.maths.presets import carried, check_presets, fit_presets, preset_mask
from attnwidget.session.history import History, Snapshot
from attnwidget.session.maps import Computation
from attnwidget.session.size import size_notice
from attnwidget.sources.api import stack
from attnwidget.widget.fields import change, same
from attnwidget.widget.guard import Notified, at_once, exclusive
from attnwidget.widget.traits import AttentionTraits
from attnwidget.wire.edits import EditLog, Patch
from attnwidget.wire.pack import pack

if TYPE_CHECKING:
    import threading
    from collections.abc import Hashable, Mapping

    from numpy.typing import NDArray

    from attnwidget.sources.api import HeadInputs, Source

# How tokens are put together: the map has other rows and columns after it.
REGROUP = ("merge", "hide_special")
SOURCE = (
    "tokens", "key_tokens", "embeddings", "key_embeddings", "W_q", "W_k", "W_v",
    "d_model", "d_k", "d_v", "n_heads", "seed", "init", "positional", *REGROUP,
)  # fmt: skip
_TOLD = (
    "layers", "derived_layers", "special", "sentence_b_start", "subtitle", "overridden", "given",
)  # fmt: skip
HEAD = ("Q", "K", "V", "scale", "temperature")
_SHOWN = (*HEAD, "bias", "softcap", "row_mass", "locked")
_COMPUTED = ("scores", "mask", "attention", "output")
_DERIVED = "A click is a what-if on this map alone."
_WHAT_IF = "A masked cell is a what-if on its head."
# What is known of the weights of a model's layer, by whether they are proved.
_AS_COMPUTED = {
    True: "As the model computed it. ",
    False: "",
    None: "As it was read inside the model; its output was not seen, so it is not proved. ",
}
_NOT_RE_RUN = "What-if on this head alone: the model itself has not been re-run."


class AttentionShown(AttentionTraits):
    """The source, the head shown of it, its maps and its mask, changed all at once.

    `_own` is what is masked by presets and by hand, what the model itself masks aside;
    `_set_aside` has it, with the presets, of stacks that are not shown.
    """

    _mutex: threading.RLock
    _source: Source
    _planned: Source | None
    _has_planned_inputs: bool
    _large: bool
    _is_held_back = False
    _inputs: HeadInputs
    _computation: Computation
    _own: NDArray[np.bool_]
    _set_aside: Mapping[tuple[Any, ...], tuple[NDArray[np.bool_], Any]]
    _presets_in_force: Mapping[str, Any]
    _history: History
    _log: EditLog

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
        numbers = [one.index for one in stack(source)]
        layer = self.layer if layer is None else layer
        layer = layer if layer in numbers else numbers[0]
        head = min(self.head if head is None else head, n_heads(source, layer) - 1)
        inputs = source.head(layer, head)
        before = getattr(self, "_computation", None)
        named = self._presets_in_force if presets is None else presets
        presets = fit_presets(named, inputs.shape[1])
        if mask is None:
            # Presets are made anew, edits by hand stay where they were.
            before_it = self._source
            old = preset_mask(self._presets_in_force, before_it.tokens, before_it.key_tokens)
            mask = carried(self._own, old, preset_mask(presets, source.tokens, source.key_tokens))
        computation = Computation(inputs, mask if inputs.locked is None else mask | inputs.locked)
        values = {name: getattr(source, name) for name in (*SOURCE, *_TOLD)}
        values |= {name: getattr(inputs, name) for name in _SHOWN}
        values["output_norms"] = source.output_norms(layer, head)
        values |= {"layer": layer, "head": head, "kind": source.kind, "presets": presets}
        values["bertviz_views"] = bertviz_views(source)
        values["shown"] = (layer, head, source.kind)
        events = [change(self, name, self._trait_values.get(name), v) for name, v in values.items()]
        events += [
            change(self, n, getattr(before, n, None), getattr(computation, n)) for n in _COMPUTED
        ]
        # Everything is in place before anyone hears of anything: an observer sees one state.
        try:
            self._source, self._inputs, self._computation = source, inputs, computation
            self._own, self._presets_in_force = mask, presets
            self._trait_values.update(values)
            with at_once(self), self.hold_sync(), Notified() as notified:
                self._ahead = self._ahead and before is None
                self._leave_what_is_gone()
                if self.selection and not _inside(self.selection, inputs.shape):
                    self.set_trait("selection", None)
                for event in events:
                    if not same(event["old"], event["new"]):
                        notified.call(self.notify_change, event)
                self._queue_patch(Patch(np.empty(0, np.intp), origin))
                self._after_edit()
        except KeyboardInterrupt:
            # What is only half on its way would not be sent again: to Python it is no news.
            if before is not None:
                self.send_state()
            raise

    def _turn_to(self, source: Source) -> None:
        """Show a source of other rows and columns: a stack, words."""
        # Each has a mask of its own, which is there again when one comes back to it.
        mine = self._own, self._presets_in_force
        self._set_aside = {**self._set_aside, _cut(self._source): mine}
        numbers: list[int] = [one.index for one in stack(source)]
        layer = self.layer if self.layer in numbers else numbers[0]
        shape = source.head(layer, 0).shape
        fresh = np.zeros(shape, bool), check_presets(None, shape[1])
        own, presets = self._set_aside.get(_cut(source), fresh)
        self._show(source, layer, mask=own, presets=presets)

    def _leave_what_is_gone(self) -> None:
        """Leave views and quantities that need more than what is shown now has."""
        if self._inputs.Q is None:
            self.set_trait("mistake", None)
            if self.view in {"steps", "neuron"}:
                self.set_trait("view", "heatmap")
        inputs = self._inputs
        gone = {
            "scores": inputs.row_mass is not None,
            "value-norm": inputs.V is None,
            "output-norm": self.output_norms is None,
            "output-shift": inputs.V is None,
        }
        if gone.get(self.quantity):
            self.set_trait("quantity", "attention")

    @exclusive
    def _remask(
        self,
        own: NDArray[np.bool_],
        *,
        presets: Mapping[str, Any] | None = None,
        stroke: Hashable = None,
        touched: NDArray[np.intp] | None = None,
        origin: str = "python",
        record: bool = True,
    ) -> None:
        """Recompute the rows that `own` changes and send them, with those `touched` elsewhere."""
        computation = self._computation
        before, named = self._snapshot(), self._presets_in_force
        watched = [n for n in _COMPUTED[1:] if self._is_observed(n)]
        old = {name: getattr(computation, name) for name in watched}
        rows = computation.remask(own if self.locked is None else own | self.locked)
        self._own = own
        if presets is not None:
            self._presets_in_force = self._trait_values["presets"] = presets
        if record and (rows.size or self._presets_in_force != named):
            self._history.record(before, stroke)
        sent = rows if touched is None else np.union1d(rows, touched)
        with at_once(self), self.hold_sync(), Notified() as notified:
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

    def _around_locked(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return `mask` with what was under locked cells: another layer may not lock them."""
        return mask if self.locked is None else np.where(self.locked, self._own, mask)

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

    def notify_change(self, event: Any) -> None:
        """Send a change together with all that follows from it: one message."""
        with self._mutex, self.hold_sync():
            if self._planned is not None:
                # The first change of a group: show all that the group has set, once.
                plan, self._planned = self._planned, None
                if self._has_planned_inputs:
                    self._record()
                if _cut(plan) != _cut(self._source):
                    self._turn_to(plan)
                else:
                    self._show(plan, presets=self.presets)
            super().notify_change(event)

    # What follows an edit

    def _after_edit(self) -> None:
        notice = self._source.notice
        if self._source.is_derived:
            notice = f"{notice} {_DERIVED}"
        elif self._source.is_model:
            by_hand = self._own if self.locked is None else self._own & ~self.locked
            edited = by_hand.any() or not self._source.is_own(self.layer, self.head)
            shown = next(one for one in stack(self._source) if one.index == self.layer)
            said = _NOT_RE_RUN if edited else _AS_COMPUTED[shown.proved] + _WHAT_IF
            notice = f"{notice} {said}".lstrip()
        layers = stack(self._source)
        is_alone = self._inputs.Q is None or self._inputs.Q.ndim == 2
        several = len(layers) > 1 or (is_alone and layers[0].n_heads > 1)
        self.set_trait("notice", f"{notice} {size_notice(self._inputs, several)}".strip())
        self.set_trait("history", self._history.depth)
        self.set_trait("revision", self.revision + 1)
        self._report_mistake()

    def _report_mistake(self) -> None:
        if self.mistake is not None:
            i, head = self._inputs, self.head
            Q, K = (a[head] if a.ndim > 2 else a for a in (i.Q, i.K) if a is not None)
            mask = self._computation.mask
            report = Report.of_mistake(self.mistake, Q, K, mask, i.scale, self.revision)
            self.report = report.noted(self._left_out())

    def _left_out(self) -> str:
        """Return what of this widget a function of Q, K and a mask can't know, in words."""
        what = ["the temperature"] if self.temperature != 1 else []
        what += ["ALiBi's bias"] if self.bias is not None else []
        return f"Compared without {' and '.join(what)}." if what else ""

    def _record(self, stroke: Hashable = None) -> None:
        self._history.record(self._snapshot(), stroke)

    def _snapshot(self) -> Snapshot:
        layer, head, _ = self.shown
        presets, own = self._presets_in_force, self._own
        return Snapshot.of(self._source, (layer, head), presets, own, self._set_aside)


def _inside(cell: tuple[int, int], shape: tuple[int, int]) -> bool:
    return 0 <= cell[0] < shape[0] and 0 <= cell[1] < shape[1]


def n_heads(source: Source, layer: int) -> int:
    """Return how many heads a layer has."""
    return next(one.n_heads for one in stack(source) if one.index == layer)


def _cut(source: Source) -> tuple[Any, ...]:
    """Return what decides of a source's rows and columns, but for its tokens."""
    return source.kind, source.merge, source.hide_special
