"""The position whose logits a target reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnwidget.maths.validate import index

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from attnwidget.capture.inputs import Reading


def position_of(position: Any, model: PreTrainedModel, reading: Reading, count: int) -> int:
    """Return the position, from 0 to `count` - 1; a negative `position` counts from the end.

    None is the mask of a masked language model, and the last token of another model, without
    padding behind it.

    Raises
    ------
    TypeError, ValueError
        If there is no such position, or a masked language model reads no mask or several.
    """
    if position is not None:
        at = index("position", position, range(-count, count))
        return at + count if at < 0 else at
    inputs, is_decoder = reading.inputs, model.config.is_encoder_decoder
    if type(model).__name__.endswith("MaskedLM"):
        return _place_of_mask(reading)
    mask = inputs.get("decoder_attention_mask" if is_decoder else "attention_mask")
    if mask is None or getattr(mask, "ndim", 0) != 2 or mask.shape[1] != count:
        return count - 1
    seen = mask[0].nonzero().flatten()
    return int(seen[-1]) if len(seen) else count - 1


def _place_of_mask(reading: Reading) -> int:
    tokenizer = getattr(reading.tokenizer, "tokenizer", reading.tokenizer)
    number = getattr(tokenizer, "mask_token_id", None)
    ids = reading.inputs.get("input_ids")
    if number is None or ids is None:
        raise ValueError("position: want the position of the token whose logits are read")
    places = (ids[0] == number).nonzero().flatten().tolist()
    if len(places) != 1:
        raise ValueError(
            f"position: the text has {len(places)} tokens {tokenizer.mask_token}, want one, or the "
            "position of a token"
        )
    return int(places[0])
