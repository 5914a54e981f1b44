"""`ModelSource`: the attention of a Hugging Face model, captured in a single run."""

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
from attnwidget.capture.rerun import ModelRunner
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
    from attnwidget.sources.generation import Generation
    from attnwidget.sources.runs import Outcome, Runner

__all__ = ["SINK", "ModelSource"]


class ModelSource(BaseSource):
    """The inputs that a model's attention layers got while the model read a text or other input.

    `stack` is the stack shown. `tokens` and `key_tokens` are the tokens of its maps. `layers` are
    the layers of all stacks, with the model's numbers. `name` is the model's class, and `reading`
    the input that `model` was run on; `generation` is the text that the model generated, if it did.
    The captured tensors stay on the model's device, and become
    NumPy arrays at the first use. The source never changes: `replace` and `of` return a new source.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        reading: Reading,
        layer_calls: Sequence[tuple[Layer, Call]],
        labels: Mapping[StackId, StackLabels],
        missing: str = "",
    ) -> None:
        self._model, self._reading = model, reading
        self.generation: Generation | None = None
        self._checkpoint: int | None = None
        self.name = type(model).__name__
        self.layers = tuple(layer for layer, _ in layer_calls)
        self.stack_names = {layer.stack_id: layer.stack for layer in self.layers}
        self.stack_id = self.layers[0].stack_id
        self._labels = dict(labels)
        self._calls = StackCalls(layer_calls)
        self._replaced: dict[tuple[StackId, int, int], HeadInputs] = {}
        self._runner: ModelRunner | None = None
        # The run whose maps are shown, and the source of the captured run; None for that source.
        self._run: Outcome | None = None
        self._before: ModelSource | None = None
        self._layer_calls = tuple(layer_calls)
        self._doubt = doubted(layer_calls)
        parts = parts_shown(model, [layer.module for layer in self.layers]) or parted(layer_calls)
        notices = (self._doubt, broken(layer_calls), missing, parts)
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
        """Run `model` once on `text` or `inputs`, and keep the inputs of every attention layer.

        `text` is a str, or a pair: two sentences, or source and target of an encoder-decoder.
        `tokenize` has options for the call of the tokenizer; by default the tokenizer adds its
        special tokens and does not truncate. The pass runs in evaluation mode, without gradients,
        on the model's device. It leaves the model unchanged, also after an error. `watch` is called
        for each layer of the pass.

        The weights of each layer are compared with the output of the model's attention. A layer
        with a difference is named in `notice`, or raises an error if `strict`.

        Raises
        ------
        TypeError
            If an argument has a wrong type.
        ValueError
            If the model is not supported, the tokenizer belongs to another model, the text is empty
            or has more tokens than the model has positions, or, if `strict`, the weights of a layer
            differ from the model's.
        """
        check_model(model)
        reading = read(model, tokenizer, text, inputs, batch_index, tokenize)
        return cls.of_reading(model, reading, strict=strict, watch=watch)

    @classmethod
    def of_reading(
        cls,
        model: PreTrainedModel,
        reading: Reading,
        *,
        strict: bool = False,
        watch: Watch = unwatched,
    ) -> ModelSource:
        """Run `model` once on a `reading`; see `capture`."""
        capture = run(model, reading.inputs, reading.row, watch)
        source = cls.of_capture(model, capture, reading)
        source.check_proof(strict)
        source._runner = ModelRunner(model, reading, source._layer_calls, source._calls)
        return source

    def again(self, watch: Watch = unwatched) -> ModelSource:
        """Run the model again on the same input, with its weights as they are now.

        Labels stay; inputs of heads that were set by hand do not.
        """
        new = self.of_reading(self._model, self._reading, watch=watch)
        same = new._labels.keys() == self._labels.keys()
        if same and all(
            len(new._labels[stack].tokens) == len(labels.tokens)
            for stack, labels in self._labels.items()
        ):
            new._labels = self._labels
        new.stack_id = self.stack_id if self.stack_id in new._labels else new.stack_id
        return new

    def read_again(
        self,
        text: Any,
        inputs: Any,
        *,
        batch_index: int = 0,
        tokenize: Mapping[str, Any] | None = None,
        strict: bool = False,
        watch: Watch = unwatched,
    ) -> ModelSource:
        """Run the model on another text or other inputs; see `capture`.

        `tokenize` None are the options with which the first text was read.
        """
        if tokenize is None and text is not None:
            tokenize = self._reading.tokenize
        reading = read(self._model, self._reading.tokenizer, text, inputs, batch_index, tokenize)
        if reading.tokenize is None:
            reading = replace(reading, tokenize=self._reading.tokenize)
        return self.of_reading(self._model, reading, strict=strict, watch=watch)

    @property
    def checkpoint(self) -> int | None:
        """The step of a training at which the model was run, None outside of a training."""
        return self._checkpoint

    @property
    def nbytes(self) -> int:
        """The bytes of the captured tensors."""
        return self._calls.nbytes

    @property
    def input_text(self) -> str | tuple[str, str] | None:
        """The text that the model was run on; "" for other inputs of a model that reads text.

        None for a model that does not read text, or without a tokenizer.
        """
        reading = self._reading
        if reading.tokenizer is None or self._model.main_input_name != "input_ids":
            return None
        return reading.given or ""

    @classmethod
    def of_capture(cls, model: PreTrainedModel, capture: Capture, reading: Reading) -> ModelSource:
        """Build the source from the `capture` of a run of `model` on `reading`."""
        layer_calls = arrange(model, capture.calls)
        labels = stack_labels(model, layer_calls, reading)
        return cls(model, reading, layer_calls, labels, in_words(model, capture.missing))

    def check_proof(self, strict: bool) -> None:
        """Raise ValueError if `strict` and the weights of a layer differ from the model's."""
        if strict and self._doubt:
            raise ValueError(f"model: {self._doubt} strict=False shows them with this warning.")

    @property
    def stack(self) -> str:
        """The name of the stack shown."""
        return self.stack_names[self.stack_id]

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens of the queries of the stack shown."""
        return self._labels[self.stack_id].tokens

    @property
    def key_tokens(self) -> tuple[str, ...] | None:
        """The tokens of the keys, None if these are the tokens of the queries."""
        return self._labels[self.stack_id].key_tokens

    @property
    def text(self) -> Text | None:
        """The tokenizer's facts about the queries' tokens, None for patches and frames."""
        return self._labels[self.stack_id].text

    @property
    def key_text(self) -> Text | None:
        """The tokenizer's facts about the keys' tokens, None for patches and frames."""
        return self._labels[self.stack_id].key_text

    @property
    def subtitle(self) -> str:
        """The model and its sizes, for the widget's head line."""
        layers = [layer for layer in self.layers if layer.stack_id == self.stack_id]
        _, n_q, n_k = self._calls.of(self.stack_id, layers[0].index)[0].shape
        stack = "" if len(self.stack_names) == 1 else f"{self.stack} · "
        return f"{self.name} · {stack}{sizes_said(layers, n_q, n_k)}"

    @property
    def notice(self) -> str:
        """Sentences on layers that are not shown, shown in part, wrong, or NaN."""
        return self._notice

    @property
    def doubt(self) -> str:
        """A sentence that names the layers whose weights differ from the model's, "" if none do."""
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
        """The input that the model was run on."""
        return self._reading

    @property
    def runner(self) -> Runner | None:
        """The model that can run again; None for a text that the model generated."""
        return self._runner

    @cached_property
    def derived_layers(self) -> tuple[Layer, ...]:
        """Means over heads or layers, and rollout, of each stack."""
        return derived_layers(self.layers, self._calls.in_windows)

    @property
    def in_windows(self) -> bool:
        """Whether each layer of the stack shown attends within windows of an image (Swin)."""
        return self.stack_id in self._calls.in_windows

    @property
    def merge(self) -> str | None:
        """The unit of a row, "tokens"; None if the tokens do not form words."""
        return None if self.text is None else "tokens"

    @property
    def hide_special(self) -> bool | None:
        """False; None if no token is special."""
        keys = () if self.key_text is None else self.key_text.special
        return False if any((*self.special, *keys)) else None

    @property
    def sentence_b_start(self) -> int | None:
        """The position where the second sentence of a pair starts, None without one."""
        return None if self.text is None else self.text.second

    @property
    def special(self) -> tuple[bool, ...]:
        """For each query, whether its token is special ([CLS], padding)."""
        return () if self.text is None else self.text.special

    def of(self, stack: str | StackId) -> Source:
        """Return the source with another stack shown, or a source derived from another stack."""
        stack_id = find_stack(self.stacks, stack)
        return derive(self._with(stack_id=stack_id.derive("")), stack_id.derived)

    def of_run(self, outcome: Outcome | None) -> ModelSource:
        """Return the source with the maps of a run; None for the captured run.

        Inputs of heads that were set by hand belong to the run in which they were set.
        """
        before = self._before or self
        if outcome is None:
            return before
        if self._run is outcome:
            return self
        new = copy.copy(before)
        new._before, new._run, new._calls, new._replaced = before, outcome, outcome.calls, {}
        return new

    def _with(self, **attributes: Any) -> ModelSource:
        """Return the source with other attributes, also in the captured run."""
        new = copy.copy(self)
        new.__dict__.update(attributes)
        if self._before is not None:
            new._before = self._before._with(**attributes)
        return new

    def with_notice(self, notice: str) -> ModelSource:
        """Return the source with another notice."""
        return self._with(_notice=notice)

    def with_checkpoint(self, step: int) -> ModelSource:
        """Return the source as that of a step of a training."""
        return self._with(_checkpoint=step)

    def with_generation(self, generation: Generation) -> ModelSource:
        """Return the source with the generated text that it belongs to."""
        return self._with(generation=generation)

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return the inputs of a head: Q (n_q, d_k), K (n_k, d_k), V (n_k, d_v), float32.

        Q and K are those of the dot product, after any rotation. With grouped queries, K and V are
        those of the head's group. `bias` is the number that the model adds to each score. `locked`
        is the model's mask: later tokens, padding, tokens beyond a sliding window. A sink is an
        additional key with a score and no value. If the model's Q and K could not be read, they are
        None and `bias` is the scores. All arrays are read-only.

        Raises
        ------
        ValueError
            If there is no such layer or head, or the head computed NaN.
        """
        call, _ = self._calls.of(self.stack_id, layer)
        head = index("head", head, range(call.shape[0]))
        if not self.is_own(layer, head):
            return self._replaced[self.stack_id, layer, head]
        try:
            return self._calls.head(self.stack_id, layer, head)
        except HeadError as error:
            raise ValueError(f"model: what {self.name} computed in {error}") from None

    def weights(
        self, layer: int, head: int | None = None, rows: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Return the attention weights of `layer`, (h, n_q, n_k), or of a `head`; float32.

        `rows` selects queries and their order; no array of size n_q · n_k is then made.

        The weights are softmax(Q Kᵀ · scale + bias) over the keys that the model does not mask,
        computed from the captured inputs. The column of a sink is left out, so a row with a sink
        sums to less than 1. If the model masks every key of a query (padding before the text in a
        decoder), the row is zero. For such a row, transformers' eager attention gives equal
        weights, and its sdpa an output of zero.
        """
        call, locked = self._calls.of(self.stack_id, layer)
        if head is None and rows is not None:
            heads = range(call.shape[0])
            return np.stack([self.weights(layer, head, rows) for head in heads])
        if head is None and call.edits:
            return np.stack([self.weights(layer, head) for head in range(call.shape[0])])
        if head is None:
            weights = layer_weights(call, locked)
            for stack_id, edited_layer, edited_head in self._replaced:
                if (stack_id, edited_layer) == (self.stack_id, layer):
                    weights[edited_head] = self.weights(layer, edited_head)
            return weights
        head = index("head", head, range(call.shape[0]))
        if rows is not None and self.is_own(layer, head) and not call.edits:
            part = call.of_head(head).of_queries(rows)
            return layer_weights(part, hidden(part))[0]
        weights = head_weights(self.head(layer, head), self.stack_id in self._calls.sinks)
        return weights if rows is None else weights[rows]

    def maps(self, layer: int) -> NDArray[np.float32]:
        """Return the weights of `layer`, (h, n_q, n_k), including the column of a sink."""
        weights = self.weights(layer)
        if self.stack_id not in self._calls.sinks:
            return weights
        # An all-zero row (padding) stays zero in the column of the sink.
        total = weights.sum(axis=-1, keepdims=True)
        return np.concatenate([weights, np.where(total > 0, 1 - total, 0)], axis=-1)

    def output_norms(self, layer: int, head: int) -> NDArray[np.float32] | None:
        """Return ‖v_j W_O‖ of a head's values, (n_k,); None if W_O or V is not known."""
        call, V = self._calls.of(self.stack_id, layer)[0], self.head(layer, head).V
        if V is None:
            return None
        d_k = None if call.q is None else int(call.q.shape[-1])
        W_o = output_projection(self._model, call.module, call.shape[0], d_k, V.shape[1])
        return None if W_o is None else output_norms(V, W_o[head]).astype(np.float32)

    def replace(self, name: str, value: Any, layer: int, head: int) -> Source:
        """Return the source with other labels, or with an input of a head set.

        The model is not run again. Only the map of this head changes.

        Raises
        ------
        TypeError
            If `value` has a wrong type.
        ValueError
            If `value` does not fit, or a captured model has no input `name`.
        """
        if name in REGROUPINGS:
            return regroup(self, name, value)
        if name in {"tokens", "key_tokens"}:
            known = self.tokens if name == "tokens" else self.key_tokens
            changes: dict[str, Any] = {name: check_labels(name, value, known)}
            labels = replace(self._labels[self.stack_id], **changes)
            return self._with(_labels={**self._labels, self.stack_id: labels})
        inputs = with_input(self.head(layer, head), name, value, self.name)
        new = copy.copy(self)
        new._replaced = {**self._replaced, (self.stack_id, layer, head): inputs}
        return new

    def reset(self) -> ModelSource:
        """Return the source with the model's inputs for every head."""
        before = self._before
        if not self._replaced and (before is None or not before._replaced):
            return self
        return self._with(_replaced={})

    def is_own(self, layer: int, head: int) -> bool:
        """Return whether no input of this head was set by hand."""
        return (self.stack_id, layer, head) not in self._replaced
