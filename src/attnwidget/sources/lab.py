"""`LabSource`: the toy sentence as a source of attention maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.attention import scores, softmax
from attnwidget.maths.positions import POSITIONAL
from attnwidget.maths.validate import choice, floats, number, size
from attnwidget.sources.base import BaseSource, part
from attnwidget.sources.carry import as_given, with_array, with_setting, with_sizes, with_tokens
from attnwidget.sources.draw import INITS
from attnwidget.sources.inputs import HeadInputs
from attnwidget.sources.sentence import ARRAYS, Origin, Sentence
from attnwidget.sources.sizes import Sizes
from attnwidget.sources.stacks import Layer, StackId
from attnwidget.sources.text import as_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

_SIZES = ("d_model", "d_k", "d_v", "n_heads")
_SETTINGS = ("seed", "init", "positional", "scale", "temperature")
_INPUTS = ("tokens", "key_tokens", *ARRAYS, *_SIZES, *_SETTINGS)


@dataclass(frozen=True, eq=False, repr=False)
class LabSource(Sentence, BaseSource):
    """A sentence as a source. The source never changes: `replace` returns a new source."""

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
        """Build a source from a sentence, settings, and the arrays `given`.

        `given` may have embeddings, key_embeddings, W_q, W_k, W_v, Q, K and V. Arrays that are not
        given are drawn as in the course lab: the embeddings after ``seed(seed)``, then W_q, W_k,
        W_v after ``seed(seed)`` again. Sizes that are None follow from `given`, or else are the
        course lab's.

        Raises
        ------
        TypeError, ValueError
            If an argument has a wrong type, is out of range, or does not fit the others.
        """
        tokens = as_tokens(sentence)
        keys = None if key_tokens is None else as_tokens(key_tokens, "key_tokens")
        arrays = {k: floats(k, v) for k, v in given.items() if v is not None}
        if keys is None and "key_embeddings" in arrays:
            raise ValueError("key_embeddings: got an array without key_tokens, want key_tokens too")
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
            fixed_scale=_own_scale(scale, sizes),
            given_arrays=arrays,
            origin=Origin(arrays, sizes),
        )

    # Maps

    @property
    def stack_id(self) -> StackId:
        """The identity "self", or "cross" if the keys are the tokens of another sentence."""
        return StackId("self" if self.key_tokens is None else "cross")

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return self.stack_id.name(several=False)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """A single layer, without a module."""
        h = self.sizes.n_heads
        return (Layer(0, "", self.stack, self.stack_id, h, h),)

    @property
    def subtitle(self) -> str:
        """The sizes, for the widget's head line."""
        s = self.sizes
        tokens = f"{s.n_q} × {s.n_k}" if self.key_tokens is not None else f"{s.n_q}"
        return (
            f"{tokens} token{'s' * (s.n_q != 1)} · d_k = {s.d_k} · "
            f"{s.n_heads} head{'s' * (s.n_heads != 1)} · "
            + (f"seed {self.seed}" if self.is_drawn else "given numbers")
        )

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return Q, K and V of all heads, with a leading axis if there are several heads."""
        return HeadInputs(
            self.Q, self.K, self.V, self.scale, bias=self.bias, temperature=self.temperature
        )

    def weights(
        self, layer: int, head: int | None = None, rows: Sequence[int] | None = None
    ) -> NDArray:
        """Return the unmasked attention of all heads, (h, n_q, n_k)."""
        s = scores(self.Q, self.K, scale=self.scale, bias=self.bias)
        weights = softmax(s, temperature=self.temperature)
        return part(weights if weights.ndim > 2 else weights[np.newaxis], head, rows)

    # Changes

    def replace(self, name: str, value: Any, layer: int, head: int) -> LabSource:
        """Return the source with `name` set, and recompute everything that depends on it.

        A given array, or an array set by hand, stays until an input of the array is set: setting
        W_q recomputes Q and leaves a K that was given. A new seed or init draws new arrays. A new
        size draws the arrays whose shape changes. A new positional recomputes the arrays that the
        old or the new encoding changes. All other settings leave the numbers set by hand alone.

        Raises
        ------
        TypeError
            If `value` has a wrong type.
        ValueError
            If the source has no input `name`, or `value` does not fit the source.
        """
        value = self._checked(name, value)
        if name in ARRAYS:
            return self if value is None else with_array(self, name, value)
        if name in {"tokens", "key_tokens"}:
            return with_tokens(self, name, value)
        if name in _SIZES:
            return with_sizes(self, _resized(self.sizes, name, value))
        if name == "scale":
            return replace(self, fixed_scale=_own_scale(value, self.sizes))
        if name == "temperature":
            return replace(self, temperature=value)
        return with_setting(self, name, value)

    def reset(self) -> LabSource:
        """Return the source with the numbers it was made with, without numbers set by hand."""
        return as_given(self)

    def _checked(self, name: str, value: Any) -> Any:
        """Return `value` in the form that the source stores."""
        if name == "tokens" or (name == "key_tokens" and value is not None):
            return as_tokens(value, name)
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
                raise ValueError(
                    "key_embeddings: got an array without key_tokens; set key_tokens first"
                )
            return None
        if name in {"merge", "hide_special"}:
            raise ValueError(
                f"{name}: the tokens of a sentence are whole words, and no token is special"
            )
        if name not in ARRAYS:
            raise ValueError(
                f"{name}: a sentence has no such input; want one of {', '.join(_INPUTS)}"
            )
        shape: list[int | None] = list(self.sizes.shape(name))
        if name in {"W_v", "V"}:
            shape[-1] = None  # d_v may change, because only the output depends on it
        return floats(name, value, shape)


def _resized(sizes: Sizes, name: str, value: int) -> Sizes:
    changed: dict[str, Any] = {name: value}
    if name == "n_heads":
        changed["stacked"] = value > 1
    return replace(sizes, **changed)


def _own_scale(value: float | None, sizes: Sizes) -> float | None:
    """Return `value` as the scale, None if it is the default scale, which follows d_k."""
    scale = None if value is None else number("scale", value)
    return None if scale == sizes.d_k**-0.5 else scale


def _seed(value: Any) -> int:
    seed = size("seed", value, at_least=0)
    if seed >= 2**32:
        raise ValueError(f"seed: got {seed}, want less than 2**32, as NumPy's generator does")
    return seed
