"""The toy sentence: embeddings, projections, and Q, K and V that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.attention import project, scores, softmax
from attnwidget.checks import describe, floats, size
from attnwidget.sources.base import HeadInputs, Layer
from attnwidget.sources.text import as_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_PROJECTED = {"W_q": "Q", "W_k": "K", "W_v": "V"}


@dataclass(frozen=True)
class LabSource:
    """A sentence and every matrix up to Q, K and V.

    Shapes: `embeddings` (n, d_model), `W_q` and `W_k` (d_model, d_k), `W_v` (d_model, d_v),
    `Q` and `K` (n, d_k), `V` (n, d_v); with several heads a leading axis h on all but the
    embeddings. Never changed in place: `replace` returns the source that follows.
    """

    tokens: tuple[str, ...]
    embeddings: NDArray
    W_q: NDArray
    W_k: NDArray
    W_v: NDArray
    Q: NDArray
    K: NDArray
    V: NDArray
    scale: float
    seed: int

    @classmethod
    def create(
        cls,
        sentence: str | Iterable[str],
        *,
        d_model: int | None = None,
        d_k: int | None = None,
        d_v: int | None = None,
        n_heads: int | None = None,
        seed: int = 0,
        scale: float | None = None,
        **given: Any,
    ) -> LabSource:
        """Build a source; sizes that are not said follow from the arrays `given`, or are the lab's.

        `given` may hold embeddings, W_q, W_k, W_v, Q, K and V. What is not given is drawn
        uniformly from [0, 1) as the course lab does it: the embeddings after ``seed(seed)``,
        then W_q, W_k, W_v after ``seed(seed)`` again.
        """
        tokens = as_tokens(sentence)
        arrays = {k: floats(k, v) for k, v in given.items() if v is not None}
        heads = _infer("n_heads", n_heads, _head_axes(arrays), default=1)
        lead = () if n_heads is None and not _head_axes(arrays) else (heads,)
        if heads == 1 and not any(a.ndim > 2 for a in arrays.values()):
            lead = ()
        sizes = _Sizes(len(tokens), arrays)
        d_model = _infer("d_model", d_model, sizes.of("d_model"), default=4)
        d_k = _infer("d_k", d_k, sizes.of("d_k"), default=max(1, d_model // heads))
        d_v = _infer("d_v", d_v, sizes.of("d_v"), default=d_k)
        seed = size("seed", seed, at_least=0)
        if seed >= 2**32:
            raise ValueError(f"seed: got {seed}, want less than 2**32, as NumPy's generator does")

        shapes = _shapes(lead, len(tokens), d_model, d_k, d_v)
        for name, array in arrays.items():
            if array.shape != shapes[name]:
                raise ValueError(f"{name}: got shape {array.shape}, want {describe(shapes[name])}")
        drawn = _draw(seed, shapes)
        X = arrays.get("embeddings", drawn["embeddings"])
        W = {name: arrays.get(name, drawn[name]) for name in _PROJECTED}
        made = {out: arrays.get(out, _product(X, W[w])) for w, out in _PROJECTED.items()}
        return cls(
            tokens=tokens,
            embeddings=X,
            **W,
            **made,
            scale=_scale(scale, d_k),
            seed=seed,
        )

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The one layer, without a module."""
        h = self.Q.shape[0] if self.Q.ndim > 2 else 1
        return (Layer(index=0, module="", kind="self", n_heads=h, n_kv_heads=h),)

    @property
    def subtitle(self) -> str:
        """The sizes, for the widget's head line."""
        n, h = len(self.tokens), self.layers[0].n_heads
        return (
            f"{n} token{'s' * (n != 1)} · d_k = {self.Q.shape[-1]} · "
            f"{h} head{'s' * (h != 1)} · seed {self.seed}"
        )

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return Q, K and V of all heads, stacked."""
        return HeadInputs(self.Q, self.K, self.V, self.scale)

    def weights(self, layer: int) -> NDArray:
        """Return the attention of all heads, (h, n, n), under no mask."""
        weights = softmax(scores(self.Q, self.K, scale=self.scale))
        return weights if weights.ndim > 2 else weights[np.newaxis]

    def is_own(self, layer: int, head: int) -> bool:
        """Return True: a sentence has no model whose numbers could be others."""
        return True

    def check(self, name: str, value: Any, layer: int, head: int) -> Any:
        """Return `value` as `replace` would store it.

        Raises
            TypeError: if it is of the wrong type.
            ValueError: if its shape or values don't fit this source.
        """
        if name == "tokens":
            return as_tokens(value)
        if name == "scale":
            return _scale(value, self.Q.shape[-1])
        shape: list[int | None] = list(getattr(self, name).shape)
        if name in {"W_v", "V"}:
            shape[-1] = None  # d_v is free: nothing but the output depends on it
        return floats(name, value, shape)

    def replace(self, name: str, value: Any, layer: int, head: int) -> LabSource:
        """Return the source with `name` set and everything downstream of it made anew.

        What was set by hand stays until one of its own inputs is set: setting W_q makes a new
        Q, and leaves a K that was given. Tokens of another number draw new embeddings.
        """
        value = self.check(name, value, layer, head)
        new: LabSource = replace(self, **{name: value})
        if name == "tokens" and len(value) != len(self.tokens):
            drawn = np.random.RandomState(self.seed).rand(len(value), self.embeddings.shape[-1])
            return new.replace_embeddings(drawn)
        if name == "embeddings":
            return new.replace_embeddings(value)
        if name in _PROJECTED:
            made: dict[str, Any] = {_PROJECTED[name]: _product(self.embeddings, value)}
            return replace(new, **made)
        return new

    def replace_embeddings(self, X: NDArray) -> LabSource:
        """Return the source with embeddings `X` (n, d_model) and their Q, K and V."""
        made: dict[str, Any] = {out: _product(X, getattr(self, w)) for w, out in _PROJECTED.items()}
        return replace(self, embeddings=_frozen(X), **made)


_AXES = {
    "d_model": {"embeddings": -1, "W_q": -2, "W_k": -2, "W_v": -2},
    "d_k": {"W_q": -1, "W_k": -1, "Q": -1, "K": -1},
    "d_v": {"W_v": -1, "V": -1},
}


class _Sizes:
    """Every size that the given arrays imply, by the argument that implies it."""

    def __init__(self, n: int, arrays: dict[str, NDArray]) -> None:
        self._arrays = arrays
        for name, array in arrays.items():
            most = 2 if name == "embeddings" else 3
            if not 2 <= array.ndim <= most:
                kind = "(n, d_model)" if most == 2 else "a matrix, or one for each head"
                raise ValueError(f"{name}: got shape {array.shape}, want {kind}")
            if not name.startswith("W_") and array.shape[-2] != n:
                raise ValueError(
                    f"{name}: got shape {array.shape}, want {n} rows: one for each of the "
                    f"{n} tokens"
                )

    def of(self, name: str) -> dict[str, int]:
        axes = _AXES[name]
        return {k: self._arrays[k].shape[axis] for k, axis in axes.items() if k in self._arrays}


def _head_axes(arrays: dict[str, NDArray]) -> dict[str, int]:
    return {k: a.shape[0] for k, a in arrays.items() if a.ndim == 3 and k != "embeddings"}


def _infer(name: str, said: int | None, implied: dict[str, int], *, default: int) -> int:
    """Return the one size that was said or implied; two different ones are an error."""
    if said is not None:
        said = size(name, said)
    wanted = said if said is not None else next(iter(implied.values()), default)
    for argument, got in implied.items():
        if got != wanted:
            source = name if said is not None else next(iter(implied))
            raise ValueError(f"{argument}: its {name} is {got}, want {wanted} as {source} has it")
    return size(name, wanted)


def _shapes(
    lead: tuple[int, ...], n: int, d_model: int, d_k: int, d_v: int
) -> dict[str, tuple[int, ...]]:
    return {
        "embeddings": (n, d_model),
        "W_q": (*lead, d_model, d_k),
        "W_k": (*lead, d_model, d_k),
        "W_v": (*lead, d_model, d_v),
        "Q": (*lead, n, d_k),
        "K": (*lead, n, d_k),
        "V": (*lead, n, d_v),
    }


def _draw(seed: int, shapes: dict[str, tuple[int, ...]]) -> dict[str, NDArray]:
    # Two generators from one seed, and NumPy's legacy one: who types the lab sees these numbers.
    embeddings = np.random.RandomState(seed).rand(*shapes["embeddings"])
    weights = np.random.RandomState(seed)
    drawn = {name: _frozen(weights.rand(*shapes[name])) for name in _PROJECTED}
    return {"embeddings": _frozen(embeddings), **drawn}


def _scale(scale: float | None, d_k: int) -> float:
    return 1 / float(np.sqrt(d_k)) if scale is None else float(floats("scale", scale, ()))


def _product(X: NDArray, W: NDArray) -> NDArray:
    # What overflows here is refused by name before it is shown.
    with np.errstate(over="ignore", invalid="ignore"):
        return _frozen(project(X, W))


def _frozen(array: NDArray) -> NDArray:
    array.flags.writeable = False
    return array
