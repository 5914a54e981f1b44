"""Tiny models that read a text and an image in one sequence, and where each patch lies.

Image towers have no layers, so that a patch reaches no position but its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import transformers as tf
from architectures import COMMON, GROUPED, IMAGE_TOKEN, noise, qwen2_vl, whole
from models import PAD, VOCABULARY
from towers import PATCH, PIXELS, RESIZED, SIZE, Place, in_frames, square, squares
from transformers import PreTrainedModel

TEXT = [5, 2, 11, 9]


@dataclass(frozen=True)
class Mixed:
    """A model and its inputs, `module` being the first attention that sees text and image.

    `patches` has the places of each image label in the tensor `name`, more than one where a
    position shows more than one patch; `rest` are the labels that are neither patch nor text.
    """

    make: Callable[[], PreTrainedModel]
    inputs: Mapping[str, Any]
    module: str
    patches: Mapping[str, list[Place]]
    rest: tuple[str, ...] = ()
    name: str = "pixel_values"


TOWER = {
    "hidden_size": 32, "intermediate_size": 24, "num_attention_heads": 4, "num_hidden_layers": 0,
    "patch_size": PATCH, "image_size": 12,
}  # fmt: skip
WORDS_IN = {"vocab_size": VOCABULARY, "pad_token_id": PAD, **COMMON}
LANGUAGE = {"vocab_size": VOCABULARY, "pad_token_id": PAD, **GROUPED}
LLAMA_MODULE = "model.language_model.layers.0.self_attn"


def ids(*more: int) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.tensor([[*more]])}


def named(prefix: str, places: Mapping[str, Place]) -> dict[str, list[Place]]:
    return {f"{prefix}{label}": [place] for label, place in places.items()}


def git(frames: int) -> Mixed:
    config = tf.GitConfig(vision_config=TOWER, num_image_with_embedding=2, **WORDS_IN)
    image = ("image ", squares(), ("image CLS",))
    pixels: dict[str, Any] = RESIZED
    if frames:
        pixels = {**RESIZED, "pixel_values": noise(1, frames, 3, *SIZE)}
        image = ("image ", in_frames(frames), tuple(f"image {t}:CLS" for t in range(frames)))
    prefix, places, rest = image
    return Mixed(
        lambda: whole(tf.GitModel, config), {**ids(*TEXT), **pixels},
        "encoder.layer.0.attention.self", named(prefix, places), rest,
    )  # fmt: skip


def layoutlmv3(text: bool) -> Mixed:
    config = tf.LayoutLMv3Config(
        input_size=12, patch_size=PATCH, coordinate_size=4, shape_size=8, **WORDS_IN
    )
    given = {"bbox": torch.zeros(1, len(TEXT), 4, dtype=torch.long), **ids(*TEXT)} if text else {}
    prefix = "image " if text else ""
    return Mixed(
        lambda: whole(tf.LayoutLMv3Model, config),
        {**given, "pixel_values": noise(1, 3, 12, 12)},
        "encoder.layer.0.attention.self", named(prefix, squares(3, 3)), (f"{prefix}CLS",),
    )  # fmt: skip


def flava(cls: bool) -> Mixed:
    small = {**COMMON, "max_position_embeddings": 32, "num_hidden_layers": 0}
    config = tf.FlavaConfig(
        text_config={**WORDS_IN, **small},
        image_config={**TOWER, "image_size": SIZE},
        multimodal_config={**COMMON, "use_cls_token": cls},
        hidden_size=32,
        image_codebook_config={"num_groups": 1, "hidden_size": 4, "vocab_size": 8},
    )
    rest = ("CLS", "image CLS") if cls else ("image CLS",)
    return Mixed(
        lambda: whole(tf.FlavaModel, config), {**ids(*TEXT), **PIXELS},
        "multimodal_model.encoder.layer.0.attention.attention", named("image ", squares()), rest,
    )  # fmt: skip


def llava(strategy: str) -> Mixed:
    """`full` keeps the CLS of CLIP, `default` drops it."""
    config = tf.LlavaConfig(
        vision_config=tf.CLIPVisionConfig(**{**TOWER, "num_hidden_layers": 1}),
        text_config=tf.LlamaConfig(**LANGUAGE),
        image_token_index=IMAGE_TOKEN, vision_feature_select_strategy=strategy,
    )  # fmt: skip
    full = strategy == "full"
    row = [*TEXT[:2], *[IMAGE_TOKEN] * (9 + full), *TEXT[2:]]
    return Mixed(
        lambda: whole(tf.LlavaForConditionalGeneration, config),
        {**ids(*row), "pixel_values": noise(1, 3, 12, 12)},
        LLAMA_MODULE, named("image ", squares(3, 3)), ("image CLS",) if full else (),
    )  # fmt: skip


def two_llava_images() -> Mixed:
    one = llava("default")
    row = [*TEXT[:2], *[IMAGE_TOKEN] * 9, TEXT[2], *[IMAGE_TOKEN] * 9, TEXT[3]]
    patches = {
        f"image {i}:{label}": [(i, *place)]
        for i in range(2)
        for label, place in squares(3, 3).items()
    }
    return Mixed(
        one.make, {**ids(*row), "pixel_values": noise(2, 3, 12, 12)}, LLAMA_MODULE, patches
    )


def paligemma() -> Mixed:
    config = tf.PaliGemmaConfig(
        vision_config={**TOWER, "model_type": "siglip_vision_model", "vision_use_head": False},
        text_config={**LANGUAGE, "model_type": "gemma", "head_dim": 8},
        image_token_index=IMAGE_TOKEN, projection_dim=32, hidden_size=32,
    )  # fmt: skip
    row = [*[IMAGE_TOKEN] * 9, *TEXT]
    return Mixed(
        lambda: whole(tf.PaliGemmaForConditionalGeneration, config),
        {**ids(*row), "pixel_values": noise(1, 3, 12, 12)},
        LLAMA_MODULE, named("image ", squares(3, 3)),
    )  # fmt: skip


def gemma3() -> Mixed:
    """4 x 4 patches, of which 2 x 2 make a token."""
    config = tf.Gemma3Config(
        vision_config={**TOWER, "image_size": 16, "vision_use_head": False},
        text_config={**LANGUAGE, "head_dim": 8}, mm_tokens_per_image=4,
        image_token_index=IMAGE_TOKEN, boi_token_index=36, eoi_token_index=37,
    )  # fmt: skip
    row = [*TEXT[:2], *[IMAGE_TOKEN] * 4, *TEXT[2:]]
    return Mixed(
        lambda: whole(tf.Gemma3ForConditionalGeneration, config),
        {**ids(*row), "pixel_values": noise(1, 3, 16, 16)}, LLAMA_MODULE, blocks(2, 2),
    )  # fmt: skip


def blocks(rows: int, columns: int) -> dict[str, list[Place]]:
    """Tokens that show 2 x 2 patches each."""
    return {
        f"image {r},{c}": [square(2 * r + i, 2 * c + j) for i in range(2) for j in range(2)]
        for r in range(rows)
        for c in range(columns)
    }


def idefics(model: Any, config: Any) -> Mixed:
    """2 tiles of 4 x 4 patches, of which 2 x 2 make a token; tiles are images of their own."""
    made = config(
        vision_config={**TOWER, "image_size": 16}, text_config={**LANGUAGE, "model_type": "llama"},
        image_token_id=IMAGE_TOKEN, scale_factor=2, pad_token_id=PAD,
    )  # fmt: skip
    patches = {
        f"image {tile}:{label.removeprefix('image ')}": [(0, tile, *place) for place in places]
        for tile in range(2)
        for label, places in blocks(2, 2).items()
    }
    row = [*TEXT[:2], *[IMAGE_TOKEN] * 8, *TEXT[2:]]
    return Mixed(
        lambda: whole(model, made), {**ids(*row), "pixel_values": noise(1, 2, 3, 16, 16)},
        "model.text_model.layers.0.self_attn", patches,
    )  # fmt: skip


def qwen2_5_vl() -> PreTrainedModel:
    """Attends inside windows of 4 x 4 patches, and puts the patches in another order for that."""
    config = tf.Qwen2_5_VLConfig(
        vision_config={
            "depth": 2, "hidden_size": 16, "out_hidden_size": 32, "num_heads": 2,
            "intermediate_size": 24, "patch_size": PATCH, "window_size": 4 * PATCH,
            "fullatt_block_indexes": [1], "initializer_range": 0.3,
        },
        text_config={
            **LANGUAGE, "rope_parameters": {
                "rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2],
            },
        },
        image_token_id=IMAGE_TOKEN, video_token_id=38, vision_start_token_id=37,
        vision_end_token_id=36,
    )  # fmt: skip
    return whole(tf.Qwen2_5_VLForConditionalGeneration, config)


def qwen(build: Callable[[], Any]) -> Mixed:
    """4 x 6 patches in the order of the processor, block by block; 2 x 2 make a token."""

    def make() -> PreTrainedModel:
        model = build()
        model.model.visual.blocks = torch.nn.ModuleList()
        return model

    row = torch.tensor([[*TEXT[:2], 37, *[IMAGE_TOKEN] * 6, 36, *TEXT[2:]]])
    inputs = {
        "input_ids": row, "mm_token_type_ids": (row == IMAGE_TOKEN).int(),
        "pixel_values": noise(24, 96), "image_grid_thw": torch.tensor([[1, 4, 6]]),
    }  # fmt: skip
    patches: dict[str, list[Place]] = {
        f"image {i // 3},{i % 3}": [(4 * i + k,) for k in range(4)] for i in range(6)
    }
    return Mixed(make, inputs, LLAMA_MODULE, patches, ("id 37", "id 36"))


MIXED: dict[str, Mixed] = {
    "git": git(0),
    "git, frames": git(2),
    "layoutlmv3": layoutlmv3(True),
    "layoutlmv3, no text": layoutlmv3(False),
    "flava": flava(True),
    "flava without CLS": flava(False),
    "llava": llava("default"),
    "llava with CLS": llava("full"),
    "llava, two images": two_llava_images(),
    "paligemma": paligemma(),
    "gemma3": gemma3(),
    "idefics3": idefics(tf.Idefics3ForConditionalGeneration, tf.Idefics3Config),
    "smolvlm": idefics(tf.SmolVLMForConditionalGeneration, tf.SmolVLMConfig),
    "qwen2_vl": qwen(qwen2_vl),
    "qwen2_5_vl": qwen(qwen2_5_vl),
}
