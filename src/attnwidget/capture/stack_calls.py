"""`StackCalls`: the attention calls of a run, by stack and layer, and the inputs of a head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from attnwidget.capture.edited_maps import edited_inputs
from attnwidget.capture.heads import head_inputs
from attnwidget.capture.records import Call, hidden
from attnwidget.maths.validate import index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnwidget.sources.inputs import HeadInputs
    from attnwidget.sources.stacks import Layer, StackId


class HeadError(ValueError):
    """A head that cannot be shown; the message names the head and the reason."""


class StackCalls:
    """The calls of all stacks. The object never changes.

    `sinks` are the stacks with an attention sink, `in_windows` the stacks whose layers attend
    within different windows of an image.
    """

    def __init__(self, layer_calls: Sequence[tuple[Layer, Call]]) -> None:
        masks: dict[Any, NDArray[np.bool_] | None] = {}
        rows: dict[StackId, set[int]] = {}
        for layer, call in layer_calls:
            # Calls with the same mask share an array.
            if _mask_key(call) not in masks:
                masks[_mask_key(call)] = hidden(call)
            rows.setdefault(layer.stack_id, set()).add(call.rows)
        self._calls = {
            (layer.stack_id, layer.index): (call, masks[_mask_key(call)])
            for layer, call in layer_calls
        }
        self.sinks = frozenset(
            layer.stack_id for layer, call in layer_calls if call.sink is not None
        )
        self.in_windows = frozenset(stack_id for stack_id, some in rows.items() if len(some) > 1)
        # Keep the inputs of the last head, because a session reads the head that it shows several
        # times, and each read copies Q, K, V and the bias. Keep a single head, because a bias can
        # be large.
        self._last: tuple[tuple[StackId, int, int], HeadInputs] | None = None

    def with_calls(self, changed: Mapping[tuple[StackId, int], Call]) -> StackCalls:
        """Return the calls with those of another run on the same input in some layers."""
        after = copy(self)
        after._last = None
        after._calls = dict(self._calls)
        for place, call in changed.items():
            # The mask follows from the input, except where it is read from scores.
            mask = self._calls[place][1] if call.scores is None else hidden(call)
            after._calls[place] = call, mask
        return after

    @property
    def nbytes(self) -> int:
        """The bytes of the captured tensors of all stacks and layers."""
        tensors = {
            tensor.data_ptr(): tensor.numel() * tensor.element_size()
            for call, _ in self._calls.values()
            for tensor in (call.q, call.k, call.v, call.mask, call.position_bias, call.scores)
            if tensor is not None
        }
        return sum(tensors.values())

    def of(self, stack_id: StackId, layer: int) -> tuple[Call, NDArray[np.bool_] | None]:
        """Return the call of a layer, and the model's mask (True = masked)."""
        layers = [number for call_stack_id, number in self._calls if call_stack_id == stack_id]
        return self._calls[stack_id, index("layer", layer, layers)]

    def head(self, stack_id: StackId, layer: int, head: int) -> HeadInputs:
        """Return the inputs of a head.

        Raises
        ------
        HeadError
            If the head computed NaN.
        """
        call, locked = self.of(stack_id, layer)
        key = stack_id, layer, index("head", head, range(call.shape[0]))
        last = self._last
        if last is not None and last[0] == key:
            return last[1]
        locked = locked[head] if locked is not None and locked.ndim == 3 else locked
        try:
            make = edited_inputs if call.edits else head_inputs
            inputs = make(call, locked, head, stack_id in self.sinks)
        except ValueError as error:
            raise HeadError(f"layer {layer}, head {head} ({call.module}): {error}") from None
        self._last = key, inputs
        return inputs


def _mask_key(call: Call) -> tuple[Any, ...]:
    if call.scores is not None:
        return (id(call),)
    return id(call.mask) if call.mask is not None else call.causal, *call.shape[1:]
