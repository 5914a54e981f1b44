"""The toy sentence: embeddings, projections, positions, and Q, K and V that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from attnwidget.attention import project, scores, softmax
from attnwidget.checks import choice, floats, number, size
from attnwidget.positional import POSITIONAL, alibi, rotary, sinusoidal
from attnwidget.sources.base import HeadInputs, Layer
from attnwidget.sources.draw import INITS, draw_embeddings, draw_weights
from attnwidget.sources.sizes import Sizes
from attnwidget.sources.text import as_tokens
from attnwidget.wire import cells_to_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

_WEIGHTS = {"W_q": "Q", "W_k": "K", "W_v": "V"}
_ARRAYS = ("embeddings", "key_embeddings", *_WEIGHTS, *_WEIGHTS.values())
_SIZES = ("d_model", "d_k", "d_v", "n_heads")


class Edited(NamedTuple):
    """Cells of one array that were set by hand, and the array that they were set to."""

    cells: NDArray[np.bool_]
    values: NDArray


@dataclass(frozen=True, eq=False, repr=False)
class LabSource:
    """A sentence, its settings, and every matrix up to Q, K and V that follows from them.

    Shapes: `embeddings` (n, d_model), `W_q` and `W_k` (d_model, d_k), `W_v` (d_model, d_v),
    `Q` (n_q, d_k), `K` (n_k, d_k), `V` (n_k, d_v); with several heads a leading axis h on all
    but the embeddings. `given` are arrays that it was made with, `edits` what was set since.
    Never changed in place: `replace` returns the source that follows.
    """

    tokens: tuple[str, ...]
    key_tokens: tuple[str, ...] | None
    sizes: Sizes
    seed: int = 0
    init: str = "uniform"
    positional: str = "none"
    temperature: float = 1.0
    fixed_scale: float | None = None
    given: Mapping[str, NDArray] = field(default_factory=dict)
    edits: Mapping[str, Edited] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        sentence: str | Iterable[str],
        *,
        key_tokens: str | Iterable[str] | None = None,
        seed: int = 0,
        init: str = "uniform",
        positional: str = "none",
        temperature: float = 1.0,
        scale: float | None = None,
        d_model: int | None = None,
        d_k: int | None = None,
        d_v: int | None = None,
        n_heads: int | None = None,
        **given: Any,
    ) -> LabSource:
        """Build a source; sizes that are not said follow from the arrays `given`, or are the lab's.

        `given` may hold embeddings, key_embeddings, W_q, W_k, W_v, Q, K and V. What is not given
        is drawn as the course lab does it: the embeddings after ``seed(seed)``, then W_q, W_k,
        W_v after ``seed(seed)`` again.
        """
        tokens = as_tokens(sentence)
        keys = None if key_tokens is None else as_tokens(key_tokens)
        arrays = {k: floats(k, v) for k, v in given.items() if v is not None}
        if keys is None and "key_embeddings" in arrays:
            raise ValueError("key_embeddings: they belong to key_tokens, and there are none")
        sizes = Sizes.infer(
            len(tokens),
            None if keys is None else len(keys),
            arrays,
            d_model=d_model,
            d_k=d_k,
            d_v=d_v,
            n_heads=n_heads,
        )
        return cls(
            tokens=tokens,
            key_tokens=keys,
            sizes=sizes,
            seed=_seed(seed),
            init=choice("init", init, INITS),
            positional=choice("positional", positional, POSITIONAL),
            temperature=number("temperature", temperature, at_least=0),
            fixed_scale=None if scale is None else number("scale", scale),
            given=arrays,
        )

    def __post_init__(self) -> None:
        """Raise ValueError for settings that don't go together."""
        if self.positional == "rotary" and self.sizes.d_k % 2:
            raise ValueError(
                f"positional: rotary turns pairs of numbers, so d_k must be even; got "
                f"{self.sizes.d_k}"
            )

    # Every matrix, computed when it is first asked for

    @cached_property
    def embeddings(self) -> NDArray:
        """X, (n_q, d_model), without positions."""
        return self._array("embeddings")

    @cached_property
    def key_embeddings(self) -> NDArray | None:
        """What the keys and values are made from, (n_k, d_model); None where it is X."""
        return None if self.key_tokens is None else self._array("key_embeddings")

    @cached_property
    def W_q(self) -> NDArray:
        """(d_model, d_k)."""
        return self._array("W_q")

    @cached_property
    def W_k(self) -> NDArray:
        """(d_model, d_k)."""
        return self._array("W_k")

    @cached_property
    def W_v(self) -> NDArray:
        """(d_model, d_v)."""
        return self._array("W_v")

    @cached_property
    def Q(self) -> NDArray:
        """(n_q, d_k), after rotation where positions are rotary."""
        return self._array("Q")

    @cached_property
    def K(self) -> NDArray:
        """(n_k, d_k), after rotation where positions are rotary."""
        return self._array("K")

    @cached_property
    def V(self) -> NDArray:
        """(n_k, d_v)."""
        return self._array("V")

    @cached_property
    def bias(self) -> NDArray | None:
        """ALiBi's penalty on distance, (n_q, n_k) or (h, n_q, n_k); None without it."""
        if self.positional != "alibi":
            return None
        bias = alibi(self.sizes.n_heads, self.sizes.n_q, self.sizes.n_k)
        return bias if self.sizes.stacked else bias[0]

    def _array(self, name: str) -> NDArray:
        base = self._base(name)
        if name in self.edits:
            base = np.where(self.edits[name].cells, self.edits[name].values, base)
        base.flags.writeable = False
        return base

    def _base(self, name: str) -> NDArray:
        """Return an array as it is without edits by hand."""
        if name in self.given:
            return self.given[name]
        if name in _WEIGHTS:
            return self._drawn_weights[name]
        if name in _WEIGHTS.values():
            return self._projected(name)
        return self._drawn_embeddings[name == "key_embeddings"]

    @cached_property
    def _drawn_embeddings(self) -> list[NDArray]:
        n_k = None if self.key_tokens is None else self.sizes.n_k
        return draw_embeddings(self.seed, self.sizes.d_model, self.sizes.n_q, n_k)

    @cached_property
    def _drawn_weights(self) -> dict[str, NDArray]:
        shapes = {name: self.sizes.shape(name) for name in _WEIGHTS}
        return draw_weights(self.seed, self.init, shapes)

    def _projected(self, name: str) -> NDArray:
        X = self.embeddings
        if name != "Q" and self.key_embeddings is not None:
            X = self.key_embeddings
        if self.positional == "sinusoidal":
            X = X + sinusoidal(*X.shape)
        # What overflows here is refused by name before it is shown.
        with np.errstate(over="ignore", invalid="ignore"):
            made: NDArray = project(X, getattr(self, f"W_{name.lower()}"))
            return rotary(made) if self.positional == "rotary" and name != "V" else made

    # What the widget asks

    @property
    def scale(self) -> float:
        """What Q Kᵀ is multiplied with: 1/√d_k where none was set."""
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
        """How many heads."""
        return self.sizes.n_heads

    @property
    def overridden(self) -> dict[str, list[int]]:
        """The cells set by hand, by array, as runs over flat indices."""
        return {name: cells_to_runs(edit.cells) for name, edit in self.edits.items()}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The one layer, without a module."""
        h = self.sizes.n_heads
        return (Layer(0, "", "self" if self.key_tokens is None else "cross", h, h),)

    @property
    def subtitle(self) -> str:
        """The sizes, for the widget's head line."""
        s = self.sizes
        tokens = f"{s.n_q} × {s.n_k}" if self.key_tokens is not None else f"{s.n_q}"
        return (
            f"{tokens} token{'s' * (s.n_q != 1)} · d_k = {s.d_k} · "
            f"{s.n_heads} head{'s' * (s.n_heads != 1)} · seed {self.seed}"
        )

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return Q, K and V of all heads, stacked."""
        return HeadInputs(
            self.Q, self.K, self.V, self.scale, bias=self.bias, temperature=self.temperature
        )

    def weights(self, layer: int) -> NDArray:
        """Return the attention of all heads, (h, n_q, n_k), under no mask."""
        s = scores(self.Q, self.K, scale=self.scale, bias=self.bias)
        weights = softmax(s, temperature=self.temperature)
        return weights if weights.ndim > 2 else weights[np.newaxis]

    def is_own(self, layer: int, head: int) -> bool:
        """Return True: a sentence has no model whose numbers could be others."""
        return True

    # What is set, and what it leaves as it was

    def check(self, name: str, value: Any, layer: int, head: int) -> Any:
        """Return `value` as `replace` would store it.

        Raises
            TypeError: if it is of the wrong type.
            ValueError: if its shape or values don't fit this source.
        """
        if name == "tokens" or (name == "key_tokens" and value is not None):
            return as_tokens(value)
        if name in _SIZES:
            return size(name, value)
        if name == "seed":
            return _seed(value)
        if name == "init":
            return choice(name, value, INITS)
        if name == "positional":
            return choice(name, value, POSITIONAL)
        if name == "temperature":
            return number(name, value, at_least=0)
        if name == "scale":
            return self.sizes.d_k**-0.5 if value is None else number(name, value)
        if name == "key_tokens" or (name == "key_embeddings" and self.key_tokens is None):
            if value is not None:
                raise ValueError("key_embeddings: set key_tokens first; without them keys are X")
            return None
        shape: list[int | None] = list(self.sizes.shape(name))
        if name in {"W_v", "V"}:
            shape[-1] = None  # d_v is free: nothing but the output depends on it
        return floats(name, value, shape)

    def replace(self, name: str, value: Any, layer: int, head: int) -> LabSource:
        """Return the source with `name` set and everything downstream of it made anew.

        An array set by hand stays until one of its own inputs is set: setting W_q makes a new Q,
        and leaves a K that was given. Another seed, init or size draws new arrays where what is
        there can't stay; every other setting leaves the numbers set by hand alone.
        """
        value = self.check(name, value, layer, head)
        if name in _ARRAYS:
            return self if value is None else self._with_array(name, value)
        if name in {"tokens", "key_tokens"}:
            return self._with_tokens(name, value)
        if name in _SIZES:
            return self._with_sizes(replace(self.sizes, **_size(name, value)))
        if name == "scale":
            default = value == self.sizes.d_k**-0.5
            return replace(self, fixed_scale=None if default else value)
        changed: LabSource = replace(self, **{name: value})
        if name == "temperature" or value == getattr(self, name):
            return changed
        # What it draws or turns follows it, set by hand or not: or nothing would be seen to change.
        drop = set(_WEIGHTS.values())
        if name in {"seed", "init"}:
            drop |= set(_WEIGHTS)
        drawn = {"embeddings", "key_embeddings"} if name == "seed" else set()
        return changed._without(drop)._without_edits(drawn)

    def reset(self) -> LabSource:
        """Return the source without what was set by hand since it was made."""
        return replace(self, edits={}) if self.edits else self

    def _with_array(self, name: str, value: NDArray) -> LabSource:
        sizes = self.sizes
        drop = {_WEIGHTS[name]} if name in _WEIGHTS else set()
        if name == "embeddings":
            drop = {"Q"} if self.key_tokens is not None else set(_WEIGHTS.values())
        elif name == "key_embeddings":
            drop = {"K", "V"}
        if name in {"W_v", "V"} and value.shape[-1] != sizes.d_v:
            sizes = replace(sizes, d_v=value.shape[-1])
            drop |= {"W_v", "V"}
        bare = replace(self._without(drop - {name}), sizes=sizes)
        if value.shape != self.sizes.shape(name):
            bare = bare._without({name})
        base = bare._base(name)
        cells = value != base
        kept = {k: v for k, v in bare.edits.items() if k != name}
        if cells.any():
            kept[name] = Edited(cells, value)
        return replace(bare, edits=kept)

    def _with_tokens(self, name: str, value: tuple[str, ...] | None) -> LabSource:
        new: dict[str, Any] = {"tokens": self.tokens, "key_tokens": self.key_tokens, name: value}
        n_q = len(new["tokens"])
        n_k = n_q if new["key_tokens"] is None else len(new["key_tokens"])
        renamed: dict[str, Any] = {name: value}
        labels: LabSource = replace(self, **renamed)
        if (n_q, n_k, value is None) == (
            self.sizes.n_q,
            self.sizes.n_k,
            getattr(self, name) is None,
        ):
            return labels
        return labels._with_sizes(replace(self.sizes, n_q=n_q, n_k=n_k))

    def _with_sizes(self, sizes: Sizes) -> LabSource:
        """Return the source in other sizes: numbers set by hand stay where their place exists."""
        bare = replace(self, sizes=sizes, given={}, edits={})
        given, edits = {}, {}
        for name in _ARRAYS:
            if name == "key_embeddings" and self.key_tokens is None:
                continue
            fits = self.sizes.shape(name) == sizes.shape(name)
            if fits and name in self.given:
                given[name] = self.given[name]
            if fits and name in self.edits:
                edits[name] = self.edits[name]
            elif not fits and self._is_set(name) and _only_rows(self.sizes, sizes, name):
                edits[name] = self._fit_rows(name, sizes.shape(name))
        return replace(bare, given=given, edits=edits)

    def _is_set(self, name: str) -> bool:
        return name in self.given or name in self.edits

    def _fit_rows(self, name: str, shape: tuple[int, ...]) -> Edited:
        """Return what was set in the rows (tokens) that still exist."""
        rows = slice(min(shape[-2], self.sizes.shape(name)[-2]))
        cells, values = np.zeros(shape, bool), np.zeros(shape)
        known = np.ones(self.sizes.shape(name), bool)
        if name not in self.given:
            known = self.edits[name].cells
        cells[..., rows, :] = known[..., rows, :]
        values[..., rows, :] = getattr(self, name)[..., rows, :]
        return Edited(cells, values)

    def _without(self, names: set[str]) -> LabSource:
        given = {k: v for k, v in self.given.items() if k not in names}
        return replace(self._without_edits(names), given=given)

    def _without_edits(self, names: set[str]) -> LabSource:
        return replace(self, edits={k: v for k, v in self.edits.items() if k not in names})


def _only_rows(old: Sizes, new: Sizes, name: str) -> bool:
    """Whether an array of tokens differs in its number of rows alone."""
    a, b = old.shape(name), new.shape(name)
    return not name.startswith("W_") and a[:-2] == b[:-2] and a[-1] == b[-1]


def _size(name: str, value: int) -> dict[str, Any]:
    return {name: value, **({"stacked": value > 1} if name == "n_heads" else {})}


def _seed(value: Any) -> int:
    seed = size("seed", value, at_least=0)
    if seed >= 2**32:
        raise ValueError(f"seed: got {seed}, want less than 2**32, as NumPy's generator does")
    return seed
