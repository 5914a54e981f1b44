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

    `keys` and `weights` are (h, n_q, k); `rest` (h, n_q) is the sum of a row less the sum of its
    `weights`. A key is a uint16, or a uint32 where there are keys beyond 65,535.
    """

    keys: NDArray[np.unsignedinteger[Any]]
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
            keys = np.sort(_strongest(weights), axis=-1)
        picked = np.take_along_axis(weights, keys, axis=-1).astype(np.float32)
        rest = np.maximum(weights.sum(axis=-1) - picked.sum(axis=-1), 0).astype(np.float32)
        whole: Any = np.uint16 if n_k <= 1 << 16 else np.uint32
        return cls(keys.astype(whole), picked, rest, n_k)


def _strongest(weights: NDArray) -> NDArray[np.int64]:
    """Return the keys of each row's largest weights: (h, n_q, STRONGEST).

    At 512 keys, weights that are the same to one part in 32768 count as equal.
    """
    n_k = weights.shape[-1]
    places = np.uint32(2 ** (n_k - 1).bit_length() - 1)
    found = np.empty((*weights.shape[:2], STRONGEST), np.int64)
    for head, p in enumerate(weights):
        # Bits of numbers that aren't negative are in their order. The lowest make way for the key:
        # sorting plain integers is ten times faster than argpartition.
        bits = p.astype(np.float32).view(np.uint32) << 1 & ~places | np.arange(n_k, dtype=np.uint32)
        bits.partition(n_k - STRONGEST, axis=-1)
        found[head] = bits[:, -STRONGEST:] & places
    return found
