"""Models that read sound or video, alone or with text, tiny and with random weights.

Videos have 4 frames of 8 x 12 pixels, so that frames, rows and columns differ in number. Sounds
are 50 samples, of which convolutions leave 7 frames, or spectrograms.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import transformers as tf
from architectures import (
    BART,
    COMMON,
    DECODER_IDS,
    ENDS,
    IDS,
    IMAGE,
    N_DECODER,
    noise,
    only,
    whole,
)
from models import N_HEADS, PAD, POSITIONS, VOCABULARY

from zoo.common import Entry, Inputs
from zoo.images import VIT, WINDOWS, of_config
from zoo.watching import watching

FRAMES = 4
CONVOLUTIONS: dict[str, Any] = {
    "conv_dim": [8, 8], "conv_stride": [3, 2], "conv_kernel": [5, 3], "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
SPEECH: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 24, "num_attention_heads": N_HEADS,
    "num_hidden_layers": 3, **CONVOLUTIONS,
}  # fmt: skip
# Of the second sound, 14 of 50 samples are padding: 2 of 7 frames.
SAMPLES, HEARD = 50, 36
TEXTS = torch.tensor([DECODER_IDS, DECODER_IDS[::-1]])


def video(height: int = 8, width: int = 12) -> Inputs:
    """Two videos, (2, FRAMES, 3, height, width)."""
    return only(pixel_values=noise(2, FRAMES, 3, height, width))


def sound(**more: torch.Tensor) -> Inputs:
    """Two sounds, (2, SAMPLES)."""
    return only(input_values=noise(2, SAMPLES)) | more


def sound_padded(**more: torch.Tensor) -> Inputs:
    """The same, the second one shorter."""
    seen = torch.ones(2, SAMPLES, dtype=torch.long)
    seen[1, HEARD:] = 0
    inputs = sound(attention_mask=seen, **more)
    inputs["input_values"][1, HEARD:] = 0
    return inputs


def waves() -> Inputs:
    """Two longer sounds, of which Moonshine's convolutions leave 6 frames, and texts to write."""
    return only(input_values=noise(2, 3000), decoder_input_ids=TEXTS)


def waves_padded() -> Inputs:
    """The same, the second sound a third shorter."""
    seen = torch.ones(2, 3000, dtype=torch.long)
    seen[1, 2000:] = 0
    return waves() | only(attention_mask=seen)


def spectrogram() -> Inputs:
    """Two spectrograms of 24 moments and 6 bands, and a text to write for each."""
    return only(input_features=noise(2, 24, 6), decoder_input_ids=TEXTS)


def spectrogram_padded() -> Inputs:
    """The same, the second one a third shorter."""
    seen = torch.ones(2, 24, dtype=torch.long)
    seen[1, 16:] = 0
    return spectrogram() | only(attention_mask=seen)


def texts(padding: int = 0) -> Inputs:
    """Two texts, with `padding` at the right of the second one."""
    ids = torch.tensor([IDS, IDS[::-1]])
    seen = torch.ones_like(ids)
    if padding:
        ids[1, -padding:], seen[1, -padding:] = PAD, 0
    return only(input_ids=ids, attention_mask=seen)


def speech_encoder_decoder() -> tf.PreTrainedModel:
    """HuBERT, and a GPT-2 that reads its frames."""
    encoder = tf.HubertConfig(**{**SPEECH, "num_hidden_layers": 2})
    decoder = tf.GPT2Config(
        vocab_size=VOCABULARY, n_embd=16, n_head=2, n_layer=3, n_positions=POSITIONS,
        add_cross_attention=True, is_decoder=True, **ENDS,
    )  # fmt: skip
    config = tf.SpeechEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id = 1, PAD
    return whole(tf.SpeechEncoderDecoderModel, config)


CODEBOOKS = 4
MUSIC: dict[str, Any] = {
    "vocab_size": 32, "hidden_size": 32, "ffn_dim": 24, "num_hidden_layers": 3,
    "num_attention_heads": N_HEADS, "num_codebooks": CODEBOOKS, "max_position_embeddings": 32,
    "pad_token_id": 32, "bos_token_id": 32,
}  # fmt: skip


