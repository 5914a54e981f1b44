"""Which models and inputs a capture takes. Everything here looks, and changes nothing."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from attnwidget.sources.recognise import looks_like_attention, uses_interface

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

SUPPORTED = (
    "Supported is every transformers model whose attention goes through the AttentionInterface "
    "(BERT, GPT-2, Llama, T5, Whisper, ViT, LLaVA and their kin), or computes a softmax over keys "
    "inside its attention modules (Falcon, BLOOM, GPT-J, DeBERTa and the like)"
)

# Arguments of an attention call that change the weights in ways that aren't known here.
_UNKNOWN = {
    "sinks": "lets attention flow into sinks",
    "indices": "attends to chosen keys only (sparse attention)",
    "block_indices": "attends to chosen blocks only (sparse attention)",
}


def refused(model: PreTrainedModel, reason: str) -> ValueError:
    """Return the error that says why `model` can't be shown, and what can."""
    return ValueError(f"model: {type(model).__name__} {reason}. {SUPPORTED}.")


def check_model(model: PreTrainedModel) -> None:
    """Raise TypeError where `model` is no transformers model, ValueError where it can't be shown.

    ImportError without transformers.
    """
    try:
        from transformers import PreTrainedModel
    except ImportError as error:
        raise ImportError(
            'model: torch and transformers are needed: pip install "attnwidget[models]"'
        ) from error

    if not isinstance(model, PreTrainedModel):
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        raise TypeError(f"model: got {kind}, want a transformers PreTrainedModel. {SUPPORTED}.")
    modules = model.modules()
    if not any(looks_like_attention(one) or uses_interface(type(one)) for one in modules):
        raise refused(model, "has no attention layers")
    # Weights that accelerate keeps elsewhere are meta tensors too, and the model runs.
    if getattr(model, "hf_device_map", None) is None and any(p.is_meta for p in model.parameters()):
        raise ValueError(
            f"model: {type(model).__name__} has parameters on the meta device, which hold no "
            "weights; want it loaded onto a real device"
        )


def forward_parameters(model: PreTrainedModel) -> frozenset[str]:
    """Return the names of what `model` may be called with."""
    if "forward" in model.__dict__:  # accelerate and others wrap it in place
        return frozenset(inspect.signature(model.forward).parameters)
    return _forward_parameters(type(model))


@lru_cache(256)
def _forward_parameters(kind: Any) -> frozenset[str]:
    return frozenset(inspect.signature(kind.forward).parameters)


def check_kwargs(model: PreTrainedModel, module: str, kwargs: Mapping[str, Any]) -> None:
    """Raise ValueError where the attention call of `module` is of no known kind."""
    for name, what in _UNKNOWN.items():
        if kwargs.get(name) is not None:
            raise refused(model, f"{what} in {module}")


def check_shape(name: str, ids: Any) -> None:
    """Raise TypeError where token `ids` are no tensor, ValueError where they are not (b, n)."""
    if not hasattr(ids, "ndim"):
        raise TypeError(f"{name}: got {type(ids).__name__}, want a tensor (batch, tokens)")
    if ids.ndim != 2 or not ids.shape[1]:
        raise ValueError(f"{name}: got shape {tuple(ids.shape)}, want (batch, tokens)")


def check_ids(model: PreTrainedModel, name: str, ids: torch.Tensor) -> None:
    """Raise ValueError where token `ids` (b, n) are not what `model` can read."""
    check_shape(name, ids)
    n, model_name = ids.shape[1], type(model).__name__
    known, highest = _vocabulary(model), int(ids.max())
    if known is not None and highest >= known:
        raise ValueError(
            f"tokenizer: got token id {highest}, want 0..{known - 1}, which is what {model_name} "
            "knows; load the tokenizer that belongs to the model"
        )
    limit = _position_limit(model)
    if limit is not None and n > limit:
        raise ValueError(
            f"text: got {n} tokens, want at most {limit}, which is how many positions "
            f"{model_name} has"
        )


def _vocabulary(model: PreTrainedModel) -> int | None:
    try:
        embedding: Any = model.get_input_embeddings()
        return int(embedding.weight.shape[0])
    except (NotImplementedError, AttributeError):  # CLIP has two
        return getattr(model.config.get_text_config(), "vocab_size", None)


def _position_limit(model: PreTrainedModel) -> int | None:
    config = model.config.get_text_config()
    limit = getattr(config, "max_position_embeddings", None)
    if not isinstance(limit, int) or limit <= 0:
        return None
    for name, module in model.named_modules():
        padding = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and padding is not None:
            # RoBERTa and its kin count positions from padding_idx + 1.
            limit = min(limit, module.num_embeddings - padding - 1)
    return limit
