"""The maps on screen: scores, mask, attention and output, kept right row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnwidget.attention import attend_rows, scores, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnwidget.sources.base import HeadInputs

# Maps up to this many cells are computed in float64; above it float32 halves time and memory.
FLOAT64_CELLS = 256 * 256


class Computation:
    """Scaled dot-product attention of one `HeadInputs` under a mask.

    `scores` and `attention` are (n_q, n_k), `output` (n_q, d_v), each with a leading axis h
    where the inputs have one. What a property returns is read-only and never changes later:
    a changed row is written in place only while nobody holds the array.
    """

    def __init__(self, inputs: HeadInputs, mask: NDArray[np.bool_]) -> None:
        n_q, n_k = inputs.Q.shape[-2], inputs.K.shape[-2]
        dtype = np.float64 if n_q * n_k <= FLOAT64_CELLS else np.float32
        Q, K = np.asarray(inputs.Q, dtype=dtype), np.asarray(inputs.K, dtype=dtype)
        self._V: NDArray = np.asarray(inputs.V, dtype=dtype)
        self._mask = mask
        self._scores = scores(Q, K, scale=inputs.scale)
        self._attention = softmax(self._scores, mask)
        self._output: NDArray = np.matmul(self._attention, self._V)
        self._lent: set[str] = set()
        self._mask.flags.writeable = False

    @property
    def scores(self) -> NDArray:
        """Q Kᵀ · scale, before mask and softmax."""
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
    def output(self) -> NDArray:
        """Attention · V."""
        self._lent.add("_output")
        return _frozen(self._output)

    def rows(self, rows: NDArray[np.intp]) -> dict[str, NDArray]:
        """Return mask, attention and output of these query rows, as copies."""
        return {
            "mask": self._mask[rows],
            "attention": self._attention[..., rows, :],
            "output": self._output[..., rows, :],
        }

    def remask(self, mask: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Take a new mask (n_q, n_k), recompute the rows that it changes, and return them."""
        rows = np.flatnonzero((mask != self._mask).any(axis=1))
        self._mask = mask
        self._mask.flags.writeable = False
        for name in self._lent:
            setattr(self, name, getattr(self, name).copy())
        self._lent.clear()
        attend_rows(
            self._scores, self._V, mask, rows, attention=self._attention, output=self._output
        )
        return rows


def _frozen(array: NDArray) -> NDArray:
    view = array.view()
    view.flags.writeable = False
    return view