def codes(n: int, **more: torch.Tensor) -> Inputs:
    """Codes of two pieces of music; (piece, codebook) are one axis: (2 · CODEBOOKS, n)."""
    numbers = torch.arange(2 * CODEBOOKS * n).reshape(2 * CODEBOOKS, n)
    return only(decoder_input_ids=numbers * 7 % 31) | more


def musicgen() -> tf.PreTrainedModel:
    """T5 reads a text, and a decoder writes codes of music."""
    text = tf.T5Config(
        vocab_size=VOCABULARY, d_model=16, d_kv=6, d_ff=24, num_layers=2, num_heads=2,
        relative_attention_num_buckets=6, relative_attention_max_distance=8, initializer_factor=0.3,
        pad_token_id=PAD,
    )  # fmt: skip
    audio = tf.EncodecConfig(
        hidden_size=8, num_filters=2, upsampling_ratios=[2, 2], codebook_size=32, codebook_dim=8,
        num_lstm_layers=1, sampling_rate=100,
    )  # fmt: skip
    config = tf.MusicgenConfig(
        text_encoder=text, audio_encoder=audio, decoder=tf.MusicgenDecoderConfig(**MUSIC)
    )
    return whole(tf.MusicgenForConditionalGeneration, config)


def moshi() -> tf.PreTrainedModel:
    """A decoder over a text and two voices, whose codes of one moment are added up."""
    mimi = tf.MimiConfig(**MIMI)
    config = tf.MoshiConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=3, num_attention_heads=N_HEADS,
        num_key_value_heads=2, ffn_dim=24, max_position_embeddings=POSITIONS, num_codebooks=2,
        sliding_window=POSITIONS, audio_encoder_config=mimi, pad_token_id=PAD,
        depth_decoder_config={
            "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "ffn_dim": 24,
            "max_position_embeddings": 3, "sliding_window": 3,
        },
    )  # fmt: skip
    return whole(tf.MoshiForConditionalGeneration, config)


def voices(padding: int = 0) -> Inputs:
    """Two texts, and the codes of two voices for each of their moments."""
    moments = torch.arange(2 * 2 * len(IDS)).reshape(2, 2, len(IDS))
    return texts(padding) | only(
        user_audio_codes=moments * 5 % 11, moshi_audio_codes=moments * 3 % 11
    )


MIMI: dict[str, Any] = {
    "hidden_size": 16, "num_filters": 2, "upsampling_ratios": [2, 2], "codebook_size": 16,
    "codebook_dim": 8, "num_quantizers": 2, "vector_quantization_hidden_dimension": 8,
    "upsample_groups": 16, "num_hidden_layers": 2, "intermediate_size": 24,
    "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "sliding_window": 5, "sampling_rate": 100,
}  # fmt: skip


def clap() -> tf.PreTrainedModel:
    """A Swin over a folded spectrogram, and RoBERTa."""
    audio = {
        "window_size": 4, "num_mel_bins": 8, "spec_size": 32, "patch_size": 4,
        "patch_stride": [4, 4], "hidden_size": 32, "patch_embeds_hidden_size": 16,
        "depths": [2, 1], "num_attention_heads": [2, 4], "mlp_ratio": 2.0,
        "num_hidden_layers": 2, "projection_dim": 8, "aff_block_r": 2,
    }  # fmt: skip
    text = {**COMMON, **ENDS, "vocab_size": VOCABULARY, "pad_token_id": PAD, "projection_dim": 8}
    config = tf.ClapConfig(audio_config=audio, text_config=text, projection_dim=8)
    return whole(tf.ClapModel, config)


def heard(padding: int = 0) -> Inputs:
    """Two spectrograms of 128 moments and 8 bands, and two texts."""
    return texts(padding) | only(
        input_features=noise(2, 1, 128, 8), is_longer=torch.zeros(2, 1, dtype=torch.bool)
    )


def x_clip() -> tf.PreTrainedModel:
    """CLIP over frames that send each other messages, and texts that read the video."""
    vision = {
        **IMAGE, "image_size": 12, "num_frames": FRAMES, "mit_hidden_size": 32,
        "mit_intermediate_size": 24, "mit_num_hidden_layers": 1, "mit_num_attention_heads": 2,
    }  # fmt: skip
    text = {**COMMON, "vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": IDS[-1]}
    config = tf.XCLIPConfig(
        text_config=text, vision_config=vision, projection_dim=32, prompt_layers=2,
        prompt_num_attention_heads=2,
    )  # fmt: skip
    model = whole(tf.XCLIPModel, config)
    with torch.no_grad():  # Scores of several hundreds would round by more than the tolerance.
        for layer in model.prompts_generator.decoder:
            layer.cross_attn.q_proj.weight.mul_(0.1)
    return model


