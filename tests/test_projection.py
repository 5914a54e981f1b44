"""W_O: what the heads give, brought through it and summed, is what the model's own layer gives."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import transformers as tf
from architectures import ARCHITECTURES
from models import FAMILIES, build, tokenizer
from transformers import PreTrainedModel

from attnwidget import AttentionWidget
from attnwidget.capture.output_projection import output_projection
from attnwidget.capture.source import ModelSource

# The output projection as the architecture names it, from its attention module.
OUTPUT = {
    **dict.fromkeys(
        ["bert", "roberta", "electra", "esm", "big-bird", "deberta-v2"], "../output.dense"
    ),
    **dict.fromkeys(["albert", "gpt-neox", "falcon", "falcon-alibi", "falcon-grouped"], "dense"),
    **dict.fromkeys(["bart", "marian", "whisper", "opt", "clip", "wav2vec2", "sam"], "out_proj"),
    **dict.fromkeys(["gpt-j", "gpt-neo", "mpt"], "out_proj"),
    "bloom": "dense",
    "distilbert": "out_lin",
    "gpt2": "c_proj",
    "modernbert": "Wo",
    "t5": "o",
    **dict.fromkeys(
        ["llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "olmo2", "cohere2"],
        "o_proj",
    ),
    **dict.fromkeys(["mixtral", "gpt-oss", "deepseek-v3", "jamba", "vit", "swin"], "o_proj"),
    **dict.fromkeys(["llava", "qwen2-vl", "qwen2-vl-images"], "o_proj"),
}
# CLIP's tower, beside Llama.
OF_STACK = {("llava", "vision"): "out_proj"}
# A gate before W_O; a layer named otherwise; values that were not seen.
UNKNOWN = {
    ("qwen3-next", "self"),
    ("qwen2-vl", "vision"),
    ("qwen2-vl-images", "vision"),
    ("sam", "vision 9×9"),
    ("sam", "vision 64×64"),
    ("longformer", "self"),
}
# XLNet's is a parameter of three axes, not a layer: it has a test of its own.
AS_LAYERS = [name for name in ARCHITECTURES if name not in {"qwen3-next", "longformer", "xlnet"}]


def projected(source, layer, model: PreTrainedModel) -> np.ndarray | None:
    """The sum over heads of attention · V · W_O, None where W_O isn't known."""
    heads = [source.head(layer.index, head) for head in range(layer.n_heads)]
    d_k = None if heads[0].Q is None else heads[0].Q.shape[-1]
    W_o = output_projection(model, layer.module, layer.n_heads, d_k, heads[0].V.shape[-1])
    if W_o is None:
        return None
    assert W_o.shape[:2] == (layer.n_heads, heads[0].V.shape[-1])
    maps = source.maps(layer.index)
    return sum(a @ one.V @ w for a, one, w in zip(maps, heads, W_o, strict=True))


def given_by(model: PreTrainedModel, inputs, modules) -> dict[str, list[torch.Tensor]]:
    """What each of `modules` returns in a pass, its bias taken off, call by call."""
    given = {name: [] for name in modules}
    hooks = []
    for name in given:
        module = model.get_submodule(name)

        def keep(module, _inputs, made, name=name) -> None:
            given[name].append(made if module.bias is None else made - module.bias)

        hooks.append(module.register_forward_hook(keep))
    with torch.no_grad():
        model(**inputs)
    for hook in hooks:
        hook.remove()
    return given


def place(name: str, layer) -> str:
    inside = OF_STACK.get((name, layer.stack), OUTPUT[name])
    if inside.startswith("../"):
        return layer.module.rpartition(".")[0] + "." + inside[3:]
    return f"{layer.module}.{inside}"


@pytest.mark.parametrize("name", AS_LAYERS)
def test_heads_through_w_o_sum_to_what_the_layer_returns(name):
    one = ARCHITECTURES[name]
    model, inputs = one.make(), one.inputs()
    source = ModelSource.capture(model, None, inputs=inputs)
    known = [layer for layer in source.layers if (name, layer.stack) not in UNKNOWN]
    assert known
    wanted = given_by(model, inputs, {place(name, layer) for layer in known})
    calls = dict.fromkeys(wanted, 0)
    for layer in known:
        got = projected(source.of(layer.stack), layer, model)
        assert got is not None, layer
        where = place(name, layer)
        # ALBERT's one module is called for each layer.
        want = wanted[where][calls[where]].reshape(-1, *got.shape)[0]
        calls[where] += 1
        scale = float(want.abs().max())
        assert scale > 1e-3
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * max(1, scale), err_msg=where)


def test_xlnet_s_parameter_of_three_axes():
    """XLNet adds what W_O gives to what it read, and brings the sum to one length."""
    one = ARCHITECTURES["xlnet"]
    model, inputs = one.make(), one.inputs()
    source = ModelSource.capture(model, None, inputs=inputs)
    attention = model.layer[1].rel_attn
    read, summed = [], []
    hooks = [
        attention.register_forward_pre_hook(lambda _, given: read.append(given[0])),
        attention.layer_norm.register_forward_pre_hook(lambda _, given: summed.append(given[0])),
    ]
    with torch.no_grad():
        model(**inputs)
    for hook in hooks:
        hook.remove()
    want = (summed[0] - read[0])[:, 0]
    got = projected(source, source.layers[1], model)
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * float(want.abs().max()))


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "t5"])
def test_the_widget_s_norms_are_of_the_very_layer(name):
    """One value of one head, fed to the model's own projection alone among zeros."""
    one = ARCHITECTURES[name]
    model = one.make()
    w = AttentionWidget.from_model(model, inputs=one.inputs())
    for layer in w.layers:
        w.stack, w.layer, w.head = layer.stack, layer.index, layer.n_heads - 1
        module = model.get_submodule(place(name, layer))
        n_k, d_v = w.V.shape
        fed = torch.zeros(n_k, layer.n_heads * d_v)
        fed[:, -d_v:] = torch.tensor(w.V)
        with torch.no_grad():
            want = (module(fed) - module(torch.zeros_like(fed))).norm(dim=-1)
        np.testing.assert_allclose(w.output_norms, want, rtol=1e-4)
        w.quantity = "output-norm"


