"""A Hugging Face model as a source of attention: run once, every stack, layer and head of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.capture.arrange import arrange, broken, doubted, parted
from attnwidget.capture.coverage import in_words
from attnwidget.capture.heads import head_weights, layer_weights, with_input
from attnwidget.capture.inputs import Reading, read
from attnwidget.capture.output_projection import output_projection
from attnwidget.capture.positions import parts_shown
from attnwidget.capture.records import Call, hidden
from attnwidget.capture.run import Capture, Watch, run, unwatched
from attnwidget.capture.stack_calls import HeadError, StackCalls
from attnwidget.capture.stack_labels import SINK, StackLabels, stack_labels
from attnwidget.capture.supported import check_model
from attnwidget.maths.norms import output_norms
from attnwidget.maths.validate import index
from attnwidget.sources.base import BaseSource, check_labels
from attnwidget.sources.derived import REGROUPINGS, derive, derived_layers, regroup
from attnwidget.sources.inputs import HeadInputs
from attnwidget.sources.stacks import Layer, StackId, Text, find_stack, sizes_said

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

    from attnwidget.sources.api import Source

__all__ = ["SINK", "ModelSource"]


class ModelSource(BaseSource):
    """What a model's attention was given while it read one input.

    `stack` is the stack shown, `tokens` and `key_tokens` are those of its map; `layers` are all
    layers of all stacks, by the model's own numbers; `name` is the model's class, `reading` what
    `model` was run on. The captured tensors stay where the model computed them and are turned into
    NumPy when they are asked for. Never changed in place: `replace` and `of` return what follows.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        reading: Reading,
        found: Sequence[tuple[Layer, Call]],
        labels: Mapping[StackId, StackLabels],
        missing: str = "",
    ) -> None:
        self._model, self._reading = model, reading
        self.name = type(model).__name__
        self.layers = tuple(layer for layer, _ in found)
        self.kinds = {layer.stack: layer.kind for layer in self.layers}
        self.stack = self.layers[0].stack
        self._labels = dict(labels)
        self._calls = StackCalls(found)
        self._replaced: dict[tuple[StackId, int, int], HeadInputs] = {}
        self._doubt = doubted(found)
        parts = parts_shown(model, [layer.module for layer in self.layers]) or parted(found)
        notices = (self._doubt, broken(found), missing, parts)
        self._notice = " ".join(notice for notice in notices if notice)

    @classmethod
    def capture(
        cls,
        model: PreTrainedModel,
        tokenizer: Any,
        text: Any = None,
        *,
        inputs: Mapping[str, Any] | None = None,
        batch_index: int = 0,
        tokenize: Mapping[str, Any] | None = None,
        strict: bool = False,
        watch: Watch = unwatched,
    ) -> ModelSource:
        """Run `model` once on `text` or `inputs`, and keep what every attention layer was given.

        `text` is a str, or a pair: two sentences, or source and target of an encoder-decoder.
        The pass runs in evaluation mode, without gradients, on the device of the model. The model
        is left as it was found, after an error too. Special tokens are the tokenizer's own, and
        nothing is cut off, unless `tokenize`, options of the tokenizer's call, says otherwise.
        Each layer's weights are proven against the output of the model's own attention: a layer
        where they differ is named in `notice`, and refused where `strict`. `watch` hears of each
        layer of the pass.

        Raises TypeError for a wrong type and ValueError where the model is not supported, the
        tokenizer is another model's, the text is empty or longer than the model's positions, or,
        where `strict`, the weights of a layer are not what the model computed with.
        """
        check_model(model)
        reading = read(model, tokenizer, text, inputs, batch_index, tokenize)
        capture = run(model, reading.inputs, batch_index, watch)
        source = cls.of_capture(model, capture, reading)
        source.check_proof(strict)
        return source

    @classmethod
    def of_capture(cls, model: PreTrainedModel, capture: Capture, reading: Reading) -> ModelSource:
        """Build the source from what was recorded while `model` read `reading`."""
        found = arrange(model, capture.calls)
        labels = stack_labels(model, found, reading)
        return cls(model, reading, found, labels, in_words(model, capture.missing))

    def check_proof(self, strict: bool) -> None:
        """Raise ValueError where the weights of a layer are not the model's own and `strict`."""
        if strict and self._doubt:
            raise ValueError(f"model: {self._doubt} strict=False shows them with this warning.")

    @property
    def kind(self) -> str:
        """The name of the stack shown."""
        return self.kinds[self.stack]

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens of the queries of the stack shown."""
        return self._labels[self.stack].tokens

    @property
    def key_tokens(self) -> tuple[str, ...] | None:
        """The tokens of the keys, None where they are the same."""
        return self._labels[self.stack].key_tokens

    @property
    def text(self) -> Text | None:
        """What the tokenizer knows of the stack's tokens, None for patches and frames."""
        return self._labels[self.stack].text

    @property
    def key_text(self) -> Text | None:
        """The same of the keys."""
        return self._labels[self.stack].key_text

    @property
    def subtitle(self) -> str:
        """The model and its sizes, for the widget's head line."""
        layers = [layer for layer in self.layers if layer.stack == self.stack]
        _, n_q, n_k = self._calls.of(self.stack, layers[0].index)[0].shape
        kind = "" if len(self.kinds) == 1 else f"{self.kind} · "
        return f"{self.name} · {kind}{sizes_said(layers, n_q, n_k)}"

    @property
    def notice(self) -> str:
        """What was not seen, what is a part of a whole, and what was computed as NaN."""
        return self._notice

    @property
    def doubt(self) -> str:
        """Which layers have weights that the model did not compute with, "" where none."""
        return self._doubt

    @property
    def is_model(self) -> bool:
        """True."""
        return True

    @property
    def model(self) -> PreTrainedModel:
        """The model that ran."""
        return self._model

    @property
    def reading(self) -> Reading:
        """What the model was run on."""
        return self._reading

    @cached_property
    def derived_layers(self) -> tuple[Layer, ...]:
        """Means over heads or layers, and rollout, of each stack."""
        return derived_layers(self.layers, self._calls.in_windows)

    @property
    def in_windows(self) -> bool:
        """Whether the stack's layers see windows of an image, others in other layers (Swin)."""
        return self.stack in self._calls.in_windows

    @property
    def merge(self) -> str | None:
        """What a row is: "tokens"; None where there are no words to put together."""
        return None if self.text is None else "tokens"

    @property
    def hide_special(self) -> bool | None:
        """False; None where no token is special."""
        keys = () if self.key_text is None else self.key_text.special
        return False if any((*self.special, *keys)) else None

    @property
    def sentence_b_start(self) -> int | None:
        """Where the second sentence of a pair starts, None where there is none."""
        return None if self.text is None else self.text.second

    @property
    def special(self) -> tuple[bool, ...]:
        """Which tokens are special: [CLS], padding, ..."""
        return () if self.text is None else self.text.special

    def of(self, kind: str | StackId) -> Source:
        """Return the source with another of its stacks shown, or what is derived of one."""
        wanted = find_stack(self.stacks, kind)
        new = copy.copy(self)
        new.stack = wanted.derive("")
        return derive(new, wanted.derived)

    def with_notice(self, notice: str) -> ModelSource:
        """Return the source with another notice."""
        new = copy.copy(self)
        new._notice = notice
        return new

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return what one head computed with: Q (n_q, d_k), K (n_k, d_k), V (n_k, d_v), float32.

        Q and K are as the model compared them, after any rotation; K and V are those of the
        head's group under grouped queries. `bias` is what the model adds to its scores. `locked`
        is what the model itself masks: the future, padding, tokens beyond a sliding window. A
        sink is one more key, with a score of its own and no value. Where the model's Q and K
        were not seen, they are None and `bias` is the scores. All read-only. Raises ValueError
        for an unknown layer or head, or one that computed NaN.
        """
        call, _ = self._calls.of(self.stack, layer)
        head = index("head", head, range(call.shape[0]))
        if not self.is_own(layer, head):
            return self._replaced[self.stack, layer, head]
        try:
            return self._calls.head(self.stack, layer, head)
        except HeadError as error:
            raise ValueError(f"model: what {self.name} computed in {error}") from None

    def weights(
        self, layer: int, head: int | None = None, rows: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Return the attention weights of `layer`, (h, n_q, n_k), or of one `head`; float32.

        `rows` are the queries wanted, in their order; with them, nothing of size n_q · n_k is made.

        They are softmax(Q Kᵀ · scale + bias) over the keys that the model leaves, computed from
        the captured inputs; what flows into a sink is left out, so that a row sums below 1. A
        query whose every key is masked by the model, as padding before the text in a decoder,
        has a row of zeros (transformers' eager attention gives such a row equal weights, its
        sdpa an output of zero).
        """
        call, locked = self._calls.of(self.stack, layer)
        if head is None and rows is not None:
            heads = range(call.shape[0])
            return np.stack([self.weights(layer, head, rows) for head in heads])
        if head is None:
            weights = layer_weights(call, locked)
            for stack, where, other in self._replaced:
                if (stack, where) == (self.stack, layer):
                    weights[other] = self.weights(layer, other)
            return weights
        head = index("head", head, range(call.shape[0]))
        if rows is not None and self.is_own(layer, head):
            part = call.of_head(head).of_queries(rows)
            return layer_weights(part, hidden(part))[0]
        weights = head_weights(self.head(layer, head), self.stack in self._calls.sinks)
        return weights if rows is None else weights[rows]

    def maps(self, layer: int) -> NDArray[np.float32]:
        """Return the weights of `layer`, (h, n_q, n_k), with the column of a sink where one is."""
        weights = self.weights(layer)
        if self.stack not in self._calls.sinks:
            return weights
        # Rows of padding, which see nothing, have no sink either.
        total = weights.sum(axis=-1, keepdims=True)
        return np.concatenate([weights, np.where(total > 0, 1 - total, 0)], axis=-1)

    def output_norms(self, layer: int, head: int) -> NDArray[np.float32] | None:
        """Return ‖v_j W_O‖ of a head's values, (n_k,); None where W_O or V isn't known."""
        call, one = self._calls.of(self.stack, layer)[0], self.head(layer, head)
        if one.V is None:
            return None
        d_k = None if call.q is None else int(call.q.shape[-1])
        W_o = output_projection(self._model, call.module, call.shape[0], d_k, one.V.shape[1])
        return None if W_o is None else output_norms(one.V, W_o[head]).astype(np.float32)

    def replace(self, name: str, value: Any, layer: int, head: int) -> Source:
        """Return the source with other labels, or with an input of one head set.

        The model is not run again: nothing but this head's map follows.

        Raises
            TypeError: if the value is of the wrong type.
            ValueError: if its shape or values don't fit, or a captured model has no such input.
        """
        if name in REGROUPINGS:
            return regroup(self, name, value)
        new = copy.copy(self)
        if name in {"tokens", "key_tokens"}:
            known = self.tokens if name == "tokens" else self.key_tokens
            changed: dict[str, Any] = {name: check_labels(name, value, known)}
            labels = replace(self._labels[self.stack], **changed)
            new._labels = {**self._labels, self.stack: labels}
        else:
            inputs = with_input(self.head(layer, head), name, value, self.name)
            new._replaced = {**self._replaced, (self.stack, layer, head): inputs}
        return new

    def reset(self) -> ModelSource:
        """Return the source with every head's inputs as the model made them."""
        if not self._replaced:
            return self
        new = copy.copy(self)
        new._replaced = {}
        return new

    def is_own(self, layer: int, head: int) -> bool:
        """Whether this head's inputs are still the model's own."""
        return (self.stack, layer, head) not in self._replaced
