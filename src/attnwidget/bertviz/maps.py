"""Attention maps as BertViz's documents hold them: checked, rounded, and no more than fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.validate import size

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BYTES = 32_000_000
# One SVG line a weight, all drawn at once: 1.2 million took Chromium 27 s.
MAX_LINES = 800_000
DECIMALS = 4

_WEIGHT_BYTES = 2 + DECIMALS + 1  # "0.1234,"
_NUMBERS = np.array(
    [f"{i / 10**DECIMALS:.{DECIMALS}f}".rstrip("0").rstrip(".") for i in range(10**DECIMALS + 1)],
    dtype=object,
)


@dataclass(frozen=True, eq=False)
class Stack:
    """The attention of one kind: a map (h, n_rows, n_columns) for each of its layers.

    `name` is the argument that it came in, `numbers` the model's own numbers of its layers, in
    their order; `n_heads` is h, and `heads` are those that are shown.
    """

    name: str
    weights: Sequence[NDArray[Any]]
    numbers: Sequence[int]
    rows: Sequence[str]
    columns: Sequence[str]
    n_heads: int
    heads: Sequence[int]

    @property
    def lines(self) -> int:
        """How many weights of a layer are shown, each of them a line."""
        return len(self.heads) * len(self.rows) * len(self.columns)

    def steps(self, number: int) -> NDArray[np.uint16]:
        """Return a layer's heads that are shown, as whole multiples of 10^-DECIMALS."""
        matrix = np.asarray(self.weights[self.numbers.index(number)])
        shape = self.n_heads, len(self.rows), len(self.columns)
        if matrix.shape != shape:
            raise ValueError(f"{self.name}: layer {number} has shape {matrix.shape}, want {shape}")
        if matrix.dtype.kind not in "fiu":
            raise TypeError(
                f"{self.name}: layer {number} has dtype {matrix.dtype}, want real numbers"
            )
        # float16 has no 0.1234; written as a negation so that NaN fails too.
        rounded = np.rint(matrix.astype(np.float64) * 10**DECIMALS)
        if not (rounded.min() >= 0 and rounded.max() <= 10**DECIMALS):
            raise ValueError(
                f"{self.name}: layer {number} spans {matrix.min():g} to {matrix.max():g}, want 0 "
                "to 1"
            )
        return rounded.astype(np.uint16)[list(self.heads)]


def stack(
    name: str,
    weights: Any,
    numbers: Sequence[int],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    first: int,
) -> Stack:
    """Return the maps as a `Stack`; only the layer nearest to `first` is looked at.

    Raises ValueError where that layer's shape isn't (any, len(rows), len(columns)).
    """
    near = min(numbers, key=lambda number: abs(number - first))
    shape = np.shape(weights[numbers.index(near)])
    want = len(rows), len(columns)
    if len(shape) != 3 or shape[0] < 1 or shape[1:] != want:
        raise ValueError(
            f"{name}: layer {near} has shape {shape}, want (any, {want[0]}, {want[1]})"
        )
    heads = range(shape[0])
    return Stack(name, weights, numbers, rows, columns, shape[0], heads)


def layer_numbers(name: str, weights: Any, layers: Sequence[int] | None) -> list[int]:
    """Return the model's own numbers of the layers in `weights`, by default 0, 1, ..."""
    if not isinstance(weights, Sequence) and np.ndim(weights) < 1:
        raise TypeError(f"{name}: got {type(weights).__name__}, want one array for each layer")
    count = len(weights)
    if not count:
        raise ValueError(f"{name}: got no layer, want at least one")
    if layers is None:
        return list(range(count))
    numbers = [size("layers", number, at_least=0) for number in layers]
    if len(set(numbers)) != count or len(numbers) != count:
        raise ValueError(
            f"layers: got {numbers}, want {count} different numbers, one for each layer of {name}"
        )
    return numbers


