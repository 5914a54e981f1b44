"""`Grid`: the knock-outs of a scan, on the axes of the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.validate import choice, index
from attnwidget.sources.api import stack_layers
from attnwidget.sources.knockouts import KINDS, KnockOut

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.sources.api import Layer, Source

#: What a scan goes over, and the axes of its result.
AXES: Mapping[str, tuple[str, ...]] = {
    "heads": ("layer", "head"),
    "layers": ("layer",),
    "edges": ("query", "key"),
    "keys": ("key",),
}


@dataclass(frozen=True, eq=False)
class Grid:
    """The knock-outs of a scan.

    `labels` has for each axis the numbers of layers or heads, or the tokens. `knockouts` has the
    knock-out of each cell, row by row; None where there is no such head. `masked` has the cells
    that the model itself masks, so that a knock-out changes nothing.
    """

    over: str
    labels: tuple[tuple[Any, ...], ...]
    knockouts: tuple[KnockOut | None, ...]
    masked: NDArray[np.bool_]

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the axes."""
        return AXES[self.over]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        return tuple(len(labels) for labels in self.labels)

    def to_measure(self) -> list[int]:
        """Return the cells to measure, by number, those of a lower layer first."""
        cells = [
            cell
            for cell, edit in enumerate(self.knockouts)
            if edit is not None and not self.masked.flat[cell]
        ]
        return sorted(cells, key=lambda cell: _layer(self.knockouts[cell]))


def _layer(edit: KnockOut | None) -> int:
    return -1 if edit is None or edit.layer is None else edit.layer


def grid_of(
    source: Source,
    over: Any,
    kind: Any,
    *,
    layer: Any = None,
    head: Any = None,
    query: Any = None,
    key: Any = None,
) -> Grid:
    """Return the knock-outs of a scan of the stack that `source` shows.

    `layer`, `head`, `query` and `key` limit each knock-out; None stands for all.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or limits an axis that the scan goes over.
    """
    over = choice("over", over, tuple(AXES))
    kind = choice("kind", kind, tuple(KINDS))
    limits = {"layer": layer, "head": head, "query": query, "key": key}
    for name in AXES[over]:
        if limits[name] is not None:
            raise ValueError(
                f"{name}: got {limits[name]!r}, want None, because over={over!r} goes over each "
                f"{name}"
            )
    layers = {each.index: each for each in stack_layers(source)}
    shown = list(layers.values())
    if layer is not None:
        layer = index("layer", layer, list(layers))
        shown = [layers[layer]]
    most = max(each.n_heads for each in shown)
    head = None if head is None else index("head", head, range(most))
    words = {"query": source.tokens, "key": _keys(source, shown[0])}
    ranges = {
        "layer": [each.index for each in shown],
        "head": range(most),
        "query": range(len(words["query"])),
        "key": range(len(words["key"])),
    }
    query, key = (
        None if limits[name] is None else index(name, limits[name], ranges[name])
        for name in ("query", "key")
    )
    fixed = {"layer": layer, "head": head, "query": query, "key": key}
    shape = [len(ranges[axis]) for axis in AXES[over]]
    knockouts: list[KnockOut | None] = []
    for place in np.ndindex(*shape):
        free = {axis: int(ranges[axis][at]) for axis, at in zip(AXES[over], place, strict=True)}
        edit = KnockOut(source.stack_id.part, **{**fixed, **free}, kind=kind)
        exists = edit.layer is None or edit.head is None or edit.head < layers[edit.layer].n_heads
        knockouts.append(edit if exists else None)
    masked = np.zeros(shape, bool)
    if over == "edges":
        masked = _masked(source, shown, head)
    labels = tuple(tuple(words.get(axis, ranges[axis])) for axis in AXES[over])
    return Grid(over, labels, tuple(knockouts), masked)


def _keys(source: Source, layer: Layer) -> tuple[str, ...]:
    """Return the tokens of the keys, without the column of a sink, which is no key."""
    keys = source.tokens if source.key_tokens is None else source.key_tokens
    return keys[: source.weights(layer.index, 0, rows=[0]).shape[-1]]


def _masked(source: Source, layers: Sequence[Layer], head: int | None) -> NDArray[np.bool_]:
    """Return the cells that the model masks in all of these layers, in all heads or one."""
    result: NDArray[np.bool_] | None = None
    for layer in layers:
        for each in range(layer.n_heads) if head is None else [head]:
            inputs = source.head(layer.index, each)
            locked = inputs.locked
            if locked is None:
                return np.zeros(inputs.shape, bool)
            result = locked if result is None else result & locked
    assert result is not None
    return result[:, : len(_keys(source, layers[0]))].copy()
