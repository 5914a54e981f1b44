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
            keys = np.sort(_strongest(weights), axis=-1)
        picked = np.take_along_axis(weights, keys, axis=-1).astype(np.float32)
        rest = np.maximum(weights.sum(axis=-1) - picked.sum(axis=-1), 0).astype(np.float32)
        return cls(keys.astype(np.uint16), picked, rest, n_k)

    def message(self) -> tuple[dict[str, Any], list[Any]]:
        """Return the content and the buffers of a message to the page.

        The buffers are weights, rest and, where not all keys are there, keys. A weight is a share
        of the largest, `peak`, in 65535 steps: half of float32's bytes, finer than what is written.
        """
        content = {"shape": list(self.keys.shape), "n_k": self.n_k, "peak": _peak(self.weights)}
        arrays = [_steps(self.weights).astype("<u2"), self.rest.astype("<f4")]
        if self.keys.shape[-1] < self.n_k:
            arrays.append(self.keys.astype("<u2"))
        return content, [np.ascontiguousarray(a).reshape(-1).view(np.uint8).data for a in arrays]


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


def _peak(weights: NDArray) -> float:
    return float(np.nan_to_num(weights).max(initial=0)) or 1.0


def _steps(weights: NDArray) -> NDArray[np.uint16]:
    """Return weights as shares of the largest in 65535 steps; a NaN is 0."""
    shares = np.nan_to_num(weights) * np.float32(65535 / _peak(weights))
    return np.rint(shares).astype(np.uint16)
