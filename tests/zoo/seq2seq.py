"""Encoder-decoders: models that read one text, or one series of numbers, and write another."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import transformers as tf
from architectures import BART, COMMON, ENDS, GROUPED
from architectures_eager import _dense
from models import N_HEADS, PAD, POSITIONS, VOCABULARY, build, settle
from transformers import PreTrainedModel

from zoo.common import Entry, Inputs, padded_text, text
from zoo.oracle import Weights, eager_copy, eager_weights, outputs_of_modules

_ALL = {"encoder": 2, "decoder": 3, "cross": 3}
_NO_ENCODER = {"decoder": 3, "cross": 3}
_T5 = {
    "d_model": 32, "d_kv": 6, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 3,
    "num_heads": N_HEADS, "relative_attention_num_buckets": 6,
    "relative_attention_max_distance": 8, "initializer_factor": 0.3,
    "decoder_start_token_id": PAD, "eos_token_id": 1,
}  # fmt: skip
_EXPERTS = {"num_experts": 3, "expert_capacity": 64, "router_jitter_noise": 0.0}
# 8 steps that the encoder reads, 4 steps that the decoder writes, 2 features of the time.
_SERIES = {
    "prediction_length": 4, "context_length": 8, "lags_sequence": [1, 2], "num_time_features": 2,
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": N_HEADS,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24,
}  # fmt: skip


def _seq2seq(
    name: str, family: str, model: Any, config: Any, /, *,
    stacks: dict[str, int] | None = None, entry: dict[str, Any] | None = None,
    double: bool = False, **settings: Any,
) -> Entry:  # fmt: skip
    """Return an entry for a model of text; `entry` has further fields of the Entry."""
    more = {
        "inputs": partial(text, target=True), "padded": partial(padded_text, target=True),
    } | (entry or {})  # fmt: skip
    make = partial(build, model, config, **settings)
    return Entry(
        name, family, (lambda: make().double()) if double else make,
        stacks=_ALL if stacks is None else stacks, **more,
    )  # fmt: skip


def _series_model(model: Any, config: Any, /, **settings: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    return settle(model(config(**_SERIES, **settings)))


def _series() -> Inputs:
    noise = torch.Generator().manual_seed(5)
    past, future = 10, 4  # The largest lag is 2, so that the encoder needs 2 steps more than 8.
    return {
        "past_values": torch.randn(2, past, generator=noise),
        "past_time_features": torch.randn(2, past, 2, generator=noise),
        "past_observed_mask": torch.ones(2, past),
        "future_values": torch.randn(2, future, generator=noise),
        "future_time_features": torch.randn(2, future, 2, generator=noise),
    }


def _forecaster(
    name: str, family: str, model: Any, config: Any, /, *,
    stacks: dict[str, int] | None = None, entry: dict[str, Any] | None = None, **settings: Any,
) -> Entry:  # fmt: skip
    return Entry(
        name, family, partial(_series_model, model, config, **settings), _series,
        _ALL if stacks is None else stacks, **(entry or {}),
    )  # fmt: skip


def _t5gemma() -> PreTrainedModel:
    part = {
        **GROUPED, "vocab_size": VOCABULARY, "pad_token_id": PAD, "head_dim": 12,
        "query_pre_attn_scalar": 10, "attn_logit_softcapping": 1.5, "sliding_window": 3,
    }  # fmt: skip
    layers = ["sliding_attention", "full_attention", "sliding_attention"]
    config = tf.T5GemmaConfig(
        encoder={**part, "num_hidden_layers": 2, "layer_types": layers[:2]},
        decoder={**part, "layer_types": layers},
        vocab_size=VOCABULARY,
    )
    torch.manual_seed(0)
    return settle(tf.T5GemmaForConditionalGeneration(config))


def _encoder_decoder() -> PreTrainedModel:
    part = {**COMMON, **ENDS, "vocab_size": VOCABULARY, "pad_token_id": PAD}
    config = tf.EncoderDecoderConfig.from_encoder_decoder_configs(
        tf.BertConfig(**{**part, "num_hidden_layers": 2}),
        tf.BertConfig(**part, is_decoder=True, add_cross_attention=True),
        decoder_start_token_id=1, pad_token_id=PAD,
    )  # fmt: skip
    torch.manual_seed(0)
    return settle(tf.EncoderDecoderModel(config))


def _prophetnet_weights(model: PreTrainedModel, inputs: Inputs) -> Weights:
    """ProphetNetAttention returns the scores before its softmax; the main stream has weights."""
    other = eager_copy(model)
    returned = outputs_of_modules(other, inputs, "ProphetNetAttention")
    weights = {key: output[1].softmax(-1) for key, output in returned.items()}
    main = outputs_of_modules(other, inputs, "ProphetNetNgramSelfAttention")
    return weights | {key: output[1] for key, output in main.items()}


def _led_weights(model: PreTrainedModel, inputs: Inputs) -> Weights:
    """The encoder's band of local weights, laid out as a square; the others as they are."""
    other, encoder = eager_copy(model), "longformer_self_attn"
    weights = {
        key: value
        for key, value in eager_weights(model, inputs).items()
        if not key[0].startswith("encoder.")
    }
    for key, output in outputs_of_modules(other, inputs, "LEDEncoderSelfAttention").items():
        assert key[0].endswith(encoder)
        weights[key] = torch.stack([_dense(output, inputs, row) for row in (0, 1)])
    return weights