def chosen(name: str, wanted: Sequence[int] | None, known: Sequence[int]) -> list[int]:
    """Return the `wanted` layers or heads in their order, by default all that are `known`.

    Raises TypeError or ValueError for what is not known, given twice, or none at all.
    """
    if wanted is None:
        return list(known)
    if isinstance(wanted, (int, str)):
        raise TypeError(f"{name}: got {wanted!r}, want a sequence of numbers")
    found = [size(name, number, at_least=0) for number in wanted]
    if not found or len(set(found)) != len(found) or not set(found) <= set(known):
        raise ValueError(f"{name}: got {found}, want different numbers among {list(known)}")
    return found


def within(
    count: int,
    at: int,
    stacks: Sequence[Stack],
    *,
    together: bool,
    copies: int,
    fixed: int,
    max_bytes: int,
) -> tuple[range, str]:
    """Return the positions of the layers that fit, `at` among them, and why the others don't.

    `together` says that every layer is drawn at once, `copies` how often a weight is written.
    """
    most = max(stacks, key=lambda one: one.lines)
    layer_bytes = sum(
        copies * (one.lines * _WEIGHT_BYTES + 2 * len(one.heads) * (len(one.rows) + 1))
        for one in stacks
    )
    by_size = (max_bytes - fixed) // layer_bytes
    # The head view draws one layer at a time, the model view all of them.
    by_lines = MAX_LINES // most.lines if together or most.lines > MAX_LINES else count
    keep = min(by_size, by_lines)
    if keep < 1:
        raise ValueError(
            f"{most.name}: one layer of {len(most.heads)} heads at {_tokens(most)} is "
            f"{most.lines:,} lines for BertViz, in a document of up to {fixed + layer_bytes:,} "
            f"bytes; want at most {MAX_LINES:,} lines and {max_bytes:,} bytes: fewer tokens, or "
            "the heatmap"
        )
    if keep >= count:
        return range(count), ""
    if by_lines < by_size:
        reason = f"all would be {count * most.lines:,} lines, more than the {MAX_LINES:,} drawn"
    else:
        total = (fixed + count * layer_bytes) / 1e6
        reason = f"all could be {total:.3g} MB, more than the {max_bytes / 1e6:.3g} MB allowed"
    return around(count, at, keep), reason


def around(count: int, at: int, keep: int) -> range:
    """Return the `keep` of `count` positions that lie around `at`."""
    start = min(max(at - (keep - 1) // 2, 0), count - keep)
    return range(start, start + keep)


def span(numbers: Sequence[int]) -> str:
    """Return layer numbers as people write them: ``0 to 5``, ``1, 3``."""
    if len(numbers) > 1 and list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))


def nested(maps: Sequence[NDArray[np.uint16] | None], n_heads: int) -> str:
    """Return JSON of (layer, head, row, column); a layer that isn't there has rows of nothing."""
    absent = ",".join(["[[]]"] * n_heads)
    layers = []
    for steps in maps:
        if steps is None:
            layers.append(absent)
            continue
        heads = ["],[".join(map(",".join, head)) for head in _NUMBERS[steps].tolist()]
        layers.append("[[" + "]],[[".join(heads) + "]]")
    return "[[" + "],[".join(layers) + "]]"


def same_heads(stacks: Sequence[Stack]) -> None:
    """Raise ValueError where the head view would draw heads that aren't there, or leave some out.

    BertViz's head view keeps one set of heads, that of the attention shown first.
    """
    if len({one.n_heads for one in stacks}) > 1:
        found = ", ".join(f"{one.name} {one.n_heads}" for one in stacks)
        raise ValueError(
            f"{stacks[-1].name}: BertViz's head view shows one number of heads for all attention, "
            f"these have {found}; want one of them alone, or kind='model'"
        )


def owned(stacks: Sequence[Stack], shown: Sequence[int]) -> Mapping[str, list[int]]:
    """Return which of the layers `shown` each stack has."""
    return {one.name: [i for i in shown if i in set(one.numbers)] for one in stacks}


def _tokens(one: Stack) -> str:
    if one.rows is one.columns or len(one.rows) == len(one.columns):
        return f"{len(one.rows)} tokens"
    return f"{len(one.rows)} × {len(one.columns)} tokens"
