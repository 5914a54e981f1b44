"""A zoo: one tiny model with random weights for each architecture that attention is read from.

Everything is built from its configuration, without a hub, the same in every run. Depths differ
between towers, lengths between the two sides of cross attention, and grouped queries are there
wherever the architecture has them, so that a wrong layer, head or axis shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import transformers as tf
from models import FAMILIES, N_HEADS, PAD, POSITIONS, VOCABULARY, build, settle
from transformers import PreTrainedModel

Inputs = dict[str, torch.Tensor]

IDS = [5, 11, 3, 9, 2, 8, 13]
DECODER_IDS = [4, 6, 12, 10, 7]
N_PADDING = 2
N = len(IDS)
N_DECODER = len(DECODER_IDS)


@dataclass(frozen=True)
class Architecture:
    """One architecture: a model, what it reads (batch of 1), and where attention is in it.

    `layers` has the model's own numbers of the layers with attention, by stack: "self" in a single
    stack, also that of the text beside images; "encoder", "decoder" and "cross"; "vision" in an
    image tower. `padded` are inputs with N_PADDING places of padding at the left, None where
    the model takes none. `route` is "interface" where attention goes through transformers'
    AttentionInterface, "softmax" where the model computes it by itself.
    """

    name: str
    make: Callable[[], PreTrainedModel]
    inputs: Callable[[], Inputs]
    layers: Mapping[str, tuple[int, ...]]
    padded: Callable[[], Inputs] | None = None
    route: str = "interface"

    @property
    def stacks(self) -> dict[str, int]:
        """How many layers with attention each stack has."""
        return {stack: len(numbers) for stack, numbers in self.layers.items()}


def text(**more: list[int]) -> Inputs:
    """N tokens and, by name, rows of whole numbers beside them."""
    return {"input_ids": torch.tensor([IDS])} | {k: torch.tensor([v]) for k, v in more.items()}


def padded_text(**more: list[int]) -> Inputs:
    """The same with padding in the first N_PADDING places."""
    inputs = text(attention_mask=[0] * N_PADDING + [1] * (N - N_PADDING), **more)
    inputs["input_ids"][0, :N_PADDING] = PAD
    return inputs


def whole(model: Any, config: Any) -> PreTrainedModel:
    """Build from a configuration that has others in it, or no words."""
    torch.manual_seed(0)
    return settle(model(config))


def real_rows(stack: str) -> slice:
    """The queries of `padded` inputs that aren't padding, for the attention of a stack."""
    return slice(N_PADDING if stack in ("self", "encoder") else 0, None)


