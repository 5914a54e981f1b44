"""Decoders: models that write a text from left to right."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import transformers as tf
from architectures import COMMON, ENDS, GROUPED, SLIDING, SMALL_GPT
from models import N_HEADS, POSITIONS, build, settle

from zoo.common import Entry, Inputs, padded_text, text

_THREE = {"self": 3}
_FOUR_LAYERS = {**GROUPED, "num_hidden_layers": 4}
_MAMBA = {
    "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 4, "mamba_d_conv": 2,
    "mamba_expand": 2, "mamba_chunk_size": 4,
}  # fmt: skip
_ONE_EXPERT = {"num_local_experts": 2, "num_experts_per_tok": 1}


def _decoder(
    name: str, family: str, model: Any, config: Any, /, *,
    stacks: dict[str, int] | None = None, entry: dict[str, Any] | None = None,
    **settings: Any,
) -> Entry:  # fmt: skip
    """Return an entry for a model of text; `entry` has further fields of the Entry."""
    more = {"padded": padded_text} | (entry or {})
    return Entry(
        name, family, partial(build, model, config, **settings), text,
        _THREE if stacks is None else stacks, **more,
    )  # fmt: skip


def _decision_transformer() -> Any:
    torch.manual_seed(0)
    config = tf.DecisionTransformerConfig(
        state_dim=5, act_dim=2, hidden_size=32, n_head=N_HEADS, n_layer=3, n_positions=POSITIONS,
        max_ep_len=9, n_inner=24,
    )  # fmt: skip
    return settle(tf.DecisionTransformerModel(config))


def _trajectory(padding: int = 0) -> Inputs:
    """Return 3 steps of a state, an action and a return: 9 positions, 3 for each step."""
    noise = torch.Generator().manual_seed(5)
    mask = torch.ones(2, 3, dtype=torch.long)
    mask[1, :padding] = 0
    return {
        "states": torch.randn(2, 3, 5, generator=noise),
        "actions": torch.randn(2, 3, 2, generator=noise),
        "rewards": torch.randn(2, 3, 1, generator=noise),
        "returns_to_go": torch.randn(2, 3, 1, generator=noise),
        "timesteps": torch.tensor([[0, 1, 2], [4, 5, 6]]),
        "attention_mask": mask,
    }


ENTRIES = [
    _decoder(
        "gpt-bigcode", "GPT-BigCode", tf.GPTBigCodeForCausalLM, tf.GPTBigCodeConfig, n_inner=24,
        **SMALL_GPT,
    ),
    _decoder(
        "smollm3", "SmolLM3", tf.SmolLM3ForCausalLM, tf.SmolLM3Config, no_rope_layer_interval=2,
        **GROUPED,
    ),
    _decoder(
        "llama4", "Llama 4 (text)", tf.Llama4ForCausalLM, tf.Llama4TextConfig, head_dim=8,
        intermediate_size_mlp=24, attention_chunk_size=4, no_rope_layers=[1, 1, 0],
        interleave_moe_layer_step=2, **_ONE_EXPERT, **GROUPED,
    ),
    _decoder("glm", "GLM", tf.GlmForCausalLM, tf.GlmConfig, head_dim=8, **GROUPED),
    _decoder("glm4", "GLM-4", tf.Glm4ForCausalLM, tf.Glm4Config, head_dim=8, **GROUPED),
    _decoder(
        "granite", "Granite", tf.GraniteForCausalLM, tf.GraniteConfig, attention_multiplier=0.3,
        residual_multiplier=0.5, **GROUPED,
    ),
    _decoder("olmo3", "OLMo 3", tf.Olmo3ForCausalLM, tf.Olmo3Config, **SLIDING, **GROUPED),
    _decoder(
        "minimax", "MiniMax", tf.MiniMaxForCausalLM, tf.MiniMaxConfig, head_dim=8, block_size=4,
        layer_types=["linear_attention", "full_attention"] * 2, stacks={"self": 2},
        entry={
            "not_shown": ("MiniMaxLightningAttention",),
            "notes": "The lightning layers have no softmax.",
        },
        **_ONE_EXPERT, **_FOUR_LAYERS,
    ),
    _decoder(
        "mimo-v2-flash", "MiMo-V2-Flash", tf.MiMoV2FlashForCausalLM, tf.MiMoV2FlashConfig,
        head_dim=8, v_head_dim=6, n_routed_experts=2, num_experts_per_tok=1,
        moe_intermediate_size=16, **SLIDING, **GROUPED,
        entry={"notes": "Only the sliding layers have a sink."},
    ),
    _decoder(
        "zamba2", "Zamba2", tf.Zamba2ForCausalLM, tf.Zamba2Config,
        layers_block_type=["mamba", "hybrid", "mamba", "hybrid"], mamba_d_state=4, mamba_d_conv=2,
        n_mamba_heads=4, chunk_size=4, num_mem_blocks=1, adapter_rank=4, use_mem_rope=True,
        stacks={"self": 2}, **{**_FOUR_LAYERS, "num_key_value_heads": N_HEADS},
        # The state-space layers make large numbers; their rounding differs between sdpa and eager.
        entry={"tolerance": 2e-6},
    ),
    _decoder(
        "bamba", "Bamba", tf.BambaForCausalLM, tf.BambaConfig, attn_layer_indices=[1, 3],
        stacks={"self": 2}, **_MAMBA, **_FOUR_LAYERS,
    ),
    _decoder(
        "nemotron", "Nemotron", tf.NemotronForCausalLM, tf.NemotronConfig, head_dim=8,
        # Squared activations make large numbers, whose rounding differs between sdpa and eager.
        # Without padding the weights agree within 1e-6 in float64; eager has no mask there.
        entry={"tolerance": 2e-6}, **GROUPED,
    ),
    _decoder(
        "nemotron-h", "Nemotron-H", tf.NemotronHForCausalLM, tf.NemotronHConfig,
        layers_block_type=["mamba", "attention", "mlp", "attention"], head_dim=8,
        ssm_state_size=4, mamba_num_heads=4, mamba_head_dim=16, n_groups=1, conv_kernel=2,
        chunk_size=4, stacks={"self": 2},
        **{k: v for k, v in GROUPED.items() if k != "num_hidden_layers"},
    ),
    _decoder(
        "falcon-h1", "Falcon-H1", tf.FalconH1ForCausalLM, tf.FalconH1Config, mamba_d_ssm=64,
        head_dim=8, **_MAMBA, **GROUPED,
    ),
    _decoder(
        "recurrent-gemma", "RecurrentGemma", tf.RecurrentGemmaForCausalLM, tf.RecurrentGemmaConfig,
        block_types=["recurrent", "recurrent", "attention"], head_dim=8, lru_width=32,
        attention_window_size=4, conv1d_width=2, stacks={"self": 2},
        **{**GROUPED, "num_hidden_layers": 6},
        # Its recurrence carries the outputs of padding into the text, and sdpa and eager define
        # the outputs of padding differently: the model is the same only in the same attention.
        attn_implementation="eager",
    ),
    _decoder(
        "gemma3n", "Gemma 3n (text)", tf.Gemma3nForCausalLM, tf.Gemma3nTextConfig, head_dim=8,
        vocab_size_per_layer_input=40, hidden_size_per_layer_input=8, altup_num_inputs=2,
        laurel_rank=4, num_kv_shared_layers=1, activation_sparsity_pattern=[0.0] * 3,
        **SLIDING, **GROUPED, entry={"tolerance": 2e-6},
    ),
    _decoder(
        "phi", "Phi", tf.PhiForCausalLM, tf.PhiConfig, partial_rotary_factor=0.5, **GROUPED
    ),
    _decoder(
        "persimmon", "Persimmon", tf.PersimmonForCausalLM, tf.PersimmonConfig, **ENDS, **COMMON
    ),
    _decoder("stablelm", "StableLM", tf.StableLmForCausalLM, tf.StableLmConfig, **GROUPED),
    _decoder(
        "codegen", "CodeGen", tf.CodeGenForCausalLM, tf.CodeGenConfig, rotary_dim=4,
        **{**SMALL_GPT, "n_ctx": POSITIONS},
    ),
    _decoder("biogpt", "BioGPT", tf.BioGptForCausalLM, tf.BioGptConfig, **ENDS, **COMMON),
    _decoder("ctrl", "CTRL", tf.CTRLLMHeadModel, tf.CTRLConfig, dff=24, **SMALL_GPT),
    _decoder("gpt", "GPT", tf.OpenAIGPTLMHeadModel, tf.OpenAIGPTConfig, **SMALL_GPT),
    _decoder(
        "modernbert-decoder", "ModernBERT decoder", tf.ModernBertDecoderForCausalLM,
        tf.ModernBertDecoderConfig, local_attention=4, cls_token_id=1, sep_token_id=1,
        layer_types=SLIDING["layer_types"], **ENDS, **COMMON,
    ),
    _decoder("apertus", "Apertus", tf.ApertusForCausalLM, tf.ApertusConfig, **GROUPED),
    _decoder(
        "ernie4.5", "ERNIE 4.5", tf.Ernie4_5ForCausalLM, tf.Ernie4_5Config, head_dim=8, **GROUPED
    ),
    _decoder("exaone4", "EXAONE 4", tf.Exaone4ForCausalLM, tf.Exaone4Config, **SLIDING, **GROUPED),
    _decoder("arcee", "Arcee", tf.ArceeForCausalLM, tf.ArceeConfig, head_dim=8, **GROUPED),
    _decoder(
        "vaultgemma", "VaultGemma", tf.VaultGemmaForCausalLM, tf.VaultGemmaConfig, head_dim=12,
        query_pre_attn_scalar=10, attn_logit_softcapping=1.5, **SLIDING, **GROUPED,
    ),
    _decoder(
        "qwen3-moe", "Qwen3-MoE", tf.Qwen3MoeForCausalLM, tf.Qwen3MoeConfig, head_dim=12,
        num_experts=3, num_experts_per_tok=2, moe_intermediate_size=16, **GROUPED,
    ),
    _decoder(
        "starcoder2", "StarCoder2", tf.Starcoder2ForCausalLM, tf.Starcoder2Config,
        sliding_window=4, **GROUPED,
    ),
    _decoder("gemma", "Gemma", tf.GemmaForCausalLM, tf.GemmaConfig, head_dim=12, **GROUPED),
    _decoder(
        "xglm", "XGLM", tf.XGLMForCausalLM, tf.XGLMConfig, d_model=32, ffn_dim=24, num_layers=3,
        attention_heads=N_HEADS, max_position_embeddings=POSITIONS, decoder_start_token_id=1,
        **ENDS,
    ),
    _decoder(
        "reformer", "Reformer", tf.ReformerModelWithLMHead, tf.ReformerConfig,
        attention_head_size=8, attn_layers=["local", "lsh"], axial_pos_embds=False,
        feed_forward_size=24, hash_seed=3, hidden_size=32, is_decoder=True,
        local_attn_chunk_length=4, lsh_attn_chunk_length=4, num_buckets=2,
        num_attention_heads=N_HEADS, max_position_embeddings=POSITIONS, eos_token_id=1,
        stacks={},
        entry={
            "refused": "LSHSelfAttention", "padded": None,
            "notes": "Each token sees a few chunks, chosen by hashes in some layers.",
        },
    ),
    _decoder(
        "rwkv", "RWKV", tf.RwkvForCausalLM, tf.RwkvConfig, context_length=POSITIONS,
        hidden_size=32, num_hidden_layers=2, intermediate_size=24, **ENDS,
        stacks={}, entry={
            "refused": "RwkvSelfAttention", "padded": None,
            "notes": "Its recurrence has no softmax over keys.",
        },
    ),
    Entry(
        "decision-transformer", "Decision Transformer", _decision_transformer, _trajectory,
        _THREE, partial(_trajectory, 1),
        real=lambda _inputs, _stack, n_q: [False] * 3 + [True] * (n_q - 3),
        notes="The positions are return, state and action of each step.",
    ),
]  # fmt: skip
