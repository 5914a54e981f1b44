"""Check and round attention maps for BertViz's documents, and select the layers that fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.validate import size

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BYTES = 32_000_000
# BertViz draws an SVG line for each weight; 1.2 million lines took 27 s in Chromium.
MAX_LINES = 800_000
DECIMALS = 4

_WEIGHT_BYTES = 2 + DECIMALS + 1  # "0.1234,"
_NUMBERS = np.array(
    [f"{i / 10**DECIMALS:.{DECIMALS}f}".rstrip("0").rstrip(".") for i in range(10**DECIMALS + 1)],
    dtype=object,
)


@dataclass(frozen=True, eq=False)
class Stack:
    """The attention of a stack: a map (h, n_rows, n_columns) for each layer.

    `name` is the name of the argument with the maps, `numbers` the model's numbers of the layers,
    in the order of `weights`. `n_heads` is h, and `heads` are the heads shown.
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
        """The number of lines of a layer: a line for each weight shown."""
        return len(self.heads) * len(self.rows) * len(self.columns)

    def steps(self, number: int) -> NDArray[np.uint16]:
        """Return the weights of a layer's shown heads, in units of 10^-DECIMALS."""
        matrix = np.asarray(self.weights[self.numbers.index(number)])
        shape = self.n_heads, len(self.rows), len(self.columns)
        if matrix.shape != shape:
            raise ValueError(f"{self.name}: layer {number} has shape {matrix.shape}, want {shape}")
        if matrix.dtype.kind not in "fiu":
            raise TypeError(
                f"{self.name}: layer {number} has dtype {matrix.dtype}, want real numbers"
            )
        # Convert first, because float16 has too few digits. "not" makes NaN fail the test, too.
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
    """Return the maps as a `Stack`. Only the layer nearest to `first` is checked.

    Raises
    ------
    ValueError
        If the layer's shape is not (any, len(rows), len(columns)).
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
    """Return the model's numbers of the layers in `weights`, by default 0, 1, ..."""
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

    Raises
    ------
    TypeError
        If `wanted` is not a sequence of whole numbers.
    ValueError
        If a number is unknown or occurs twice, or `wanted` is empty.
    """
    if wanted is None:
        return list(known)
    if isinstance(wanted, (int, str)):
        raise TypeError(f"{name}: got {wanted!r}, want a sequence of numbers")
    numbers = [size(name, number, at_least=0) for number in wanted]
    if not numbers or len(set(numbers)) != len(numbers) or not set(numbers) <= set(known):
        raise ValueError(f"{name}: got {numbers}, want different numbers among {list(known)}")
    return numbers


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
    """Return the positions of the layers that fit, `at` among them, and the reason for the limit.

    `together` is True if all layers are drawn at once. `copies` is the number of times that a
    weight is written.

    Raises
    ------
    ValueError
        If a single layer does not fit.
    """
    largest = max(stacks, key=lambda stack: stack.lines)
    layer_bytes = sum(
        copies * (stack.lines * _WEIGHT_BYTES + 2 * len(stack.heads) * (len(stack.rows) + 1))
        for stack in stacks
    )
    by_size = (max_bytes - fixed) // layer_bytes
    # The head view draws a layer at a time, the model view draws all layers.
    by_lines = MAX_LINES // largest.lines if together or largest.lines > MAX_LINES else count
    keep = min(by_size, by_lines)
    if keep < 1:
        raise ValueError(
            f"{largest.name}: one layer of {len(largest.heads)} heads at {_tokens(largest)} is "
            f"{largest.lines:,} lines for BertViz, in a document of up to {fixed + layer_bytes:,} "
            f"bytes; want at most {MAX_LINES:,} lines and {max_bytes:,} bytes: fewer tokens, or "
            "the heatmap"
        )
    if keep >= count:
        return range(count), ""
    if by_lines < by_size:
        reason = f"all would be {count * largest.lines:,} lines, more than the {MAX_LINES:,} drawn"
    else:
        total = (fixed + count * layer_bytes) / 1e6
        reason = f"all could be {total:.3g} MB, more than the {max_bytes / 1e6:.3g} MB allowed"
    return around(count, at, keep), reason


def around(count: int, at: int, keep: int) -> range:
    """Return the `keep` of `count` positions that lie around `at`."""
    start = min(max(at - (keep - 1) // 2, 0), count - keep)
    return range(start, start + keep)


def span(numbers: Sequence[int]) -> str:
    """Return layer numbers as text: ``0 to 5``, ``1, 3``."""
    if len(numbers) > 1 and list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))


def nested(maps: Sequence[NDArray[np.uint16] | None], n_heads: int) -> str:
    """Return JSON of (layer, head, row, column); a missing layer (None) has empty rows."""
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
    """Raise ValueError if the stacks of a head view have different numbers of heads.

    BertViz's head view uses the heads of the attention shown first for all attention. It would
    draw heads that do not exist, or leave heads out.
    """
    if len({stack.n_heads for stack in stacks}) > 1:
        counts = ", ".join(f"{stack.name} {stack.n_heads}" for stack in stacks)
        raise ValueError(
            f"{stacks[-1].name}: BertViz's head view shows one number of heads for all attention, "
            f"these have {counts}; want one of them alone, or kind='model'"
        )


def owned(stacks: Sequence[Stack], layers: Sequence[int]) -> Mapping[str, list[int]]:
    """Return for each stack the numbers in `layers` that it has."""
    return {stack.name: [i for i in layers if i in set(stack.numbers)] for stack in stacks}


def _tokens(stack: Stack) -> str:
    if stack.rows is stack.columns or len(stack.rows) == len(stack.columns):
        return f"{len(stack.rows)} tokens"
    return f"{len(stack.rows)} × {len(stack.columns)} tokens"
