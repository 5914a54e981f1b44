"""What a model is called with, turned into tensors, whatever it came as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.validate import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

# One entry a token: whole numbers, (batch, tokens).
IDS = ("input_ids", "decoder_input_ids")
_OF_TOKENS = (
    *IDS, "attention_mask", "decoder_attention_mask", "token_type_ids", "position_ids",
    "global_attention_mask",
)  # fmt: skip
# Tuples and caches of a model's own; they are no lists of numbers.
_MODEL_S_OWN = ("past_key_values", "encoder_outputs")


def as_inputs(model: PreTrainedModel, inputs: Any) -> dict[str, Any]:
    """Return `inputs` as a dict of what `model` is called with.

    NumPy arrays and lists of numbers become tensors: whole numbers of 64 bits, other numbers of
    the type of the model's weights. Ids without a mapping around them are "input_ids". Ids of one
    text, (n,), become a batch of one, (1, n), and so does what stands beside them, such as the
    attention mask. Tensors are otherwise handed on as they are.

    Raises
        TypeError: for what is neither a mapping nor ids, and for chat messages.
        ValueError: for rows of different lengths.
    """
    refuse_messages("inputs", inputs)
    if isinstance(inputs, list) or (_is_array(inputs) and inputs.ndim):
        inputs = _bare(model, inputs)
    if not isinstance(inputs, Mapping) or not inputs:
        raise TypeError(
            f"inputs: got {type(inputs).__name__}, want what the model is called with: a mapping "
            "of names to tensors"
        )
    made = {name: _as_tensor(model, name, value) for name, value in inputs.items()}
    for name in _OF_TOKENS:
        if _is_tensor(made.get(name)) and made[name].ndim == 1:
            made[name] = made[name][None]
    return made


def refuse_messages(argument: str, value: Any) -> None:
    """Raise TypeError where `value` is the messages of a chat, and say what makes ids of them."""
    messages = value if isinstance(value, (list, tuple)) else [value]
    if messages and all(isinstance(m, Mapping) and "role" in m for m in messages):
        raise TypeError(
            f"{argument}: got chat messages, want them as the model reads them: "
            "inputs=tokenizer.apply_chat_template(messages, return_dict=True, "
            'return_tensors="pt")'
        )


def _bare(model: PreTrainedModel, ids: Any) -> dict[str, Any]:
    """Return ids that came without a name as the input of that name."""
    if not len(ids):
        raise TypeError(f"inputs: got an empty {type(ids).__name__}, want at least one token id")
    if model.main_input_name != "input_ids":
        raise TypeError(
            f"inputs: got {type(ids).__name__}, want a mapping, because {type(model).__name__} "
            f'reads no token ids: inputs={{"{model.main_input_name}": ...}}'
        )
    return {"input_ids": ids}


def _as_tensor(model: PreTrainedModel, name: str, value: Any) -> Any:
    import torch

    if _is_tensor(value):
        # Embeddings take whole numbers of 32 and 64 bits only.
        whole = not (value.is_floating_point() or value.is_complex() or value.dtype == torch.bool)
        wide = value.dtype in {torch.int32, torch.int64}
        return value.long() if name in IDS and whole and not wide else value
    if not isinstance(value, (list, np.ndarray)) or name in _MODEL_S_OWN:
        return value
    array = _array(name, value)
    if array is None:
        return value
    if array.dtype.kind in "iu":
        return torch.from_numpy(array.astype(np.int64))
    if array.dtype.kind == "b":
        return torch.from_numpy(array.copy())
    if array.dtype.kind == "f":
        made = torch.from_numpy(array.astype(np.float32))
        return made.to(model.dtype) if model.dtype.is_floating_point else made
    if name in _OF_TOKENS:
        raise TypeError(f"{name}: got {array.dtype} in a {type(value).__name__}, want numbers")
    return value


def _array(name: str, value: Any) -> NDArray | None:
    """Return `value` as an array; None where it is none, as images of several sizes are."""
    if isinstance(value, list):
        # NumPy would ask a tensor for its numbers one by one.
        value = [plain(name, part) if _is_tensor(part) else part for part in value]
    try:
        return plain(name, value)
    except (TypeError, ValueError):
        if name not in _OF_TOKENS:
            return None
        raise ValueError(
            f"{name}: its rows have different lengths, want rows of one length; a tokenizer pads "
            'them: tokenizer(texts, padding=True, return_tensors="pt")'
        ) from None


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or _is_tensor(value)


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)
