"""The maps on screen: scores, mask, attention and output, kept right row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnwidget.maths.attention import attend_rows, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.sources.api import HeadInputs

# Maps up to this many cells are computed in float64; above it float32 halves time and memory.
FLOAT64_CELLS = 256 * 256


class Computation:
    """Scaled dot-product attention of one `HeadInputs` under a mask.

    `scores` and `attention` are (n_q, n_k), `output` (n_q, d_v), each with a leading axis h
    where the inputs have one; `output` is None where the inputs have no values. What a property
    returns is read-only and never changes later: a changed row is written in place only while
    nobody holds the array.
    """

    def __init__(self, inputs: HeadInputs, mask: NDArray[np.bool_]) -> None:
        n_q, n_k = inputs.shape
        dtype = np.float64 if n_q * n_k <= FLOAT64_CELLS else np.float32
        self._temperature = inputs.temperature
        self._mask = mask
        self._given = inputs.weights
        self._mass = inputs.row_mass
        self._scores = inputs.scores(dtype)
        self._V: NDArray | None = None if inputs.V is None else np.asarray(inputs.V, dtype=dtype)
        self._attention = softmax(self._scores, mask, temperature=self._temperature)
        self._restore(np.arange(n_q))
        self._output = None if self._V is None else np.matmul(self._attention, self._V)
        self._lent: set[str] = set()
        self._mask.flags.writeable = False

    @property
    def scores(self) -> NDArray:
        """Q Kᵀ · scale + bias, before mask and softmax; log(weights) of given weights."""
        return _frozen(self._scores)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(n_q, n_k), True where the query may not see the key."""
        return self._mask

    @property
    def attention(self) -> NDArray:
        """Softmax over keys; a row sums to 1, or is 0 where every key is masked."""
        self._lent.add("_attention")
        return _frozen(self._attention)

    @property
    def output(self) -> NDArray | None:
        """Attention · V."""
        self._lent.add("_output")
        return None if self._output is None else _frozen(self._output)

    def rows(self, rows: NDArray[np.intp]) -> dict[str, NDArray | None]:
        """Return mask, attention and output of these query rows, as copies."""
        return {
            "mask": self._mask[rows],
            "attention": self._attention[..., rows, :],
            "output": None if self._output is None else self._output[..., rows, :],
        }

    def remask(self, mask: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Take a new mask (n_q, n_k), recompute the rows that it changes, and return them."""
        rows = np.flatnonzero((mask != self._mask).any(axis=1))
        self._mask = mask
        self._mask.flags.writeable = False
        for name in self._lent:
            held = getattr(self, name)
            setattr(self, name, None if held is None else held.copy())
        self._lent.clear()
        if self._V is None or self._output is None:
            part = softmax(self._scores[rows], mask[rows], temperature=self._temperature)
            self._attention[rows] = part
            self._restore(rows)
        else:
            attend_rows(
                self._scores,
                self._V,
                mask,
                rows,
                attention=self._attention,
                output=self._output,
                temperature=self._temperature,
            )
        return rows

    def _restore(self, rows: NDArray[np.intp]) -> None:
        """Give rows of given weights the sum that they came with, and open ones every number."""
        if self._given is None or self._mass is None:
            return
        self._attention[rows] *= self._mass[rows, None]
        if self._temperature == 1:
            whole = rows[~self._mask[rows].any(axis=1)]
            self._attention[whole] = self._given[whole]


def _frozen(array: NDArray) -> NDArray:
    view = array.view()
    view.flags.writeable = False
    return view