def described(padding: int = 0) -> Inputs:
    """Two videos and two texts."""
    return texts(padding) | video(12, 12)


def mimi() -> tf.PreTrainedModel:
    """A codec with codebooks of its own; new ones are all zero, and every sound is the same."""
    model = whole(tf.MimiModel, tf.MimiConfig(**MIMI))
    for name, buffer in model.named_buffers():
        if name.endswith("embed_sum"):
            buffer.copy_(noise(*buffer.shape))
    return model


CONFORMER: dict[str, Any] = {**SPEECH, "conv_depthwise_kernel_size": 3}
VIDEO: dict[str, Any] = {**VIT, "num_frames": FRAMES}

ENTRIES = [
    Entry(
        "vivit", "ViViT",
        of_config(
            tf.VivitModel, tf.VivitConfig, tubelet_size=[2, 4, 4],
            **{k: v for k, v in VIDEO.items() if k not in ("patch_size", "image_size")},
            image_size=12,
        ),
        partial(video, 12, 12), {"self": 3},
        notes="a class token, then patches of the first two frames, then those of the next two",
    ),
    Entry(
        "videomae", "VideoMAE",
        of_config(tf.VideoMAEModel, tf.VideoMAEConfig, **VIDEO, tubelet_size=2),
        video, {"self": 3},
        notes="patches of the first two frames, then those of the next two",
    ),
    Entry(
        "timesformer", "TimeSformer",
        of_config(tf.TimesformerModel, tf.TimesformerConfig, **{**VIDEO, "image_size": 12}),
        video, {"self 7×7": 3, "self 4×4": 3},
        notes="in space, patches of one frame attend to each other: the first frame is shown; in "
        "time, frames of one patch: the first patch is shown",
        oracle=watching("TimesformerSelfAttention"),
    ),
    Entry(
        "timesformer-joint", "TimeSformer, space and time together",
        of_config(
            tf.TimesformerModel, tf.TimesformerConfig, **{**VIDEO, "image_size": 12},
            attention_type="joint_space_time",
        ),
        video, {"self": 3},
        notes="a class token, then for each patch its frames in turn",
    ),
    Entry(
        "x-clip", "X-CLIP", x_clip, described,
        {"self 7×7": 3, "self 4×4": 1, "cross": 2, "vision 4×4": 2, "vision 11×11": 2},
        partial(described, 2),
        notes="patches of one frame attend to each other: the first frame is shown; messages "
        "between frames are layers of their own",
    ),
    Entry(
        "ast", "Audio Spectrogram Transformer",
        of_config(
            tf.ASTModel, tf.ASTConfig, **{k: v for k, v in VIT.items() if k != "image_size"},
            frequency_stride=2, time_stride=4, max_length=20, num_mel_bins=8,
        ),
        lambda: only(input_values=noise(2, 20, 8)), {"self": 3},
        notes="a class and a distillation token stand before the patches, which go by frequency, "
        "then by time",
    ),
    Entry(
        "wav2vec2-conformer", "Wav2Vec2-Conformer, relative positions",
        of_config(tf.Wav2Vec2ConformerModel, tf.Wav2Vec2ConformerConfig, **CONFORMER),
        sound, {"self": 3}, sound_padded,
    ),
    Entry(
        "wav2vec2-conformer-rotary", "Wav2Vec2-Conformer, rotary positions",
        of_config(
            tf.Wav2Vec2ConformerModel, tf.Wav2Vec2ConformerConfig, **CONFORMER,
            position_embeddings_type="rotary",
        ),
        sound, {"self": 3}, sound_padded,
    ),
    Entry(
        "hubert", "HuBERT", of_config(tf.HubertModel, tf.HubertConfig, **SPEECH),
        sound, {"self": 3}, sound_padded,
    ),
    Entry(
        "wavlm", "WavLM",
        of_config(tf.WavLMModel, tf.WavLMConfig, **SPEECH, num_buckets=8, max_bucket_distance=12),
        sound, {"self": 3}, sound_padded,
        notes="a bias for the distance, gated by the query, is added to the scores",
        oracle=watching(),
    ),
    Entry(
        "sew", "SEW", of_config(tf.SEWModel, tf.SEWConfig, **SPEECH, squeeze_factor=2),
        sound, {"self": 3}, sound_padded,
        notes="two frames are squeezed into one",
    ),
    Entry(
        "moonshine", "Moonshine",
        of_config(
            tf.MoonshineModel, tf.MoonshineConfig, vocab_size=VOCABULARY, hidden_size=32,
            intermediate_size=24, encoder_num_hidden_layers=2, decoder_num_hidden_layers=3,
            encoder_num_attention_heads=N_HEADS, decoder_num_attention_heads=2,
            max_position_embeddings=POSITIONS, pad_token_id=PAD,
        ),
        waves, {"encoder": 2, "decoder": 3, "cross": 3}, waves_padded,
    ),
    Entry(
        "speech-to-text", "Speech2Text",
        of_config(
            tf.Speech2TextModel, tf.Speech2TextConfig,
            **{k: v for k, v in BART.items() if k != "max_position_embeddings"},
            vocab_size=VOCABULARY, pad_token_id=PAD, max_source_positions=64,
            max_target_positions=POSITIONS, num_conv_layers=2, conv_kernel_sizes=[3, 3],
            conv_channels=16, input_feat_per_channel=6,
        ),
        spectrogram, {"encoder": 2, "decoder": 3, "cross": 3}, spectrogram_padded,
        notes="two convolutions leave every fourth moment",
    ),
    Entry(
        "speecht5", "SpeechT5, speech to text",
        of_config(
            tf.SpeechT5ForSpeechToText, tf.SpeechT5Config, vocab_size=VOCABULARY, hidden_size=32,
            encoder_layers=2, encoder_attention_heads=N_HEADS, encoder_ffn_dim=24,
            decoder_layers=3, decoder_attention_heads=2, decoder_ffn_dim=24, pad_token_id=PAD,
            max_text_positions=POSITIONS, encoder_max_relative_position=4, **CONVOLUTIONS,
        ),
        partial(sound, decoder_input_ids=TEXTS), {"encoder": 2, "decoder": 3, "cross": 3},
        partial(sound_padded, decoder_input_ids=TEXTS),
        notes="a bias for the distance, which depends on the query, is added to the scores of the "
        "encoder",
    ),
    Entry(
        "speech-encoder-decoder", "SpeechEncoderDecoder of HuBERT and GPT-2",
        speech_encoder_decoder, partial(sound, decoder_input_ids=TEXTS),
        {"encoder": 2, "decoder": 3, "cross": 3}, partial(sound_padded, decoder_input_ids=TEXTS),
    ),
    Entry(
        "moshi", "Moshi", moshi, voices, {"self": 3}, partial(voices, 2),
        notes="the depth decoder, which writes the codes of one moment, runs in generate alone",
    ),
    Entry(
        "mimi", "Mimi",
        mimi,
        lambda: only(input_values=noise(2, 1, 48)), {"self": 4},
        notes="a codec: the first two layers read frames of sound, the last two write them",
    ),
    Entry(
        "musicgen", "MusicGen", musicgen,
        lambda: texts() | codes(N_DECODER), {"encoder": 2, "decoder": 3, "cross": 3},
        lambda: texts(2) | codes(N_DECODER),
        notes="codebooks stand in the batch axis of the decoder's input: a row is a piece of music",
    ),
    Entry(
        "musicgen-decoder", "MusicGen's decoder alone",
        of_config(tf.MusicgenForCausalLM, tf.MusicgenDecoderConfig, **MUSIC),
        lambda: only(input_ids=codes(N_DECODER)["decoder_input_ids"]), {"self": 3},
        notes="codebooks stand in the batch axis of the input: a row is a piece of music",
    ),
    Entry(
        "clap", "CLAP", clap, heard, {"self": 3, "audio": 3}, partial(heard, 2), notes=WINDOWS,
    ),
]  # fmt: skip
