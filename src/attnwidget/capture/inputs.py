"""Turn a text, or the user's `inputs`, into the inputs of a model, and into readable tokens."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from attnwidget.capture.rows import batch_size, of_codebooks, own_images
from attnwidget.capture.supported import check_ids, forward_parameters
from attnwidget.capture.tensors import IDS, as_inputs, refuse_messages
from attnwidget.capture.token_labels import decoder_ids, encoded_text, given_text
from attnwidget.maths.validate import index
from attnwidget.sources.api import Text

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Reading:
    """The inputs that the model is run on, and their texts: "source", and a decoder's "target".

    `own` has the part that belongs to the text of inputs that the whole batch shares, and `row` is
    the number of the text in the batch. `tokenizer` and `tokenize`, the options of its call, are
    kept to read another text in the same way. `given` is the text, or the pair of texts, that was
    read; None for other inputs.
    """

    inputs: Mapping[str, Any]
    texts: Mapping[str, Text]
    own: Mapping[str, Any] = field(default_factory=dict)
    row: int = 0
    tokenizer: Any = None
    tokenize: Mapping[str, Any] | None = None
    given: str | tuple[str, str] | None = None


def read(
    model: PreTrainedModel,
    tokenizer: Any,
    text: Any,
    inputs: Any,
    batch_index: int = 0,
    tokenize: Mapping[str, Any] | None = None,
) -> Reading:
    """Return the reading of `text` or of `inputs`; see `read_text` and `read_inputs`.

    Raises
    ------
    TypeError
        If both or neither of `text` and `inputs` are given, or an argument has a wrong type.
    ValueError
        If the model cannot read the text or the inputs.
    """
    if isinstance(tokenizer, str):
        _tokenizer(tokenizer)  # raises an error with a hint on the place of a text
    if (text is None) == (inputs is None):
        raise TypeError("text: want either a text or inputs=, and not both")
    if inputs is None:
        index("batch_index", batch_index, range(1))
        reading = read_text(model, tokenizer, text, tokenize)
        return replace(reading, tokenizer=tokenizer, tokenize=tokenize, given=text)
    if tokenize is not None:
        raise TypeError("tokenize: inputs= have gone through a tokenizer; want it with a text")
    reading = read_inputs(model, tokenizer, inputs, batch_index)
    return replace(reading, tokenizer=tokenizer)


def read_text(
    model: PreTrainedModel,
    tokenizer: Any,
    text: Any,
    tokenize: Mapping[str, Any] | None = None,
) -> Reading:
    """Return the reading of a text, or of a pair: two sentences, or a source and its target.

    The target of an encoder-decoder comes after the decoder's start token, as in training.
    `tokenize` has options for the call of the tokenizer.
    """
    words = _tokenizer(tokenizer)
    options = _options(words, tokenize)
    first, second = _parts(text)
    if model.main_input_name != "input_ids":
        raise ValueError(
            f"text: {type(model).__name__} reads {model.main_input_name}, not text; want "
            "inputs=, as its processor makes them"
        )
    has_decoder = model.config.is_encoder_decoder
    encoded = _encode(words, first, None if has_decoder else second, options)
    accepted = forward_parameters(model)
    # A tokenizer may return more (token_type_ids) than the model accepts.
    inputs = {
        name: _row(values)
        for name, values in encoded.items()
        if name in accepted or name == "input_ids"
    }
    texts = {"source": encoded_text(words, encoded, list(encoded["input_ids"]))}
    if has_decoder:
        target, ids = None, [_start(model)]
        if second is not None:
            # Do not pad the target, because the decoder gets no mask for padding.
            target = _encode(words, second, None, {**options, "padding": False}, target=True)
            ids += [i for i in target["input_ids"] if i != words.eos_token_id]
        inputs["decoder_input_ids"] = _row(ids)
        texts["target"] = encoded_text(words, None, ids)
    _check_ids(model, inputs)
    return Reading(inputs, texts)


def read_inputs(
    model: PreTrainedModel, tokenizer: Any, inputs: Any, batch_index: int = 0
) -> Reading:
    """Return the reading of `inputs`, a batch. Without a tokenizer, tokens are numbered."""
    inputs = as_inputs(model, inputs)
    if inputs.get("past_key_values") is not None:
        raise ValueError(
            "inputs: got past_key_values, want the whole text in input_ids, because the keys of a "
            "cache have no tokens here, and the pass would change the cache"
        )
    _check_ids(model, inputs)
    sizes = {len(v) for k, v in inputs.items() if k in _BATCHED and hasattr(v, "shape")}
    if len(sizes - {1}) > 1:  # one row may serve all
        raise ValueError(f"inputs: batches of {sorted(sizes)}, want one size")
    batch = batch_size(model, inputs)
    row = index("batch_index", batch_index, range(batch))
    words = None if tokenizer is None else _tokenizer(tokenizer)
    texts = {}
    ids_by_name = {"source": inputs.get("input_ids"), "target": decoder_ids(model, inputs)}
    for name, ids in ids_by_name.items():
        if ids is None or of_codebooks(model, name):  # codebooks have no words
            continue
        if len(ids) == 1:  # a single text beside several images
            texts[name] = given_text(model, words, inputs, ids, 0)
        elif len(ids) % batch == 0:  # the first of several texts of an entry is shown
            texts[name] = given_text(model, words, inputs, ids, row * (len(ids) // batch))
        elif row < len(ids):
            texts[name] = given_text(model, words, inputs, ids, row)
    return Reading(inputs, texts, own_images(model, inputs, row), row)


def read_tokens(
    model: PreTrainedModel, tokenizer: Any, batch: Any, row: int, inputs: Mapping[str, Any]
) -> Text:
    """Return text `row` of a `batch` of ids (b, n) that a model has generated from `inputs`."""
    words = None if tokenizer is None else _tokenizer(tokenizer)
    return given_text(model, words, inputs, batch, row)


_BATCHED = {
    "input_ids", "attention_mask", "token_type_ids", "input_features",
    "input_values", "inputs_embeds",
}  # fmt: skip


def _tokenizer(tokenizer: Any) -> PreTrainedTokenizerBase:
    from transformers import PreTrainedTokenizerBase

    # A processor has a tokenizer as an attribute.
    inner = getattr(tokenizer, "tokenizer", tokenizer)
    if not isinstance(inner, PreTrainedTokenizerBase):
        kind = type(tokenizer).__name__
        hint = ""
        if isinstance(tokenizer, str):
            hint = ': AutoTokenizer.from_pretrained("..."); the text comes after it, or as text='
        raise TypeError(f"tokenizer: got {kind}, want a transformers tokenizer or processor{hint}")
    return inner


def _parts(text: Any) -> tuple[str, str | None]:
    """Return a text and None, or the two texts of a pair, which is a tuple."""
    refuse_messages("text", text)
    name = type(text).__name__
    if isinstance(text, list) or (isinstance(text, tuple) and len(text) != 2):
        raise TypeError(
            f"text: got {name}, want a str, or a pair as a tuple of two. Of several texts, open "
            "each in a widget of its own, or read all of them as one padded batch: "
            'inputs=tokenizer(texts, padding=True, return_tensors="pt") with batch_index='
        )
    if isinstance(text, Mapping) or hasattr(text, "shape"):
        raise TypeError(
            f"text: got {name}, want a str or a pair of them; what a tokenizer has made of a text "
            "goes in as inputs="
        )
    first, second = text if isinstance(text, tuple) else (text, None)
    for part in (first, *([] if second is None else [second])):
        if not isinstance(part, str):
            raise TypeError(f"text: got {type(part).__name__}, want a str or a pair of them")
    return first, second


# Options of a tokenizer's call that are refused, because the result would not be a row of ids.
_OF_RESULT = {
    "return_tensors": "the ids are made into tensors here",
    "return_overflowing_tokens": "one text is shown, not the pieces of it",
    "is_split_into_words": "text= is a str",
    "text": "it is text=",
    "text_pair": "the second text of a pair goes into text=, as a tuple",
    "text_target": "the target goes into text=, as the second of a tuple",
    "text_pair_target": "a target is one text",
}


def _options(words: PreTrainedTokenizerBase, tokenize: Any) -> dict[str, Any]:
    """Return the checked options for the calls of the tokenizer `words`."""
    if tokenize is None:
        return {"padding": False, "truncation": False, "verbose": False}
    if not isinstance(tokenize, Mapping):
        raise TypeError(
            f"tokenize: got {type(tokenize).__name__}, want options of the tokenizer as a "
            'mapping, {"truncation": True, "max_length": 128}'
        )
    known: dict[str, None] = {}
    for function in (type(words).__call__, type(words)._encode_plus):
        parameters = inspect.signature(function).parameters.values()
        known |= {p.name: None for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    del known["self"]
    for name in tokenize:
        if name in _OF_RESULT:
            raise ValueError(f"tokenize: got {name!r}, which has no place here: {_OF_RESULT[name]}")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"tokenize: got {name!r}, want an option of {type(words).__name__}{hint}"
            )
    # By the tokenizer's rule, a max_length truncates the text unless truncation is given too.
    return {"padding": False, "verbose": False, **tokenize}


def _encode(
    words: PreTrainedTokenizerBase,
    text: str,
    pair: str | None,
    options: Mapping[str, Any],
    target: bool = False,
) -> Any:
    texts: dict[str, Any] = {"text_target": text} if target else {"text": text, "text_pair": pair}
    # Ask for lists, because tensors without a token would not have an integer dtype.
    try:
        encoded = words(**texts, **options)
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise ValueError(f"text: the tokenizer can't read it under {options}: {error}") from error
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


def _check_ids(model: PreTrainedModel, inputs: Mapping[str, Any]) -> None:
    for name in IDS:
        if inputs.get(name) is not None:
            check_ids(model, name, inputs[name])
