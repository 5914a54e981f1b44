"""The maps of one head under a mask: scores, attention and output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnwidget.maths.attention import softmax
from attnwidget.session.row_patch import Patched

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
        self._attention = Patched(attention)
        self._output = None if self._V is None else Patched(np.matmul(attention, self._V))
        # The mask that `remasked` started from, and the rows that it computed.
        self._last: tuple[NDArray[np.bool_], NDArray[np.intp]] = (self.mask, np.empty(0, np.intp))

    @property
    def attention(self) -> NDArray:
        """The softmax of the scores over keys, (n_q, n_k)."""
        return self._attention.whole

    @property
    def output(self) -> NDArray | None:
        """Attention · V, (n_q, d_v); None where the inputs have no V."""
        return None if self._output is None else self._output.whole

    def remasked(self, mask: NDArray[np.bool_], among: NDArray[np.intp] | None = None) -> HeadMaps:
        """Return the maps under another mask (n_q, n_k); rows with the same mask stay as they are.

        Only the rows whose mask differs are computed. With `among`, which is sorted, all other rows
        have the same mask in both, and are not compared.
        """
        rows = changed_rows(self.mask, mask, among)
        after = HeadMaps.__new__(HeadMaps)
        after.__dict__ = {**self.__dict__, "mask": _frozen(mask), "_last": (self.mask, rows)}
        if not rows.size:
            return after
        hidden, temperature = mask[rows], self._inputs.temperature
        attention = softmax(self.scores[..., rows, :], hidden, temperature=temperature)
        after._restore(attention, rows)
        after._attention = self._attention.replaced(rows, attention)
        if self._V is not None and self._output is not None:
            after._output = self._output.replaced(rows, np.matmul(attention, self._V))
        return after

    def rows_since(self, before: HeadMaps) -> NDArray[np.intp]:
        """Return the query rows in which the mask differs from the mask of other maps."""
        mask, rows = self._last
        return rows if before.mask is mask else changed_rows(before.mask, self.mask)

    def rows(self, rows: NDArray[np.intp]) -> dict[str, NDArray | None]:
        """Return mask, attention and output of some query rows."""
        return {
            "mask": self.mask[rows],
            "attention": self._attention.take(rows),
            "output": None if self._output is None else self._output.take(rows),
        }

    def _restore(self, attention: NDArray, rows: NDArray[np.intp]) -> None:
        """Scale given weights to their original sum; restore rows without masked cells.

        `attention` has the query rows `rows`.
        """
        given, mass = self._inputs.weights, self._inputs.row_mass
        if given is None or mass is None:
            return
        attention *= mass[rows, None]
        if self._inputs.temperature == 1:
            whole = ~self.mask[rows].any(axis=1)
            attention[whole] = given[rows[whole]]


def changed_rows(
    before: NDArray[np.bool_], after: NDArray[np.bool_], among: NDArray[np.intp] | None = None
) -> NDArray[np.intp]:
    """Return the query rows, of the rows `among` or of all, in which two masks differ."""
    if among is None:
        return np.flatnonzero((before != after).any(axis=1))
    return among[(before[among] != after[among]).any(axis=1)]


def _frozen(array: NDArray) -> NDArray:
    view = array.view()
    view.flags.writeable = False
    return view
