"""A Hugging Face model as a source of attention: one text, run once, every layer and head."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.attention import scores, softmax
from attnwidget.checks import floats, index, number
from attnwidget.sources.base import HeadInputs, Layer
from attnwidget.sources.capture import Call, hidden, layer_numbers, run
from attnwidget.sources.labels import labels
from attnwidget.sources.supported import check_inputs, check_model
from attnwidget.sources.text import as_tokens

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["ModelSource"]


class ModelSource:
    """What a model's self-attention was given while it read one text.

    `tokens` are the n tokens, `layers` the attention layers by the model's own numbers, `name`
    the model's class. The captured tensors stay where the model computed them and are turned
    into NumPy when they are asked for. Never changed in place: `replace` returns what follows.
    """

    def __init__(self, name: str, tokens: Sequence[str], calls: Sequence[Call]) -> None:
        masked = zip(calls, hidden(name, calls), strict=True)
        numbered = sorted(zip(layer_numbers(calls), masked, strict=True), key=lambda one: one[0])
        self.name = name
        self.tokens = tuple(tokens)
        self.key_tokens = None
        self.layers = tuple(
            Layer(number, call.module, "self", call.q.shape[1], call.k.shape[1])
            for number, (call, _) in numbered
        )
        self._calls = dict(numbered)
        self._replaced: dict[tuple[int, int], HeadInputs] = {}

    @classmethod
    def capture(
        cls, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str
    ) -> ModelSource:
        """Run `model` once on `text` and keep the inputs of every attention layer.

        The pass runs in evaluation and inference mode on the model's device, under transformers'
        sdpa attention; the model is left exactly as it was found, after an error too. Special
        tokens are the tokenizer's own, nothing is cut off.

        Raises TypeError for a wrong type and ValueError where the model is not supported, the
        tokenizer is another model's, or the text is empty or longer than the model's positions.
        """
        check_model(model)
        return _read(model, *_encode(model, tokenizer, text))

    @property
    def subtitle(self) -> str:
        """The model and its sizes, for the widget's head line."""
        n, layers, h = len(self.tokens), len(self.layers), self.layers[0].n_heads
        return (
            f"{self.name} · {n} token{'s' * (n != 1)} · {layers} layer{'s' * (layers != 1)} × "
            f"{h} head{'s' * (h != 1)}"
        )

    def head(self, layer: int, head: int) -> HeadInputs:
        """Return what one head computed with: Q, K (n, d_k), V (n, d_v), float32, read-only.

        Q and K are as the model compared them, after any rotation; K and V are those of the
        head's group under grouped queries. `locked` is what the model itself masks: the future,
        padding, tokens beyond a sliding window. Raises ValueError for an unknown layer or head.
        """
        call, locked = self._call(layer)
        n_heads, n_kv_heads = call.q.shape[1], call.k.shape[1]
        head = index("head", head, range(n_heads))
        if (layer, head) in self._replaced:
            return self._replaced[layer, head]
        group = head * n_kv_heads // n_heads
        return HeadInputs(
            Q=_numpy(call.q[0, head]),
            K=_numpy(call.k[0, group]),
            V=_numpy(call.v[0, group]),
            scale=call.scale,
            locked=locked if locked is None or locked.ndim == 2 else locked[head],
        )

    def weights(self, layer: int, head: int | None = None) -> NDArray[np.float32]:
        """Return the attention weights of `layer`, (h, n, n), or of one `head`, (n, n); float32.

        They are softmax(Q Kᵀ · scale) over the keys that the model leaves, computed from the
        captured inputs. A query whose every key is masked by the model, as padding before the
        text in a decoder, has a row of zeros (transformers' eager attention gives such a row
        equal weights, its sdpa an output of zero).
        """
        if head is not None:
            one = self.head(layer, head)
            assert one.Q is not None
            assert one.K is not None
            s = scores(one.Q, one.K, scale=one.scale)
            return softmax(s, one.locked, out=s, temperature=one.temperature).astype(
                np.float32, copy=False
            )
        call, locked = self._call(layer)
        q, k = _numpy(call.q[0]), _numpy(call.k[0])
        (h, n, d_k), n_kv_heads = q.shape, k.shape[0]
        groups = q.reshape(n_kv_heads, h // n_kv_heads, n, d_k)
        s = scores(groups, k[:, None], scale=call.scale).reshape(h, n, n)
        weights: NDArray[np.float32] = softmax(s, locked, out=s)
        for where, other in self._replaced:
            if where == layer:
                weights[other] = self.weights(layer, other)
        return weights

    def check(self, name: str, value: Any, layer: int, head: int) -> Any:
        """Return `value` as `replace` would store it: labels, or an input of one head.

        Raises
            TypeError: if it is of the wrong type.
            ValueError: if its shape or values don't fit, or a captured model has no such input.
        """
        if name == "tokens":
            tokens, n = as_tokens(value), len(self.tokens)
            if len(tokens) != n:
                raise ValueError(f"tokens: got {len(tokens)}, want {n}: a label for each token")
            return tokens
        shown = self.head(layer, head)
        if name in {"scale", "temperature"}:
            return number(name, value, at_least=0 if name == "temperature" else -np.inf)
        if name not in {"Q", "K", "V"}:
            raise ValueError(
                f"{name}: a captured model doesn't give it; want tokens (labels), or Q, K, V, "
                "scale, temperature of the head shown"
            )
        n, width = getattr(shown, name).shape
        return floats(name, value, (n, None if name == "V" else width))

    def replace(self, name: str, value: Any, layer: int, head: int) -> ModelSource:
        """Return the source with other labels, or with an input of one head set.

        The model is not run again: nothing but this head's map follows.
        """
        value = self.check(name, value, layer, head)
        new = copy.copy(self)
        if name == "tokens":
            new.tokens = value
        else:
            changed = replace(self.head(layer, head), **{name: value})
            new._replaced = {**self._replaced, (layer, head): changed}
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
        return (layer, head) not in self._replaced

    def _call(self, layer: int) -> tuple[Call, NDArray[np.bool_] | None]:
        return self._calls[index("layer", layer, self._calls)]


def _capture_inputs(
    model: PreTrainedModel, inputs: Mapping[str, torch.Tensor], tokens: Sequence[str]
) -> ModelSource:
    """Capture from inputs already made: ``input_ids`` (1, n), ``attention_mask`` (1, n), ..."""
    check_model(model)
    return _read(model, inputs, tokens)


def _read(
    model: PreTrainedModel, inputs: Mapping[str, torch.Tensor], tokens: Sequence[str]
) -> ModelSource:
    check_inputs(model, inputs["input_ids"])
    return ModelSource(type(model).__name__, tokens, run(model, inputs))


def _encode(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    import torch
    from transformers import PreTrainedTokenizerBase

    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        kind = type(tokenizer).__name__
        raise TypeError(f"tokenizer: got {kind}, want a transformers tokenizer")
    if not isinstance(text, str):
        raise TypeError(f"text: got {type(text).__name__}, want a str")
    # No tensors yet: without a token they would have no integer type.
    encoded = tokenizer(text, padding=False, truncation=False, verbose=False)
    ids = list(encoded["input_ids"])
    if not ids:
        raise ValueError(f"text: got {text!r}, which gives no tokens; want at least one")
    # A tokenizer may say more (token_type_ids) than its model listens to.
    accepted = inspect.signature(model.forward).parameters
    inputs = {
        name: torch.tensor([list(values)])
        for name, values in encoded.items()
        if name in accepted or name == "input_ids"
    }
    return inputs, labels(tokenizer, ids)


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    import torch

    array: NDArray[np.float32] = tensor.to("cpu", torch.float32).contiguous().numpy()
    array.setflags(write=False)
    return array
