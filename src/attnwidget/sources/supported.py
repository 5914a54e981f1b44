"""Which models and texts a capture takes. Everything here looks, and changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

__all__ = ["SUPPORTED", "check_inputs", "check_kwargs", "check_model"]

SUPPORTED = (
    "Supported are text encoders and decoders whose self-attention is a plain scaled dot product "
    "behind transformers' AttentionInterface: BERT, RoBERTa, DistilBERT, ELECTRA, ALBERT, "
    "ModernBERT, GPT-2, GPT-NeoX, OPT, Llama, Mistral, Qwen2, Qwen3, Gemma, Phi3 and their kin."
)

# Arguments of an attention call that change the weights beyond scale, mask and softmax.
_BEYOND_PLAIN = {
    "softcap": "caps its attention scores (softcap)",
    "s_aux": "lets attention flow into sinks (s_aux)",
    "sinks": "lets attention flow into sinks",
    "position_bias": "adds a position bias to its attention scores",
    "indices": "attends to chosen keys only (sparse attention)",
    "block_indices": "attends to chosen blocks only (sparse attention)",
}


def check_model(model: PreTrainedModel) -> None:
    """Raise TypeError where `model` is no transformers model, ValueError where it is another kind.

    The ValueError says what the model is and what is supported. ImportError without transformers.
    """
    try:
        from transformers import PreTrainedModel
    except ImportError as error:
        raise ImportError(
            'model: torch and transformers are needed: pip install "attnwidget[models]"'
        ) from error

    if not isinstance(model, PreTrainedModel):
        raise TypeError(
            f"model: got {_kind(model)}, want a transformers PreTrainedModel. {SUPPORTED}"
        )
    reason = _unsupported(model)
    if reason is not None:
        raise ValueError(f"model: {type(model).__name__} {reason}. {SUPPORTED}")
    # Weights that accelerate keeps elsewhere are meta tensors too, and the model runs.
    if getattr(model, "hf_device_map", None) is None and any(p.is_meta for p in model.parameters()):
        raise ValueError(
            f"model: {type(model).__name__} has parameters on the meta device, which hold no "
            "weights; want it loaded onto a real device"
        )


def check_kwargs(model: PreTrainedModel, module: str, kwargs: Mapping[str, Any]) -> None:
    """Raise ValueError where the attention call of `module` is not plain scaled dot product."""
    for name, what in _BEYOND_PLAIN.items():
        if kwargs.get(name) is not None:
            raise ValueError(f"model: {type(model).__name__} {what} in {module}. {SUPPORTED}")


def check_inputs(model: PreTrainedModel, input_ids: torch.Tensor) -> None:
    """Raise ValueError where `input_ids` (1, n) is not one text that `model` can read."""
    if input_ids.ndim != 2 or input_ids.shape[0] != 1:
        raise ValueError(f"input_ids: got shape {tuple(input_ids.shape)}, want (1, n)")
    n, name = input_ids.shape[1], type(model).__name__
    embedding: Any = model.get_input_embeddings()
    known = embedding.weight.shape[0]
    highest = int(input_ids.max())
    if highest >= known:
        raise ValueError(
            f"tokenizer: got token id {highest}, want 0..{known - 1}, which is what {name} knows; "
            "load the tokenizer that belongs to the model"
        )
    limit = _position_limit(model)
    if limit is not None and n > limit:
        raise ValueError(
            f"text: got {n} tokens, want at most {limit}, which is how many positions {name} has"
        )


def _unsupported(model: PreTrainedModel) -> str | None:
    config = model.config
    if getattr(config, "is_encoder_decoder", False):
        return "is an encoder-decoder"
    if model.main_input_name != "input_ids":
        return f"reads {model.main_input_name}, not text"
    if config.get_text_config() is not config:
        return "joins text with images or audio"
    attention = [m for m in model.modules() if "attention" in type(m).__name__.lower()]
    if not attention:
        return "has no attention layers"
    if not any(_uses_interface(type(module)) for module in attention):
        return "computes attention outside transformers' AttentionInterface"
    if getattr(config, "attn_logit_softcapping", None) is not None:
        return _BEYOND_PLAIN["softcap"]
    # Named by transformers' modelling files: GPT-OSS and T5.
    if any(getattr(module, "sinks", None) is not None for module in attention):
        return _BEYOND_PLAIN["sinks"]
    if any(getattr(module, "relative_attention_bias", None) is not None for module in attention):
        return _BEYOND_PLAIN["position_bias"]
    return None


def _uses_interface(kind: type) -> bool:
    """Whether the file that defines this class, or one it inherits from, imports the interface."""
    from transformers import AttentionInterface

    files = (sys.modules.get(base.__module__) for base in kind.__mro__)
    return any(
        isinstance(getattr(file, "ALL_ATTENTION_FUNCTIONS", None), AttentionInterface)
        for file in files
    )


def _position_limit(model: PreTrainedModel) -> int | None:
    limit = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(limit, int) or limit <= 0:
        return None
    for name, module in model.named_modules():
        padding = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and padding is not None:
            # RoBERTa and its kin count positions from padding_idx + 1.
            limit = min(limit, module.num_embeddings - padding - 1)
    return limit


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
