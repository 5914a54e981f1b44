"""One layer's maps as lines: the strongest keys of every query, and what is left over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# All keys up to so many; beyond, the strongest: more lines than these from one token are a blot.
ALL_KEYS = 128
STRONGEST = 32


@dataclass(frozen=True, eq=False)
class Lines:
    """The k strongest keys of every query of h maps (h, n_q, n_k), in the keys' order.

    `keys` and `weights` are (h, n_q, k); what a row holds beyond them is its sum less theirs.
    """

    keys: NDArray[np.uint16]
    weights: NDArray[np.float32]
    rest: NDArray[np.float32]
    n_k: int

    @classmethod
    def of(cls, weights: NDArray) -> Lines:
        """Pick from weights (h, n_q, n_k)."""
        h, n_q, n_k = weights.shape
        if n_k <= ALL_KEYS:
            keys = np.broadcast_to(np.arange(n_k), (h, n_q, n_k))
        else:
            strongest = np.argpartition(weights, n_k - STRONGEST, axis=-1)[..., -STRONGEST:]
            keys = np.sort(strongest, axis=-1)
        picked = np.take_along_axis(weights, keys, axis=-1).astype(np.float32)
        rest = np.maximum(weights.sum(axis=-1) - picked.sum(axis=-1), 0).astype(np.float32)
        return cls(keys.astype(np.uint16), picked, rest, n_k)

    def message(self) -> tuple[dict[str, Any], list[Any]]:
        """Return the content and the buffers of a message to the page: keys, weights, rest."""
        content = {"shape": list(self.keys.shape), "n_k": self.n_k}
        arrays = (self.keys.astype("<u2"), self.weights.astype("<f4"), self.rest.astype("<f4"))
        return content, [np.ascontiguousarray(a).reshape(-1).view(np.uint8).data for a in arrays]
