"""`Scan`: the effects that a scan has measured, as an array with labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.validate import size
from attnwidget.sources.knockouts import KnockOut, Measured

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENDED: Mapping[str, str] = {
    "interrupted": "The scan was interrupted",
    "stopped": "The scan was stopped",
    "out of memory": "The memory did not suffice for more",
}


@dataclass(frozen=True, eq=False)
class Scan:
    """The effect of every knock-out of a scan.

    `values` has the change of the target by each knock-out: (layers, heads), (layers,), (n_q, n_k)
    for edges or (n_k,) for keys; NaN where there is none, or the scan ended before. The number
    under a knock-out is `baseline` plus the value. `target` says in words what the number is.
    `axes` has the names of the axes, and `labels` for each axis the numbers of layers or heads, or
    the tokens. `masked` has the edges that the model itself masks, whose effect is 0.

    `ended` is "" for a whole scan, else "interrupted", "stopped" or "out of memory". `seconds` is
    the time of the scan.
    """

    over: str
    kind: str
    target: str
    baseline: float
    values: NDArray[np.float64]
    axes: tuple[str, ...]
    labels: tuple[tuple[Any, ...], ...]
    knockouts: tuple[KnockOut | None, ...] = field(repr=False)
    masked: NDArray[np.bool_] = field(repr=False)
    ended: str = ""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        self.values.setflags(write=False)
        self.masked.setflags(write=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        """Return the values as an array."""
        values = self.values if dtype is None else self.values.astype(dtype)
        return values.copy() if copy else values

    @property
    def measured(self) -> int:
        """How many knock-outs were measured."""
        return sum(not np.isnan(self.values.flat[cell]) for cell in self._cells)

    @property
    def _cells(self) -> list[int]:
        """The cells with a knock-out that can change something, by number."""
        return [
            cell
            for cell, edit in enumerate(self.knockouts)
            if edit is not None and not self.masked.flat[cell]
        ]

    @property
    def notice(self) -> str:
        """A sentence on a scan that has not measured every knock-out, "" for a whole scan."""
        if not self.ended:
            return ""
        return (
            f"{_ENDED[self.ended]} after {self.measured} of {len(self._cells)} knock-outs; the "
            "other values are NaN."
        )

    def sorted(self) -> list[Measured]:
        """Return the knock-outs as records, the largest effect first, up or down.

        A record is a `KnockOut` with its `effect`, so that ``knock_out(model, found.top(3))`` and
        ``w.knockouts = found.top(3)`` take it. Knock-outs that were not measured are left out.
        """
        records = []
        for cell in self._cells:
            effect, edit = float(self.values.flat[cell]), self.knockouts[cell]
            if edit is not None and not np.isnan(effect):
                records.append(Measured(**edit.as_dict(), effect=effect))
        return sorted(records, key=lambda record: -abs(record.effect))

    def top(self, n: int = 10) -> list[Measured]:
        """Return the `n` records with the largest effect, up or down."""
        return self.sorted()[: size("n", n)]

    def to_pandas(self) -> Any:
        """Return the values as a pandas DataFrame, or as a Series for a single axis.

        The names of the axes are those of the index. A token has its position before it, because a
        text may have a token twice.

        Raises
        ------
        ImportError
            Without pandas.
        """
        try:
            pandas: Any = import_module("pandas")
        except ImportError as error:
            raise ImportError(
                "to_pandas: pandas is needed: pip install pandas; values and labels are the same "
                "numbers without it"
            ) from error
        indexes = [
            pandas.Index([_indexed(i, label) for i, label in enumerate(labels)], name=axis)
            for axis, labels in zip(self.axes, self.labels, strict=True)
        ]
        if len(indexes) == 1:
            return pandas.Series(self.values, index=indexes[0], name=self.target)
        return pandas.DataFrame(self.values, index=indexes[0], columns=indexes[1])

    def as_dict(self) -> dict[str, Any]:
        """Return the scan as JSON has it; NaN is None."""
        cells = [None if np.isnan(value) else float(value) for value in self.values.flat]
        return {
            "over": self.over,
            "kind": self.kind,
            "target": self.target,
            "baseline": self.baseline,
            "shape": list(self.values.shape),
            "values": cells,
            "axes": list(self.axes),
            "labels": [list(labels) for labels in self.labels],
            "knockouts": [None if edit is None else edit.as_dict() for edit in self.knockouts],
            "masked": [int(cell) for cell in np.flatnonzero(self.masked)],
            "ended": self.ended,
            "notice": self.notice,
            "seconds": self.seconds,
        }

    def __repr__(self) -> str:
        """Return the scan in words: the target, and the largest effects."""
        what = " × ".join(
            f"{len(labels)} {axis}s".replace("querys", "queries")
            for axis, labels in zip(self.axes, self.labels, strict=True)
        )
        lines = [
            f"Scan over {self.over} ({what}), kind {self.kind!r}",
            f"{self.target}: {self.baseline:.4g} without a knock-out",
        ]
        lines += [f"  {self.words_of(record)}: {record.effect:+.4g}" for record in self.top(5)]
        return "\n".join([*lines, self.notice]).rstrip()

    def words_of(self, record: KnockOut) -> str:
        """Return the scanned part of a record in words: "layer 1, head 0", "query 5 'bee'"."""
        parts = []
        for axis, labels in zip(self.axes, self.labels, strict=True):
            number = getattr(record, axis)
            token = f" {labels[number]!r}" if axis in {"query", "key"} else ""
            parts.append(f"{axis} {number}{token}")
        return ", ".join(parts)

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, str]:
        """Return a coloured map with the largest effects, and the same in words."""
        html = import_module("attnwidget.search.picture").html
        return {"text/plain": repr(self), "text/html": html(self)}

    def save_svg(self, path: Any) -> None:
        """Write the coloured map as an SVG file."""
        picture = import_module("attnwidget.search.picture").picture
        with open(path, "wb") as file:
            file.write(picture(self))


def _indexed(position: int, label: Any) -> Any:
    return label if isinstance(label, int) else f"{position} {label}"
