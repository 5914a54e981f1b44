"""Make the `Text` of token ids with a tokenizer, and label the tokens of images in a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnwidget.capture.image_tokens import image_places, image_token
from attnwidget.sources.api import Text
from attnwidget.sources.labels import labels

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encoded_text(words: PreTrainedTokenizerBase, encoded: Any, ids: Sequence[int]) -> Text:
    """Return the text of `ids`; `encoded` is the tokenizer's output, None if unknown."""
    special = _special(words)
    numbers: tuple[int | None, ...] = tuple(None if i in special else -1 for i in ids)
    second = None
    if encoded is not None and getattr(encoded, "is_fast", False):
        numbers, sides = tuple(encoded.word_ids(0)), encoded.sequence_ids(0)
        second = sides.index(1) if 1 in sides else None
        if second is not None:  # the tokenizer counts words from 0 in each sentence
            more = [n if n is None else n + second for n in numbers[second:]]
            numbers = (*numbers[:second], *more)
    return Text(labels(words, ids), tuple(i in special for i in ids), numbers, second)


def given_text(
    model: Any,
    words: PreTrainedTokenizerBase | None,
    inputs: Mapping[str, Any],
    batch: Sequence[Sequence[int]],
    row: int,
) -> Text:
    """Return text `row` of a `batch` of ids that `model` reads together with other `inputs`.

    Without a tokenizer, the label of a position is its number. A position of an image has a label
    with the place in the image.
    """
    rows = [ids.tolist() if hasattr(ids, "tolist") else list(ids) for ids in batch[: row + 1]]
    ids, image = rows[row], image_token(model)
    places = image_places(model, inputs, rows)
    if words is None:
        tokens = [str(i) for i in range(len(ids))]
        special: tuple[bool, ...] = ()
        numbers: tuple[int | None, ...] = ()
    else:
        known = _special(words)
        # An id that the tokenizer lacks, as some have for images, is no reason to stop.
        tokens = list(labels(words, [0 if i in places else id_ for i, id_ in enumerate(ids)]))
        special = tuple(i in known and i != image for i in ids)
        numbers = tuple(None if id_ in known or i in places else -1 for i, id_ in enumerate(ids))
    for place, name in places.items():
        tokens[place] = name
    return Text(tuple(tokens), special, numbers)


def decoder_ids(model: Any, inputs: Mapping[str, Any]) -> Any:
    """Return the ids that the decoder reads, (batch, n), or None.

    They are given in `inputs`, or the model makes them from `labels` in `inputs`.
    """
    ids, targets = inputs.get("decoder_input_ids"), inputs.get("labels")
    prepare = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    if ids is None and prepare is not None and getattr(targets, "ndim", 0) == 2:
        return prepare(labels=targets)
    return ids


def _special(words: PreTrainedTokenizerBase) -> set[int]:
    """Return the ids of special tokens, without the id of unknown words."""
    known = set(words.all_special_ids)
    # Keep the id of unknown words if it has another use: GPT-2's also ends a text.
    used = ("bos_token_id", "eos_token_id", "pad_token_id", "cls_token_id", "sep_token_id")
    if words.unk_token_id not in {getattr(words, name, None) for name in used}:
        known.discard(words.unk_token_id)
    return known
