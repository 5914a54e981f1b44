"""Get the transformers model out of a wrapper: a compiled model, a pipeline, an adapter."""

from __future__ import annotations

from os import PathLike
from typing import Any

# The kinds of PEFT adapters that compute something outside the wrapped model.
_OUTSIDE = {
    "POLY": "chooses its adapters by a task id that only the wrapper takes",
    "XLORA": "mixes its adapters by a pass that only the wrapper makes",
}


def unwrapped(model: Any, tokenizer: Any = None) -> tuple[Any, Any]:
    """Return the transformers model inside `model`, and a tokenizer: `tokenizer`, or the wrapper's.

    A wrapper is removed if the model inside computes the same attention: torch.compile's module,
    DataParallel and DistributedDataParallel, a PEFT model with adapters in the layers (LoRA), a
    SentenceTransformer (which adds a pooling after the attention), a transformers pipeline. Any
    other object is returned unchanged.

    Raises
    ------
    TypeError
        If `model` is the name or the class of a model instead of a loaded model.
    ValueError
        If the model inside the wrapper computes other attention than the wrapper.
    """
    while True:
        if isinstance(model, (str, PathLike)):
            raise TypeError(_how_to_load(str(model)))
        if isinstance(model, type):
            raise TypeError(
                f"model: got the class {model.__name__}, want a loaded model: "
                f'{model.__name__}.from_pretrained("...")'
            )
        inner = _inner(model)
        if inner is None:
            return model, tokenizer
        model, wrapper_tokenizer = inner
        tokenizer = wrapper_tokenizer if tokenizer is None else tokenizer


def _how_to_load(name: str) -> str:
    return (
        f'model: got the name "{name}", want a loaded model: '
        f'model = AutoModel.from_pretrained("{name}"); '
        f'tokenizer = AutoTokenizer.from_pretrained("{name}"); '
        "both are imported from transformers"
    )


def _inner(model: Any) -> tuple[Any, Any] | None:
    """Return the model inside `model`, and the wrapper's tokenizer; None if it is no wrapper."""
    if _is_from(model, "torch._dynamo") and hasattr(model, "_orig_mod"):
        return model._orig_mod, None
    if _is_from(model, "torch.nn.parallel") and hasattr(model, "module"):
        return model.module, None
    if _is_from(model, "torch.distributed.fsdp") and hasattr(model, "module"):
        raise ValueError(
            f"model: {type(model).__name__} keeps a part of each weight on each device, so that "
            "the model inside cannot run alone; want the model with all of its weights"
        )
    if _is_from(model, "peft") and hasattr(model, "peft_config"):
        return _inside_adapters(model), None
    if _is_from(model, "sentence_transformers"):
        return _inside_sentence_transformer(model)
    if _is_from(model, "transformers.pipelines"):
        processor = getattr(model, "processor", None)
        return model.model, getattr(model, "tokenizer", None) or processor
    return None


def _is_from(model: Any, package: str) -> bool:
    """Return whether the class of `model`, or a base class, is defined in `package`."""
    return any(f"{base.__module__}.".startswith(f"{package}.") for base in type(model).__mro__)


def _inside_adapters(model: Any) -> Any:
    """Return the model inside a PEFT model, whose layers have the adapters."""
    active = getattr(model, "active_adapters", None) or list(model.peft_config)
    for name in active:
        config = model.peft_config[name]
        kind = str(getattr(config.peft_type, "value", config.peft_type))
        reason = _OUTSIDE.get(kind)
        if getattr(config, "is_prompt_learning", False):
            reason = "puts tokens of its own before the text"
        elif getattr(config, "is_adaption_prompt", False):
            reason = "adds a second attention, to tokens of its own, in each layer"
        elif getattr(config, "alora_invocation_tokens", None) is not None:
            reason = "starts at a place in the text that only the wrapper finds"
        if reason is not None:
            raise ValueError(
                f"model: {type(model).__name__} has the adapter {name!r} of kind {kind}, which "
                f"{reason}: without it the model computes something else. Want an adapter that "
                "stands inside the layers (LoRA), or model.get_base_model() for the model "
                "without the adapter"
            )
    return model.base_model.model


def _inside_sentence_transformer(model: Any) -> tuple[Any, Any]:
    # `model` is a module of sentence_transformers, or a SentenceTransformer, a list of modules.
    children = getattr(model, "children", list)
    for module in (model, *list(children())[:1]):
        if hasattr(module, "auto_model"):
            return module.auto_model, getattr(module, "tokenizer", None)
    if hasattr(model, "model"):
        return model.model, getattr(model, "tokenizer", None)
    raise ValueError(
        f"model: the first module of {type(model).__name__} holds no transformers model, which "
        "is where attention would be"
    )
