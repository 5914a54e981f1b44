"""Assign the attention calls of a model to stacks and layers, by the names of the modules."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from attnwidget.capture.records import are_finite, is_broken
from attnwidget.sources.stacks import Layer, Part, StackId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

    from attnwidget.capture.records import Call

# The parts in the order of a list of stacks.
PARTS: tuple[Part, ...] = ("self", "encoder", "decoder", "cross", "vision", "audio")
_CROSS = re.compile(
    r"cross|encdec|encoder_decoder|encoder_attn|enc_attn|_to_image|_to_token", re.IGNORECASE
)
# SAM's mask_decoder, BLIP's text_decoder. Not "decoder" alone, which may be a whole model (OPT).
_PART = re.compile(r"(^|\.)\w+_decoder\.")
_TOWERS: dict[Part, re.Pattern[str]] = {
    "vision": re.compile(r"(^|\.)(vision|visual|image|vit)\w*(\.|$)", re.IGNORECASE),
    "audio": re.compile(r"(^|\.)(audio|speech)\w*(\.|$)", re.IGNORECASE),
}


def arrange(model: PreTrainedModel, calls: Sequence[Call]) -> list[tuple[Layer, Call]]:
    """Return each call with its layer, sorted by stack and by the model's number of the layer.

    The number is the `layer_idx` of the module, or else the first number in the module's name. If
    these numbers are not unique within a part (ALBERT uses a single module for all layers, Swin
    numbers the layers of each stage), the layers are numbered in the order of the calls. Layers of
    a part whose maps differ in size form different stacks, "cross 8×64" and "cross 64×8".
    """
    parts = [part_of(model, call.module) for call in calls]
    if len(set(parts)) == 1 and parts[0] in _TOWERS:
        parts = ["self"] * len(parts)
    pairs = []
    for part in PARTS:
        members = [c for c, part_of_c in zip(calls, parts, strict=True) if part_of_c == part]
        numbered = sorted(zip(_numbers(members), members, strict=True), key=lambda pair: pair[0])
        equal_sizes = len({call.shape[1:] for call in members}) <= 1
        for number, call in numbered:
            # Maps of different sizes belong to different stacks, because their tokens differ.
            h, n_q, n_k = call.shape
            stack_id = StackId(part, None if equal_sizes else (n_q, n_k))
            name, h_kv = stack_id.name(several=True), call.n_kv_heads
            pairs.append((Layer(number, call.module, name, stack_id, h, h_kv, call.proved), call))
    return pairs


def part_of(model: PreTrainedModel, module: str) -> Part:
    """Return the part of the model that a module's attention belongs to."""
    if _CROSS.search(module):
        return "cross"
    config: Any = model.config
    if _PART.search(module):
        return "decoder"
    if getattr(config, "is_encoder_decoder", False):
        return "decoder" if "decoder" in module.split(".") else "encoder"
    return next((part for part, tower in _TOWERS.items() if tower.search(module)), "self")


def is_tower(model: PreTrainedModel, module: str) -> bool:
    """Return whether `module` is in an image or audio tower."""
    return part_of(model, module) in _TOWERS


def _numbers(calls: Sequence[Call]) -> list[int]:
    shared = len({call.module for call in calls}) < len(calls)
    by_name = [next((int(p) for p in c.module.split(".") if p.isdecimal()), None) for c in calls]
    for numbers in ([call.layer_idx for call in calls], by_name):
        known = [number for number in numbers if number is not None]
        if not shared and len(set(known)) == len(calls):
            return known
    return list(range(len(calls)))


def broken(layer_calls: Sequence[tuple[Layer, Call]]) -> str:
    """Return a sentence on the layers that computed NaN or infinity; "" if no layer did."""
    if are_finite([call for _, call in layer_calls]):
        return ""
    layers = [layer for layer, call in layer_calls if is_broken(call)]
    if not layers:
        return ""
    return (
        f"NaN or infinity in what the model computed: {_named(layers, layer_calls)} can't be shown "
        f"(the first is {layers[0].module})."
    )


def doubted(layer_calls: Sequence[tuple[Layer, Call]]) -> str:
    """Return a sentence on the layers whose weights differ from the model's; "" if none do."""
    doubts = [(layer, call) for layer, call in layer_calls if call.proved is False]
    if not doubts:
        return ""
    layer, worst = max(doubts, key=lambda doubt: doubt[1].error / max(doubt[1].bound, 1e-30))
    where = f"Wrong weights: {_named([layer for layer, _ in doubts], layer_calls)}."
    if not math.isfinite(worst.error):
        return (
            f"{where} The model's attention returned NaN or infinity (in {layer.module}). Do not "
            "trust these maps."
        )
    return (
        f"{where} The weights shown, times V, differ from the output of the model's attention by "
        f"up to {worst.error:.2g}, where rounding explains {worst.bound:.1g} (in {layer.module}). "
        "Do not trust these maps."
    )


def parted(layer_calls: Sequence[tuple[Layer, Call]]) -> str:
    """Return sentences on the layers of which only the first window, frame or image is shown."""
    parts = [(layer, call.share) for layer, call in layer_calls if call.share > 1]
    sentences = []
    for share in dict.fromkeys(share for _, share in parts):
        layers = [layer for layer, layer_share in parts if layer_share == share]
        sentences.append(
            f"Of {share} maps (windows, frames, images or texts) the first is shown: "
            f"{_named(layers, layer_calls)}."
        )
    return " ".join(sentences)


def _named(layers: Sequence[Layer], layer_calls: Sequence[tuple[Layer, Call]]) -> str:
    """Return "layers 0, 2", with the names of the stacks if there are several stacks."""
    several = len({layer.stack_id for layer, _ in layer_calls}) > 1
    texts = []
    for stack in dict.fromkeys(layer.stack for layer in layers):
        numbers = [str(layer.index) for layer in layers if layer.stack == stack]
        text = f"layer{'s' * (len(numbers) != 1)} {', '.join(numbers)}"
        texts.append(f"{stack} {text}" if several else text)
    return "; ".join(texts)
