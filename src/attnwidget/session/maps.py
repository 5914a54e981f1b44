"""The maps of one head under a mask: scores, attention and output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnwidget.maths.attention import attend_rows, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.sources.api import HeadInputs

# Maps up to this many cells are computed in float64; above it float32 halves time and memory.
FLOAT64_CELLS = 256 * 256


class HeadMaps:
    """Scaled dot-product attention of one `HeadInputs` under a mask; never changed.

    `mask` is (n_q, n_k), True where the query may not see the key. `scores` (n_q, n_k) are
    Q Kᵀ · scale + bias, before mask and softmax, or log(weights) of given weights. `attention`
    (n_q, n_k) is the softmax over keys: a row sums to 1, or is 0 where every key is masked.
    `output` is attention · V, (n_q, d_v), None where the inputs have no V. Where the inputs have
    several heads, all but the mask have a leading axis h. All arrays are read-only.
    """

    def __init__(self, inputs: HeadInputs, mask: NDArray[np.bool_]) -> None:
        n_q, n_k = inputs.shape
        dtype = np.float64 if n_q * n_k <= FLOAT64_CELLS else np.float32
        self._inputs = inputs
        self._V: NDArray | None = None if inputs.V is None else np.asarray(inputs.V, dtype=dtype)
        self.mask = _frozen(mask)
        self.scores = _frozen(inputs.scores(dtype))
        attention = softmax(self.scores, mask, temperature=inputs.temperature)
        self._restore(attention, np.arange(n_q))
        self.attention = _frozen(attention)
        self.output = None if self._V is None else _frozen(np.matmul(attention, self._V))

    def remasked(self, mask: NDArray[np.bool_]) -> HeadMaps:
        """Return the maps under another mask (n_q, n_k); rows with the same mask stay as they are.

        Only the rows whose mask differs are computed.
        """
        rows = changed_rows(self.mask, mask)
        after = HeadMaps.__new__(HeadMaps)
        after.__dict__ = {**self.__dict__, "mask": _frozen(mask)}
        if not rows.size:
            return after
        attention, temperature = self.attention.copy(), self._inputs.temperature
        if self._V is None or self.output is None:
            attention[rows] = softmax(self.scores[rows], mask[rows], temperature=temperature)
            after._restore(attention, rows)
        else:
            output = self.output.copy()
            attend_rows(
                self.scores,
                self._V,
                mask,
                rows,
                attention=attention,
                output=output,
                temperature=temperature,
            )
            after.output = _frozen(output)
        after.attention = _frozen(attention)
        return after

    def rows(self, rows: NDArray[np.intp]) -> dict[str, NDArray | None]:
        """Return mask, attention and output of some query rows."""
        return {
            "mask": self.mask[rows],
            "attention": self.attention[..., rows, :],
            "output": None if self.output is None else self.output[..., rows, :],
        }

    def _restore(self, attention: NDArray, rows: NDArray[np.intp]) -> None:
        """Scale rows of given weights to their original sum; restore rows without masked cells."""
        given, mass = self._inputs.weights, self._inputs.row_mass
        if given is None or mass is None:
            return
        attention[rows] *= mass[rows, None]
        if self._inputs.temperature == 1:
            whole = rows[~self.mask[rows].any(axis=1)]
            attention[whole] = given[whole]


def changed_rows(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the query rows in which two masks of one shape differ."""
    return np.flatnonzero((before != after).any(axis=1))


def _frozen(array: NDArray) -> NDArray:
    view = array.view()
    view.flags.writeable = False
    return view
