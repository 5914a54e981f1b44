"""`HeadInputs`: the arrays and settings that an attention map is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attnwidget.maths.attention import scores

# The largest number of an input, and the largest score. float32 ends at 3.4e38.
_LARGEST = 1e17
_LARGEST_SCORE = 1e37


@dataclass(frozen=True)
class HeadInputs:
    """The arrays and settings that an attention map is computed from.

    Shapes: `Q` (n_q, d_k), `K` (n_k, d_k), `V` (n_k, d_v), each with a leading axis h if several
    heads are shown at once. `softcap` bounds the scores, then `bias` (n_q, n_k) or (h, n_q, n_k)
    is added to them, and `temperature` divides them before the softmax. `locked` is a bool
    (n_q, n_k), True for the cells that the source itself masks (causal, padding), or None if the
    source masks no cell.

    If Q and K are not known, `bias` is the scores that a model computed. If the weights were
    computed elsewhere, `weights` is (n_q, n_k) and Q, K and V are None. The scores are then
    log(weights), and each row keeps the sum of its weights.
    """

    Q: NDArray | None
    K: NDArray | None
    V: NDArray | None
    scale: float
    locked: NDArray | None = None
    bias: NDArray | None = None
    temperature: float = 1.0
    weights: NDArray | None = None
    softcap: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for numbers that would not stay finite in the page's float32."""
        arrays = {name: getattr(self, name) for name in ("Q", "K", "V", "bias")}
        largest = {k: float(np.abs(a).max(initial=0)) for k, a in arrays.items() if a is not None}
        for name, number in largest.items():
            if not number <= _LARGEST:
                raise ValueError(
                    f"{name}: it reaches {number:.3g}, want finite, at most {_LARGEST:g}"
                )
        if self.Q is None:
            return
        score = largest["Q"] * largest["K"] * self.Q.shape[-1] * abs(self.scale)
        if not score <= _LARGEST_SCORE:
            raise ValueError(
                f"scale: with {self.scale:g} a score may reach {score:.3g}, want finite, at most "
                f"{_LARGEST_SCORE:g}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(n_q, n_k) of the map."""
        if self.weights is not None:
            return self.weights.shape[-2], self.weights.shape[-1]
        if self.Q is None or self.K is None:
            assert self.bias is not None
            return self.bias.shape[-2], self.bias.shape[-1]
        return self.Q.shape[-2], self.K.shape[-2]

    def scores(self, dtype: type) -> NDArray:
        """Return Q Kᵀ · scale + bias, (n_q, n_k), as `dtype`; log(weights) for given weights."""
        if self.weights is not None:
            with np.errstate(divide="ignore"):
                logs: NDArray = np.log(self.weights).astype(dtype)
            return logs
        bias: NDArray | None = None if self.bias is None else np.asarray(self.bias, dtype=dtype)
        if self.Q is None or self.K is None:
            assert bias is not None
            return bias.copy()
        Q: NDArray = np.asarray(self.Q, dtype=dtype)
        K: NDArray = np.asarray(self.K, dtype=dtype)
        return scores(Q, K, scale=self.scale, softcap=self.softcap, bias=bias)

    @property
    def has_values(self) -> bool:
        """Whether Q, K and V are all known, so that the output can be computed."""
        return self.Q is not None and self.K is not None and self.V is not None

    @property
    def row_mass(self) -> NDArray | None:
        """The sum of each row of given weights, (n_q,); None if softmax makes the sums 1."""
        if self.weights is None:
            return None
        mass: NDArray = self.weights.sum(axis=-1, dtype=np.float64)
        mass.flags.writeable = False
        return mass
