"""The attention calls of one run of a model, by stack and layer, and a head's inputs of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attnwidget.capture.heads import head_inputs
from attnwidget.capture.records import Call, hidden
from attnwidget.maths.validate import index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnwidget.sources.inputs import HeadInputs
    from attnwidget.sources.stacks import Layer, StackId


class HeadError(ValueError):
    """A head can't be shown: the message says which head, and why."""


class StackCalls:
    """The calls of all stacks, never changed.

    `sinks` are the stacks that have an attention sink, `in_windows` those whose layers see windows
    of an image, each its own.
    """

    def __init__(self, found: Sequence[tuple[Layer, Call]]) -> None:
        masks: dict[Any, NDArray[np.bool_] | None] = {}
        rows: dict[StackId, set[int]] = {}
        for layer, call in found:
            # Calls that were given the same mask share one array.
            if _mask_key(call) not in masks:
                masks[_mask_key(call)] = hidden(call)
            rows.setdefault(layer.stack, set()).add(call.rows)
        self._calls = {
            (layer.stack, layer.index): (call, masks[_mask_key(call)]) for layer, call in found
        }
        self.sinks = frozenset(layer.stack for layer, call in found if call.sink is not None)
        self.in_windows = frozenset(stack for stack, some in rows.items() if len(some) > 1)
        # The inputs of the head that was asked for last. A session asks for the head that it shows
        # several times, and each answer copies Q, K and V, and a bias of the size of the map. One
        # head is kept, so that a large map is held once.
        self._last: tuple[tuple[StackId, int, int], HeadInputs] | None = None

    def of(self, stack: StackId, layer: int) -> tuple[Call, NDArray[np.bool_] | None]:
        """Return a call, and its mask, True where the model itself masks."""
        known = [number for its, number in self._calls if its == stack]
        return self._calls[stack, index("layer", layer, known)]

    def head(self, stack: StackId, layer: int, head: int) -> HeadInputs:
        """Return what a head computed with.

        Raises
            HeadError: if the head computed NaN.
        """
        call, locked = self.of(stack, layer)
        at = stack, layer, index("head", head, range(call.shape[0]))
        last = self._last
        if last is not None and last[0] == at:
            return last[1]
        locked = locked[head] if locked is not None and locked.ndim == 3 else locked
        try:
            inputs = head_inputs(call, locked, head, stack in self.sinks)
        except ValueError as error:
            raise HeadError(f"layer {layer}, head {head} ({call.module}): {error}") from None
        self._last = at, inputs
        return inputs


def _mask_key(call: Call) -> tuple[Any, ...]:
    if call.scores is not None:
        return (id(call),)
    return id(call.mask) if call.mask is not None else call.causal, *call.shape[1:]
