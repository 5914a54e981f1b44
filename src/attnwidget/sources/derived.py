"""Maps made of a source's maps: words, special tokens left out, means and rollout.

Such a map is no softmax of scores any more: it is shown as weights that are given.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.grouping import Groups, merge, word_groups, word_label
from attnwidget.maths.norms import rollout
from attnwidget.maths.validate import choice, index, number
from attnwidget.sources.api import stack
from attnwidget.sources.base import BaseSource, part
from attnwidget.sources.inputs import HeadInputs
from attnwidget.sources.stacks import Derivation, Layer, StackId, Text, find_stack, sizes_said

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from attnwidget.sources.api import Source

MERGES = ("tokens", "words")
REGROUPINGS = ("merge", "hide_special")
_NOTICES: Mapping[Derivation, str] = MappingProxyType(
    {
        "": "",
        "mean-heads": "Mean over the heads of each layer.",
        "mean-layers": "Mean over the layers, head by head.",
        "rollout": (
            "Attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928): how much of a key's token "
            "is in the query after this layer, heads averaged, half of each layer the residual."
        ),
    }
)
_WORDS = "Sub-tokens are put together to words: columns summed, rows averaged."
_HIDDEN = "Special tokens are left out: a row's rest went to them."


@dataclass(frozen=True, eq=False)
class DerivedSource(BaseSource):
    """The maps that `base` shows, derived.

    `derivation` is "" for the layers as they are; `merging` is "tokens" or "words"; `hide_special`
    leaves out [CLS], padding and the like.
    """

    base: Source
    derivation: Derivation = ""
    merging: str = "tokens"
    hide_special: bool = False
    temperature: float = 1.0
    _made: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def stack(self) -> StackId:
        """The stack shown: the base's own, or one that is made of it."""
        return self.base.stack.derive(self.derivation)

    @property
    def kind(self) -> str:
        """The name of the stack shown."""
        return self.stack.name(_are_several(self.base.layers))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The base's layers."""
        return self.base.layers

    @property
    def derived_layers(self) -> tuple[Layer, ...]:
        """The layers of what can be derived."""
        return self.base.derived_layers

    @property
    def is_model(self) -> bool:
        """Whether the maps are made of the maps of a model that ran."""
        return self.base.is_model

    @property
    def is_derived(self) -> bool:
        """True."""
        return True

    @property
    def merge(self) -> str | None:
        """What a row is, "tokens" or "words"; None where there are no words to put together."""
        return None if self.base.merge is None else self.merging

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
        start = self.base.sentence_b_start
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
        name = self.base.subtitle.partition(" · ")[0]
        what = "word" if self.merging == "words" else "token"
        return f"{name} · {sizes_said(stack(self), len(self._rows), len(self._columns), what)}"

    @property
    def doubt(self) -> str:
        """Which of the base's layers have wrong weights: a map that is made of them is wrong."""
        return self.base.doubt

    @property
    def notice(self) -> str:
        """What the map is, and where it is from."""
        parts = [self.doubt, _NOTICES[self.derivation]]
        parts += [_WORDS] if self.merging == "words" else []
        parts += [_HIDDEN] if self.hide_special else []
        return " ".join(part for part in parts if part)

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return the weights of one map; V and what else it came from are not kept."""
        maps = self.maps(layer)
        weights = maps[index("head", head, range(len(maps)))]
        return HeadInputs(None, None, None, 1.0, weights=weights, temperature=self.temperature)

    def weights(
        self, layer: int, head: int | None = None, rows: Sequence[int] | None = None
    ) -> NDArray:
        """Return the maps of `layer`, as they are on screen."""
        return part(self.maps(layer), head, rows)

    def maps(self, layer: int) -> NDArray:
        """Return the maps (h, n_q, n_k) of `layer`: one head where heads are averaged."""
        known = [one.index for one in stack(self)]
        layer = index("layer", layer, known)
        if layer not in self._made:
            made = merge(self._of_layer(layer), self._rows, self._columns)
            made.flags.writeable = False
            self._made[layer] = made
        found: NDArray = self._made[layer]
        return found

    def _of_layer(self, layer: int) -> NDArray:
        numbers = [one.index for one in stack(self.base)]
        if self.derivation == "mean-heads":
            mean: NDArray = self.base.maps(layer).mean(axis=0, keepdims=True)
            return mean
        if self.derivation == "mean-layers":
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

    def replace(self, name: str, value: Any, layer: int, head: int) -> Source:
        """Return the source derived in another way, or with another temperature."""
        if name in REGROUPINGS:
            return regroup(self, name, value)
        if name == "temperature":
            return replace(self, temperature=number(name, value, at_least=0))
        raise ValueError(
            f"{name}: what is shown is made of a model's maps ({self.notice.rstrip('.')}) and has "
            "none of its own; set merge='tokens', hide_special=False and kind first"
        )

    def of(self, kind: str | StackId) -> Source:
        """Return the source with another stack shown, derived or not, its words as they are."""
        stack_id = find_stack(self.stacks, kind)
        base = self.base.of(stack_id.derive(""))
        return derive(base, stack_id.derived, self.merging, self.hide_special)


def derive(
    base: Source, derivation: Derivation, merging: str = "tokens", hide_special: bool = False
) -> Source:
    """Return `base` derived; itself where nothing is."""
    if derivation or merging != "tokens" or hide_special:
        made = DerivedSource(base, derivation, merging, hide_special)
        if not (made._rows and made._columns):
            raise ValueError("hide_special: every token is special, nothing would be left")
        return made
    return base


def regroup(source: Source, name: str, value: Any) -> Source:
    """Return `source` with its tokens put together in another way: one of `REGROUPINGS` set."""
    whole = source if isinstance(source, DerivedSource) else DerivedSource(source)
    if name == "merge":
        merging = choice(name, value, MERGES)
        if whole.base.merge is None:
            raise ValueError("merge: patches, frames and bare positions have no words")
        return derive(whole.base, whole.derivation, merging, whole.hide_special)
    return derive(whole.base, whole.derivation, whole.merging, _hide(whole.base, value))


def derived_layers(
    layers: Sequence[Layer], in_windows: Collection[StackId] = ()
) -> tuple[Layer, ...]:
    """Return the layers of what can be derived from each stack of `layers`.

    The stacks `in_windows` have no rollout, because their layers see different windows.
    """
    several = _are_several(layers)
    found: list[Layer] = []

    def add(some: Sequence[Layer], derivation: Derivation, heads: int) -> None:
        stack_id = some[0].stack.derive(derivation)
        name = stack_id.name(several)
        found.extend(Layer(x.index, x.module, name, stack_id, heads, heads) for x in some)

    for own in dict.fromkeys(layer.stack for layer in layers):
        mine = [layer for layer in layers if layer.stack == own]
        heads = {layer.n_heads for layer in mine}
        if len(heads) == 1 and heads != {1}:
            add(mine, "mean-heads", 1)
        if len(mine) < 2:
            continue
        if len(heads) == 1:
            add(mine[:1], "mean-layers", mine[0].n_heads)
        # "vision 9×9" has the layers of one size alone, not those between.
        if own.part != "cross" and own.size is None and own not in in_windows:
            add(mine, "rollout", 1)
    return tuple(found)


def _are_several(layers: Sequence[Layer]) -> bool:
    return len({layer.stack for layer in layers}) > 1


def _hide(base: Source, value: Any) -> bool:
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
