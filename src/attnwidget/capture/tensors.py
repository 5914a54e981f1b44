"""Turn the user's `inputs` (arrays, lists, tensors) into the tensors that a model takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnwidget.maths.validate import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

# Inputs with a whole number for each token, (batch, tokens).
IDS = ("input_ids", "decoder_input_ids")
_OF_TOKENS = (
    *IDS, "attention_mask", "decoder_attention_mask", "token_type_ids", "position_ids",
    "global_attention_mask",
)  # fmt: skip
# Tuples and caches of a model, which are not lists of numbers.
_MODEL_S_OWN = ("past_key_values", "encoder_outputs")


def as_inputs(model: PreTrainedModel, inputs: Any) -> dict[str, Any]:
    """Return `inputs` as a dict of arguments for `model`.

    NumPy arrays and lists of numbers become tensors: whole numbers with 64 bits, other numbers with
    the dtype of the model's weights. Ids without a mapping become "input_ids". The ids of a single
    text, (n,), and inputs such as its attention mask become a batch, (1, n). All other tensors stay
    unchanged.

    Raises
    ------
    TypeError
        If `inputs` is neither a mapping nor ids, or is chat messages.
    ValueError
        If rows have different lengths.
    """
    refuse_messages("inputs", inputs)
    if isinstance(inputs, list) or (_is_array(inputs) and inputs.ndim):
        inputs = _bare(model, inputs)
    if not isinstance(inputs, Mapping) or not inputs:
        raise TypeError(
            f"inputs: got {type(inputs).__name__}, want what the model is called with: a mapping "
            "of names to tensors"
        )
    tensors = {name: _as_tensor(model, name, value) for name, value in inputs.items()}
    for name in _OF_TOKENS:
        if _is_tensor(tensors.get(name)) and tensors[name].ndim == 1:
            tensors[name] = tensors[name][None]
    return tensors


def refuse_messages(argument: str, value: Any) -> None:
    """Raise TypeError for the messages of a chat; the error tells how to make ids from them."""
    messages = value if isinstance(value, (list, tuple)) else [value]
    if messages and all(isinstance(m, Mapping) and "role" in m for m in messages):
        raise TypeError(
            f"{argument}: got chat messages, want them as the model reads them: "
            "inputs=tokenizer.apply_chat_template(messages, return_dict=True, "
            'return_tensors="pt")'
        )


def _bare(model: PreTrainedModel, ids: Any) -> dict[str, Any]:
    """Return ids without a name as "input_ids"."""
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
        # Convert other whole numbers, because embeddings accept only 32 and 64 bits.
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
        tensor = torch.from_numpy(array.astype(np.float32))
        return tensor.to(model.dtype) if model.dtype.is_floating_point else tensor
    if name in _OF_TOKENS:
        raise TypeError(f"{name}: got {array.dtype} in a {type(value).__name__}, want numbers")
    return value


def _array(name: str, value: Any) -> NDArray | None:
    """Return `value` as an array; None if it is not an array, for example images of other sizes."""
    if isinstance(value, list):
        # Convert tensors first, because NumPy would read their numbers singly.
        value = [plain(name, part) if _is_tensor(part) else part for part in value]
    try:
        return plain(name, value)
    except (TypeError, ValueError):
        if name not in _OF_TOKENS:
            return None
        raise ValueError(
            f"{name}: got rows of different lengths, want rows of equal length; a tokenizer pads "
            'them: tokenizer(texts, padding=True, return_tensors="pt")'
        ) from None


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or _is_tensor(value)


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)
