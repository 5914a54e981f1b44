"""The names that Python and the page share: how each is read from a state and packed.

A name that `attnwidget.session.settings.SETTABLE` has may be set; the others are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attnwidget.session.settings import SETTABLE
from attnwidget.session.transitions import OF_HEAD, OF_SOURCE
from attnwidget.wire.answers import generation_message, report_message
from attnwidget.wire.experiment import (
    effect_message,
    knockouts_message,
    run_state_message,
    runs_message,
)
from attnwidget.wire.pack import pack, pack_layers


@dataclass(frozen=True)
class Row:
    """Where a value is in a state, how it is packed, and whether it may be set.

    `part` is the attribute of the state that has the value as `name`, "" for the state itself:
    where a part is the same object in two states, all values of the part are the same. A value that
    is sent `by_row` goes as the query rows that changed, where the inputs of the map have stayed.
    """

    part: str
    name: str
    pack: Callable[[Any], Any] | None = None
    is_settable: bool = False
    by_row: bool = False

    def packed(self, state: Any) -> Any:
        """Return the value in `state` as it crosses the wire."""
        value = self.read(state)
        return value if self.pack is None else self.pack(value)

    def read(self, state: Any) -> Any:
        """Return the value in `state`."""
        return getattr(getattr(state, self.part) if self.part else state, self.name)


_PARTS: Mapping[str, Sequence[str]] = {
    "source": (
        *OF_SOURCE, "given", "replaced", "overridden", "layers", "derived_layers", "special",
        "sentence_b_start", "subtitle", "stack", "input_text", "checkpoint",
    ),
    "inputs": (*OF_HEAD, "bias", "softcap", "row_mass", "locked"),
    "maps": ("scores", "mask", "attention", "output"),
    "experiment": (
        "knockouts", "effect", "run_state", "shown_run", "effect_position", "runs",
    ),
    "": (
        "layer", "head", "view", "cmap", "color_scale", "quantity", "selection", "mistake",
        "heads_on", "grid_order", "grid_statistic", "report", "title", "presets", "shown",
        "notice", "revision", "output_norms",
        "bertviz_views", "history", "generation", "checkpoints",
    ),
}  # fmt: skip
_BY_ROW = {"mask", "attention", "output"}
_ARRAYS = {
    "embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V", "bias", "locked",
    "row_mass", "scores", "mask", "attention", "output", "output_norms",
}  # fmt: skip
_PACKERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_ARRAYS, pack),
    "presets": dict,
    "layers": pack_layers,
    "derived_layers": pack_layers,
    "generation": generation_message,
    "knockouts": knockouts_message,
    "effect": effect_message,
    "run_state": run_state_message,
    "runs": runs_message,
    "report": lambda report: None if report is None else report_message(report),
}
# Where the state has a value under another name.
_NAMES = {"history": "depth"}

SCHEMA: Mapping[str, Row] = {
    name: Row(part, _NAMES.get(name, name), _PACKERS.get(name), name in SETTABLE, name in _BY_ROW)
    for part, names in _PARTS.items()
    for name in names
}
