"""Edits of a widget that come from its page, and the way back through all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from attnwidget.maths.presets import check_presets
from attnwidget.maths.validate import cell as check_cell
from attnwidget.sources.api import stack
from attnwidget.widget.guard import Notified, exclusive
from attnwidget.widget.state import AttentionState
from attnwidget.wire.edits import EDITABLE, Cell, Edit, Patch


class AttentionEditing(AttentionState):
    """Undo, redo, reset, and what the browser sends."""

    @exclusive
    def _travel(self, move: str, **sent: Any) -> bool:
        found = getattr(self._history, move)(self._snapshot())
        if found:
            self._set_aside = found.aside
        if found is None:
            self._remask(self._own, record=False, **sent)
        elif found.source is self._source:
            self._remask(found.mask, presets=found.presets, record=False, **sent)
        else:
            origin = sent.get("origin", "python")
            # The layer and head that are on screen stay, where the step leaves the same ones to
            # choose from; else those come back that were shown then.
            stays = stack(found.source) == stack(self._source)
            layer, head = (None, None) if stays else (found.layer, found.head)
            masks = {"mask": found.mask, "presets": found.presets}
            self._show(found.source, layer, head, **masks, origin=origin)
        return found is not None

    @exclusive
    def _reset(self, origin: str = "python") -> bool:
        source = self._source.reset()
        if source is self._source:
            self._remask(self._own, record=False, origin=origin)
            return False
        self._record()
        self._show(source, origin=origin)
        return True

    @traitlets.observe("_edits")
    def _edited(self, event: Any) -> None:
        with Notified() as notified:
            client, ops = self._log.fresh(event["new"])
            for op in ops:
                notified.call(self._apply, client, op)

    @exclusive
    def _apply(self, client: str, op: Any) -> None:
        current = self._computation.mask
        edit = Edit.of(client, op, current.shape)
        sent: dict[str, Any] = {"touched": edit.rows(current.shape[1]), "origin": edit.client}
        if edit.move == "reset":
            self._reset(edit.client)
        elif edit.move:
            self._travel(edit.move, **sent)
        elif edit.setting:
            setattr(self, *edit.setting)
            # A value that was there already sends nothing by itself.
            self._remask(self._own, record=False, origin=edit.client)
        elif edit.cell:
            self._set_cell(edit.cell, edit)
        else:
            presets = edit.presets
            if presets is not None:
                presets = check_presets(presets, current.shape[1])
            mask = current.copy()
            mask.flat[edit.on] = True
            mask.flat[edit.off] = False
            own = self._around_locked(mask)
            self._remask(own, presets=presets, stroke=(edit.client, edit.stroke), **sent)

    @exclusive
    def _set_cell(self, cell: Cell, edit: Edit) -> None:
        array = getattr(self, cell.name)
        gone = array is None or array.shape != cell.shape  # the matrix that it was made on
        # A sentence's heads are all in the array, and `at` names one; a model's come one at a time.
        gone = gone or (len(cell.shape) == 2 and cell.shown != self.shown)
        if gone or array[cell.at] == cell.value:
            self._remask(self._own, record=False, origin=edit.client)
            return
        changed = array.copy()
        changed[cell.at] = cell.value
        source = self._source.replace(cell.name, changed, self.layer, self.head)
        source.head(self.layer, self.head)  # raises for what can't be computed with
        self._record(stroke=(edit.client, edit.stroke))
        self._show(source, origin=edit.client)

    # What comes from the browser may be wrong or late: it is answered in words, and with the truth.

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take the browser's state; what can't be taken is said in `error`, and taken back."""
        try:
            with self._mutex:
                said = self.error
                super().set_state(self._without_late_selection(sync_data))
                if said and self.error == said and "error" not in sync_data:
                    self.error = ""  # what it was about is past: something else was taken
        except Exception as error:
            known = isinstance(error, (traitlets.TraitError, ValueError))
            self.error = str(error) if known else f"{type(error).__name__}: {error}"
            self.log.debug("the browser's state was refused", exc_info=True)
            self.send_state([name for name in sync_data if name in self.keys])
            if not {"_edits", "scale", "temperature"}.isdisjoint(sync_data):
                # The page has drawn what was refused: it gets every number back.
                self._resend()

    def _without_late_selection(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Return what was sent; a selection of a map that is gone is none."""
        if sent.get("selection"):
            try:
                check_cell("selection", sent["selection"], self._computation.mask.shape)
            except ValueError:
                return {**sent, "selection": None}
        return sent

    def _resend(self) -> None:
        # In one message: numbers without the answer would get the refused edit on top again.
        self._trait_values["_patch"] = Patch(np.empty(0, np.intp), "python")
        self.send_state([*EDITABLE, "scores", "mask", "attention", "output", "_patch"])
