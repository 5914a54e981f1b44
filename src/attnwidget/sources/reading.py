"""A text, or inputs already made, as a model reads them; and their tokens as people do."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnwidget.checks import index
from attnwidget.sources.base import Text
from attnwidget.sources.labels import labels
from attnwidget.sources.patches import frames, image_tokens, patches
from attnwidget.sources.supported import check_ids, check_shape

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Reading:
    """What the model is run on, and the texts in it: "source", and "target" of a decoder."""

    inputs: Mapping[str, Any]
    texts: Mapping[str, Text]


def read_text(model: PreTrainedModel, tokenizer: Any, text: Any) -> Reading:
    """Return the inputs for `text`, or for a pair: two sentences, or a source and its target.

    The target of an encoder-decoder is fed behind the decoder's start token, as in training.
    """
    words = _tokenizer(tokenizer)
    first, second = text if _is_pair(text) else (text, None)
    for part in (first, *([] if second is None else [second])):
        if not isinstance(part, str):
            raise TypeError(f"text: got {type(part).__name__}, want a str or a pair of them")
    if model.main_input_name != "input_ids":
        raise ValueError(
            f"text: {type(model).__name__} reads {model.main_input_name}, not text; want "
            "inputs=, as its processor makes them"
        )
    translates = model.config.is_encoder_decoder
    encoded = _encode(words, first, None if translates else second)
    accepted = inspect.signature(model.forward).parameters
    # A tokenizer may say more (token_type_ids) than its model listens to.
    inputs = {
        name: _row(values)
        for name, values in encoded.items()
        if name in accepted or name == "input_ids"
    }
    texts = {"source": _text(words, encoded, list(encoded["input_ids"]))}
    if translates:
        target, ids = None, [_start(model)]
        if second is not None:
            target = _encode(words, second, None, target=True)
            ids += [i for i in target["input_ids"] if i != words.eos_token_id]
        inputs["decoder_input_ids"] = _row(ids)
        texts["target"] = _text(words, None, ids)
    return _checked(model, inputs, texts)


def read_inputs(
    model: PreTrainedModel, tokenizer: Any, inputs: Any, batch_index: int = 0
) -> Reading:
    """Return `inputs` as they are, a batch of them; without a tokenizer positions name tokens."""
    if not isinstance(inputs, Mapping) or not inputs:
        raise TypeError(
            f"inputs: got {type(inputs).__name__}, want what the model is called with: a mapping "
            "of names to tensors"
        )
    sizes = {len(v) for k, v in inputs.items() if k in _BATCHED and hasattr(v, "shape")}
    if len(sizes) > 1:
        raise ValueError(f"inputs: batches of {sorted(sizes)}, want one size")
    row = index("batch_index", batch_index, range(next(iter(sizes), 1)))
    words = None if tokenizer is None else _tokenizer(tokenizer)
    texts = {}
    for name, key in (("source", "input_ids"), ("target", "decoder_input_ids")):
        if inputs.get(key) is not None:
            check_shape(key, inputs[key])
            texts[name] = _given(model, words, inputs, key, row)
    return _checked(model, dict(inputs), texts)


def read_tokens(
    model: PreTrainedModel, tokenizer: Any, ids: Sequence[int], inputs: Mapping[str, Any]
) -> Text:
    """Return the text of `ids` that a model, given `inputs`, has read and written."""
    words = None if tokenizer is None else _tokenizer(tokenizer)
    return _given(model, words, {**inputs, "ids": [ids]}, "ids", 0)


_BATCHED = {
    "input_ids", "attention_mask", "token_type_ids", "decoder_input_ids", "input_features",
    "input_values", "inputs_embeds",
}  # fmt: skip


def stack_tokens(
    kind: str, n: int, reading: Reading, model: PreTrainedModel
) -> tuple[tuple[str, ...], Text | None]:
    """Return labels for the `n` positions of a stack, and its text where it is one."""
    config: Any = model.config
    if kind in {"self", "encoder", "decoder"}:
        text = reading.texts.get("target" if kind == "decoder" else "source")
        if text is not None and len(text.tokens) == n:
            return text.tokens, text
    inner = getattr(config, "vision_config", config)
    if kind == "vision" or (kind == "self" and "pixel_values" in reading.inputs):
        return patches(n, inner, reading.inputs), None
    if {"input_features", "input_values"} & set(reading.inputs) and kind != "decoder":
        return frames(n), None
    return tuple(str(i) for i in range(n)), None


def _tokenizer(tokenizer: Any) -> PreTrainedTokenizerBase:
    from transformers import PreTrainedTokenizerBase

    # A processor has its tokenizer inside.
    inner = getattr(tokenizer, "tokenizer", tokenizer)
    if not isinstance(inner, PreTrainedTokenizerBase):
        kind = type(tokenizer).__name__
        raise TypeError(f"tokenizer: got {kind}, want a transformers tokenizer or processor")
    return inner


def _is_pair(text: Any) -> bool:
    return isinstance(text, (tuple, list)) and len(text) == 2


def _encode(
    words: PreTrainedTokenizerBase, text: str, pair: str | None, target: bool = False
) -> Any:
    said: dict[str, Any] = {"text_target": text} if target else {"text": text, "text_pair": pair}
    # No tensors yet: without a token they would have no integer type.
    encoded = words(**said, padding=False, truncation=False, verbose=False)
    if not len(encoded["input_ids"]):
        raise ValueError(f"text: got {text!r}, which gives no tokens; want at least one")
    return encoded


def _row(values: Sequence[int]) -> torch.Tensor:
    import torch

    return torch.tensor([list(values)])


def _start(model: PreTrainedModel) -> int:
    for config in (getattr(model, "generation_config", None), model.config):
        for name in ("decoder_start_token_id", "bos_token_id", "pad_token_id"):
            start = getattr(config, name, None)
            if isinstance(start, int):
                return start
    raise ValueError(
        f"model: {type(model).__name__} names no decoder_start_token_id; want it in its config, or "
        "inputs= with decoder_input_ids"
    )


def _text(words: PreTrainedTokenizerBase, encoded: Any, ids: Sequence[int]) -> Text:
    special = _special(words)
    numbers: tuple[int | None, ...] = tuple(None if i in special else -1 for i in ids)
    second = None
    if encoded is not None and getattr(encoded, "is_fast", False):
        numbers, sides = tuple(encoded.word_ids(0)), encoded.sequence_ids(0)
        second = sides.index(1) if 1 in sides else None
        if second is not None:  # Words are counted from 0 in each sentence.
            more = [n if n is None else n + second for n in numbers[second:]]
            numbers = (*numbers[:second], *more)
    return Text(labels(words, ids), tuple(i in special for i in ids), numbers, second)


def _special(words: PreTrainedTokenizerBase) -> set[int]:
    """Return the ids of special tokens; a word that the tokenizer does not know is none of them."""
    known = set(words.all_special_ids)
    # GPT-2's unknown token is the one that ends a text, too.
    used = ("bos_token_id", "eos_token_id", "pad_token_id", "cls_token_id", "sep_token_id")
    if words.unk_token_id not in {getattr(words, name, None) for name in used}:
        known.discard(words.unk_token_id)
    return known


def _given(model: Any, words: Any, inputs: Any, key: str, row: int) -> Text:
    ids = [int(i) for i in inputs[key][row]]
    image = _image_token(model)
    at_image = [i for i, one in enumerate(ids) if one == image] if image is not None else []
    if words is None:
        tokens = [str(i) for i in range(len(ids))]
        special: tuple[bool, ...] = ()
        numbers: tuple[int | None, ...] = ()
    else:
        known = _special(words)
        # An id that the tokenizer lacks, as some have for images, is no reason to stop.
        tokens = list(labels(words, [0 if i in at_image else one for i, one in enumerate(ids)]))
        special = tuple(i in known and i != image for i in ids)
        numbers = tuple(None if i in known or i == image else -1 for i in ids)
    if at_image:
        config = getattr(model.config, "vision_config", model.config)
        names = image_tokens(len(at_image), config, inputs)
        for at, name in zip(at_image, names, strict=True):
            tokens[at] = f"image {name}"
    return Text(tuple(tokens), special, numbers)


def _image_token(model: Any) -> int | None:
    for name in ("image_token_id", "image_token_index"):
        token = getattr(model.config, name, None)
        if isinstance(token, int):
            return token
    return None


def _checked(model: PreTrainedModel, inputs: Mapping[str, Any], texts: Any) -> Reading:
    for name in ("input_ids", "decoder_input_ids"):
        if inputs.get(name) is not None:
            check_ids(model, name, inputs[name])
    return Reading(inputs, texts)
