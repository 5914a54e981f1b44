"""Tiny models with random weights, one for each family, and a tokenizer for them.

No hub: everything is built from its configuration, the same in every run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers as tf
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedModel, PreTrainedTokenizerFast

N_HEADS = 4
N_LAYERS = 3
WORDS = ["the", "cat", "sat", "on", "mat", "a", "dog", "saw", "it", "and", "slept", "there"]
VOCABULARY = 40
PAD = 0
POSITIONS = 32


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a word of WORDS, no special tokens around the text."""
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
    words = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", model_max_length=POSITIONS
    )


def settle(model: PreTrainedModel) -> PreTrainedModel:
    """Give every parameter enough noise for attention that is far from uniform."""
    noise = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=noise), alpha=0.18)
    return model.eval()


def build(model: Any, config: Any, /, **settings: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    return settle(model(config(**{"vocab_size": VOCABULARY, "pad_token_id": PAD, **settings})))


_COMMON = {
    "hidden_size": 32,
    "intermediate_size": 24,
    "num_attention_heads": N_HEADS,
    "num_hidden_layers": N_LAYERS,
    "max_position_embeddings": POSITIONS,
}
_GROUPED = {**_COMMON, "num_key_value_heads": 2, "bos_token_id": 1, "eos_token_id": 1}

ENCODERS: dict[str, Callable[[], PreTrainedModel]] = {
    "bert": lambda: build(tf.BertModel, tf.BertConfig, **_COMMON),
    "bert-masked-lm": lambda: build(tf.BertForMaskedLM, tf.BertConfig, **_COMMON),
    "roberta": lambda: build(tf.RobertaModel, tf.RobertaConfig, **_COMMON),
    "distilbert": lambda: build(
        tf.DistilBertModel, tf.DistilBertConfig, dim=32, hidden_dim=24, n_heads=N_HEADS,
        n_layers=N_LAYERS, max_position_embeddings=POSITIONS,
    ),
    "electra": lambda: build(tf.ElectraModel, tf.ElectraConfig, embedding_size=16, **_COMMON),
    "albert": lambda: build(tf.AlbertModel, tf.AlbertConfig, embedding_size=16, **_COMMON),
    "modernbert": lambda: build(
        tf.ModernBertModel, tf.ModernBertConfig, local_attention=4, eos_token_id=1,
        bos_token_id=1, cls_token_id=1, sep_token_id=1, **_COMMON,
    ),
}  # fmt: skip
DECODERS: dict[str, Callable[[], PreTrainedModel]] = {
    "gpt2": lambda: build(
        tf.GPT2LMHeadModel, tf.GPT2Config, n_embd=32, n_head=N_HEADS, n_layer=N_LAYERS,
        n_positions=POSITIONS, bos_token_id=1, eos_token_id=1,
    ),
    "gpt2-scaled-by-layer": lambda: build(
        tf.GPT2Model, tf.GPT2Config, n_embd=32, n_head=N_HEADS, n_layer=N_LAYERS,
        n_positions=POSITIONS, bos_token_id=1, eos_token_id=1,
        scale_attn_by_inverse_layer_idx=True,
    ),
    "bert-decoder": lambda: build(
        tf.BertLMHeadModel, tf.BertConfig, is_decoder=True, bos_token_id=1, **_COMMON
    ),
    "gpt-neox": lambda: build(tf.GPTNeoXForCausalLM, tf.GPTNeoXConfig, **_COMMON),
    "opt": lambda: build(
        tf.OPTForCausalLM, tf.OPTConfig, hidden_size=32, ffn_dim=24, word_embed_proj_dim=32,
        num_attention_heads=N_HEADS, num_hidden_layers=N_LAYERS,
        max_position_embeddings=POSITIONS, bos_token_id=1, eos_token_id=1,
    ),
    "llama": lambda: build(tf.LlamaForCausalLM, tf.LlamaConfig, **_GROUPED),
    "mistral": lambda: build(
        tf.MistralForCausalLM, tf.MistralConfig, sliding_window=3, **_GROUPED
    ),
    "qwen2": lambda: build(tf.Qwen2ForCausalLM, tf.Qwen2Config, **_GROUPED),
    "qwen3": lambda: build(tf.Qwen3ForCausalLM, tf.Qwen3Config, head_dim=12, **_GROUPED),
    "gemma": lambda: build(tf.GemmaForCausalLM, tf.GemmaConfig, head_dim=12, **_GROUPED),
    "gemma3": lambda: build(
        tf.Gemma3ForCausalLM, tf.Gemma3TextConfig, head_dim=12, sliding_window=3,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"], **_GROUPED,
    ),
    "phi3": lambda: build(tf.Phi3ForCausalLM, tf.Phi3Config, **_GROUPED),
    # Attention in the layers 1 and 3 alone, between convolutions.
    "lfm2": lambda: build(
        tf.Lfm2ForCausalLM, tf.Lfm2Config, **{**_GROUPED, "num_hidden_layers": 4},
        layer_types=["conv", "full_attention", "conv", "full_attention"],
    ),
}  # fmt: skip
FAMILIES = {**ENCODERS, **DECODERS}

# What is refused, and words of the reason.
REFUSED: dict[str, tuple[str, Callable[[], PreTrainedModel]]] = {
    # Each layer takes the difference of two attentions.
    "diffllama": (
        "calls attention 6 times in 3 modules",
        lambda: build(tf.DiffLlamaForCausalLM, tf.DiffLlamaConfig, **_GROUPED),
    ),
    "mamba": (
        "has no attention layers",
        lambda: build(
            tf.MambaModel, tf.MambaConfig, hidden_size=32, num_hidden_layers=1, bos_token_id=1,
            eos_token_id=1,
        ),
    ),
}  # fmt: skip
