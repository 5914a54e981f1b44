"""Maps made of a source's maps: words, special tokens left out, means and rollout.

Such a map is no softmax of scores any more: it is shown as weights that are given.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.grouping import Groups, merge, word_groups, word_label
from attnwidget.maths.norms import rollout
from attnwidget.maths.validate import choice, index, number
from attnwidget.sources.api import HeadInputs, Layer, Source, Text, sizes_said, stack

if TYPE_CHECKING:
    from numpy.typing import NDArray

MERGES = ("tokens", "words")
DERIVATIONS = {
    "mean over heads": "Mean over the heads of each layer.",
    "mean over layers": "Mean over the layers, head by head.",
    "rollout": (
        "Attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928): how much of a key's token "
        "is in the query after this layer, heads averaged, half of each layer the residual."
    ),
}
_WORDS = "Sub-tokens are put together to words: columns summed, rows averaged."
_HIDDEN = "Special tokens are left out: a row's rest went to them."


@dataclass(frozen=True, eq=False)
class DerivedSource:
    """What `base` shows, derived.

    `derivation` is one of `DERIVATIONS`, or "" for the layers as they are; `merging` is "tokens"
    or "words"; `hide_special` leaves out [CLS], padding and the like.
    """

    base: Any
    derivation: str = ""
    merging: str = "tokens"
    hide_special: bool = False
    temperature: float = 1.0
    _made: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def kind(self) -> str:
        """The stack shown: the base's own, or a derived one's name."""
        return f"{_before(self.base)}{self.derivation}" if self.derivation else self.base.kind

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The base's layers."""
        found: tuple[Layer, ...] = self.base.layers
        return found

    @cached_property
    def derived_layers(self) -> tuple[Layer, ...]:
        """The layers of what can be derived."""
        return derived_layers(self.base)

    @property
    def merge(self) -> str:
        """What a row is: one of "tokens" and "words"."""
        return self.merging

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The labels of the queries, by groups."""
        return _labelled(self.base.tokens, self._rows)

    @cached_property
    def key_tokens(self) -> tuple[str, ...] | None:
        """The labels of the keys where they are others."""
        if self.base.key_tokens is None or self._has_square_maps:
            return None
        return _labelled(self.base.key_tokens, self._columns)

    @property
    def sentence_b_start(self) -> int | None:
        """Where the second sentence of a pair starts, None where there is none."""
        start = getattr(self.base, "sentence_b_start", None)
        found = (i for i, group in enumerate(self._rows) if start is not None and group[0] >= start)
        return next(found, None)

    @cached_property
    def special(self) -> tuple[bool, ...]:
        """Which of the queries' groups are special tokens."""
        special = _padded(self.base.text, len(self.base.tokens)).special
        return tuple(special[group[0]] for group in self._rows)

    @property
    def subtitle(self) -> str:
        """Whose maps it is made of, and how many of what a row is there are now."""
        name: str = self.base.subtitle.partition(" · ")[0]
        what = "word" if self.merging == "words" else "token"
        return f"{name} · {sizes_said(stack(self), len(self._rows), len(self._columns), what)}"

    @property
    def doubt(self) -> str:
        """Which of the base's layers have wrong weights: a map that is made of them is wrong."""
        doubt: str = getattr(self.base, "doubt", "")
        return doubt

    @property
    def notice(self) -> str:
        """What the map is, and where it is from."""
        parts = [DERIVATIONS.get(self.derivation, "")]
        parts += [_WORDS] if self.merging == "words" else []
        parts += [_HIDDEN] if self.hide_special else []
        parts.insert(0, self.doubt)
        return " ".join(part for part in parts if part)

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return the weights of one map; V and what else it came from are not kept."""
        maps = self.maps(layer)
        weights = maps[index("head", head, range(len(maps)))]
        return HeadInputs(None, None, None, 1.0, weights=weights, temperature=self.temperature)

    def weights(self, layer: int) -> NDArray:
        """Return the maps of `layer`, as they are on screen."""
        return self.maps(layer)

    def maps(self, layer: int) -> NDArray:
        """Return the maps (h, n_q, n_k) of `layer`: one head where heads are averaged."""
        known = [one.index for one in stack(self)]
        layer = index("layer", layer, known)
        if layer not in self._made:
            self._made[layer] = merge(self._of_layer(layer), self._rows, self._columns)
        found: NDArray = self._made[layer]
        return found

    def _of_layer(self, layer: int) -> NDArray:
        numbers = [one.index for one in stack(self.base)]
        if self.derivation == "mean over heads":
            mean: NDArray = self.base.maps(layer).mean(axis=0, keepdims=True)
            return mean
        if self.derivation == "mean over layers":
            every: NDArray = np.mean([self.base.maps(n) for n in numbers], axis=0)
            return every
        if self.derivation == "rollout":
            if "rollout" not in self._made:
                self._made["rollout"] = rollout(self.base.weights(n) for n in numbers)
            rolled: NDArray = self._made["rollout"]
            return rolled[numbers.index(layer)][None]
        found: NDArray = self.base.maps(layer)
        return found

    @property
    def _has_square_maps(self) -> bool:
        # Of tokens alone: what flows into a sink is in no token.
        return self.derivation == "rollout"

    @cached_property
    def _rows(self) -> Groups:
        return self._groups(self.base.tokens, self.base.text)

    @cached_property
    def _columns(self) -> Groups:
        if self.base.key_tokens is None or self._has_square_maps:
            return self._rows
        return self._groups(self.base.key_tokens, self.base.key_text)

    def _groups(self, labels: tuple[str, ...], text: Text | None) -> Groups:
        known = _padded(text, len(labels))
        groups: Groups = tuple((i,) for i in range(len(labels)))
        if self.merging == "words":
            groups = word_groups(labels, known.words)
        if self.hide_special:
            groups = tuple(group for group in groups if not known.special[group[0]])
        return groups

    def is_own(self, layer: int, head: int) -> bool:
        """Return True: nothing of it can be set."""
        return True

    def check(self, name: str, value: Any, layer: int, head: int) -> Any:
        """Return `value` as `replace` would store it: how it is derived, or the temperature."""
        if name == "merge":
            return choice(name, value, MERGES)
        if name == "hide_special":
            return _hide(self.base, value)
        if name == "temperature":
            return number(name, value, at_least=0)
        raise ValueError(
            f"{name}: what is shown is made of a model's maps ({self.notice.rstrip('.')}) and has "
            "none of its own; set merge='tokens', hide_special=False and kind first"
        )

    def replace(self, name: str, value: Any, layer: int, head: int) -> Source:
        """Return the source derived in another way."""
        value = self.check(name, value, layer, head)
        if name == "temperature":
            return replace(self, temperature=value)
        changed = {"merge": self.merging, "hide_special": self.hide_special, name: value}
        return derive(self.base, self.derivation, changed["merge"], changed["hide_special"])

    def of(self, kind: str) -> Source:
        """Return the source with another stack shown, derived or not, its words as they are."""
        names = [*dict.fromkeys(one.kind for one in (*self.layers, *self.derived_layers))]
        choice("kind", kind, names)
        base, derivation = _parsed(self.base, kind)
        return derive(base, derivation, self.merging, self.hide_special)

    def reset(self) -> DerivedSource:
        """Return the source itself: nothing of it is set by hand."""
        return self


def derive(base: Any, derivation: str, merging: str, hide_special: bool) -> Source:
    """Return `base` derived; itself where nothing is."""
    if derivation or merging != "tokens" or hide_special:
        made = DerivedSource(base, derivation, merging, hide_special)
        if not (made._rows and made._columns):
            raise ValueError("hide_special: every token is special, nothing would be left")
        return made
    plain: Source = base
    return plain


def derived_layers(base: Any) -> tuple[Layer, ...]:
    """Return the layers of what can be derived from each stack of `base`."""
    found: list[Layer] = []
    for kind in dict.fromkeys(layer.kind for layer in base.layers):
        shown = base.of(kind)
        layers = [layer for layer in base.layers if layer.kind == kind]
        before = _before(shown)
        module = layers[0].module
        if len({layer.n_heads for layer in layers}) == 1 and layers[0].n_heads > 1:
            found += [Layer(x.index, x.module, f"{before}mean over heads", 1, 1) for x in layers]
        if len(layers) < 2:
            continue
        h = layers[0].n_heads
        if all(layer.n_heads == h for layer in layers):
            found.append(Layer(layers[0].index, module, f"{before}mean over layers", h, h))
        # "vision 9×9" has the layers of one size alone, not those between.
        whole = " " not in kind and not getattr(shown, "in_windows", False)
        if kind != "cross" and whole:
            found += [Layer(x.index, x.module, f"{before}rollout", 1, 1) for x in layers]
    return tuple(found)


def _before(base: Any) -> str:
    """Return what stands before the name of a derived stack: the stack, where there are several."""
    several = len({layer.kind for layer in base.layers}) > 1
    return f"{base.kind} · " if several else ""


def _parsed(base: Any, kind: str) -> tuple[Any, str]:
    """Return the base with the stack that `kind` is derived from, and how it is."""
    for real in dict.fromkeys(layer.kind for layer in base.layers):
        if kind == real:
            return base.of(real), ""
        shown = base.of(real)
        for derivation in DERIVATIONS:
            if kind == f"{_before(shown)}{derivation}":
                return shown, derivation
    raise ValueError(f"kind: got {kind!r}")


def _hide(base: Any, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"hide_special: got {value!r}, want True or False")
    known = [text for text in (base.text, base.key_text) if text is not None]
    if value and not any(any(text.special) for text in known):
        raise ValueError("hide_special: none of these tokens is special")
    return value


def _padded(text: Text | None, n: int) -> Text:
    """Return what is known of `n` labels: a sink stands behind the tokens, and other labels do."""
    if text is None:
        return Text((), (False,) * n)
    missing = n - len(text.tokens)
    special = text.special or (False,) * len(text.tokens)
    words = (*text.words, *(None,) * missing) if text.words else ()
    return Text(text.tokens, (*special, *(False,) * missing), words)


def _labelled(labels: tuple[str, ...], groups: Groups) -> tuple[str, ...]:
    return tuple(word_label([labels[i] for i in group]) for group in groups)
