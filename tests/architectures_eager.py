"""What transformers itself says the attention of a model is: eager weights, by stack and layer.

A fresh copy of the model is built with eager attention, and forward hooks keep what its attention
modules return. Modules are told by their qualified names. The model that is asked about is
only read, whatever was done to it before.
"""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

Weights = dict[tuple[str, int], np.ndarray]

# Where attention is, as (stack, pattern of qualified module names) by the class of the model. The
# layer is the number in parentheses or, where there is none, counted in the order of calls.
_BERT = r"encoder\.layer\.(\d+)\.attention\.self"
_GPT = r"transformer\.h\.(\d+)\."
_SIDES = {
    "encoder": r"encoder\.layers\.(\d+)\.self_attn",
    "decoder": r"decoder\.layers\.(\d+)\.self_attn",
    "cross": r"decoder\.layers\.(\d+)\.encoder_attn",
}
PLACES: dict[str, dict[str, str]] = {
    "Bert": {"self": _BERT},
    "DistilBert": {"self": r"transformer\.layer\.(\d+)\.attention"},
    "Roberta": {"self": _BERT},
    "Electra": {"self": _BERT},
    "Albert": {"self": r"encoder\.albert_layer_groups\.0\.albert_layers\.0\.attention"},
    "ModernBert": {"self": r"layers\.(\d+)\.attn"},
    "Esm": {"self": _BERT},
    "GPT2": {"self": _GPT + "attn"},
    "GPTNeoX": {"self": r"gpt_neox\.layers\.(\d+)\.attention"},
    "OPT": {"self": r"model\.decoder\.layers\.(\d+)\.self_attn"},
    **{
        name: {"self": r"model\.layers\.(\d+)\.self_attn"}
        for name in (
            "Llama", "Mistral", "Qwen2", "Qwen3", "Gemma2", "Gemma3", "Phi3", "Olmo2", "Cohere2",
            "Mixtral", "GptOss", "DeepseekV3", "Jamba", "Qwen3Next",
        )
    },
    "T5": {
        "encoder": r"encoder\.block\.(\d+)\.layer\.0\.SelfAttention",
        "decoder": r"decoder\.block\.(\d+)\.layer\.0\.SelfAttention",
        "cross": r"decoder\.block\.(\d+)\.layer\.1\.EncDecAttention",
    },
    "Bart": _SIDES,
    "Marian": _SIDES,
    "Whisper": _SIDES,
    "ViT": {"self": r"layers\.(\d+)\.attention"},
    "Swin": {"self": r"encoder\.layers\.\d+\.blocks\.\d+\.attention"},
    "CLIP": {
        "self": r"text_model\.encoder\.layers\.(\d+)\.self_attn",
        "vision": r"vision_model\.encoder\.layers\.(\d+)\.self_attn",
    },
    "Llava": {
        "self": r"model\.language_model\.layers\.(\d+)\.self_attn",
        "vision": r"model\.vision_tower\.encoder\.layers\.(\d+)\.self_attn",
    },
    "Qwen2VL": {
        "self": r"model\.language_model\.layers\.(\d+)\.self_attn",
        "vision": r"model\.visual\.blocks\.(\d+)\.attn",
    },
    "Wav2Vec2": {"self": r"encoder\.layers\.(\d+)\.attention"},
    "Sam": {
        "vision": r"vision_encoder\.layers\.(\d+)\.attn",
        "decoder": r"mask_decoder\.transformer\.layers\.(\d+)\.self_attn",
        "cross": r"mask_decoder\.transformer\.(?:layers\.\d+\.cross|final)_attn_\w+",
    },
    "Falcon": {"self": _GPT + "self_attention"},
    "Bloom": {"self": _GPT + "self_attention"},
    "GPTJ": {"self": _GPT + "attn"},
    "GPTNeo": {"self": _GPT + r"attn\.attention"},
    "Mpt": {"self": r"transformer\.blocks\.(\d+)\.attn"},
    "DebertaV2": {"self": _BERT},
    "XLNet": {"self": r"layer\.(\d+)\.rel_attn"},
    "BigBird": {"self": _BERT},
    "Longformer": {"self": _BERT},
}  # fmt: skip
_HEADS = re.compile(r"(Model|ForCausalLM|LMHeadModel|ForConditionalGeneration)$")


def family_of(model: PreTrainedModel) -> str:
    """The name that PLACES has for the class of `model`."""
    return _HEADS.sub("", type(model).__name__)


def eager(model: PreTrainedModel, inputs: Mapping[str, Any], row: int = 0) -> Weights:
    """transformers' own weights, (h, n_q, n_k) float32 of one row of the batch, by stack and layer.

    Row 0 of Swin, and of the windowed layers of SAM, is the first window: windows stand in
    the batch axis there. Longformer's bands are laid out as (h, n, n), the images of Qwen2-VL, each
    attended to by itself, as blocks on the diagonal. Where the model records
    attention by itself (`output_attentions`), that is held against what the hooks kept.
    """
    other = eager_copy(model)
    with torch.no_grad():  # BigBird exchanges its attention modules in the first pass.
        other(**inputs)
    kept: Weights = {}
    calls: dict[str, int] = {}
    with ExitStack() as contexts:
        for stack, name, module in attention_modules(other):
            number = re.fullmatch(PLACES[family_of(other)][stack], name)
            assert number is not None

            def keep(weights: torch.Tensor, stack: str = stack, number: Any = number) -> None:
                calls[stack] = calls.get(stack, -1) + 1
                layer = int(number[1]) if number.re.groups else calls[stack]
                assert (stack, layer) not in kept, "two calls for one layer"
                kept[stack, layer] = weights.detach().float().numpy()

            contexts.enter_context(_listening(other, module, keep, inputs, row))
        with torch.no_grad():
            outputs = other(**inputs, output_attentions=True)
    _agree(family_of(other), kept, outputs, row)
    return kept