def noise(*shape: int) -> torch.Tensor:
    """Numbers that stand for pixels and sound."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def only(**tensors: torch.Tensor) -> Inputs:
    return tensors


DECODED = {"decoder_input_ids": DECODER_IDS}
LAYERS = (0, 1, 2)
SELF = {"self": LAYERS}
BOTH = {"encoder": (0, 1), "decoder": LAYERS, "cross": LAYERS}

COMMON: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 24,
    "num_attention_heads": N_HEADS,
    "num_hidden_layers": len(LAYERS),
    "max_position_embeddings": POSITIONS,
}
ENDS = {"bos_token_id": 1, "eos_token_id": 1}
GROUPED = {**COMMON, **ENDS, "num_key_value_heads": 2}
SMALL_GPT = {"n_embd": 32, "n_head": N_HEADS, "n_layer": 3, "n_positions": POSITIONS, **ENDS}
SLIDING = {
    "sliding_window": 3,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}
EXPERTS = {"num_local_experts": 3, "num_experts_per_tok": 2}
BART = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": N_HEADS,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24,
    "max_position_embeddings": POSITIONS, "decoder_start_token_id": 1, **ENDS,
}  # fmt: skip
IMAGE = {
    "hidden_size": 32, "intermediate_size": 24, "num_attention_heads": N_HEADS,
    "num_hidden_layers": 2, "patch_size": 4,
}  # fmt: skip
IMAGE_TOKEN = VOCABULARY - 1


def clip() -> PreTrainedModel:
    config = tf.CLIPConfig(
        text_config={
            **COMMON,
            "vocab_size": VOCABULARY,
            "bos_token_id": 1,
            "eos_token_id": IDS[-1],
        },
        vision_config={**IMAGE, "num_attention_heads": 2, "image_size": 12},
        projection_dim=8,
    )
    return whole(tf.CLIPModel, config)


def llava() -> PreTrainedModel:
    config = tf.LlavaConfig(
        vision_config=tf.CLIPVisionConfig(**{**IMAGE, "num_attention_heads": 2}, image_size=8),
        text_config=tf.LlamaConfig(vocab_size=VOCABULARY, pad_token_id=PAD, **GROUPED),
        image_token_index=IMAGE_TOKEN,
    )
    return whole(tf.LlavaForConditionalGeneration, config)


def qwen2_vl() -> PreTrainedModel:
    config = tf.Qwen2VLConfig(
        vision_config={
            "depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2,
            "patch_size": 4, "initializer_range": 0.3,
        },
        text_config={
            **GROUPED, "vocab_size": VOCABULARY, "pad_token_id": PAD,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2],
            },
        },
        image_token_id=IMAGE_TOKEN, video_token_id=38, vision_start_token_id=37,
        vision_end_token_id=36,
    )  # fmt: skip
    return whole(tf.Qwen2VLForConditionalGeneration, config)


def sam() -> PreTrainedModel:
    config = tf.SamConfig(
        vision_config={
            "hidden_size": 16, "output_channels": 32, "num_hidden_layers": 3,
            "num_attention_heads": 2, "image_size": 16, "patch_size": 2, "window_size": 3,
            "global_attn_indexes": [1], "mlp_dim": 24, "num_pos_feats": 16,
            "initializer_range": 0.3,
        },
        prompt_encoder_config={
            "hidden_size": 32, "image_size": 16, "patch_size": 2, "mask_input_channels": 4,
        },
        mask_decoder_config={
            "hidden_size": 32, "mlp_dim": 24, "num_hidden_layers": 2,
            "num_attention_heads": N_HEADS, "iou_head_hidden_dim": 16,
        },
        initializer_range=0.1,
    )  # fmt: skip
    return whole(tf.SamModel, config)


def with_image(more: Inputs, grid: bool, ids: list[int], padding: int = 0) -> Inputs:
    """Text with an image in it, the first `padding` tokens being padding."""
    row = torch.tensor([ids])
    seen = torch.ones_like(row)
    seen[0, :padding] = 0
    row[0, :padding] = PAD
    inputs = {"input_ids": row, "attention_mask": seen, **more}
    if grid:
        inputs["mm_token_type_ids"] = (row == IMAGE_TOKEN).int()
    return inputs


IN_LLAVA = [5, 11, 3, *[IMAGE_TOKEN] * 4, 9, 2]
# 4 x 6 patches of 3 channels, 2 frames, 4 x 4 pixels; each 2 x 2 of them make one token.
IN_QWEN = [5, 11, 37, *[IMAGE_TOKEN] * 6, 36, 9]
LLAVA_PIXELS = {"pixel_values": noise(1, 3, 8, 8)}
IN_QWEN_MORE = [37, *[IMAGE_TOKEN] * 2, 36, 8]
QWEN_PIXELS = {"pixel_values": noise(24, 96), "image_grid_thw": torch.tensor([[1, 4, 6]])}
QWEN_IMAGES = {
    "pixel_values": noise(32, 96),
    "image_grid_thw": torch.tensor([[1, 4, 6], [1, 2, 4]]),
}


def _text_model(name: str, model: Any, config: Any, **settings: Any) -> Architecture:
    layers = settings.pop("layers", SELF)
    route = settings.pop("route", "interface")
    more = settings.pop("inputs", {})
    padded = partial(padded_text, **settings.pop("padded", more))
    make = partial(build, model, config, **settings)
    return Architecture(name, make, partial(text, **more), layers, padded, route)


_outside = partial(_text_model, route="softmax")
_both = partial(_text_model, layers=BOTH, inputs=DECODED)
_IN_FAMILIES = (
    "bert", "distilbert", "roberta", "electra", "albert", "modernbert", "gpt2", "gpt-neox", "opt",
    "llama", "mistral", "qwen2", "qwen3", "gemma3", "phi3",
)  # fmt: skip
_ZOO = [
    *(Architecture(name, FAMILIES[name], text, SELF, padded_text) for name in _IN_FAMILIES),
    _text_model(
        "esm", tf.EsmModel, tf.EsmConfig, mask_token_id=2, position_embedding_type="rotary",
        **COMMON,
    ),
    _text_model(
        "gemma2", tf.Gemma2ForCausalLM, tf.Gemma2Config, head_dim=12, query_pre_attn_scalar=10,
        attn_logit_softcapping=1.5, **SLIDING, **GROUPED,
    ),
    _text_model("olmo2", tf.Olmo2ForCausalLM, tf.Olmo2Config, **GROUPED),
    _text_model("cohere2", tf.Cohere2ForCausalLM, tf.Cohere2Config, **SLIDING, **GROUPED),
    _text_model(
        "mixtral", tf.MixtralForCausalLM, tf.MixtralConfig, sliding_window=4, **EXPERTS, **GROUPED
    ),
    _text_model(
        "gpt-oss", tf.GptOssForCausalLM, tf.GptOssConfig, head_dim=8, **SLIDING, **EXPERTS,
        **GROUPED,
    ),
    _text_model(
        "deepseek-v3", tf.DeepseekV3ForCausalLM, tf.DeepseekV3Config,
        **{**GROUPED, "num_key_value_heads": N_HEADS}, q_lora_rank=12, kv_lora_rank=12,
        qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=6, moe_intermediate_size=16,
        n_routed_experts=4, n_group=2, topk_group=1, num_experts_per_tok=2,
        first_k_dense_replace=1, num_mtp_layers=0,
    ),
    _text_model(
        "jamba", tf.JambaForCausalLM, tf.JambaConfig, layers={"self": (1, 3)},
        **{**GROUPED, "num_hidden_layers": 4}, attn_layer_period=2, attn_layer_offset=1,
        num_experts=2, num_experts_per_tok=1, mamba_d_state=4, mamba_dt_rank=4,
    ),
    _text_model(
        "qwen3-next", tf.Qwen3NextForCausalLM, tf.Qwen3NextConfig, layers={"self": (1, 3)},
        **{**GROUPED, "num_hidden_layers": 4}, head_dim=12, linear_key_head_dim=8,
        linear_value_head_dim=8, linear_num_key_heads=2, linear_num_value_heads=2,
        num_experts=2, num_experts_per_tok=1, moe_intermediate_size=16,
        shared_expert_intermediate_size=16,
        layer_types=["linear_attention", "full_attention"] * 2,
    ),
    _both(
        "t5", tf.T5Model, tf.T5Config, d_model=32, d_kv=6, d_ff=24, num_layers=2,
        num_decoder_layers=3, num_heads=N_HEADS, relative_attention_num_buckets=6,
        relative_attention_max_distance=8, initializer_factor=0.3, decoder_start_token_id=0,
    ),
    _both("bart", tf.BartModel, tf.BartConfig, **BART),
    _both(
        "marian", tf.MarianModel, tf.MarianConfig, decoder_vocab_size=VOCABULARY,
        scale_embedding=True, **BART,
    ),
    Architecture(
        "whisper",
        partial(
            build, tf.WhisperModel, tf.WhisperConfig, d_model=32, encoder_layers=2,
            decoder_layers=3, encoder_attention_heads=N_HEADS, decoder_attention_heads=2,
            encoder_ffn_dim=24, decoder_ffn_dim=24, num_mel_bins=6, max_source_positions=N,
            max_target_positions=POSITIONS, decoder_start_token_id=1, **ENDS,
        ),
        lambda: only(
            input_features=noise(1, 6, 2 * N), decoder_input_ids=torch.tensor([DECODER_IDS])
        ),
        BOTH,
    ),
    Architecture(
        "vit",
        lambda: whole(
            tf.ViTModel, tf.ViTConfig(**{**IMAGE, "num_hidden_layers": 3}, image_size=(8, 12))
        ),
        lambda: only(pixel_values=noise(1, 3, 8, 12)),
        SELF,
    ),
    # Windows of 4 x 4 in 8 x 12 patches, then in 4 x 6: the second are padded.
    Architecture(
        "swin",
        lambda: whole(
            tf.SwinModel,
            tf.SwinConfig(
                image_size=(16, 24), patch_size=2, embed_dim=16, depths=[2, 1], num_heads=[2, 4],
                window_size=4, mlp_ratio=2.0,
            ),
        ),
        lambda: only(pixel_values=noise(1, 3, 16, 24)),
        SELF,
    ),
    Architecture(
        "clip", clip,
        lambda: text() | only(pixel_values=noise(1, 3, 12, 12)),
        {"self": LAYERS, "vision": (0, 1)},
        lambda: padded_text() | only(pixel_values=noise(1, 3, 12, 12)),
    ),
    Architecture(
        "llava", llava,
        partial(with_image, LLAVA_PIXELS, False, IN_LLAVA),
        {"self": LAYERS, "vision": (0, 1)},
        partial(with_image, LLAVA_PIXELS, False, IN_LLAVA, N_PADDING),
    ),
    Architecture(
        "qwen2-vl", qwen2_vl,
        partial(with_image, QWEN_PIXELS, True, IN_QWEN),
        {"self": LAYERS, "vision": (0, 1)},
        partial(with_image, QWEN_PIXELS, True, IN_QWEN, N_PADDING),
    ),
    # Each image is a call of its own: patches see those of their image alone.
    Architecture(
        "qwen2-vl-images", qwen2_vl,
        partial(with_image, QWEN_IMAGES, True, IN_QWEN + IN_QWEN_MORE),
        {"self": LAYERS, "vision": (0, 1)},
        partial(with_image, QWEN_IMAGES, True, IN_QWEN + IN_QWEN_MORE, N_PADDING),
    ),
    # Convolutions of stride 3 and 2 leave 7 frames of 50 samples.
    Architecture(
        "wav2vec2",
        lambda: whole(
            tf.Wav2Vec2Model,
            tf.Wav2Vec2Config(
                hidden_size=32, intermediate_size=24, num_attention_heads=N_HEADS,
                num_hidden_layers=3, conv_dim=[8, 8], conv_stride=[3, 2], conv_kernel=[5, 3],
                num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
            ),
        ),
        lambda: only(input_values=noise(1, 50)),
        SELF,
    ),
    # The mask decoder: points read points, points read the image (even), the image points (odd).
    Architecture(
        "sam", sam,
        lambda: only(
            pixel_values=noise(1, 3, 16, 16),
            input_points=torch.tensor([[[[3.0, 5.0], [9.0, 2.0]]]]),
        ),
        {"vision": LAYERS, "decoder": (0, 1), "cross": (0, 1, 2, 3, 4)},
    ),
    _outside("falcon", tf.FalconForCausalLM, tf.FalconConfig, **ENDS, **COMMON),
    _outside(
        "falcon-alibi", tf.FalconForCausalLM, tf.FalconConfig, alibi=True, multi_query=False,
        **ENDS, **COMMON,
    ),
    _outside(
        "falcon-grouped", tf.FalconForCausalLM, tf.FalconConfig, num_kv_heads=2,
        new_decoder_architecture=True, **ENDS, **COMMON,
    ),
    _outside(
        "bloom", tf.BloomForCausalLM, tf.BloomConfig, hidden_size=32, n_head=N_HEADS, n_layer=3,
        **ENDS,
    ),
    _outside("gpt-j", tf.GPTJForCausalLM, tf.GPTJConfig, rotary_dim=4, **SMALL_GPT),
    _outside(
        "gpt-neo", tf.GPTNeoForCausalLM, tf.GPTNeoConfig, hidden_size=32, intermediate_size=24,
        num_heads=N_HEADS, num_layers=3, max_position_embeddings=POSITIONS, window_size=3,
        attention_types=[[["global", "local", "local"], 1]], **ENDS,
    ),
    _outside(
        "mpt", tf.MptForCausalLM, tf.MptConfig, d_model=32, n_heads=N_HEADS, n_layers=3,
        max_seq_len=POSITIONS, expansion_ratio=1, **ENDS,
    ),
    _outside(
        "deberta-v2", tf.DebertaV2Model, tf.DebertaV2Config, relative_attention=True,
        pos_att_type=["c2p", "p2c"], position_buckets=4, max_relative_positions=8,
        share_att_key=True, norm_rel_ebd="layer_norm", **COMMON,
    ),
    _outside(
        "xlnet", tf.XLNetModel, tf.XLNetConfig, d_model=32, n_layer=3, n_head=N_HEADS, d_inner=24,
        initializer_range=0.4,
    ),
    _outside("big-bird", tf.BigBirdModel, tf.BigBirdConfig, block_size=4, **ENDS, **COMMON),
    # One token sees, and is seen by, all: the first that isn't padding.
    _outside(
        "longformer", tf.LongformerModel, tf.LongformerConfig, attention_window=[4, 8, 4],
        sep_token_id=1, inputs={"global_attention_mask": [1, 0, 0, 0, 0, 0, 0]},
        padded={"global_attention_mask": [0, 0, 1, 0, 0, 0, 0]}, **ENDS, **COMMON,
    ),
]  # fmt: skip
ARCHITECTURES: dict[str, Architecture] = {a.name: a for a in _ZOO}


def without_attention() -> PreTrainedModel:
    """A model that has no attention at all."""
    return build(tf.MambaModel, tf.MambaConfig, hidden_size=32, num_hidden_layers=1, **ENDS)
