"""`Sizes`: the sizes of the toy sentence's arrays, and the limits of the sizes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from attnwidget.maths.validate import describe, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LARGEST = {"d_model": 256, "d_k": 256, "d_v": 256, "n_heads": 16}
_WHY = {
    "d_model": "a wider matrix has more columns than the card has pixels for it",
    "d_k": "a wider matrix has more columns than the card has pixels for it",
    "d_v": "a wider matrix has more columns than the card has pixels for it",
    "n_heads": "more maps side by side are too small to read",
}
# The largest number of cells of all maps, and of numbers in another array. Scores and weights go to
# the page as float32, which is 16 MB each for this many cells.
LARGEST_MAPS = 1 << 22

_AXES = {
    "d_model": {"embeddings": -1, "key_embeddings": -1, "W_q": -2, "W_k": -2, "W_v": -2},
    "d_k": {"W_q": -1, "W_k": -1, "Q": -1, "K": -1},
    "d_v": {"W_v": -1, "V": -1},
}
EMBEDDINGS = frozenset({"embeddings", "key_embeddings"})
# The arrays with a row for each token.
_ROWS = ("embeddings", "key_embeddings", "Q", "K", "V")


@dataclass(frozen=True)
class Sizes:
    """Every size of a toy sentence. `stacked`: whether arrays have a leading axis of heads."""

    n_q: int
    n_k: int
    d_model: int
    d_k: int
    d_v: int
    n_heads: int
    stacked: bool

    def __post_init__(self) -> None:
        """Raise ValueError for sizes that are too large to draw."""
        for name, most in LARGEST.items():
            size(name, getattr(self, name), at_most=most, why=_WHY[name])
        cells = self.n_heads * self.n_q * self.n_k
        if cells > LARGEST_MAPS:
            raise ValueError(
                f"tokens: {self.n_heads} maps of {self.n_q} × {self.n_k} tokens have {cells} "
                f"cells, want at most {LARGEST_MAPS}, because more is too much to send to a page"
            )
        # A map of few queries and many keys has few cells, but K and V have a row for each key.
        for name in _ROWS:
            numbers = prod(self.shape(name))
            if numbers > LARGEST_MAPS:
                raise ValueError(
                    f"tokens: {name} of shape {self.shape(name)} has {numbers} numbers, want at "
                    f"most {LARGEST_MAPS}, because more is too much to send to a page"
                )

    @classmethod
    def infer(
        cls,
        n_q: int,
        n_k: int | None,
        arrays: Mapping[str, NDArray],
        **given: int | None,
    ) -> Sizes:
        """Return the sizes in `given` or implied by `arrays`, else the course lab's.

        Raises
        ------
        TypeError
            If a size is not a whole number.
        ValueError
            If an array or a size contradicts another; the message names it.
        """
        for name, array in arrays.items():
            _check_axes(name, array, n_q, n_q if n_k is None else n_k)
        axes = {k: a.shape[0] for k, a in arrays.items() if a.ndim == 3}
        heads = _infer("n_heads", given["n_heads"], axes, default=1)
        implied = {
            name: {k: arrays[k].shape[axis] for k, axis in axes.items() if k in arrays}
            for name, axes in _AXES.items()
        }
        d_model = _infer("d_model", given["d_model"], implied["d_model"], default=4)
        d_k = _infer("d_k", given["d_k"], implied["d_k"], default=max(1, d_model // heads))
        d_v = _infer("d_v", given["d_v"], implied["d_v"], default=d_k)
        stacked = heads > 1 or bool(axes)
        sizes = cls(n_q, n_q if n_k is None else n_k, d_model, d_k, d_v, heads, stacked)
        for name, array in arrays.items():
            want = sizes.shape(name)
            if array.shape != want:
                raise ValueError(f"{name}: got shape {array.shape}, want {describe(want)}")
        return sizes

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of the array `name`."""
        shapes = {
            "embeddings": (self.n_q, self.d_model),
            "key_embeddings": (self.n_k, self.d_model),
            "W_q": (self.d_model, self.d_k),
            "W_k": (self.d_model, self.d_k),
            "W_v": (self.d_model, self.d_v),
            "Q": (self.n_q, self.d_k),
            "K": (self.n_k, self.d_k),
            "V": (self.n_k, self.d_v),
        }
        lead = (self.n_heads,) if self.stacked and name not in EMBEDDINGS else ()
        return (*lead, *shapes[name])


def _check_axes(name: str, array: NDArray, n_q: int, n_k: int) -> None:
    most = 2 if name in EMBEDDINGS else 3
    if not 2 <= array.ndim <= most:
        kind = "(n, d_model)" if most == 2 else "a matrix, or one for each head"
        raise ValueError(f"{name}: got shape {array.shape}, want {kind}")
    n = n_q if name in {"embeddings", "Q"} else n_k
    if not name.startswith("W_") and array.shape[-2] != n:
        raise ValueError(
            f"{name}: got shape {array.shape}, want {n} rows: one for each of the {n} tokens"
        )


def _infer(name: str, given: int | None, implied: Mapping[str, int], *, default: int) -> int:
    """Return the size that was said or implied; raise ValueError for two different sizes."""
    if given is not None:
        given = size(name, given)
    expected = given if given is not None else next(iter(implied.values()), default)
    for argument, got in implied.items():
        if got != expected:
            source = name if given is not None else next(iter(implied))
            raise ValueError(f"{argument}: its {name} is {got}, want {expected} as {source} has it")
    return size(name, expected)
