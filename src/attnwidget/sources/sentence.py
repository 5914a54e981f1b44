"""`Sentence`: a toy sentence, its settings, and every matrix up to Q, K and V."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from attnwidget.maths.attention import project
from attnwidget.maths.positions import alibi, rotary, sinusoidal
from attnwidget.maths.runs import cells_to_runs
from attnwidget.sources.draw import draw_embeddings, draw_weights
from attnwidget.sources.sizes import Sizes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# Each projection, and the array that it computes.
WEIGHTS = {"W_q": "Q", "W_k": "K", "W_v": "V"}
ARRAYS = ("embeddings", "key_embeddings", *WEIGHTS, *WEIGHTS.values())


class Origin(NamedTuple):
    """The arrays that a sentence was made with, and the sizes that it was made in."""

    arrays: Mapping[str, NDArray]
    sizes: Sizes | None


class Edited(NamedTuple):
    """The cells of an array that were set by hand, and an array with the values set."""

    cells: NDArray[np.bool_]
    values: NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Sentence:
    """A sentence, its settings, and every matrix up to Q, K and V that follows from them.

    Shapes: `embeddings` (n, d_model), `W_q` and `W_k` (d_model, d_k), `W_v` (d_model, d_v),
    `Q` (n_q, d_k), `K` (n_k, d_k), `V` (n_k, d_v). With several heads, all arrays but the
    embeddings have a leading axis h. `origin` has the arrays that the sentence was made with;
    `given_arrays` are those that no seed, size or input has replaced since then, and `edits` are
    the cells set by hand since then. A sentence never changes in place.
    """

    tokens: tuple[str, ...]
    key_tokens: tuple[str, ...] | None
    sizes: Sizes
    seed: int = 0
    init: str = "uniform"
    positional: str = "none"
    temperature: float = 1.0
    fixed_scale: float | None = None
    given_arrays: Mapping[str, NDArray] = field(default_factory=dict)
    edits: Mapping[str, Edited] = field(default_factory=dict)
    origin: Origin = field(default_factory=lambda: Origin({}, None))

    def __post_init__(self) -> None:
        """Raise ValueError for settings that do not fit together."""
        if self.positional == "rotary" and self.sizes.d_k % 2:
            raise ValueError(
                f"positional: rotary turns pairs of numbers, so d_k must be even; got "
                f"{self.sizes.d_k}"
            )

    @property
    def settings(self) -> dict[str, int | str]:
        """The settings that the matrices depend on, by name."""
        return {"seed": self.seed, "init": self.init, "positional": self.positional}

    # Every matrix, computed at the first use

    @cached_property
    def embeddings(self) -> NDArray:
        """X, (n_q, d_model), without positions."""
        return self.array("embeddings")

    @cached_property
    def key_embeddings(self) -> NDArray | None:
        """The embeddings of the keys and values, (n_k, d_model); None if these are X."""
        return None if self.key_tokens is None else self.array("key_embeddings")

    @cached_property
    def W_q(self) -> NDArray:
        """(d_model, d_k)."""
        return self.array("W_q")

    @cached_property
    def W_k(self) -> NDArray:
        """(d_model, d_k)."""
        return self.array("W_k")

    @cached_property
    def W_v(self) -> NDArray:
        """(d_model, d_v)."""
        return self.array("W_v")

    @cached_property
    def Q(self) -> NDArray:
        """(n_q, d_k), after the rotation if positions are rotary."""
        return self.array("Q")

    @cached_property
    def K(self) -> NDArray:
        """(n_k, d_k), after the rotation if positions are rotary."""
        return self.array("K")

    @cached_property
    def V(self) -> NDArray:
        """(n_k, d_v)."""
        return self.array("V")

    @cached_property
    def bias(self) -> NDArray | None:
        """ALiBi's penalty on distance, (n_q, n_k) or (h, n_q, n_k); None without ALiBi."""
        if self.positional != "alibi":
            return None
        bias = alibi(self.sizes.n_heads, self.sizes.n_q, self.sizes.n_k)
        bias.flags.writeable = False
        return bias if self.sizes.stacked else bias[0]

    def array(self, name: str) -> NDArray:
        """Return the array `name` with the edits by hand. Each call computes the array again."""
        base = self.base(name)
        if name in self.edits:
            base = np.where(self.edits[name].cells, self.edits[name].values, base)
        base.flags.writeable = False
        return base

    def base(self, name: str) -> NDArray:
        """Return the array `name` without the edits by hand."""
        if name in self.given_arrays:
            return self.given_arrays[name]
        if name in WEIGHTS:
            return self._drawn_weights[name]
        if name in WEIGHTS.values():
            return self._projected(name)
        return self._drawn_embeddings[name == "key_embeddings"]

    @cached_property
    def _drawn_embeddings(self) -> list[NDArray]:
        n_k = None if self.key_tokens is None else self.sizes.n_k
        return draw_embeddings(self.seed, self.sizes.d_model, self.sizes.n_q, n_k)

    @cached_property
    def _drawn_weights(self) -> dict[str, NDArray]:
        shapes = {name: self.sizes.shape(name) for name in WEIGHTS}
        return draw_weights(self.seed, self.init, shapes)

    def _projected(self, name: str) -> NDArray:
        X = self.embeddings
        if name != "Q" and self.key_embeddings is not None:
            X = self.key_embeddings
        if self.positional == "sinusoidal":
            X = X + sinusoidal(*X.shape)
        W = {"Q": self.W_q, "K": self.W_k, "V": self.W_v}[name]
        # Ignore an overflow here, because `HeadInputs` refuses the array with an error.
        with np.errstate(over="ignore", invalid="ignore"):
            projected: NDArray = project(X, W)
            return rotary(projected) if self.positional == "rotary" and name != "V" else projected

    @property
    def scale(self) -> float:
        """The factor on Q Kᵀ: 1/√d_k if no scale was set."""
        return self.sizes.d_k**-0.5 if self.fixed_scale is None else self.fixed_scale

    @property
    def d_model(self) -> int:
        """Width of the embeddings."""
        return self.sizes.d_model

    @property
    def d_k(self) -> int:
        """Width of a query and a key."""
        return self.sizes.d_k

    @property
    def d_v(self) -> int:
        """Width of a value."""
        return self.sizes.d_v

    @property
    def n_heads(self) -> int:
        """The number of heads."""
        return self.sizes.n_heads

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the arrays that the sentence was made with and still has."""
        return tuple(self.given_arrays)

    @property
    def replaced(self) -> tuple[str, ...]:
        """The names of the arrays that the sentence was made with and no longer has."""
        return tuple(
            name
            for name in self.origin.arrays
            if name not in {*self.given_arrays, *self.edits}
            and not (name == "key_embeddings" and self.key_tokens is None)
        )

    @property
    def is_drawn(self) -> bool:
        """Whether any number that Q, K and V follow from was drawn by the seed."""
        given = {*self.given_arrays}
        if {"Q", "K", "V"} <= given:
            return False
        embeddings = {"embeddings"} | ({"key_embeddings"} if self.key_tokens is not None else set())
        return not embeddings <= given or any(not {W, A} & given for W, A in WEIGHTS.items())

    @property
    def overridden(self) -> dict[str, list[int]]:
        """The cells set by hand, by name of the array, as runs over flat indices."""
        return {name: cells_to_runs(edit.cells) for name, edit in self.edits.items()}