ENTRIES = [
    _seq2seq(
        "nllb-moe", "NLLB-MoE", tf.NllbMoeModel, tf.NllbMoeConfig, num_experts=3,
        encoder_sparse_step=2, decoder_sparse_step=2, moe_token_dropout=0.0, **BART,
    ),
    _seq2seq(
        "bigbird-pegasus", "BigBird-Pegasus", tf.BigBirdPegasusModel, tf.BigBirdPegasusConfig,
        attention_type="original_full", **BART,
    ),
    _seq2seq(
        "pegasus-x", "Pegasus-X", tf.PegasusXModel, tf.PegasusXConfig, num_global_tokens=2,
        block_size=4, stacks=_NO_ENCODER, **{k: v for k, v in BART.items() if k != "bos_token_id"},
        entry={
            "not_shown": ("PegasusXGlobalLocalAttention",),
            "notes": "The encoder attends in blocks.",
        },
    ),
    _seq2seq(
        "led", "LED", tf.LEDModel, tf.LEDConfig, attention_window=[4, 8],
        max_encoder_position_embeddings=POSITIONS, max_decoder_position_embeddings=POSITIONS,
        **{k: v for k, v in BART.items() if k != "max_position_embeddings"},
        entry={
            "inputs": partial(text, target=True, global_attention_mask=[[1, 0, 0, 0, 0, 0, 0]] * 2),
            # The padding is at the right, as LED's own tokenizer has it.
            "padded": partial(
                padded_text, target=True, side="right",
                global_attention_mask=[[1, 0, 0, 0, 0, 0, 0]] * 2,
            ),
            "oracle": _led_weights,
            "notes": "One token has global attention; the other tokens of the encoder see a band.",
        },
    ),
    _seq2seq(
        "prophetnet", "ProphetNet", tf.ProphetNetModel, tf.ProphetNetConfig, hidden_size=32,
        encoder_ffn_dim=24, decoder_ffn_dim=24, num_encoder_layers=2, num_decoder_layers=3,
        num_encoder_attention_heads=N_HEADS, num_decoder_attention_heads=2, ngram=2,
        num_buckets=6, relative_max_distance=8, max_position_embeddings=POSITIONS, **ENDS,
        entry={
            "oracle": _prophetnet_weights,
            "not_shown": ("ProphetNetNgramSelfAttention",),
            "notes": "The decoder shows its main stream; the streams that predict later tokens "
            "are not shown.",
        },
    ),
    _seq2seq(
        "longt5-local", "LongT5 (local)", tf.LongT5Model, tf.LongT5Config, local_radius=2,
        encoder_attention_type="local", stacks=_NO_ENCODER, double=True, **_T5,
        entry={
            "not_shown": ("LongT5LocalAttention",),
            "notes": "The encoder attends in blocks.",
        },
    ),
    _seq2seq(
        "longt5-global", "LongT5 (transient-global)", tf.LongT5Model, tf.LongT5Config,
        local_radius=2, global_block_size=3, encoder_attention_type="transient-global",
        stacks=_NO_ENCODER, **_T5,
        entry={
            "not_shown": ("LongT5TransientGlobalAttention",),
            "notes": "The encoder attends in blocks.",
        },
    ),
    _seq2seq("pegasus", "Pegasus", tf.PegasusModel, tf.PegasusConfig, **BART),
    _seq2seq("m2m100", "M2M100", tf.M2M100Model, tf.M2M100Config, **BART),
    _seq2seq("mbart", "mBART", tf.MBartModel, tf.MBartConfig, **BART),
    _seq2seq("plbart", "PLBart", tf.PLBartModel, tf.PLBartConfig, **BART),
    _seq2seq("blenderbot", "Blenderbot", tf.BlenderbotModel, tf.BlenderbotConfig, **BART),
    _seq2seq(
        "blenderbot-small", "Blenderbot Small", tf.BlenderbotSmallModel, tf.BlenderbotSmallConfig,
        **BART,
    ),
    _seq2seq(
        "switch", "Switch Transformers", tf.SwitchTransformersModel, tf.SwitchTransformersConfig,
        double=True, num_sparse_encoder_layers=1, num_sparse_decoder_layers=1, **_EXPERTS, **_T5,
    ),
    _seq2seq("umt5", "UMT5", tf.UMT5Model, tf.UMT5Config, double=True, **_T5),
    _seq2seq("mt5", "mT5", tf.MT5Model, tf.MT5Config, double=True, **_T5),
    Entry(
        "t5gemma", "T5Gemma", _t5gemma, partial(text, target=True), _ALL,
        partial(padded_text, target=True),
    ),
    Entry(
        "encoder-decoder", "Encoder-decoder of two BERTs", _encoder_decoder,
        partial(text, target=True), _ALL, partial(padded_text, target=True),
    ),
    _forecaster(
        "time-series-transformer", "Time Series Transformer", tf.TimeSeriesTransformerModel,
        tf.TimeSeriesTransformerConfig, entry={"notes": "The positions are steps of the series."},
    ),
    _forecaster(
        "informer", "Informer", tf.InformerModel, tf.InformerConfig, sampling_factor=1,
        stacks={"cross": 3},
        entry={
            "not_shown": ("InformerProbSparseAttention",),
            "notes": "ProbSparse attention computes the rows of a few chosen queries alone.",
        },
    ),
    _forecaster(
        "informer-full", "Informer (full attention)", tf.InformerModel, tf.InformerConfig,
        attention_type="full", distil=False,
    ),
    _forecaster(
        "autoformer", "Autoformer", tf.AutoformerModel, tf.AutoformerConfig, label_length=2,
        moving_average=3, stacks={},
        entry={
            "refused": "AutoformerAttention",
            "notes": "It weighs delays of the series, not pairs of positions.",
        },
    ),
]  # fmt: skip
