"""Models that read text and images together, tiny and with random weights.

Two rows of a batch have other texts and other images; in some models each row has two images.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import transformers as tf
from architectures import (
    COMMON,
    ENDS,
    GROUPED,
    IMAGE,
    IMAGE_TOKEN,
    llava,
    noise,
    only,
    qwen2_vl,
    whole,
)
from models import N_HEADS, PAD, POSITIONS, VOCABULARY

from zoo.common import Entry, Inputs
from zoo.images import SIZE, VIT, of_config, pixels
from zoo.oracle import Weights, eager_weights
from zoo.sound_and_video import TEXTS, texts
from zoo.watching import watching

TOWER: dict[str, Any] = {**IMAGE, "num_attention_heads": 2}
TEXT: dict[str, Any] = {**COMMON, "vocab_size": VOCABULARY, "pad_token_id": PAD}
LAST = 13  # A token at the end of the first text, at the start of the second.


def siglip() -> tf.PreTrainedModel:
    """A text tower and an image tower whose last layer is one learnt query."""
    return whole(
        tf.SiglipModel,
        tf.SiglipConfig(
            text_config={**TEXT, "bos_token_id": 1, "eos_token_id": LAST},
            vision_config={**TOWER, "image_size": 12},
        ),
    )


def blip() -> tf.PreTrainedModel:
    """An image tower, and a decoder of text that reads its patches."""
    config = tf.BlipConfig(
        text_config={
            **TEXT, "num_attention_heads": N_HEADS, "encoder_hidden_size": 32, "bos_token_id": 1,
            "eos_token_id": LAST, "sep_token_id": LAST,
        },
        vision_config={**TOWER, "image_size": 12},
    )  # fmt: skip
    return whole(tf.BlipForConditionalGeneration, config)


def q_former() -> Inputs:
    """Queries of two rows, and the 7 patches that each of them reads."""
    return only(query_embeds=noise(2, 5, 32), encoder_hidden_states=noise(2, 7, 16))


def q_former_padded() -> Inputs:
    """The same where the second row has 5 patches."""
    seen = torch.ones(2, 7, dtype=torch.long)
    seen[1, 5:] = 0
    return q_former() | only(encoder_attention_mask=seen)


def vilt(padding: int = 0) -> Inputs:
    """Texts, and patches that are embedded already.

    ViLT shuffles the patches of `pixel_values` in each forward pass anew; two passes differ.
    """
    return texts(padding) | only(
        image_embeds=noise(2, 6, 32), pixel_mask=torch.ones(2, 6, dtype=torch.long)
    )


def flava() -> tf.PreTrainedModel:
    """An image tower, a text tower, and one that reads what both wrote."""
    size = {k: v for k, v in COMMON.items() if k != "max_position_embeddings"}
    config = tf.FlavaConfig(
        image_config={**TOWER, "image_size": SIZE},
        text_config=TEXT,
        multimodal_config={**size, "num_hidden_layers": 2},
        image_codebook_config={
            "hidden_size": 4, "num_groups": 1, "num_blocks_per_group": 1, "vocab_size": 4,
        },
        init_codebook=False, hidden_size=32, projection_dim=8,
    )  # fmt: skip
    return whole(tf.FlavaModel, config)


def boxes(padding: int = 0) -> Inputs:
    """Words at places of a page, and its image."""
    corners = torch.tensor([[3, 5, 11, 9], [14, 2, 20, 8], [1, 12, 6, 15]])
    places = corners[torch.arange(14) * 5 % 3].reshape(2, 7, 4)
    return texts(padding) | pixels(12, 12) | only(bbox=places)


def git() -> tf.PreTrainedModel:
    """Patches of an image, then a text."""
    config = tf.GitConfig(
        vision_config={**TOWER, "image_size": 12}, **{**TEXT, **ENDS, "num_hidden_layers": 3}
    )
    return whole(tf.GitForCausalLM, config)


def kosmos2() -> tf.PreTrainedModel:
    """A text with 3 places for an image, which learnt queries fill from its patches."""
    text = {
        "vocab_size": VOCABULARY, "max_position_embeddings": POSITIONS, "embed_dim": 32,
        "layers": 3, "ffn_dim": 24, "attention_heads": N_HEADS, "pad_token_id": PAD, **ENDS,
    }  # fmt: skip
    config = tf.Kosmos2Config(
        text_config=text, vision_config={**TOWER, "image_size": 12}, latent_query_num=3
    )
    return whole(tf.Kosmos2Model, config)


def kosmos2_inputs(padding: int = 0) -> Inputs:
    """The second, third and fourth places of each text are those of its image."""
    places = torch.zeros(2, 7, dtype=torch.long)
    places[:, 1:4] = 1
    return texts(padding) | pixels(12, 12) | only(image_embeds_position_mask=places)


def perceiver(model: Any, **settings: Any) -> Any:
    """5 latents read the input; then blocks of two layers, which share their weights, read those.

    The queries of the output read the latents.
    """
    return of_config(
        model, tf.PerceiverConfig, num_latents=5, d_latents=32, num_self_attends_per_block=2,
        num_self_attention_heads=N_HEADS, num_cross_attention_heads=2, vocab_size=VOCABULARY,
        **settings,
    )  # fmt: skip


def letters(padding: int = 0) -> Inputs:
    """Two texts under the name that Perceiver has for any input."""
    inputs = texts(padding)
    return only(inputs=inputs["input_ids"], attention_mask=inputs["attention_mask"])


def pix2struct() -> tf.PreTrainedModel:
    """Flattened patches with their places, and a text about them."""
    config = tf.Pix2StructConfig(
        text_config={
            "vocab_size": VOCABULARY, "hidden_size": 32, "d_kv": 8, "d_ff": 24, "num_layers": 3,
            "num_heads": N_HEADS, "relative_attention_num_buckets": 6,
            "relative_attention_max_distance": 8, "pad_token_id": PAD,
        },
        vision_config={
            "hidden_size": 32, "patch_embed_hidden_size": 12, "d_ff": 24, "d_kv": 8,
            "num_hidden_layers": 2, "num_attention_heads": 2, "seq_len": 8,
        },
    )  # fmt: skip
    model = whole(tf.Pix2StructForConditionalGeneration, config)
    with torch.no_grad():  # Its decoder does not scale the scores: large scores round by more.
        for name, parameter in model.decoder.named_parameters():
            if name.endswith("attention.query.weight"):
                parameter.mul_(0.3)
    return model


def flattened(padding: int = 0) -> Inputs:
    """2 x 3 patches of 2 x 2 pixels for each row, of which the last `padding` are empty."""
    places = torch.tensor([[r, c] for r in (1, 2) for c in (1, 2, 3)]).expand(2, 6, 2)
    patches = torch.cat([places, noise(2, 6, 12)], dim=-1)
    seen = torch.ones(2, 6)
    if padding:
        patches[1, -padding:], seen[1, -padding:] = 0, 0
    return only(flattened_patches=patches, attention_mask=seen, decoder_input_ids=TEXTS)


def vision_encoder_decoder() -> tf.PreTrainedModel:
    """ViT, and a GPT-2 that reads its patches."""
    encoder = tf.ViTConfig(**{**VIT, "num_hidden_layers": 2})
    decoder = tf.GPT2Config(
        vocab_size=VOCABULARY, n_embd=16, n_head=2, n_layer=3, n_positions=POSITIONS,
        add_cross_attention=True, is_decoder=True, **ENDS,
    )  # fmt: skip
    config = tf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id = 1, PAD
    return whole(tf.VisionEncoderDecoderModel, config)


def mllama() -> tf.PreTrainedModel:
    """A text whose second layer reads the tiles of an image, and nothing of the text."""
    config = tf.MllamaConfig(
        vision_config={
            "hidden_size": 16, "num_hidden_layers": 2, "num_global_layers": 1,
            "attention_heads": 2, "intermediate_size": 24, "vision_output_dim": 32,
            "image_size": 8, "patch_size": 4, "max_num_tiles": 2,
            "intermediate_layers_indices": [1], "supported_aspect_ratios": [[1, 1], [1, 2]],
        },
        text_config={
            **GROUPED, "vocab_size": VOCABULARY, "pad_token_id": PAD, "num_hidden_layers": 3,
            "cross_attention_layers": [1],
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        },
        image_token_index=IMAGE_TOKEN,
    )  # fmt: skip
    return whole(tf.MllamaForConditionalGeneration, config)


def tiles(padding: int = 0) -> Inputs:
    """An image of two tiles for each text; without the second tile, in row 1, where padded."""
    shown = torch.ones(2, 1, 2, dtype=torch.long)
    if padding:
        shown[1, 0, 1] = 0
    inputs = texts(padding)
    seen = shown[:, None].expand(2, 7, 1, 2).clone()
    seen[:, 0] = 0
    return inputs | only(
        pixel_values=noise(2, 1, 2, 3, 8, 8), aspect_ratio_ids=shown.sum(-1),
        aspect_ratio_mask=shown, cross_attention_mask=seen,
    )  # fmt: skip


def with_images(*rows: list[int], padding: int = 0, images: torch.Tensor, **more: Any) -> Inputs:
    """Texts with places for images, the last `padding` tokens of the second being padding."""
    ids = torch.tensor(rows)
    seen = torch.ones_like(ids)
    if padding:
        ids[1, -padding:], seen[1, -padding:] = PAD, 0
    return only(pixel_values=images, input_ids=ids, attention_mask=seen, **more)


def idefics3() -> tf.PreTrainedModel:
    """A text with images, of which 2 x 2 patches make one token."""
    config = tf.Idefics3Config(
        vision_config={**TOWER, "image_size": 8},
        text_config=tf.LlamaConfig(vocab_size=VOCABULARY, pad_token_id=PAD, **GROUPED),
        image_token_id=IMAGE_TOKEN, scale_factor=2, pad_token_id=PAD,
    )  # fmt: skip
    return whole(tf.Idefics3ForConditionalGeneration, config)


def paligemma() -> tf.PreTrainedModel:
    """A prefix of an image and a text that all of the prefix may read, then a causal text."""
    config = tf.PaliGemmaConfig(
        vision_config=tf.SiglipVisionConfig(**TOWER, image_size=8, vision_use_head=False),
        text_config=tf.GemmaConfig(
            vocab_size=VOCABULARY, pad_token_id=PAD, head_dim=12, **GROUPED
        ),
        image_token_index=IMAGE_TOKEN, projection_dim=32, hidden_size=32,
    )  # fmt: skip
    return whole(tf.PaliGemmaForConditionalGeneration, config)


def gemma3() -> tf.PreTrainedModel:
    """A causal text in which the tokens of one image read each other."""
    config = tf.Gemma3Config(
        vision_config=tf.SiglipVisionConfig(**TOWER, image_size=8, vision_use_head=False),
        text_config=tf.Gemma3TextConfig(
            vocab_size=VOCABULARY, pad_token_id=PAD, head_dim=12, sliding_window=3,
            layer_types=["sliding_attention", "sliding_attention", "full_attention"], **GROUPED,
        ),
        mm_tokens_per_image=4, boi_token_index=37, eoi_token_index=36,
        image_token_index=IMAGE_TOKEN,
    )  # fmt: skip
    return whole(tf.Gemma3ForConditionalGeneration, config)


PICTURE = [IMAGE_TOKEN] * 4
ONE_PICTURE = ([5, 11, *PICTURE, 9, 2, 8], [7, 3, *PICTURE, 12, 4, 6])
TWO_PICTURES = ([5, *PICTURE, 9, *PICTURE, 2, 8], [7, *PICTURE, 3, *PICTURE, 12, 6])
PIXEL = [IMAGE_TOKEN]
TWO_SMALL = ([5, *PIXEL, 9, *PIXEL, 2, 8, 4], [7, *PIXEL, 3, *PIXEL, 12, 6, 11])


def suffix(rows: tuple[list[int], ...], after: int) -> torch.Tensor:
    """Return 1 for the tokens from `after` on, 0 before."""
    return torch.tensor([[int(i >= after) for i in range(len(row))] for row in rows])


def of_images(rows: tuple[list[int], ...]) -> torch.Tensor:
    """Return 1 for the tokens of an image, 0 for words."""
    return (torch.tensor(rows) == IMAGE_TOKEN).long()


QWEN = ([5, 11, 37, *[IMAGE_TOKEN] * 6, 36, 9, 2], [7, 3, 37, *[IMAGE_TOKEN] * 6, 36, 8, 4])


def packed(padding: int = 0) -> Inputs:
    """A text with an image for each row; the patches of both images are one axis, (48, 96)."""
    return with_images(
        *QWEN, padding=padding, images=noise(48, 96),
        image_grid_thw=torch.tensor([[1, 4, 6], [1, 4, 6]]), mm_token_type_ids=of_images(QWEN),
    )  # fmt: skip


def unpacked(model: tf.PreTrainedModel, inputs: Inputs) -> Weights:
    """Eager weights where a call of the image tower is an image, and an image is a row."""
    weights = eager_weights(model, inputs)
    for name in {name for name, _ in weights if "visual" in name}:
        weights[name, 0] = torch.cat([weights[name, 0], weights.pop((name, 1))])
    return weights


def owl_vit() -> tf.PreTrainedModel:
    """CLIP that is asked for several things in one image."""
    config = tf.OwlViTConfig(
        text_config={**TEXT, "bos_token_id": 1, "eos_token_id": LAST},
        vision_config={**TOWER, "image_size": 12},
        projection_dim=32,
    )  # fmt: skip
    return whole(tf.OwlViTForObjectDetection, config)


def asked() -> Inputs:
    """Two images, and two texts about each of them."""
    ids = torch.tensor([[5, 11, 3, 9, 2], [7, 4, 12, 6, 10], [8, 3, 9, 4, 13], [2, 10, 6, 11, 5]])
    return pixels(12, 12) | only(input_ids=ids, attention_mask=torch.ones_like(ids))


def group_vit() -> tf.PreTrainedModel:
    """Patches that are put together to groups in two stages, and a text tower."""
    config = tf.GroupViTConfig(
        text_config={**TEXT, "bos_token_id": 1, "eos_token_id": LAST},
        vision_config={
            "hidden_size": 32, "intermediate_size": 24, "num_hidden_layers": 3, "depths": [2, 1],
            "num_group_tokens": [3, 0], "num_output_groups": [3, 0], "num_attention_heads": 2,
            "image_size": 12, "patch_size": 4,
        },
        projection_dim=8, projection_intermediate_dim=8,
    )  # fmt: skip
    return whole(tf.GroupViTModel, config)


def read(padding: int = 0) -> Inputs:
    """Two texts and two images of 12 x 12 pixels."""
    return texts(padding) | pixels(12, 12)


ENTRIES = [
    Entry(
        "siglip", "SigLIP", siglip, read, {"self": 3, "vision 9×9": 2, "vision 1×9": 1},
        partial(read, 2),
        notes="the pooling head, one learnt query over all patches, is a layer of its own",
        oracle=watching(),
    ),
    Entry(
        "blip", "BLIP, captioning", blip, read, {"decoder": 3, "cross": 3, "vision": 2},
        partial(read, 2), oracle=watching(),
    ),
    Entry(
        "blip-2-q-former", "Q-Former of BLIP-2",
        of_config(
            tf.Blip2QFormerModel, tf.Blip2QFormerConfig, **TEXT, encoder_hidden_size=16,
            cross_attention_frequency=2,
        ),
        q_former, {"self": 3, "cross": 2}, q_former_padded,
        notes="learnt queries read the patches in every second layer",
    ),
    Entry(
        "vilt", "ViLT",
        of_config(tf.ViltModel, tf.ViltConfig, **TEXT, image_size=12, patch_size=4),
        vilt, {"self": 3}, partial(vilt, 2),
        notes="a text, then patches, in an order that is drawn by chance in every forward pass",
    ),
    Entry(
        "flava", "FLAVA", flava, lambda: texts() | pixels(),
        {"self 7×7": 3, "self 15×15": 2, "vision": 2}, lambda: texts(2) | pixels(),
        oracle=watching("FlavaSelfAttention"),
        notes="the multimodal tower reads a class token, the positions of the image tower, then "
        "those of the text tower",
    ),
    Entry(
        "layoutlmv3", "LayoutLMv3",
        of_config(
            tf.LayoutLMv3Model, tf.LayoutLMv3Config,
            **TEXT, coordinate_size=5, shape_size=6,
            max_2d_position_embeddings=1024, input_size=12, patch_size=4, rel_pos_bins=6,
            max_rel_pos=8, rel_2d_pos_bins=6, max_rel_2d_pos=8, **ENDS,
        ),
        boxes, {"self": 3}, partial(boxes, 2),
        notes="a text, then a class token of the image and its patches",
    ),
    Entry(
        "git", "GIT", git, read, {"self": 3, "vision": 2}, partial(read, 2),
        notes="a class token and the patches of the image, then the text",
    ),
    Entry(
        "kosmos-2", "Kosmos-2", kosmos2, kosmos2_inputs,
        {"self": 3, "vision 10×10": 2, "vision 3×13": 1}, partial(kosmos2_inputs, 2),
        notes="learnt queries read the patches and themselves, and fill the places of the image "
        "in the text",
    ),
    Entry(
        "perceiver-text", "Perceiver, text",
        perceiver(tf.PerceiverForMaskedLM, d_model=16, num_blocks=2, max_position_embeddings=7),
        letters, {"self": 4, "cross 5×7": 1, "cross 7×5": 1}, partial(letters, 2),
        notes="queries are latents; the two blocks share their weights",
    ),
    Entry(
        "perceiver-image", "Perceiver, image",
        perceiver(tf.PerceiverForImageClassificationLearned, d_model=512, image_size=4),
        partial(pixels, 4, 4), {"self": 2, "cross 5×16": 1, "cross 1×5": 1},
        notes="queries are latents; keys are pixels",
    ),
    Entry(
        "pix2struct", "Pix2Struct", pix2struct, flattened,
        {"encoder": 2, "decoder": 3, "cross": 3}, partial(flattened, 2),
    ),
    Entry(
        "vision-encoder-decoder", "VisionEncoderDecoder of ViT and GPT-2", vision_encoder_decoder,
        lambda: pixels() | only(decoder_input_ids=TEXTS),
        {"encoder": 2, "decoder": 3, "cross": 3},
    ),
    Entry(
        "mllama", "Llama 3.2 Vision (Mllama)", mllama, tiles,
        {"self": 2, "cross": 1, "vision": 3}, partial(tiles, 2),
        notes="for each tile of an image its class token, its patches, then padding up to a "
        "multiple of 8; several images of a text stand in the batch axis",
    ),
    Entry(
        "idefics3", "Idefics3", idefics3,
        lambda: with_images(*TWO_SMALL, images=noise(2, 2, 3, 8, 8)),
        {"self": 3, "vision": 2},
        lambda: with_images(*TWO_SMALL, padding=2, images=noise(2, 2, 3, 8, 8)),
        notes="two images a row: the first image is shown",
    ),
    Entry(
        "paligemma", "PaliGemma", paligemma,
        lambda: with_images(
            *ONE_PICTURE, images=noise(2, 3, 8, 8), token_type_ids=suffix(ONE_PICTURE, 7)
        ),
        {"self": 3, "vision": 2},
        lambda: with_images(
            *ONE_PICTURE, padding=2, images=noise(2, 3, 8, 8),
            token_type_ids=suffix(ONE_PICTURE, 7),
        ),
        notes="the image and the words of the prefix read each other both ways",
    ),
    Entry(
        "gemma3-vision", "Gemma 3 with images", gemma3,
        lambda: with_images(
            *ONE_PICTURE, images=noise(2, 3, 8, 8), token_type_ids=of_images(ONE_PICTURE)
        ),
        {"self": 3, "vision": 2},
        lambda: with_images(
            *ONE_PICTURE, padding=2, images=noise(2, 3, 8, 8),
            token_type_ids=of_images(ONE_PICTURE),
        ),
        notes="the tokens of one image read each other both ways",
    ),
    Entry(
        "llava-two-images", "LLaVA, two images a row", llava,
        lambda: with_images(*TWO_PICTURES, images=noise(4, 3, 8, 8)),
        {"self": 3, "vision": 2},
        lambda: with_images(*TWO_PICTURES, padding=2, images=noise(4, 3, 8, 8)),
        notes="the first image of a row is shown",
    ),
    Entry(
        "qwen2-vl-two-rows", "Qwen2-VL, a batch", qwen2_vl, packed, {"self": 3, "vision": 2},
        partial(packed, 2), oracle=unpacked,
        notes="the patches of all images are one row for the model; those of an image see each "
        "other alone",
    ),
    Entry(
        "owl-vit", "OWL-ViT", owl_vit, asked, {"self": 3, "vision": 2},
        notes="several texts a row: the first text is shown",
    ),
    Entry(
        "group-vit", "GroupViT", group_vit, read,
        {"self": 3, "vision 12×12": 2, "vision 3×9": 1, "vision 3×3": 1}, partial(read, 2),
        not_shown=("GroupViTAssignAttention",),
        notes="patches, then group tokens; which group a patch joins is a softmax over groups, "
        "not over keys, and is not shown",
    ),
]  # fmt: skip
