"""Which maps of a model knock-outs can change: later layers, and in a causal text later rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.capture.arrange import part_of
from attnwidget.sources.effect import Reach

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from attnwidget.capture.edited_calls import Place
    from attnwidget.capture.records import Call
    from attnwidget.capture.restart import Tape
    from attnwidget.capture.stack_calls import StackCalls
    from attnwidget.sources.stacks import Layer, StackId


@dataclass(frozen=True, eq=False)
class Reaching:
    """The attention of a model: the calls of a pass by layer, and the modules by name."""

    model: PreTrainedModel
    layer_calls: Sequence[tuple[Layer, Call]]
    calls: StackCalls
    modules: Mapping[str, Any]

    def reach(self, tape: Tape, places: Sequence[Place]) -> tuple[Reach, ...]:
        """Return the maps that the knock-outs can change: those of the layers that begin later."""
        begun = {name: tape.begun(module) for name, module in self.modules.items()}
        parts = {part_of(self.model, place.name) for place in places}

        def earliest(names: Iterable[str]) -> int:
            times = [begun.get(name) for name in names]
            return min((time for time in times if time is not None), default=0)

        first = earliest(place.name for place in places)
        if parts == {"encoder"}:  # the decoder reads the encoder by its cross-attention alone
            crosses = [name for name in begun if part_of(self.model, name) == "cross"]
            in_decoder = max(first, earliest(crosses))
        else:
            in_decoder = first
        rows = self._first_row(places)
        found: dict[StackId, Reach] = {}
        for layer, call in self.layer_calls:
            stack = layer.stack_id
            time_of = next((t for name, t in begun.items() if is_of(call.module, name)), None)
            start = in_decoder if stack.part in {"decoder", "cross"} else first
            if stack in found or (time_of is not None and time_of < start):
                continue
            row = rows[1] if stack.part in rows[0] else None
            found[stack] = Reach(layer.stack, layer.index, row)
        return tuple(found.values())

    def _first_row(self, places: Sequence[Place]) -> tuple[Collection[str], int | None]:
        """Return the first row that can change in a causal text, and the parts of this text."""
        modules = {place.name for place in places}
        parts = {
            layer.stack_id.part
            for layer, call in self.layer_calls
            if any(is_of(call.module, name) for name in modules)
        }
        own = {"decoder", "cross"} if parts & {"decoder", "cross"} else {"self"}
        causal = {"decoder"} if "decoder" in own else {"self"}
        if not parts or not parts <= own or not self._is_causal(causal):
            return (), None
        rows = []
        for place in places:
            for edit in place.knockouts:
                column = 0 if place.is_cross else edit.key
                row = column if edit.query is None else edit.query
                rows.append(row or 0)
        return own, min(rows)

    def _is_causal(self, parts: Collection[str]) -> bool:
        """Whether no query of the stacks sees a later key."""
        found = [layer for layer, _ in self.layer_calls if layer.stack_id.part in parts]
        for layer in found:
            call, locked = self.calls.of(layer.stack_id, layer.index)
            _, n_q, n_k = call.shape
            if locked is None or n_q != n_k:
                return False
            later = ~np.tri(n_q, dtype=bool)
            if not locked[..., later].all():
                return False
        return bool(found)


def is_of(module: str, place: str) -> bool:
    """Whether a call of `module` belongs to the attention module `place`, by their names."""
    return module == place or module.startswith(f"{place}.") or place.startswith(f"{module}.")
