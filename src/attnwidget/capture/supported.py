"""Check whether a model and its inputs can be captured. The checks change nothing."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from attnwidget.capture.recognise import looks_like_attention, modules_by_name, uses_interface

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

SUPPORTED = (
    "Supported is every transformers model whose attention goes through the AttentionInterface "
    "(BERT, GPT-2, Llama, T5, Whisper, ViT, LLaVA and their kin), or computes a softmax over keys "
    "inside its attention modules (Falcon, BLOOM, GPT-J, DeBERTa and the like)"
)

# Arguments of an attention call that change the weights in a way that is not implemented.
_UNKNOWN = {
    "sinks": "lets attention flow into sinks",
    "indices": "attends to chosen keys only (sparse attention)",
    "block_indices": "attends to chosen blocks only (sparse attention)",
}
# Names of tables of positions (GPT-2's wpe, BERT's position_embeddings, OPT's embed_positions,
# CTRL's pos_encoding), and of the towers beside text, which have tables of their own.
_POSITIONS = re.compile(r"wpe|pos(ition|itional)?(s|_|\b)", re.IGNORECASE)
_TOWER = re.compile(r"vision|visual|image|audio|speech", re.IGNORECASE)
# OPT and BART leave the first two rows unused, RoBERTa those up to its padding id.
_UNUSED_ROWS = 2


def refused(model: PreTrainedModel, reason: str) -> ValueError:
    """Return the error with the `reason` that `model` cannot be shown, and the supported models."""
    return ValueError(f"model: {type(model).__name__} {reason}. {SUPPORTED}.")


def check_model(model: PreTrainedModel) -> None:
    """Raise an error if `model` cannot be captured.

    Raises
    ------
    TypeError
        If `model` is not a transformers model.
    ValueError
        If `model` has no attention, or has no weights because it is on the meta device.
    ImportError
        Without transformers.
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
    modules = modules_by_name(model)
    if not any(looks_like_attention(module) or uses_interface(module) for module in modules):
        raise refused(model, "has no attention layers")
    # Weights that accelerate has offloaded are meta tensors too, but such a model can run.
    is_placed = getattr(model, "hf_device_map", None) is not None
    if not is_placed and _has_meta(modules) and _lacks_weights(model):
        raise ValueError(
            f"model: {type(model).__name__} has parameters on the meta device, which hold no "
            "weights; want it loaded onto a real device"
        )


def forward_parameters(model: PreTrainedModel) -> frozenset[str]:
    """Return the names of the arguments of `model`."""
    if "forward" in model.__dict__:  # accelerate and others replace it on the instance
        return frozenset(inspect.signature(model.forward).parameters)
    kind: Any = type(model)
    return _forward_parameters(kind)


@lru_cache(256)
def _forward_parameters(kind: Any) -> frozenset[str]:
    return frozenset(inspect.signature(kind.forward).parameters)


def _has_meta(modules: Iterable[Any]) -> bool:
    for module in modules:
        for parameter in module._parameters.values():
            if parameter is not None and parameter.is_meta:
                return True
    return False


def _lacks_weights(module: Any, loaded: bool = False) -> bool:
    """Return whether a parameter is on the meta device and no hook of accelerate loads it.

    cpu_offload and disk_offload add such a hook to each module with parameters, or to a module that
    contains them.
    """
    hook = getattr(module, "_hf_hook", None)
    loaded = loaded or any(getattr(h, "offload", False) for h in getattr(hook, "hooks", [hook]))
    if not loaded and any(p.is_meta for p in module.parameters(recurse=False)):
        return True
    return any(_lacks_weights(child, loaded) for child in module.children())


def check_kwargs(model: PreTrainedModel, module: str, kwargs: Mapping[str, Any]) -> None:
    """Raise ValueError if the attention call of `module` has arguments that are not supported."""
    for name, effect in _UNKNOWN.items():
        if kwargs.get(name) is not None:
            raise refused(model, f"{effect} in {module}")


def check_shape(name: str, ids: Any) -> None:
    """Raise TypeError if token `ids` are not a tensor, ValueError if the shape is not (b, n)."""
    if not hasattr(ids, "ndim"):
        raise TypeError(f"{name}: got {type(ids).__name__}, want a tensor (batch, tokens)")
    if ids.ndim != 2 or not ids.shape[1]:
        raise ValueError(f"{name}: got shape {tuple(ids.shape)}, want (batch, tokens)")


def check_ids(model: PreTrainedModel, name: str, ids: torch.Tensor) -> None:
    """Raise an error if `model` cannot read the token `ids` (b, n).

    Raises
    ------
    TypeError
        If the ids are not whole numbers.
    ValueError
        If an id is out of range, or the model has fewer positions than tokens.
    """
    check_shape(name, ids)
    n, model_name = ids.shape[1], type(model).__name__
    known = _vocabulary(model)
    span = "0 and above" if known is None else f"0..{known - 1}"
    kind = str(ids.dtype).removeprefix("torch.")
    if not kind.startswith(("int", "uint")):
        raise TypeError(f"{name}: got {kind}, want token ids: whole numbers, {span}")
    lowest, highest = int(ids.min()), int(ids.max())
    if lowest < 0:
        raise ValueError(
            f"{name}: got token id {lowest}, want {span}, which is what {model_name} knows"
        )
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


def _text_config(model: PreTrainedModel) -> Any:
    """Return the configuration of the part of the model that reads the text."""
    try:
        return model.config.get_text_config()
    except ValueError:  # MusicGen has a text encoder and a sound decoder
        return model.config.get_text_config(encoder=True)


def _vocabulary(model: PreTrainedModel) -> int | None:
    try:
        embedding: Any = model.get_input_embeddings()
        return int(embedding.weight.shape[0])
    except (NotImplementedError, AttributeError):  # CLIP has two
        return getattr(_text_config(model), "vocab_size", None)


def positions(model: PreTrainedModel) -> tuple[int | None, bool]:
    """Return the number of positions of `model`, None if unknown, and whether they are in a table.

    A model with a table fails at positions beyond it. Computed positions (RoPE) have no such limit.
    """
    limit = _position_limit(model)
    if limit is None:
        return None, False
    for name, tensor in itertools.chain(model.named_parameters(), model.named_buffers()):
        named = _POSITIONS.search(".".join(name.split(".")[-2:])) and not _TOWER.search(name)
        if named and tensor.ndim == 2 and 0 <= len(tensor) - limit <= _UNUSED_ROWS:
            return limit, True
    return limit, False


def _position_limit(model: PreTrainedModel) -> int | None:
    config = _text_config(model)
    limit = getattr(config, "max_position_embeddings", None)
    if not isinstance(limit, int) or limit <= 0:
        return None
    for module, name in modules_by_name(model).items():
        if not name.endswith("position_embeddings"):
            continue
        padding = getattr(module, "padding_idx", None)
        if padding is not None:
            # RoBERTa and its kin count positions from padding_idx + 1.
            limit = min(limit, module.weight.shape[0] - padding - 1)
    return limit
