"""The state of a widget: what may be set, what is refused, what follows."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import traitlets

from attnwidget.lessons.mistakes import MISTAKES
from attnwidget.lessons.report import Report
from attnwidget.maths.masks import as_mask
from attnwidget.maths.presets import check_presets, preset_mask, recognise
from attnwidget.maths.validate import cell, choice, index, size
from attnwidget.session.history import History
from attnwidget.session.size import LARGEST, cells, check_size
from attnwidget.sources.api import stack
from attnwidget.widget.guard import RefusedTypeError, RefusedValueError, exclusive, whole_group
from attnwidget.widget.showing import HEAD, REGROUP, SOURCE, AttentionShown, n_heads
from attnwidget.widget.traits import CMAPS, COLOR_SCALES, QUANTITIES, VIEWS
from attnwidget.wire.edits import EditLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    from attnwidget.sources.api import Source

_INPUTS = (*SOURCE, *HEAD)
_SHOWN_STATE = (
    "kind", "layer", "head", "view", "cmap", "color_scale", "quantity", "selection", "presets",
    "mistake", "report", "title",
)  # fmt: skip
_CHOICES = {
    "view": VIEWS, "cmap": CMAPS, "color_scale": COLOR_SCALES, "quantity": QUANTITIES,
}  # fmt: skip


class AttentionState(AttentionShown):
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
        large: bool = False,
        **state: Any,
    ) -> None:
        """Start from `source`; everything is checked before a comm is opened."""
        # A notebook may hand the browser's messages to a thread beside the one that runs cells.
        self._mutex = threading.RLock()
        self._source = source
        self._history = History()
        self._planned, self._has_planned_inputs = None, False
        self._log = EditLog()
        self._set_aside = {}
        self._large = large
        first = self._check_layer(stack(source)[0].index if layer is None else layer)
        head = self._check_head(head, first)
        shape = source.head(first, head).shape
        own = as_mask(mask, *shape)
        wanted = check_presets(presets, shape[1])
        if presets is None:
            wanted = recognise(own, source.tokens, source.key_tokens)
        own |= preset_mask(wanted, source.tokens, source.key_tokens)
        self._presets_in_force = wanted
        self._show(source, first, head, own, wanted)
        if title is not None:
            self.title = title
        for name, value in state.items():
            setattr(self, name, value)
        self._is_held_back = cells(source) > LARGEST
        super().__init__()

    # A widget of a large map opens its comm, which sends its state, when it is displayed

    def open(self) -> None:
        """Open the comm, which sends the state; of a large map not before it is displayed."""
        if not self._is_held_back:
            super().open()

    @property
    def model_id(self) -> str:
        """The comm's name, by which a page finds the widget: the comm is opened when it is read."""
        if self._is_held_back:
            self._is_held_back = False
            self.open()
        name: str = super().model_id
        return name

    def close(self) -> None:
        """Close the comm; the page removes what it shows of the widget."""
        self._is_held_back = False
        super().close()

    # What is shown, and its checks

    def _check_layer(self, layer: Any) -> int:
        return index("layer", layer, [one.index for one in stack(self._plan)])

    def _check_head(self, head: Any, layer: int) -> int:
        head = index("head", head, range(n_heads(self._plan, layer)))
        check_size(self._plan, layer, self._large)
        self._plan.head(layer, head)  # raises for what can't be shown
        return head

    @property
    def _plan(self) -> Source:
        """The source with what a group of values has set so far.

        The stack and the number of heads are taken in first, in whatever order the group sets its
        values, because they decide which layers and heads there are.
        """
        if not self._cross_validation_lock:
            return self._source
        plan = self._planned or self._source
        if self.kind != plan.kind:
            plan = plan.of(self.kind)
        if self.n_heads != plan.n_heads:
            plan = plan.replace("n_heads", self.n_heads, self.shown[0], 0)
        return plan

    @contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Take several values together: all of them in one message, or none."""
        with self._mutex, self.hold_sync():
            try:
                with whole_group(super().hold_trait_notifications()):
                    yield
            finally:
                if not self._cross_validation_lock:
                    self._planned, self._has_planned_inputs = None, False

    @traitlets.validate(*_INPUTS, *_SHOWN_STATE)
    def _check(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        try:
            if name in _INPUTS:
                layer, head = self._check_layer(self.layer), size("head", self.head, at_least=0)
                follows = self._plan.replace(name, value, layer, head)
                # Raises for what can't be computed with.
                inputs = follows.head(layer, min(head, n_heads(follows, layer) - 1))
                checked = getattr(inputs if name in HEAD else follows, name)
                if self._cross_validation_lock:
                    self._planned = follows
                    self._has_planned_inputs |= name not in REGROUP
                return checked
            return self._check_state(name, value)
        # As TraitErrors too, for traitlets takes a group of values back on no other error.
        except TypeError as error:
            raise RefusedTypeError(str(error)) from None
        except ValueError as error:
            raise RefusedValueError(str(error)) from None

    def _check_state(self, name: str, value: Any) -> Any:
        if name == "kind":
            follows = self._plan.of(value)
            check_size(follows, stack(follows)[0].index, self._large)
            if self._cross_validation_lock and follows.kind != self._source.kind:
                numbers = [one.index for one in stack(follows)]
                layer = self.layer if self.layer in numbers else numbers[0]
                follows.head(layer, 0)  # raises for what can't be shown
                self._planned = follows
            kind: str = follows.kind
            return kind
        if name == "layer":
            layer = self._check_layer(value)
            self._check_head(min(self.head, n_heads(self._plan, layer) - 1), layer)
            return layer
        if name == "head":
            return self._check_head(value, self._check_layer(self.layer))
        if name in {"selection", "presets"}:
            keys = self._plan.tokens if self._plan.key_tokens is None else self._plan.key_tokens
            shape = len(self._plan.tokens), len(keys)
            if name == "presets":
                return check_presets(value, shape[1])
            return None if value is None else cell(name, value, shape)
        if name == "title":
            if not isinstance(value, str | None):
                raise TypeError(f"title: got {type(value).__name__}, want a str, or None for none")
            return value or ""
        if name == "report":
            if value is not None and not isinstance(value, Report):
                raise TypeError("report: it is made by check() or a mistake; it can only be None")
            return value
        if name == "quantity":
            self._need_quantity(choice(name, value, QUANTITIES))
        if name == "mistake" or value in {"steps", "neuron"}:
            self._need_values(name, value)
        if name == "mistake":
            return None if value is None else choice(name, value, tuple(MISTAKES))
        return choice(name, value, _CHOICES[name])

    def _need_quantity(self, value: str) -> None:
        if value == "output-norm" and self.output_norms is None:
            raise ValueError(f"quantity: {value!r} needs W_O, which isn't known here")
        if value == "scores" and self._inputs.row_mass is not None:
            raise ValueError("quantity: 'scores' needs a softmax's own; given weights have none")
        if value in {"value-norm", "output-shift"} and self._inputs.V is None:
            raise ValueError(f"quantity: {value!r} needs V; what is shown has none")

    def _need_values(self, name: str, value: Any) -> None:
        if value not in {None, "attention"} and self._inputs.Q is None:
            raise ValueError(f"{name}: {value!r} needs Q, K and V; given weights have none")

    @traitlets.observe(*_INPUTS)
    def _input_set(self, event: Any) -> None:
        name = event["name"]
        new = self._trait_values[name]
        shown = self._source if name in SOURCE else self._inputs
        # Set from outside, not by `_show`, and not taken in with its group.
        if new is not getattr(shown, name):
            follows = self._source.replace(name, new, self.layer, self.head)
            if name in REGROUP:
                self._turn_to(follows)
                return
            # A slider sends many values: they undo together.
            self._record(stroke=name if name == "temperature" else None)
            self._show(follows)

    @traitlets.observe("layer", "head")
    def _head_picked(self, _event: Any) -> None:
        if (self.layer, self.head) != self.shown[:2]:
            head = min(self.head, n_heads(self._source, self.layer) - 1)
            self._show(self._source, self.layer, head)

    @traitlets.observe("kind")
    def _kind_picked(self, event: Any) -> None:
        if event["new"] != self._source.kind:
            try:
                self._turn_to(self._source.of(event["new"]))
            except (TypeError, ValueError):  # NaN in a layer that a mean or rollout needs
                self.set_trait("kind", self._source.kind)
                raise

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

    @traitlets.observe("report")
    def _report_dismissed(self, event: Any) -> None:
        if event["new"] is None:
            self.set_trait("mistake", None)

    # The mask: one way in for Python and the browser

    @exclusive
    def _set_mask(self, mask: ArrayLike | None) -> None:
        own = as_mask(mask, *self._computation.mask.shape)
        presets = recognise(own, self._source.tokens, self._source.key_tokens)
        self._remask(self._around_locked(own), presets=presets)
