"""A layer's maps as lines: the strongest keys of every query, and the sum of the other weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# With up to ALL_KEYS keys, every key gets a line. With more keys, only the STRONGEST do, because
# more lines from a token could not be told apart.
ALL_KEYS = 128
STRONGEST = 32


@dataclass(frozen=True, eq=False)
class Lines:
    """The k strongest keys of every query of h maps (h, n_q, n_k), in the keys' order.

    `keys` and `weights` are (h, n_q, k). `rest` (h, n_q) is the row's sum minus the sum of
    `weights` in the row. `keys` is uint16, or uint32 if there are keys beyond 65,535.
    """

    keys: NDArray[np.unsignedinteger[Any]]
    weights: NDArray[np.float32]
    rest: NDArray[np.float32]
    n_k: int

    @classmethod
    def of(cls, weights: NDArray) -> Lines:
        """Return the lines of weights (h, n_q, n_k)."""
        h, n_q, n_k = weights.shape
        if n_k <= ALL_KEYS:
            keys = np.broadcast_to(np.arange(n_k), (h, n_q, n_k))
        else:
            keys = np.sort(_strongest(weights), axis=-1)
        picked = np.take_along_axis(weights, keys, axis=-1).astype(np.float32)
        rest = np.maximum(weights.sum(axis=-1) - picked.sum(axis=-1), 0).astype(np.float32)
        dtype: Any = np.uint16 if n_k <= 1 << 16 else np.uint32
        return cls(keys.astype(dtype), picked, rest, n_k)


def _strongest(weights: NDArray) -> NDArray[np.int64]:
    """Return the keys of each row's largest weights: (h, n_q, STRONGEST).

    With 512 keys, weights whose relative difference is below about 1/32768 count as equal.
    """
    n_k = weights.shape[-1]
    places = np.uint32(2 ** (n_k - 1).bit_length() - 1)
    keys = np.empty((*weights.shape[:2], STRONGEST), np.int64)
    for head, p in enumerate(weights):
        # The bits of non-negative floats, read as integers, have the order of the floats. Replace
        # the lowest bits by the key and partition these integers, which is ten times faster than
        # argpartition.
        bits = p.astype(np.float32).view(np.uint32) << 1 & ~places | np.arange(n_k, dtype=np.uint32)
        bits.partition(n_k - STRONGEST, axis=-1)
        keys[head] = bits[:, -STRONGEST:] & places
    return keys
