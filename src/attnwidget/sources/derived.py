"""`DerivedSource`: maps computed from another source's maps.

Maps can be derived by joining sub-tokens into words, leaving out special tokens, taking means over
heads or layers, and attention rollout. A derived map has weights but no scores, because it is not
the softmax of scores.
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
from attnwidget.sources.api import stack_layers
from attnwidget.sources.base import BaseSource, part
from attnwidget.sources.inputs import HeadInputs
from attnwidget.sources.stacks import Derivation, Layer, StackId, Text, find_stack, sizes_said

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from attnwidget.sources.api import Source
    from attnwidget.sources.runs import Outcome, Runner

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
    """Maps derived from the maps that `base` shows.

    `derivation` names the mean or rollout, "" for the maps of the base's layers. `merging` is
    "tokens" or "words". `hide_special` leaves out special tokens such as [CLS] and padding.
    """

    base: Source
    derivation: Derivation = ""
    merging: str = "tokens"
    hide_special: bool = False
    temperature: float = 1.0
    _cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def stack_id(self) -> StackId:
        """The identity of the stack shown: the base's stack, or a stack derived from it."""
        return self.base.stack_id.derive(self.derivation)

    @property
    def stack(self) -> str:
        """The name of the stack shown."""
        return self.stack_id.name(_are_several(self.base.layers))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The base's layers."""
        return self.base.layers

    @property
    def derived_layers(self) -> tuple[Layer, ...]:
        """The base's derived layers."""
        return self.base.derived_layers

    @property
    def is_model(self) -> bool:
        """Whether the maps are derived from the maps of a model."""
        return self.base.is_model

    @property
    def is_derived(self) -> bool:
        """True."""
        return True

    @property
    def merge(self) -> str | None:
        """The unit of a row, "tokens" or "words"; None if the tokens do not form words."""
        return None if self.base.merge is None else self.merging

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The labels of the queries: a label for each group of tokens."""
        return _labelled(self.base.tokens, self._rows)

    @cached_property
    def key_tokens(self) -> tuple[str, ...] | None:
        """The labels of the keys, None if these are the labels of the queries."""
        if self.base.key_tokens is None or self._has_square_maps:
            return None
        return _labelled(self.base.key_tokens, self._columns)

    @property
    def groups(self) -> tuple[Groups, Groups]:
        """The base's tokens that each query and each key is made of."""
        return self._rows, self._columns

    @property
    def sentence_b_start(self) -> int | None:
        """The row where the second sentence of a pair starts, None without a second sentence."""
        start = self.base.sentence_b_start
        rows = (i for i, group in enumerate(self._rows) if start is not None and group[0] >= start)
        return next(rows, None)

    @cached_property
    def special(self) -> tuple[bool, ...]:
        """For each query, whether it is a special token."""
        special = _padded(self.base.text, len(self.base.tokens)).special
        return tuple(special[group[0]] for group in self._rows)

    @property
    def subtitle(self) -> str:
        """The base's name, and the sizes of the derived maps."""
        name = self.base.subtitle.partition(" · ")[0]
        unit = "word" if self.merging == "words" else "token"
        return (
            f"{name} · {sizes_said(stack_layers(self), len(self._rows), len(self._columns), unit)}"
        )

    @property
    def runner(self) -> Runner | None:
        """The model of the base that can run again."""
        return self.base.runner

    @property
    def input_text(self) -> str | tuple[str, str] | None:
        """The text that the base's model was run on."""
        return self.base.input_text

    @property
    def checkpoint(self) -> int | None:
        """The step of a training at which the base's model was run."""
        return self.base.checkpoint

    @property
    def doubt(self) -> str:
        """The base's doubt, because a map derived from wrong weights is wrong too."""
        return self.base.doubt

    @property
    def notice(self) -> str:
        """The base's doubt, and sentences on how the maps are derived."""
        parts = [self.doubt, _NOTICES[self.derivation]]
        parts += [_WORDS] if self.merging == "words" else []
        parts += [_HIDDEN] if self.hide_special else []
        return " ".join(part for part in parts if part)

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return the weights of a map, without Q, K and V."""
        maps = self.maps(layer)
        weights = maps[index("head", head, range(len(maps)))]
        return HeadInputs(None, None, None, 1.0, weights=weights, temperature=self.temperature)

    def weights(
        self, layer: int, head: int | None = None, rows: Sequence[int] | None = None
    ) -> NDArray:
        """Return the maps of `layer`, with the column of a sink if there is one."""
        return part(self.maps(layer), head, rows)

    def maps(self, layer: int) -> NDArray:
        """Return the maps (h, n_q, n_k) of `layer`; h is 1 if the heads are averaged."""
        layer = index("layer", layer, [layer.index for layer in stack_layers(self)])
        if layer not in self._cache:
            weights = merge(self._ungrouped(layer), self._rows, self._columns)
            weights.flags.writeable = False
            self._cache[layer] = weights
        cached: NDArray = self._cache[layer]
        return cached

    def _ungrouped(self, layer: int) -> NDArray:
        """Return the derived maps of `layer` before tokens are grouped."""
        layers = [layer.index for layer in stack_layers(self.base)]
        if self.derivation == "mean-heads":
            head_mean: NDArray = self.base.maps(layer).mean(axis=0, keepdims=True)
            return head_mean
        if self.derivation == "mean-layers":
            layer_mean: NDArray = np.mean([self.base.maps(i) for i in layers], axis=0)
            return layer_mean
        if self.derivation == "rollout":
            if "rollout" not in self._cache:
                self._cache["rollout"] = rollout(self.base.weights(i) for i in layers)
            rolled: NDArray = self._cache["rollout"]
            return rolled[layers.index(layer)][None]
        maps: NDArray = self.base.maps(layer)
        return maps

    @property
    def _has_square_maps(self) -> bool:
        # Rollout has no column of a sink, because a sink is not a token of the layer above.
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
        """Return the source with another merge, hide_special or temperature.

        Raises
        ------
        TypeError, ValueError
            If `value` does not fit, or `name` is another input.
        """
        if name in REGROUPINGS:
            return regroup(self, name, value)
        if name == "temperature":
            return replace(self, temperature=number(name, value, at_least=0))
        raise ValueError(
            f"{name}: a map derived from other maps ({self.notice.rstrip('.')}) has no such "
            "input; set merge='tokens', hide_special=False and stack first"
        )

    def of_run(self, outcome: Outcome | None) -> Source:
        """Return the source derived from the maps of another run."""
        base = self.base.of_run(outcome)
        return self if base is self.base else replace(self, base=base, _cache={})

    def of(self, stack: str | StackId) -> Source:
        """Return the source with another stack shown, and the same `merging`, `hide_special`."""
        stack_id = find_stack(self.stacks, stack)
        base = self.base.of(stack_id.derive(""))
        return derive(base, stack_id.derived, self.merging, self.hide_special)


def derive(
    base: Source, derivation: Derivation, merging: str = "tokens", hide_special: bool = False
) -> Source:
    """Return the source derived from `base`, or `base` if the arguments have their defaults.

    Raises
    ------
    ValueError
        If `hide_special` would leave no token.
    """
    if derivation or merging != "tokens" or hide_special:
        derived = DerivedSource(base, derivation, merging, hide_special)
        if not (derived._rows and derived._columns):
            raise ValueError(
                "hide_special: got True, but every token is special and no token would be left"
            )
        return derived
    return base


def regroup(source: Source, name: str, value: Any) -> Source:
    """Return `source` with another "merge" or "hide_special" (`name`).

    Raises
    ------
    TypeError, ValueError
        If `value` does not fit, or the source's tokens do not form words.
    """
    whole = source if isinstance(source, DerivedSource) else DerivedSource(source)
    if name == "merge":
        merging = choice(name, value, MERGES)
        if whole.base.merge is None:
            raise ValueError("merge: patches, frames and bare positions have no words")
        return derive(whole.base, whole.derivation, merging, whole.hide_special)
    return derive(whole.base, whole.derivation, whole.merging, _hide(whole.base, value))


def base_of(source: Source) -> Source:
    """Return the source that the maps of `source` are derived from; other sources unchanged."""
    return source.base if isinstance(source, DerivedSource) else source


def derived_layers(
    layers: Sequence[Layer], in_windows: Collection[StackId] = ()
) -> tuple[Layer, ...]:
    """Return the derived layers of every stack of `layers`: means and rollout.

    The stacks `in_windows` have no rollout, because their layers see different windows.
    """
    several = _are_several(layers)
    result: list[Layer] = []

    def add(bases: Sequence[Layer], derivation: Derivation, heads: int) -> None:
        stack_id = bases[0].stack_id.derive(derivation)
        name = stack_id.name(several)
        result.extend(Layer(x.index, x.module, name, stack_id, heads, heads) for x in bases)

    for stack_id in dict.fromkeys(layer.stack_id for layer in layers):
        members = [layer for layer in layers if layer.stack_id == stack_id]
        heads = {layer.n_heads for layer in members}
        if len(heads) == 1 and heads != {1}:
            add(members, "mean-heads", 1)
        if len(members) < 2:
            continue
        if len(heads) == 1:
            add(members[:1], "mean-layers", members[0].n_heads)
        # A stack of maps of a single size ("vision 9×9") lacks the layers of other sizes between.
        if stack_id.part != "cross" and stack_id.size is None and stack_id not in in_windows:
            add(members, "rollout", 1)
    return tuple(result)


def _are_several(layers: Sequence[Layer]) -> bool:
    return len({layer.stack_id for layer in layers}) > 1


def _hide(base: Source, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"hide_special: got {value!r}, want True or False")
    texts = [text for text in (base.text, base.key_text) if text is not None]
    if value and not any(any(text.special) for text in texts):
        raise ValueError("hide_special: none of these tokens is special")
    return value


def _padded(text: Text | None, n: int) -> Text:
    """Return `text` extended to `n` labels, because labels after the tokens (a sink) have none."""
    if text is None:
        return Text((), (False,) * n)
    missing = n - len(text.tokens)
    special = text.special or (False,) * len(text.tokens)
    words = (*text.words, *(None,) * missing) if text.words else ()
    return Text(text.tokens, (*special, *(False,) * missing), words)


def _labelled(labels: tuple[str, ...], groups: Groups) -> tuple[str, ...]:
    return tuple(word_label([labels[i] for i in group]) for group in groups)
