"""Encoders: models that read a text in both directions."""

from __future__ import annotations

from functools import partial
from typing import Any

import transformers as tf
from architectures import COMMON, ENDS
from models import N_HEADS, POSITIONS, build
from transformers import PreTrainedModel

from zoo.common import Entry, Inputs, padded_text, text
from zoo.oracle import Weights, eager_copy, outputs_of_modules

_THREE = {"self": 3}
_XLM = {
    "emb_dim": 32, "n_layers": 3, "n_heads": N_HEADS, "max_position_embeddings": POSITIONS,
    "n_langs": 1, "pad_index": 0, "bos_index": 1, "eos_index": 2, "unk_index": 3, "mask_index": 4,
}  # fmt: skip


def _encoder(
    name: str, family: str, model: Any, config: Any, /, *,
    stacks: dict[str, int] | None = None, entry: dict[str, Any] | None = None, **settings: Any,
) -> Entry:  # fmt: skip
    """Return an entry for a model of text; `entry` has further fields of the Entry."""
    more = {"inputs": text, "padded": padded_text} | (entry or {})
    return Entry(
        name, family, partial(build, model, config, **settings),
        stacks=_THREE if stacks is None else stacks, **more,
    )  # fmt: skip


def _squeezebert_weights(model: PreTrainedModel, inputs: Inputs) -> Weights:
    """SqueezeBERT returns the scores before its softmax under the name of attentions."""
    returned = outputs_of_modules(eager_copy(model), inputs, "SqueezeBertSelfAttention")
    return {key: output["attention_score"].softmax(-1) for key, output in returned.items()}


def _six_tokens() -> Inputs:
    """Return texts of 6 tokens: Nyströmformer wants exactly its segment_means_seq_len."""
    return {"input_ids": text()["input_ids"][:, :6]}


ENTRIES = [
    _encoder("mpnet", "MPNet", tf.MPNetModel, tf.MPNetConfig, **COMMON),
    _encoder("xlm", "XLM", tf.XLMModel, tf.XLMConfig, **_XLM),
    _encoder("flaubert", "FlauBERT", tf.FlaubertModel, tf.FlaubertConfig, **_XLM),
    _encoder("layoutlm", "LayoutLM", tf.LayoutLMModel, tf.LayoutLMConfig, **COMMON),
    _encoder(
        "convbert", "ConvBERT", tf.ConvBertModel, tf.ConvBertConfig, embedding_size=16,
        head_ratio=2, conv_kernel_size=3, **COMMON,
        entry={"notes": "Half of each layer is attention, the other half is convolution."},
    ),
    _encoder(
        "roformer", "RoFormer", tf.RoFormerModel, tf.RoFormerConfig, embedding_size=16, **COMMON
    ),
    _encoder(
        "megatron-bert", "Megatron-BERT", tf.MegatronBertModel, tf.MegatronBertConfig, **COMMON
    ),
    _encoder("splinter", "Splinter", tf.SplinterModel, tf.SplinterConfig, **COMMON),
    _encoder(
        "markuplm", "MarkupLM", tf.MarkupLMModel, tf.MarkupLMConfig, max_depth=3,
        max_xpath_tag_unit_embeddings=8, max_xpath_subs_unit_embeddings=8, tag_pad_id=7,
        subs_pad_id=7, xpath_unit_hidden_size=4, **ENDS, **COMMON,
    ),
    _encoder(
        "ibert", "I-BERT", tf.IBertModel, tf.IBertConfig, quant_mode=False, **ENDS, **COMMON
    ),
    _encoder(
        "squeezebert", "SqueezeBERT", tf.SqueezeBertModel, tf.SqueezeBertConfig,
        embedding_size=32, q_groups=2, k_groups=2, v_groups=2, post_attention_groups=1,
        intermediate_groups=2, output_groups=2, **COMMON,
        entry={"oracle": _squeezebert_weights},
    ),
    _encoder(
        "funnel", "Funnel", tf.FunnelModel, tf.FunnelConfig, block_sizes=[1, 1],
        num_decoder_layers=1, d_model=32, n_head=N_HEADS, d_head=8, d_inner=24,
        stacks={"self 7×7": 2, "self 4×7": 1},
        entry={"notes": "The second block halves its queries."},
    ),
    _encoder(
        "nystromformer", "Nyströmformer", tf.NystromformerModel, tf.NystromformerConfig,
        num_landmarks=3, segment_means_seq_len=6, conv_kernel_size=3, **COMMON,
        stacks={},
        entry={
            "refused": "calls attention 9 times in 3 modules", "inputs": _six_tokens,
            "padded": None, "notes": "Three softmaxes approximate one map in each layer.",
        },
    ),
    _encoder(
        "yoso", "YOSO", tf.YosoModel, tf.YosoConfig, use_expectation=True, hash_code_len=4,
        conv_window=None, **COMMON, stacks={},
        entry={
            "refused": "YosoSelfAttention", "padded": None,
            "notes": "A hash, not a softmax, says what a token sees.",
        },
    ),
    _encoder(
        "fnet", "FNet", tf.FNetModel, tf.FNetConfig, hidden_size=32, intermediate_size=24,
        num_hidden_layers=2, max_position_embeddings=POSITIONS,
        stacks={}, entry={
            "refused": "has no attention layers", "padded": None,
            "notes": "A Fourier transform mixes the tokens.",
        },
    ),
]  # fmt: skip