def test_norms_follow_the_head_and_values_set_by_hand():
    w = AttentionWidget.from_model(FAMILIES["llama"](), tokenizer(), "the cat sat on it")
    first = w.output_norms
    w.head = 1  # the same values under grouped queries, another part of W_O
    assert not np.allclose(w.output_norms, first, rtol=1e-2)
    w.head = 0
    w.V = 2 * w.V
    np.testing.assert_allclose(w.output_norms, 2 * first, rtol=1e-5)
    # Values of another width don't fit W_O: nothing is guessed, and nothing stale is shown.
    w.quantity = "output-norm"
    w.V = np.ones((5, 3))
    assert w.output_norms is None
    assert w.quantity == "attention"
    assert w.undo()
    np.testing.assert_allclose(w.output_norms, 2 * first, rtol=1e-5)


def test_a_sink_has_no_value_and_no_norm():
    one = ARCHITECTURES["gpt-oss"]
    w = AttentionWidget.from_model(one.make(), inputs=one.inputs())
    assert len(w.output_norms) == len(w.key_tokens)
    assert w.output_norms[-1] == 0
    assert w.output_norms[:-1].min() > 0


@pytest.mark.parametrize(("name", "stack"), sorted(UNKNOWN))
def test_where_w_o_is_not_known_the_widget_says_so(name, stack):
    one = ARCHITECTURES[name]
    w = AttentionWidget.from_model(one.make(), inputs=one.inputs(), stack=stack)
    assert w.output_norms is None
    with pytest.raises(ValueError, match="quantity: 'output-norm' needs W_O, which isn't known"):
        w.quantity = "output-norm"
    assert w.quantity == "attention"


SMALL = {
    "hidden_size": 32, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "bos_token_id": 1, "eos_token_id": 1,
}  # fmt: skip


def small(model, config, **settings):
    return AttentionWidget.from_model(
        build(model, config, **SMALL, **settings), tokenizer(), "the cat"
    )


def test_a_norm_before_w_o_makes_it_unknown():
    """BitNet (Wang et al. 2023, arXiv 2310.11453) brings the joined heads to one length first."""
    assert small(tf.BitNetForCausalLM, tf.BitNetConfig).output_norms is None


def test_a_gate_before_w_o_makes_it_unknown():
    settings = {"layer_types": ["full_attention"]}
    gated = small(tf.Lfm3ForCausalLM, tf.Lfm3Config, use_attention_gate=True, **settings)
    assert gated.output_norms is None
    free = small(tf.Lfm3ForCausalLM, tf.Lfm3Config, use_attention_gate=False, **settings)
    assert free.output_norms is not None
    experts = {"num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 8}
    assert small(tf.LagunaForCausalLM, tf.LagunaConfig, **experts).output_norms is None


def with_output(change):
    """A Llama of which the output projection is another layer than a plain one."""
    model = copy.deepcopy(FAMILIES["llama"]())
    w = AttentionWidget.from_model(model, tokenizer(), "the cat sat")
    layer = model.model.layers[0].self_attn
    layer.o_proj = change(layer.o_proj)
    w.head = 1
    return w


def quantised(layer):
    layer.weight = torch.nn.Parameter(layer.weight.detach().char(), requires_grad=False)
    return layer


class Packed(torch.Tensor):
    """A weight as torchao keeps it: a float tensor in name, without views of its numbers."""

    @property
    def T(self):
        raise AttributeError("'Packed' object has no attribute 'layout'")

    def reshape(self, *_shape):
        raise NotImplementedError("aten.view is not implemented for Packed")


def packed(layer):
    weight = torch.Tensor._make_subclass(Packed, layer.weight.detach())
    layer.weight = torch.nn.Parameter(weight, requires_grad=False)
    return layer


@pytest.mark.parametrize(
    "change",
    [
        quantised,
        packed,
        lambda layer: torch.nn.Linear(layer.in_features + 4, layer.out_features),
        lambda layer: torch.nn.Sequential(layer),
        lambda layer: layer.to("meta"),
    ],
    ids=["quantised", "packed", "of another size", "wrapped", "on meta"],
)
def test_what_is_no_plain_projection_is_not_guessed(change):
    assert with_output(change).output_norms is None


def test_half_precision_is_widened():
    w = with_output(lambda layer: copy.deepcopy(layer).to(torch.bfloat16))
    exact = AttentionWidget.from_model(FAMILIES["llama"](), tokenizer(), "the cat sat", head=1)
    assert w.output_norms.dtype == np.float32
    np.testing.assert_allclose(w.output_norms, exact.output_norms, rtol=2**-7)


def test_every_architecture_is_one_or_the_other():
    assert set(OUTPUT) | {"xlnet", "qwen3-next", "longformer"} == set(ARCHITECTURES)