def eager_copy(model: PreTrainedModel) -> PreTrainedModel:
    """The same parameters in a model built with eager attention (SAM decides when it is built).

    transformers' eager Falcon adds ALiBi twice: in the mask, where its sdpa has it too, and
    beside it. The second is taken out here, so that the copy computes what the model does.
    """
    config = copy.deepcopy(model.config)
    other = type(model)._from_config(config, attn_implementation="eager", dtype=model.dtype)
    other.load_state_dict(model.state_dict())
    assert other.config._attn_implementation == "eager"
    if getattr(config, "alibi", False) and family_of(model) == "Falcon":
        for _, _, module in attention_modules(other):
            module.register_forward_pre_hook(_without_alibi, with_kwargs=True)
    return other.to(model.device).eval()


def _without_alibi(_: Any, args: Any, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return args, {**settings, "alibi": torch.zeros_like(settings["alibi"])}


def attention_modules(model: PreTrainedModel) -> list[tuple[str, str, torch.nn.Module]]:
    """Every attention module as (stack, name, module), in the order of `named_modules`."""
    return [
        (stack, name, module)
        for stack, pattern in PLACES[family_of(model)].items()
        for name, module in model.named_modules()
        if re.fullmatch(pattern, name)
    ]


@contextmanager
def _listening(
    model: PreTrainedModel, module: Any, keep: Any, inputs: Mapping[str, Any], row: int
) -> Iterator[None]:
    """Call `keep` with the weights (h, n_q, n_k) of each call of `module`."""
    if type(module).__name__ == "VisionAttention":  # It returns no weights: ask the function.
        namespace = sys.modules[type(module).__module__]
        original = namespace.eager_attention_forward
        images: list[torch.Tensor] = []

        def wrapped(owner: Any, *args: Any, **settings: Any) -> Any:
            output, weights = original(owner, *args, **settings)
            if owner is module:
                images.append(weights[0])
            return output, weights

        namespace.eager_attention_forward = wrapped
        try:
            yield
        finally:
            namespace.eager_attention_forward = original
        keep(torch.stack([torch.block_diag(*maps) for maps in zip(*images, strict=True)]))
        return

    def hook(_: Any, __: Any, returned: tuple[Any, ...]) -> None:
        match type(module).__name__:
            case "LongformerSelfAttention":
                weights = _dense(returned, inputs, row)
            case "XLNetRelativeAttention":  # (n_q, n_k, batch, h)
                weights = returned[-1][:, :, row].permute(2, 0, 1)
            case "SamVisionAttention":  # (windows and heads, n, n)
                h = module.num_attention_heads
                weights = returned[-1][h * row : h * (row + 1)]
            case _:
                weights = returned[-1][row]
        keep(weights)

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _dense(returned: tuple[Any, ...], inputs: Mapping[str, Any], row: int) -> torch.Tensor:
    """Lay Longformer's weights out as (h, n, n), the padding of its own at the right cut off.

    Local weights are (batch, n, h, g + 2w + 1): those of the g global keys, then the band, whose
    column c is the key i + c - w of query i. The rows of global queries are in a tensor of
    their own, (batch, h, g, n). See "Longformer", Beltagy et al. 2020, section 3.
    """
    n = inputs["input_ids"].shape[1]
    local = returned[1][row]
    marks = inputs.get("global_attention_mask")
    places = [] if marks is None else marks[row].nonzero()[:, 0].tolist()
    w = (local.shape[-1] - len(places) - 1) // 2
    dense = torch.zeros(local.shape[1], n, n)
    for i in range(n):
        for at, key in enumerate(places):
            dense[:, i, key] += local[i, :, at]
        for column in range(2 * w + 1):
            key = i + column - w
            if 0 <= key < n:
                dense[:, i, key] += local[i, :, len(places) + column]
    for at, query in enumerate(places):
        dense[:, query] = returned[2][row, :, at, :n]
    return dense


_RECORDED = {
    "self": ("attentions", "text_model_output.attentions"),
    "encoder": ("encoder_attentions",),
    "decoder": ("decoder_attentions",),
    "cross": ("cross_attentions",),
    "vision": ("vision_model_output.attentions",),
}
# Swin records the last layer of each stage; Longformer bands; SAM windows and heads in one axis.
_OTHERWISE = {"Swin", "Longformer", "Sam"}


def _agree(name: str, kept: Weights, outputs: Any, row: int) -> None:
    if name in _OTHERWISE:
        return
    for stack, places in _RECORDED.items():
        mine = [kept[key] for key in sorted(kept) if key[0] == stack]
        for place in places:
            found: Any = outputs
            for part in place.split("."):
                found = getattr(found, part, None)
            if found is None:
                continue
            theirs = [layer for layer in found if layer is not None]
            assert len(theirs) == len(mine), f"{place}: {len(theirs)} layers, not {len(mine)}"
            for one, other in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(one, other[row].float().numpy())
