"""Tiny image, video and sound towers with random weights, and where each of their patches lies.

Images are 2 x 3 patches, so that rows and columns cannot be confused, wherever the model allows it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
import transformers as tf
from architectures import IMAGE, noise, whole
from transformers import PreTrainedModel

ROWS, COLUMNS, PATCH = 2, 3, 4
SIZE = (ROWS * PATCH, COLUMNS * PATCH)
# Where a patch of an input lies: an index of the tensor `name`.
Place = tuple[Any, ...]


@dataclass(frozen=True)
class Tower:
    """A tower alone: `patches` has the place of each patch in the tensor `name` by its label.

    `extras` names the parameter of each extra position, and its row in that parameter, by label;
    `silent` are the labels of further extra positions. `stack` is the stack of the widget.
    """

    make: Callable[[], PreTrainedModel]
    inputs: Mapping[str, Any]
    patches: Mapping[str, Place]
    extras: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    stack: str = "self"
    name: str = "pixel_values"


def square(r: int, c: int) -> Place:
    """The pixels (height, width) of patch (r, c)."""
    return ..., slice(PATCH * r, PATCH * (r + 1)), slice(PATCH * c, PATCH * (c + 1))


def squares(rows: int = ROWS, columns: int = COLUMNS) -> dict[str, Place]:
    return {f"{r},{c}": square(r, c) for r in range(rows) for c in range(columns)}


def in_frames(frames: int, long: int = 1) -> dict[str, Place]:
    """The pixels (batch, frames, channels, height, width) of each patch of each frame."""
    return {
        f"{t}:{label}": (slice(None), slice(long * t, long * (t + 1)), slice(None), *place[1:])
        for t in range(frames)
        for label, place in squares().items()
    }


PIXELS = {"pixel_values": noise(1, 3, *SIZE)}
RESIZED = {**PIXELS, "interpolate_pos_encoding": True}
VIDEO = {"pixel_values": noise(1, 4, 3, *SIZE)}
CLIP = {**IMAGE, "num_attention_heads": 2, "image_size": 12}


def _image(
    model: Any, config: Any, inputs: Mapping[str, Any] = PIXELS, extras: Any = (), **settings: Any
) -> Tower:
    given = {**IMAGE, "image_size": SIZE, **settings}
    return Tower(partial(_built, model, config, given), inputs, squares(), dict(extras))


def _built(model: Any, config: Any, settings: dict[str, Any]) -> PreTrainedModel:
    return whole(model, config(**settings))


CLS = {"CLS": ("cls_token", 0)}
CLASS = {"CLS": ("class_embedding", 0)}
_clip = partial(_image, inputs=RESIZED, **CLIP)
_registers = {f"register {i + 1}": ("register_tokens", i) for i in range(3)}


def module_class(path: str, name: str) -> Any:
    """Return a class that transformers does not export by name."""
    return getattr(importlib.import_module(f"transformers.models.{path}"), name)


def _video(model: Any, config: Any, extras: Mapping[str, Any], **settings: Any) -> Tower:
    """4 frames in tubelets of 2."""
    given = {**IMAGE, "image_size": SIZE, "num_frames": 4, **settings}
    return Tower(partial(_built, model, config, given), VIDEO, in_frames(2, 2), extras)


def _timesformer(stack: str, way: str, patches: Mapping[str, Place], extras: Any) -> Tower:
    """4 frames of 2 x 3 patches."""
    settings = {**IMAGE, "image_size": 12, "num_frames": 4, "attention_type": way}
    make = partial(_built, tf.TimesformerModel, tf.TimesformerConfig, settings)
    return Tower(make, VIDEO, patches, extras, stack=stack)


def _spectrogram() -> Tower:
    """10 frequencies and 12 times; patches of 4 x 4 overlap, the middle of each is its own."""
    settings = {
        **IMAGE, "image_size": SIZE, "frequency_stride": 3, "time_stride": 2, "patch_size": 3,
        "num_mel_bins": 6, "max_length": 7,
    }  # fmt: skip
    settings.pop("image_size")
    patches = {
        f"{f},{t}": (0, 2 * t + 1, slice(3 * f, 3 * f + 3)) for f in range(2) for t in range(3)
    }
    extras = {**CLS, "distillation": ("distillation_token", 0)}
    make = partial(_built, tf.ASTModel, tf.ASTConfig, settings)
    return Tower(make, {"input_values": noise(1, 7, 6)}, patches, extras, name="input_values")


def _windows(model: Any, config: Any, **settings: Any) -> Tower:
    """8 x 12 patches in windows of 4 x 4."""
    given = {
        "image_size": (16, 24), "patch_size": 2, "embed_dim": 16, "depths": [2], "num_heads": [2],
        "window_size": 4, "mlp_ratio": 2.0, **settings,
    }  # fmt: skip
    inputs = {"pixel_values": noise(1, 3, 16, 24)}
    return Tower(partial(_built, model, config, given), inputs, _first_window(4))


def _first_window(side: int, prefix: str = "w0:") -> dict[str, Place]:
    return {
        f"{prefix}{r},{c}": (..., slice(2 * r, 2 * r + 2), slice(2 * c, 2 * c + 2))
        for r in range(side)
        for c in range(side)
    }


def _sam(whole_layer: int) -> Tower:
    """8 x 8 patches, in windows of 3 x 3 but for one layer, which is the first or the second."""
    settings = {
        "hidden_size": 16, "output_channels": 32, "num_hidden_layers": 2, "mlp_dim": 24,
        "num_attention_heads": 2, "image_size": 16, "patch_size": 2, "window_size": 3,
        "global_attn_indexes": [whole_layer], "num_pos_feats": 16,
    }  # fmt: skip
    patches, stack = (
        (_first_window(3), "self 9×9") if whole_layer else (_first_window(8, ""), "self 64×64")
    )
    make = partial(_built, tf.SamVisionModel, tf.SamVisionConfig, settings)
    return Tower(make, {"pixel_values": noise(1, 3, 16, 16)}, patches, stack=stack)


def _mllama() -> Tower:
    """2 tiles of 2 x 2 patches; each tile has a CLS in front and is filled up to 8 positions."""
    config = module_class("mllama.configuration_mllama", "MllamaVisionConfig")
    model = module_class("mllama.modeling_mllama", "MllamaVisionModel")
    settings = {
        "hidden_size": 32, "intermediate_size": 24, "attention_heads": 4, "num_hidden_layers": 2,
        "num_global_layers": 1, "patch_size": PATCH, "image_size": 2 * PATCH, "max_num_tiles": 2,
        "intermediate_layers_indices": [0], "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
    }  # fmt: skip
    inputs = {
        "pixel_values": noise(1, 1, 2, 3, 2 * PATCH, 2 * PATCH),
        "aspect_ratio_ids": torch.tensor([[2]]),
        "aspect_ratio_mask": torch.tensor([[[1, 1]]]),
    }
    patches = {
        f"{tile}:{label}": (0, 0, tile, *place)
        for tile in range(2)
        for label, place in squares(2, 2).items()
    }
    extras = {f"{tile}:CLS": ("class_embedding", 0) for tile in range(2)}
    silent = tuple(f"{tile}:padding {i}" for tile in range(2) for i in (1, 2, 3))
    return Tower(partial(_built, model, config, settings), inputs, patches, extras, silent)


def _segformer(stage: int) -> Tower:
    """4 x 6 patches, then 2 x 3; they overlap, and the pixel in the middle of each is its own."""
    settings = {
        "num_encoder_blocks": 2, "depths": [1, 1], "sr_ratios": [2, 1], "hidden_sizes": [16, 32],
        "patch_sizes": [7, 3], "strides": [4, 2], "num_attention_heads": [2, 4],
        "mlp_ratios": [2, 2],
    }  # fmt: skip
    stride, stack = (4, "self 24×6") if stage == 0 else (8, "self 6×6")
    patches = {
        f"{r},{c}": (..., stride * r, stride * c)
        for r in range(16 // stride)
        for c in range(24 // stride)
    }
    return Tower(
        lambda: unmixed(whole(tf.SegformerModel, tf.SegformerConfig(**settings))),
        {"pixel_values": noise(1, 3, 16, 24)}, patches, stack=stack,
    )  # fmt: skip


def unmixed(model: PreTrainedModel) -> PreTrainedModel:
    """Let no position of a layer reach another, so that the layers behind it can be asked too."""
    for name, parameter in model.named_parameters():
        if any(part in name for part in ("o_proj", "dwconv", "dense")):
            parameter.data.zero_()
    return model


TOWERS: dict[str, Tower] = {
    "vit": _image(tf.ViTModel, tf.ViTConfig, extras=CLS),
    "vit_msn": _image(tf.ViTMSNModel, tf.ViTMSNConfig, extras=CLS),
    "ijepa": _image(tf.IJepaModel, tf.IJepaConfig),
    "deit": _image(
        tf.DeiTModel, tf.DeiTConfig, extras={**CLS, "distillation": ("distillation_token", 0)}
    ),
    "yolos": _image(
        tf.YolosModel, tf.YolosConfig, num_detection_tokens=5,
        extras={**CLS} | {f"detection {i + 1}": ("detection_tokens", i) for i in range(5)},
    ),
    "dinov2": _image(tf.Dinov2Model, tf.Dinov2Config, extras=CLS, image_size=12),
    "dinov2_with_registers": _image(
        tf.Dinov2WithRegistersModel, tf.Dinov2WithRegistersConfig, num_register_tokens=3,
        extras={**CLS, **_registers}, image_size=12,
    ),
    "dinov3_vit": _image(
        tf.DINOv3ViTModel, tf.DINOv3ViTConfig, num_register_tokens=3,
        extras={**CLS, **_registers}, image_size=12,
    ),
    "beit": _image(tf.BeitModel, tf.BeitConfig, extras=CLS),
    "data2vec-vision": _image(tf.Data2VecVisionModel, tf.Data2VecVisionConfig, extras=CLS),
    "clip_vision_model": _clip(tf.CLIPVisionModel, tf.CLIPVisionConfig, extras=CLASS),
    "chinese_clip_vision_model": _clip(
        tf.ChineseCLIPVisionModel, tf.ChineseCLIPVisionConfig, extras=CLASS
    ),
    "altclip_vision_model": _clip(
        tf.AltCLIPVisionModel, module_class("altclip.configuration_altclip", "AltCLIPVisionConfig"),
        extras=CLASS,
    ),
    "clipseg_vision_model": _clip(tf.CLIPSegVisionModel, tf.CLIPSegVisionConfig, extras=CLASS),
    "owlvit_vision_model": _clip(tf.OwlViTVisionModel, tf.OwlViTVisionConfig, extras=CLASS),
    "owlv2_vision_model": _clip(tf.Owlv2VisionModel, tf.Owlv2VisionConfig, extras=CLASS),
    "blip_vision_model": _clip(tf.BlipVisionModel, tf.BlipVisionConfig, extras=CLASS),
    "blip_2_vision_model": _clip(tf.Blip2VisionModel, tf.Blip2VisionConfig, extras=CLASS),
    "instructblip_vision_model": _clip(
        tf.InstructBlipVisionModel, tf.InstructBlipVisionConfig, extras=CLASS
    ),
    "flava_image_model": _image(tf.FlavaImageModel, tf.FlavaImageConfig, extras=CLS),
    "git_vision_model": _clip(
        tf.GitVisionModel, module_class("git.configuration_git", "GitVisionConfig"), extras=CLASS
    ),
    "kosmos_2_vision_model": _clip(
        module_class("kosmos2.modeling_kosmos2", "Kosmos2VisionModel"),
        module_class("kosmos2.configuration_kosmos2", "Kosmos2VisionConfig"), extras=CLASS,
    ),
    "siglip_vision_model": _clip(tf.SiglipVisionModel, tf.SiglipVisionConfig),
    "idefics3_vision": _image(
        tf.Idefics3VisionTransformer, tf.Idefics3VisionConfig, image_size=12
    ),
    "smolvlm_vision": _image(tf.SmolVLMVisionTransformer, tf.SmolVLMVisionConfig, image_size=12),
    "audio-spectrogram-transformer": _spectrogram(),
    "vivit": _video(tf.VivitModel, tf.VivitConfig, CLS, tubelet_size=[2, PATCH, PATCH]),
    "videomae": _video(tf.VideoMAEModel, tf.VideoMAEConfig, {}, tubelet_size=2),
    # Time and space in turn: the first patch over all frames, and the first frame.
    "timesformer time": _timesformer(
        "self 4×4", "divided_space_time",
        {label: place for label, place in in_frames(4).items() if label.endswith(":0,0")}, {},
    ),
    "timesformer space": _timesformer("self 7×7", "divided_space_time", in_frames(1), CLS),
    "timesformer joint": _timesformer("self", "joint_space_time", in_frames(4), CLS),
    "timesformer space alone": _timesformer("self", "space_only", in_frames(1), CLS),
    "mllama_vision_model": _mllama(),
    "swin": _windows(tf.SwinModel, tf.SwinConfig),
    "swinv2": _windows(tf.Swinv2Model, tf.Swinv2Config),
    "donut-swin": _windows(
        module_class("donut.modeling_donut_swin", "DonutSwinModel"), tf.DonutSwinConfig
    ),
    "maskformer-swin": _windows(
        module_class("maskformer.modeling_maskformer_swin", "MaskFormerSwinModel"),
        tf.MaskFormerSwinConfig,
    ),
    "sam_vision_model windows": _sam(1),
    "sam_vision_model whole": _sam(0),
    "segformer": _segformer(0),
    "segformer stage 2": _segformer(1),
}  # fmt: skip


@dataclass(frozen=True)
class Sound:
    """A sound tower: the middle of frame i is at `start` + i * `step` of the `axis` of its input.

    A frame hears `reach` numbers to either side; None where a convolution over frames follows.
    """

    make: Callable[[], PreTrainedModel]
    inputs: Mapping[str, torch.Tensor]
    module: str
    start: int
    step: int
    reach: int | None = None
    axis: int = -1
    stack: str = "self"

    def frame(self, i: int) -> Place:
        """Return the place of what is heard in the middle of frame i alone."""
        heard = slice(self.start + i * self.step, self.start + i * self.step + 1)
        return (..., heard) if self.axis == -1 else (slice(None), heard)


def _without_norm(model: Any, config: Any, settings: dict[str, Any]) -> PreTrainedModel:
    """Leave out the norm over the whole sound, which lets each sample reach every frame."""
    built: Any = _built(model, config, settings)
    built.encoder.groupnorm = torch.nn.Identity()
    return built


def _sound(
    model: Any, config: Any, inputs: Mapping[str, torch.Tensor], where: Any, **settings: Any
) -> Sound:
    given = {
        "hidden_size": 32, "intermediate_size": 24, "num_attention_heads": 4,
        "num_hidden_layers": 2, **settings,
    }  # fmt: skip
    return Sound(partial(_built, model, config, given), inputs, *where)


# Convolutions of stride 3 and 2: a frame is 6 samples.
WAVE = {"input_values": noise(1, 62)}
CONVOLUTIONS = {
    "conv_dim": [8, 8], "conv_stride": [3, 2], "conv_kernel": [5, 3],
    "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
    "feat_extract_norm": "layer", "num_feat_extract_layers": 2,
}  # fmt: skip
# A frame hears 5 + 3 * 2 samples from 6i on.
_wave = partial(_sound, inputs=WAVE, where=("encoder.layers.0.attention", 5, 6), **CONVOLUTIONS)
MEL = {"input_features": noise(1, 6, 20)}
LISTENER = {
    "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 24,
    "num_mel_bins": 6, "max_source_positions": 10,
}  # fmt: skip

SOUNDS: dict[str, Sound] = {
    "wav2vec2": _wave(tf.Wav2Vec2Model, tf.Wav2Vec2Config),
    "hubert": _wave(tf.HubertModel, tf.HubertConfig),
    "wavlm": _wave(tf.WavLMModel, tf.WavLMConfig),
    "data2vec-audio": _wave(
        tf.Data2VecAudioModel, tf.Data2VecAudioConfig, conv_pos_kernel_size=3
    ),
    "unispeech": _wave(tf.UniSpeechModel, tf.UniSpeechConfig),
    "unispeech-sat": _wave(tf.UniSpeechSatModel, tf.UniSpeechSatConfig),
    "wav2vec2-conformer": _wave(
        tf.Wav2Vec2ConformerModel, tf.Wav2Vec2ConformerConfig,
        where=("encoder.layers.0.self_attn", 5, 6),
    ),
    "whisper": Sound(
        partial(
            _built, tf.WhisperForConditionalGeneration, tf.WhisperConfig,
            {
                **LISTENER, "decoder_layers": 1, "decoder_attention_heads": 4,
                "decoder_ffn_dim": 24, "vocab_size": 40, "pad_token_id": 0, "bos_token_id": 1,
                "eos_token_id": 1, "decoder_start_token_id": 1,
            },
        ),
        {**MEL, "decoder_input_ids": torch.tensor([[1, 4, 6]])},
        "model.encoder.layers.0.self_attn", 0, 2, 2, stack="encoder",
    ),
    "qwen2_audio_encoder": _sound(
        tf.Qwen2AudioEncoder, tf.Qwen2AudioEncoderConfig, MEL, ("layers.0.self_attn", 0, 2, 2),
        **LISTENER,
    ),
    "speech_to_text": Sound(
        partial(
            _built, tf.Speech2TextModel, tf.Speech2TextConfig,
            {
                "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 4,
                "encoder_ffn_dim": 24, "decoder_layers": 1, "decoder_attention_heads": 4,
                "decoder_ffn_dim": 24, "vocab_size": 40, "conv_channels": 8,
                "input_feat_per_channel": 6, "max_source_positions": 40,
            },
        ),
        {
            "input_features": noise(1, 20, 6),
            "decoder_input_ids": torch.tensor([[1, 4, 6]]),
        },
        "encoder.layers.0.self_attn", 0, 4, 6, axis=1, stack="encoder",
    ),
    # Convolutions of 127, 7 and 3 samples with strides 64, 3 and 2.
    "moonshine": Sound(
        partial(
            _without_norm, tf.MoonshineModel, tf.MoonshineConfig,
            {
                "hidden_size": 32, "intermediate_size": 24, "vocab_size": 40,
                "encoder_num_hidden_layers": 2, "decoder_num_hidden_layers": 1,
                "encoder_num_attention_heads": 4, "decoder_num_attention_heads": 4,
            },
        ),
        {
            "input_values": noise(1, 5 * 384 + 600),
            "decoder_input_ids": torch.tensor([[1, 4, 6]]),
        },
        "encoder.layers.0.self_attn", 63 + 3 * 64 + 192, 384, 63 + 3 * 64 + 192, stack="encoder",
    ),
}  # fmt: skip
