"""Which stack of a model an attention call belongs to, and which layer of it, by module names."""

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

# In the order in which they are listed.
PARTS: tuple[Part, ...] = ("self", "encoder", "decoder", "cross", "vision", "audio")
_CROSS = re.compile(
    r"cross|encdec|encoder_decoder|encoder_attn|enc_attn|_to_image|_to_token", re.IGNORECASE
)
# SAM's mask_decoder, BLIP's text_decoder; a module named just decoder may be all there is (OPT).
_PART = re.compile(r"(^|\.)\w+_decoder\.")
_TOWERS: dict[Part, re.Pattern[str]] = {
    "vision": re.compile(r"(^|\.)(vision|visual|image|vit)\w*(\.|$)", re.IGNORECASE),
    "audio": re.compile(r"(^|\.)(audio|speech)\w*(\.|$)", re.IGNORECASE),
}


def arrange(model: PreTrainedModel, calls: Sequence[Call]) -> list[tuple[Layer, Call]]:
    """Return each call with its layer, by stack and by the model's own number.

    The number is the `layer_idx` of the module, else
    the first number in its name; where neither tells the layers of a part apart (ALBERT's one
    module serves all, Swin counts in stages), it is the place in the order of calls. Layers of
    one part whose maps differ in size are stacks of their own, "cross 8×64" and "cross 64×8".
    """
    parts = [part_of(model, call.module) for call in calls]
    if len(set(parts)) == 1 and parts[0] in _TOWERS:
        parts = ["self"] * len(parts)
    found = []
    for part in PARTS:
        mine = [call for call, its in zip(calls, parts, strict=True) if its == part]
        numbered = sorted(zip(_numbers(mine), mine, strict=True), key=lambda one: one[0])
        alike = len({call.shape[1:] for call in mine}) <= 1
        for number, call in numbered:
            # Maps of different sizes have different tokens: they are stacks of their own.
            h, n_q, n_k = call.shape
            stack = StackId(part, None if alike else (n_q, n_k))
            name, h_kv = stack.name(several=True), call.n_kv_heads
            found.append((Layer(number, call.module, name, stack, h, h_kv, call.proved), call))
    return found


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
    """Whether `module` is in an image or audio tower."""
    return part_of(model, module) in _TOWERS


def _numbers(calls: Sequence[Call]) -> list[int]:
    shared = len({call.module for call in calls}) < len(calls)
    by_name = [next((int(p) for p in c.module.split(".") if p.isdecimal()), None) for c in calls]
    for numbers in ([call.layer_idx for call in calls], by_name):
        known = [number for number in numbers if number is not None]
        if not shared and len(set(known)) == len(calls):
            return known
    return list(range(len(calls)))


def broken(found: Sequence[tuple[Layer, Call]]) -> str:
    """Say which layers computed NaN or infinity, and have no weights; "" where none did."""
    if are_finite([call for _, call in found]):
        return ""
    layers = [layer for layer, call in found if is_broken(call)]
    if not layers:
        return ""
    return (
        f"NaN or infinity in what the model computed: {_named(layers, found)} can't be shown "
        f"(the first is {layers[0].module})."
    )


def doubted(found: Sequence[tuple[Layer, Call]]) -> str:
    """Say which layers' weights are not what the model computed with; "" where none."""
    doubts = [(layer, call) for layer, call in found if call.proved is False]
    if not doubts:
        return ""
    layer, worst = max(doubts, key=lambda one: one[1].error / max(one[1].bound, 1e-30))
    where = f"Wrong weights: {_named([layer for layer, _ in doubts], found)}."
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


def parted(found: Sequence[tuple[Layer, Call]]) -> str:
    """Say of which layers a part is shown: the first of several windows, frames or images."""
    parts = [(layer, call.share) for layer, call in found if call.share > 1]
    sentences = []
    for share in dict.fromkeys(share for _, share in parts):
        layers = [layer for layer, its in parts if its == share]
        sentences.append(
            f"Of {share} maps (windows, frames, images or texts) the first is shown: "
            f"{_named(layers, found)}."
        )
    return " ".join(sentences)


def _named(layers: Sequence[Layer], found: Sequence[tuple[Layer, Call]]) -> str:
    """Return "layers 0, 2", by stack where there are several."""
    several = len({layer.stack for layer, _ in found}) > 1
    named = []
    for kind in dict.fromkeys(layer.kind for layer in layers):
        numbers = [str(layer.index) for layer in layers if layer.kind == kind]
        which = f"layer{'s' * (len(numbers) != 1)} {', '.join(numbers)}"
        named.append(f"{kind} {which}" if several else which)
    return "; ".join(named)
